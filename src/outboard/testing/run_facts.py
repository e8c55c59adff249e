"""What a test says about the run that its task is part of, and the greeting that the task gets of it.

Knows the form of a greeting, and what is sensible in one. Must not know how the task is run.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypedDict

import attrs

from outboard.errors import UsageError
from outboard.protocol import messages as m
from outboard.protocol import serde
from outboard.sdk.python_operator import PythonCallable
from outboard.supervisor.ports import UNMAPPED, TaskKey
from outboard.testing.fact_checks import KNOWN_FACTS
from outboard.testing.task_under_test import TaskUnderTest, unfilled

__all__ = ("Facts", "RunFacts", "read_facts")

DEFAULT_DATE = datetime(2026, 1, 1, tzinfo=UTC)
"""The logical date of a run about which nothing is said: always the same one, so that results are, too."""

# Made up for each argument of a handler, which may be any result of a task: JSON would not hold all of them.
_ARGUMENT_TASK = "argument-"


class RunFacts(TypedDict, total=False):
    """The keys of ``context=``."""

    arguments: Mapping[str, Any]
    conf: Mapping[str, Any]
    data_interval_end: datetime | None
    data_interval_start: datetime | None
    event: Any
    first_reschedule_date: datetime | None
    logical_date: datetime | None
    map_index: int
    max_tries: int
    next_kwargs: Mapping[str, Any]
    next_method: str
    now: datetime
    params: Mapping[str, Any]
    run_after: datetime
    run_id: str
    run_type: str
    task_reschedule_count: int
    triggered_run_state: str
    try_number: int


@attrs.frozen(kw_only=True)
class Facts:
    """The facts of one run, checked.

    Attributes:
        given: by the key of `RunFacts`, without what was not given.
        task: whose run it is.
    """

    given: Mapping[str, Any]
    task: TaskUnderTest

    @property
    def now(self) -> datetime | None:
        """What the task's clock shows until it waits; None for the time that it is."""
        return self.given.get("now")

    @property
    def logical_date(self) -> datetime | None:
        """The date that the run is for."""
        date: datetime | None = self.given.get("logical_date", DEFAULT_DATE)
        return date

    @property
    def run_after(self) -> datetime:
        """The date after which the run may start."""
        return self.given.get("run_after") or self.logical_date or DEFAULT_DATE

    @property
    def run_id(self) -> str:
        """The run's id."""
        return self.given.get("run_id") or f"manual__{self.run_after.isoformat()}"

    @property
    def triggered_run_state(self) -> str:
        """How the runs end that the task asks for."""
        return str(self.given.get("triggered_run_state", "success"))

    @property
    def first_reschedule_date(self) -> datetime | None:
        """When the task began that has been put off since."""
        return self.given.get("first_reschedule_date")

    @property
    def arguments(self) -> Mapping[str, tuple[str, Any]]:
        """What a handler's stub task is called with: by name, the task whose result is meant, and that result."""
        given: Mapping[str, Any] = self.given.get("arguments", {})
        return {name: (f"{_ARGUMENT_TASK}{name}", value) for name, value in given.items()}

    @property
    def key(self) -> TaskKey:
        """Which try of which task it is."""
        return TaskKey(
            dag_id=self.task.dag_id,
            run_id=self.run_id,
            task_id=self.task.task_id,
            map_index=self.given.get("map_index", UNMAPPED),
            try_number=self.given.get("try_number", 1),
        )

    def greeting(self, xcom_keys: Sequence[str]) -> m.StartupDetails:
        """What the task's process is told first.

        Args:
            xcom_keys: of the XComs that the task itself has left before.
        """
        key, now = self.key, datetime.now(UTC)
        instance = m.TaskInstance(
            id=str(uuid.uuid4()),
            task_id=key.task_id,
            dag_id=key.dag_id,
            run_id=key.run_id,
            try_number=key.try_number,
            dag_version_id=str(uuid.uuid4()),
            map_index=key.map_index,
        )
        max_tries = self.given.get("max_tries", self.task.operator.retries)
        method = self.given.get("next_method")
        context = m.TIRunContext(
            dag_run=self.dag_run,
            task_reschedule_count=self.given.get("task_reschedule_count", 0),
            first_task_reschedule_start_date=self.first_reschedule_date,
            max_tries=max_tries,
            # What a task has left before it was deferred is still its own.
            xcom_keys_to_clear=[] if method else list(xcom_keys),
            # The number of retries, so the last try is one above it.
            should_retry=0 < key.try_number <= max_tries,
            next_method=method,
            next_kwargs=self._next_kwargs() if method else None,
            arg_bindings=[
                m.XComArgBinding(name=name, kind="xcom", task_id=task_id)
                for name, (task_id, _) in self.arguments.items()
            ],
        )
        return m.StartupDetails(
            ti=instance,
            dag_rel_path="",
            bundle_info=m.BundleInfo(name="test"),
            start_date=now,
            ti_context=context,
            sentry_integration="",
        )

    @property
    def dag_run(self) -> m.DagRun:
        """The run, as tasks are told about it."""
        date = self.logical_date
        return m.DagRun(
            dag_id=self.task.dag_id,
            run_id=self.run_id,
            logical_date=date,
            data_interval_start=self.given.get("data_interval_start", date),
            data_interval_end=self.given.get("data_interval_end", date),
            run_after=self.run_after,
            start_date=self.run_after,
            end_date=None,
            run_type=self.given.get("run_type", "manual"),
            state="running",
            # As in Airflow, the values of params are handed to a run in its conf.
            conf={**self.given.get("conf", {}), **self.given.get("params", {})},
            consumed_asset_events=[],
            partition_key=None,
        )

    def _next_kwargs(self) -> dict[str, Any]:
        arguments = dict(self.given.get("next_kwargs", {}))
        if "event" in self.given:
            arguments["event"] = self.given["event"]
        encoded: dict[str, Any] = serde.serialize(arguments, "context.next_kwargs")
        return encoded


