"""`TriggerDagRunOperator`: a task that asks for a run of another Dag, and perhaps waits for it.

It only says what is wanted: the runtime asks, and waits. What it does not have of Airflow's: the link to the run in the
task's page.
"""

from __future__ import annotations

from datetime import datetime, timezone

from outboard.sdk.client import current
from outboard.sdk.exceptions import AirflowException, DagRunTriggerException
from outboard.sdk.operator import BaseOperator
from outboard.sdk.states import DagRunState
from outboard.sdk.task_arguments import check_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from outboard.sdk.context import Context

__all__ = ("DagIsPaused", "TriggerDagRunOperator")


class _NotGiven:
    """Neither a date nor None, which says that the run is to have no logical date."""

    __slots__ = ()

    def serialize(self) -> str:
        return "NOTSET"  # Airflow's word for it, which its pages show

    __repr__ = serialize


_NOT_GIVEN: Any = _NotGiven()

# Seconds between two looks at the run.
DEFAULT_POKE_INTERVAL = 60


class DagIsPaused(AirflowException):
    """The Dag that is to be run is paused.

    Attributes:
        dag_id: the Dag.
    """

    def __init__(self, dag_id: str) -> None:
        super().__init__(dag_id)
        self.dag_id = dag_id

    def __str__(self) -> str:
        return f"the Dag {self.dag_id!r} is paused"


