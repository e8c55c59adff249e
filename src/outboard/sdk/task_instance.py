"""``ti``: the running task as its body sees it, and its XComs.

Pure: who the task is comes from the runtime, and XComs go through `outboard.sdk.client`.
"""

from __future__ import annotations

from outboard.sdk import client
from outboard.sdk.xcom_arg import UNMAPPED, XCOM_RETURN_KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from typing import Any

    from outboard.sdk.context import Context
    from outboard.sdk.operator import BaseOperator

__all__ = ("TaskInstance",)

_NOT_GIVEN: Any = object()


class TaskInstance:
    """One attempt at one task of one run.

    Attributes:
        id: the UUID of the task instance, as a string.
        dag_id, task_id, run_id, map_index: which task it is; the index is -1 unless the task is mapped.
        try_number, max_tries: this attempt, counted from 1, and how many attempts after the first are allowed.
        start_date: when the first part of this attempt began.
        task: what is run.
    """

    XCOM_RETURN_KEY = XCOM_RETURN_KEY

    __slots__ = (
        "_context",
        "_first_reschedule_date",
        "dag_id",
        "dag_version_id",
        "hostname",
        "id",
        "map_index",
        "max_tries",
        "queue",
        "run_id",
        "start_date",
        "task",
        "task_id",
        "try_number",
    )

    def __init__(
        self,
        *,
        id: str,
        dag_id: str,
        task_id: str,
        run_id: str,
        try_number: int,
        map_index: int | None = UNMAPPED,
        max_tries: int = 0,
        start_date: datetime | None = None,
        dag_version_id: str | None = None,
        hostname: str | None = None,
        queue: str | None = None,
        task: BaseOperator | None = None,
        context: Context | None = None,
        first_reschedule_date: datetime | None = None,
    ) -> None:
        self.id = id
        self.dag_id = dag_id
        self.task_id = task_id
        self.run_id = run_id
        self.try_number = try_number
        self.map_index = UNMAPPED if map_index is None else map_index
        self.max_tries = max_tries
        self.start_date = start_date
        self.dag_version_id = dag_version_id
        self.hostname = hostname
        self.queue = queue
        self.task = task
        self._context = context
        self._first_reschedule_date = first_reschedule_date

    def __repr__(self) -> str:
        index = "" if self.map_index == UNMAPPED else f"[{self.map_index}]"
        return f"<TaskInstance {self.dag_id}.{self.task_id}{index} of {self.run_id}, try {self.try_number}>"

    @property
    def is_mapped(self) -> bool:
        """Whether this is one of several instances of a mapped task."""
        return self.map_index != UNMAPPED

    def get_template_context(self) -> Context:
        """The context of this run."""
        if self._context is None:
            from outboard.sdk.context import get_current_context

            return get_current_context()
        return self._context

    def xcom_push(self, key: str, value: Any) -> None:
        """Store an XCom of this task, for other tasks to pull.

        Raises:
            SerializationError: the value has no encoding; the path to the offending part is in the error.
        """
        client.current().set_xcom(key, value, *self._address())

    async def axcom_push(self, key: str, value: Any) -> None:
        """`xcom_push` for coroutines."""
        current = client.current()
        await current.in_thread(current.set_xcom, key, value, *self._address())

    def xcom_pull(
        self,
        task_ids: str | Iterable[str] | None = None,
        dag_id: str | None = None,
        key: str = XCOM_RETURN_KEY,
        include_prior_dates: bool = False,
        *,
        map_indexes: int | Iterable[int] | None = _NOT_GIVEN,
        default: Any = None,
        run_id: str | None = None,
    ) -> Any:
        """XComs that tasks have pushed.

        Args:
            task_ids: one task, or several; this one when None.
            dag_id: their Dag; this one when None.
            key: the XComs' key; ``"return_value"`` is what tasks return.
            include_prior_dates: whether XComs of earlier runs count when this run has none.
            map_indexes: which instances of a mapped task, one or several; None for a task that is not mapped; all instances
                unless given.
            default: what stands for a missing XCom, and for one that is None.
            run_id: their run; this one when None.

        Returns:
            The value of one task's one XCom, or else a list of values in the order of the tasks, and of the indexes. As in
            Airflow, one task without `map_indexes` gives a list only if it has several XComs: if it is mapped.
        """
        tasks = [task_ids or self.task_id] if task_ids is None or isinstance(task_ids, str) else list(task_ids)
        run, dag = run_id or self.run_id, dag_id or self.dag_id
        is_one_task = task_ids is None or isinstance(task_ids, str)
        if map_indexes is _NOT_GIVEN:
            values = self._pull_all(tasks, dag, run, key, include_prior_dates, default)
            return values[0] if is_one_task and len(values) == 1 else values
        is_one_index = map_indexes is None or isinstance(map_indexes, int)
        values = []
        for task_id, index in [(task, index) for task in tasks for index in _indexes(map_indexes)]:
            _, value = client.current().get_xcom(key, dag, run, task_id, index, include_prior_dates)
            values.append(default if value is None else value)
        return values[0] if is_one_task and is_one_index else values

    async def axcom_pull(
        self,
        task_ids: str | Iterable[str] | None = None,
        dag_id: str | None = None,
        key: str = XCOM_RETURN_KEY,
        include_prior_dates: bool = False,
        *,
        map_indexes: int | Iterable[int] | None = _NOT_GIVEN,
        default: Any = None,
        run_id: str | None = None,
    ) -> Any:
        """`xcom_pull` for coroutines."""
        return await client.current().in_thread(
            self.xcom_pull,
            task_ids,
            dag_id,
            key,
            include_prior_dates,
            map_indexes=map_indexes,
            default=default,
            run_id=run_id,
        )

    # ── what others have done ─────────────────────────────────────────────────────────────────────────────────────

    def get_previous_dagrun(self, state: str | None = None) -> Any:
        """The run of this Dag before this one, by logical date, or the last one before it in a state; None if there is none.

        It has what ``dag_run`` of the context has. A run without a logical date has none before it.
        """
        logical_date = self._logical_date()
        return logical_date and client.current().queries().previous_dag_run(self.dag_id, logical_date, state)

    def get_previous_ti(
        self, state: str | None = None, logical_date: datetime | None = None, map_index: int = UNMAPPED
    ) -> Any:
        """The instance of this task in the run before this one, or before a date, perhaps in a state; None if there is none.

        It has ``run_id``, ``logical_date``, ``start_date``, ``end_date``, ``state``, ``try_number``, ``map_index`` and
        ``duration``.
        """
        before = logical_date or self._logical_date()
        return client.current().queries().previous_ti(self.dag_id, self.task_id, before, map_index, state)

    @staticmethod
    def get_ti_count(
        dag_id: str,
        map_index: int | None = None,
        task_ids: list[str] | None = None,
        task_group_id: str | None = None,
        logical_dates: list[datetime] | None = None,
        run_ids: list[str] | None = None,
        states: list[str] | None = None,
    ) -> int:
        """How many task instances of a Dag there are that meet all that is given."""
        which = {"map_index": map_index, "task_ids": task_ids, "task_group_id": task_group_id}
        queries = client.current().queries()
        return queries.ti_count(dag_id, **which, logical_dates=logical_dates, run_ids=run_ids, states=states)

    @staticmethod
    def get_task_states(
        dag_id: str,
        map_index: int | None = None,
        task_ids: list[str] | None = None,
        task_group_id: str | None = None,
        logical_dates: list[datetime] | None = None,
        run_ids: list[str] | None = None,
    ) -> dict[str, Any]:
        """The states of tasks of a Dag that meet all that is given: by run, then by task (``task_0`` and so on if mapped)."""
        which = {"map_index": map_index, "task_ids": task_ids, "task_group_id": task_group_id}
        return client.current().queries().task_states(dag_id, **which, logical_dates=logical_dates, run_ids=run_ids)

    @staticmethod
    def get_task_breadcrumbs(dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """What each task of a run has come to: a dict for each, with ``task_id``, ``map_index``, ``state`` and others."""
        return client.current().queries().task_breadcrumbs(dag_id, run_id)

    @staticmethod
    def get_dr_count(
        dag_id: str,
        logical_dates: list[datetime] | None = None,
        run_ids: list[str] | None = None,
        states: list[str] | None = None,
    ) -> int:
        """How many runs of a Dag there are that meet all that is given."""
        queries = client.current().queries()
        return queries.dag_run_count(dag_id, logical_dates=logical_dates, run_ids=run_ids, states=states)

    @staticmethod
    def get_dagrun_state(dag_id: str, run_id: str) -> str:
        """The state of a run."""
        return client.current().queries().dag_run_state(dag_id, run_id)

    @staticmethod
    def get_dag(dag_id: str) -> Any:
        """What the server knows of a Dag: ``is_paused``, ``bundle_name``, ``owners``, ``tags``, ``next_dagrun`` and others."""
        return client.current().queries().dag(dag_id)

    def update_dagrun_note(self, note: str | None) -> None:
        """Set the note of this run, or remove it with an empty text; None leaves it alone. Needs Airflow 3.4."""
        if note is not None:
            client.current().queries().set_note(self.id, note)

    @property
    def log_url(self) -> str:
        """The page of this try in Airflow, as far as the address of its server is known here."""
        from urllib.parse import quote

        server = client.current().option("api", "base_url", "http://localhost:8080/").rstrip("/")
        index = f"/mapped/{self.map_index}" if self.is_mapped else ""
        task = f"{server}/dags/{self.dag_id}/runs/{quote(self.run_id)}/tasks/{self.task_id}"
        return f"{task}{index}?try_number={self.try_number}"

    @property
    def mark_success_url(self) -> str:
        """The page on which this task can be marked."""
        return self.log_url

    def _logical_date(self) -> datetime | None:
        run = self.get_template_context().get("dag_run")
        return run and run.logical_date

    def get_first_reschedule_date(self, context: Context) -> datetime | None:
        """When the sensor began that has been put off since; None for the first look of all."""
        if not context.get("task_reschedule_count"):
            return None
        if self._first_reschedule_date is not None:
            return self._first_reschedule_date
        retries = self.task.retries if self.task is not None else 0
        return client.current().task_reschedule_start_date(self.id, self.max_tries - retries + 1)

    def pull_argument(self, task_id: str, key: str) -> tuple[bool, Any]:
        """Whether the XCom that an argument refers to exists, and its value; for `BaseOperator.with_references_resolved`."""
        return client.current().get_xcom(key, self.dag_id, self.run_id, task_id, None, False)

    def _address(self) -> tuple[str, str, str, int | None]:
        return self.dag_id, self.run_id, self.task_id, self.map_index if self.is_mapped else None

    def _pull_all(
        self, tasks: list[str], dag_id: str, run_id: str, key: str, include_prior_dates: bool, default: Any
    ) -> list[Any]:
        # Of every instance of each task; of a task that has pushed nothing, the default.
        sequences = client.current().xcom_sequences()
        values: list[Any] = []
        for task_id in tasks:
            everything = slice(None)
            found = sequences.items(key, dag_id, run_id, task_id, everything, include_prior_dates=include_prior_dates)
            values += [default if value is None else value for value in found] or [default]
        return values


def _indexes(map_indexes: Any) -> list[int | None]:
    if map_indexes is None or isinstance(map_indexes, int):
        map_indexes = [map_indexes]
    elif isinstance(map_indexes, (str, bytes)) or not hasattr(map_indexes, "__iter__"):
        raise TypeError(f"map_indexes is an index, several of them or None, not {map_indexes!r}")
    return [None if index == UNMAPPED else index for index in map_indexes]
