"""What a run needs from the store that its tasks are served from. No implementation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from outboard.protocol import messages as m
from outboard.supervisor.ports import UNMAPPED

__all__ = ("RunStore",)


class RunStore(Protocol):
    """What a run needs from the store that its tasks are served from."""

    def add_run(self, dag_id: str, run_id: str, date: datetime) -> None:
        """Make the run known before its first task."""

    def xcom_keys(self, dag_id: str, run_id: str, task_id: str, map_index: int = UNMAPPED) -> list[str]:
        """List the keys under which a task has left XComs."""

    def run_xcoms(self, dag_id: str, run_id: str) -> dict[str, dict[str, object]]:
        """Return the XComs of the run: by task id, then by key."""

    def push(self, dag_id: str, run_id: str, task_id: str, values: Mapping[str, object]) -> None:
        """Store XComs for a task, by key."""

    def skipped(self, dag_id: str, run_id: str) -> frozenset[str]:
        """Return the ids of the tasks that another task wants skipped."""

    def add_reschedule(self, instance_id: str, at: datetime) -> None:
        """Note that a try was put off."""

    def reschedules(self, instance_id: str) -> Sequence[datetime]:
        """Return when a try was put off, in order."""

    def question(self, instance_id: str) -> m.HITLDetailRequestResult | None:
        """Return what a try asks a person; None if it has not said so."""
