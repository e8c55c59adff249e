"""What a Dag run is asked for, and what is known about it while it goes on and when it has ended. Plain values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

import attrs

from outboard.supervisor.outcome import Outcome

__all__ = ("DagRunReport", "Progress", "RunRequest", "StateChange", "TaskReport", "Try")


@attrs.frozen(kw_only=True)
class RunRequest:
    """What is to be run, as the tasks are told.

    Attributes:
        run_id: the run's id.
        logical_date: the date that the run is for; None for a run without one.
        conf: what the caller hands to the run.
        bundle_name: the name of the bundle.
        file: the path of the author's file inside the bundle.
        run_type: why there is a run: by hand, or because a task has triggered it.
        run_after: before which it does not start; None for at once.
        note: what the caller notes about it.
        partition_key: the partition that it is for.
        clear_number: how often it was run before.
    """

    run_id: str
    logical_date: datetime | None
    conf: Mapping[str, object] = attrs.field(factory=dict)
    bundle_name: str = "local"
    file: str = ""
    run_type: Literal["manual", "operator_triggered"] = "manual"
    run_after: datetime | None = None
    note: str | None = None
    partition_key: str | None = None
    clear_number: int = 0


@attrs.frozen(kw_only=True)
class Try:
    """One execution of a task. A task that was only put off is executed again under the same number."""

    try_number: int
    outcome: Outcome


@attrs.frozen(kw_only=True)
class StateChange:
    """A state that a task has come into.

    Attributes:
        state: the state.
        try_number: its try then, from 1; 0 if it never started.
        at: when.
        reason: why, or what it waits for; may be empty.
    """

    state: str
    try_number: int
    at: datetime
    reason: str


@attrs.frozen(kw_only=True)
class TaskReport:
    """How a task of the run ended.

    Attributes:
        task_id: its id.
        state: its last state; None if nothing ever allowed it to start.
        reason: one sentence: what its last process did, or why there was none.
        tries: its executions, in order.
        changes: its states, in order.
    """

    task_id: str
    state: str | None
    reason: str
    tries: tuple[Try, ...]
    changes: tuple[StateChange, ...] = ()

    @property
    def try_number(self) -> int:
        """How often it was tried: the number of its last try, or 0."""
        return self.tries[-1].try_number if self.tries else 0

    @property
    def duration(self) -> float:
        """How many seconds its processes took together."""
        return sum(one.outcome.duration for one in self.tries)


@attrs.frozen(kw_only=True)
class DagRunReport:
    """How a Dag run ended.

    Attributes:
        dag_id: the Dag's id.
        run_id: the run's id.
        state: ``success`` or ``failed``, decided by the Dag's last tasks as Airflow does.
        started_at: when its first task could start.
        ended_at: when its last one had ended.
        tasks: a report for each task that was asked for, in topological order.
        xcoms: what the tasks have left: by task id, then by key.
    """

    dag_id: str
    run_id: str
    state: str
    started_at: datetime
    ended_at: datetime
    tasks: tuple[TaskReport, ...]
    xcoms: Mapping[str, Mapping[str, object]]

    @property
    def duration(self) -> float:
        """How many seconds the run took."""
        return (self.ended_at - self.started_at).total_seconds()


@attrs.frozen(kw_only=True)
class Progress:
    """A task has come into a state.

    Attributes:
        dag_id, run_id: of which run it is.
        task_id: its id.
        state: its new state.
        try_number: its current try, from 1; 0 if it never started.
        at: when.
        reason: why, where there is more to say than the state.
        outcome: how its process ended, if one has just ended.
        delay: how many seconds it waits before it is taken up again, if it does.
    """

    task_id: str
    state: str
    try_number: int
    at: datetime
    dag_id: str = ""
    run_id: str = ""
    reason: str = ""
    outcome: Outcome | None = None
    delay: float | None = None