def read_facts(context: Mapping[str, Any] | None, task: TaskUnderTest) -> Facts:
    """Check what was given as ``context=``.

    Raises:
        UsageError: there is no such fact, or a value makes no sense.
        SerializationError: an argument of the next method has no encoding.
    """
    if context is not None and not isinstance(context, Mapping):
        raise UsageError(f"context is a dict of facts about the run, not {context!r}")
    given = dict(context or {})
    for name, value in given.items():
        check = KNOWN_FACTS.get(name)
        if check is None:
            raise UsageError(f"context: there is no fact {name!r} about a run; there are: {', '.join(KNOWN_FACTS)}")
        problem = check(value)
        if problem:
            raise UsageError(f"context: {name} is {problem}, not {value!r}")
    if "next_method" not in given and given.keys() & {"event", "next_kwargs"}:
        raise UsageError("context: an event goes to the method that the task goes on with; name it: next_method")
    _check_arguments(task, given.get("arguments", {}))
    return Facts(given=given, task=task)


def _check_arguments(task: TaskUnderTest, arguments: Mapping[str, Any]) -> None:
    operator, label = task.operator, task.operator.label
    if operator.dag is not None:
        if arguments:
            raise UsageError(f"context: arguments are for handlers; {label} has those of its own call")
        return
    if not isinstance(operator, PythonCallable):
        if arguments:
            raise UsageError(f"context: arguments are for functions; {label} is handled by a {type(operator).__name__}")
        return
    unknown = [name for name in arguments if not operator.takes(name)]
    if unknown:
        known = ", ".join(map(repr, operator.parameter_names)) or "none"
        raise UsageError(f"context: the handler of {label} has no parameter {unknown[0]!r}; its parameters: {known}")
    given = {*arguments, *operator.op_kwargs, *operator.parameter_names[: len(operator.op_args)]}
    missing = sorted(unfilled(operator.python_callable) - given)
    if missing:
        wanted = ", ".join(f'"{name}": …' for name in missing)
        raise UsageError(
            f"the handler of {label} takes {', '.join(map(repr, missing))}, which its stub task gives it; say what: "
            f'context={{"arguments": {{{wanted}}}}}'
        )
