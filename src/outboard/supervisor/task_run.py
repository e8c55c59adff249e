"""Where one task of a Dag run stands, from its first try to its last state. Plain state; decides nothing."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import anyio
import attrs

from outboard.protocol.serialized_dag import SerializedTask
from outboard.supervisor.outcome import FAILED, SUCCESS
from outboard.supervisor.ports import TaskKey
from outboard.supervisor.resumption import Resume
from outboard.supervisor.run_report import StateChange, TaskReport, Try
from outboard.supervisor.trigger_rules import SKIPPED, UPSTREAM_FAILED

__all__ = ("FINAL_STATES", "REMOVED", "TaskRun")

REMOVED = "removed"

# Where a task does not go on from.
FINAL_STATES = frozenset({SUCCESS, FAILED, SKIPPED, UPSTREAM_FAILED, REMOVED})


@attrs.define(kw_only=True)
class TaskRun:
    """Where a task stands.

    Attributes:
        task: its definition.
        state: its state; None before anything has been decided.
        reason: why it is in that state.
        try_number: its current try.
        instance_id: the id of the current try: as on Airflow's server, each try is an instance of its own, which stays the
            same while it is put off, deferred or awaiting input.
        started_at: when the current try was executed first.
        next_method: the method that the next execution is resumed at; None for one from the beginning.
        next_kwargs: the arguments of that method, in Airflow's encoding.
        waiting: what to cancel if the task is not to go on waiting; None while it does not wait.
        tries: its executions so far.
        changes: its states so far.
    """

    task: SerializedTask
    state: str | None = None
    reason: str = ""
    try_number: int = 0
    instance_id: str = ""
    started_at: datetime | None = None
    next_method: str | None = None
    next_kwargs: Mapping[str, Any] | None = None
    waiting: anyio.CancelScope | None = None
    tries: list[Try] = attrs.field(factory=list)
    changes: list[StateChange] = attrs.field(factory=list)

    @property
    def is_final(self) -> bool:
        """Whether it does not go on from where it is."""
        return self.state in FINAL_STATES

    @property
    def may_retry(self) -> bool:
        """Whether another try is left after the current one. The last one is one above the number of retries."""
        return self.task.retries > 0 and self.try_number <= self.task.retries

    def key(self, dag_id: str, run_id: str) -> TaskKey:
        """What the current try is known by to whoever serves its process."""
        return TaskKey(dag_id=dag_id, run_id=run_id, task_id=self.task.task_id, try_number=self.try_number)

    def begin_try(self) -> None:
        """Begin the next try."""
        self.try_number += 1
        self.instance_id = str(uuid.uuid4())
        self.started_at = None
        self.begin_anew()

    def begin_anew(self) -> None:
        """Begin the current try from the beginning again, as after it was put off."""
        self.next_method = self.next_kwargs = None

    def resume(self, resumption: Resume) -> None:
        """Let the next execution begin at a method."""
        self.next_method, self.next_kwargs = resumption.next_method, resumption.next_kwargs

    def enter(self, state: str, reason: str, at: datetime) -> None:
        """Come into a state."""
        self.state, self.reason = state, reason
        self.changes.append(StateChange(state=state, try_number=self.try_number, at=at, reason=reason))

    def report(self) -> TaskReport:
        """Tell how it ended."""
        reason = "waits for what cannot happen any more" if self.state is None else self.reason
        return TaskReport(
            task_id=self.task.task_id,
            state=self.state,
            reason=reason,
            tries=tuple(self.tries),
            changes=tuple(self.changes),
        )