class TriggerDagRunOperator(BaseOperator):
    """Asks for a run of another Dag.

    Args:
        trigger_dag_id: the Dag.
        trigger_run_id: the id of the run; made of its date unless given.
        conf: what is handed to the run: a dict that JSON has a form for, or JSON.
        logical_date: of the run: an aware datetime, or ISO 8601 text (in UTC unless it says otherwise); None for a run
            without one. Now, unless it or `run_after` is given.
        run_after: when the run may begin, in the same forms.
        reset_dag_run: whether a run of that id is cleared and run again.
        wait_for_completion: whether the task ends with the run.
        poke_interval: seconds between two looks at the run.
        allowed_states, failed_states: of the run, in which the task is a success or a failure; `DagRunState.SUCCESS` and
            `DagRunState.FAILED` unless given.
        skip_when_already_exists: whether a run of that id makes the task skipped and not failed.
        fail_when_dag_is_paused: whether the task fails where the Dag is paused.
        note: for the run's page.
        deferrable: whether the task waits in the triggerer and not in a process; what the deployment says unless given.
        openlineage_inject_parent_info: taken as in Airflow; there is no OpenLineage here to inject anything.

    Raises:
        TypeError, ValueError: an argument of the wrong type, or a state that runs do not have.
    """

    template_fields: Sequence[str] = (
        "trigger_dag_id",
        "trigger_run_id",
        "logical_date",
        "conf",
        "wait_for_completion",
        "skip_when_already_exists",
    )
    template_fields_renderers: Mapping[str, str] = {"conf": "py"}
    ui_color = "#ffefeb"

    def __init__(
        self,
        *,
        trigger_dag_id: str,
        trigger_run_id: str | None = None,
        conf: dict[str, Any] | str | None = None,
        logical_date: str | datetime | None = _NOT_GIVEN,
        run_after: str | datetime | None = _NOT_GIVEN,
        reset_dag_run: bool = False,
        wait_for_completion: bool = False,
        poke_interval: float = DEFAULT_POKE_INTERVAL,
        allowed_states: Sequence[str] | None = None,
        failed_states: Sequence[str] | None = None,
        skip_when_already_exists: bool = False,
        fail_when_dag_is_paused: bool = False,
        note: str | None = None,
        deferrable: bool | None = None,
        openlineage_inject_parent_info: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.trigger_dag_id = trigger_dag_id
        self.trigger_run_id = trigger_run_id
        self.conf = conf
        self.logical_date = logical_date
        self.run_after = run_after
        self.reset_dag_run = reset_dag_run
        self.wait_for_completion = wait_for_completion
        self.poke_interval = self._seconds(poke_interval)
        # As in Airflow: no failed states at all may be meant, no allowed ones not.
        self.allowed_states = self._states("allowed_states", allowed_states or [DagRunState.SUCCESS])
        self.failed_states = self._states(
            "failed_states", [DagRunState.FAILED] if failed_states is None else failed_states
        )
        self.skip_when_already_exists = skip_when_already_exists
        self.fail_when_dag_is_paused = fail_when_dag_is_paused
        self.note = note
        self.deferrable = deferrable
        self.openlineage_inject_parent_info = openlineage_inject_parent_info

    def _seconds(self, value: Any) -> float:
        if type(value) not in (int, float) or not value >= 0:
            raise ValueError(f"{self.label}: poke_interval is a number of seconds from 0, not {value!r}")
        return float(value)

    def _states(self, name: str, states: Sequence[str]) -> list[DagRunState]:
        if isinstance(states, str):
            raise TypeError(f"{self.label}: {name} is a list of states, not {states!r}")
        try:
            return [DagRunState(state) for state in states]
        except ValueError as error:
            raise ValueError(f"{self.label}: {name}: {error}") from None

    def execute(self, context: Context) -> None:
        """Ask for the run.

        Raises:
            DagRunTriggerException: what is wanted; the runtime does it.
            DagIsPaused: the Dag is paused, and that is to be a failure.
            TypeError, ValueError: an argument is wrong that was not known before.
        """
        dag_id = check_key("trigger_dag_id", self.trigger_dag_id)
        logical_date, run_after = self._dates()
        self.trigger_run_id = str(self.trigger_run_id or _run_id(logical_date, run_after))
        if self.fail_when_dag_is_paused and current().is_paused(dag_id):
            raise DagIsPaused(dag_id)
        deferrable = self.deferrable
        if deferrable is None:
            deferrable = current().option("operators", "default_deferrable", False)
        raise DagRunTriggerException(
            trigger_dag_id=dag_id,
            dag_run_id=self.trigger_run_id,
            conf=self._json_conf(),
            logical_date=logical_date,
            run_after=run_after,
            reset_dag_run=self.reset_dag_run,
            skip_when_already_exists=self.skip_when_already_exists,
            wait_for_completion=self.wait_for_completion,
            allowed_states=[state.value for state in self.allowed_states],
            failed_states=[state.value for state in self.failed_states],
            poke_interval=self.poke_interval,
            deferrable=deferrable,
            note=self.note or None,
        )

    def execute_complete(self, context: Context, event: Any) -> None:
        """Judge the run that was waited for.

        Args:
            context: of this run.
            event: what Airflow's ``DagStateTrigger`` fires: a pair of its class path and a dict with ``run_ids``, and the
                state of each run under its id.

        Raises:
            AirflowException: the run has failed, or the event says nothing about it.
        """
        told = event[1] if isinstance(event, (list, tuple)) and len(event) == 2 else event
        run_ids = told.get("run_ids") if isinstance(told, dict) else None
        if not run_ids:
            raise AirflowException(f"the event does not say which run has ended: {event!r}")
        for run_id in run_ids:
            state = told.get(run_id)
            if state in self.failed_states or state not in self.allowed_states:
                raise AirflowException(
                    f"the run {run_id!r} of the Dag {self.trigger_dag_id!r} ended {state or 'unknown'}"
                )
            current().say("info", f"the run {run_id!r} of the Dag {self.trigger_dag_id!r} ended {state}")

    def _dates(self) -> tuple[datetime | None, datetime | None]:
        """The logical date and the earliest beginning, each of them or None."""
        run_after = None if self.run_after is _NOT_GIVEN else _date("run_after", self.run_after)
        if self.logical_date is not _NOT_GIVEN:
            return _date("logical_date", self.logical_date), run_after
        return (current().now() if self.run_after is _NOT_GIVEN else None), run_after

    def _json_conf(self) -> dict[str, Any] | None:
        import json

        try:
            # What has passed through JSON has only keys that the supervisor takes.
            conf = json.loads(self.conf if isinstance(self.conf, str) else json.dumps(self.conf, allow_nan=False))
        except (TypeError, ValueError) as error:
            raise ValueError(f"conf is a dict that JSON has a form for, or JSON, not {self.conf!r}: {error}") from None
        if conf is not None and not isinstance(conf, dict):
            raise ValueError(f"conf is a dict, not {self.conf!r}")
        return conf


def _date(name: str, value: Any) -> datetime | None:
    if value is None:
        return None
    if isinstance(value, str):
        try:
            parsed = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            raise ValueError(
                f"{name} is a datetime or ISO 8601 text, such as 2026-01-31T12:00:00Z, not {value!r}"
            ) from None
        return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=timezone.utc)
    if not isinstance(value, datetime):
        raise TypeError(f"{name} is a datetime or ISO 8601 text, not {value!r}")
    if value.tzinfo is None:
        raise ValueError(f"{name} is a datetime with a time zone, and {value!r} has none")
    return value


def _run_id(logical_date: datetime | None, run_after: datetime | None) -> str:
    """An id in Airflow's form. A run without a logical date may have the dates of another one, so it gets letters too."""
    moment = (run_after or logical_date or current().now()).isoformat()
    if logical_date is not None:
        return f"manual__{moment}"
    from uuid import uuid4

    return f"manual__{moment}_{uuid4().hex[:8]}"
