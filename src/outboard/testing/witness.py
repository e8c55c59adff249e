"""Who hears what a task tells of itself, asks people and wants of other Dags: three ports of a supervisor's in one.

Must not know how the task is run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from outboard.protocol import messages as m
from outboard.supervisor.ports import TaskKey
from outboard.testing.run_facts import Facts
from outboard.testing.task_result import TriggeredRun

__all__ = ("Witness",)


class Witness:
    """Answers what a task tells of itself and asks of other Dags, and keeps it.

    Attributes:
        skipped: the tasks that are to be skipped, each with its map index.
        rendered_fields: the rendered templates.
        question: what a person is asked; None if nothing was.
        triggered: the runs that were asked for.
    """

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.skipped: list[tuple[str, int]] = []
        self.rendered_fields: dict[str, Any] = {}
        self.question: m.HITLDetailRequestResult | None = None
        self.triggered: list[TriggeredRun] = []

    async def skip_downstream(self, task: TaskKey, skipped: Sequence[tuple[str, int]]) -> None:
        """See `outboard.supervisor.ports.TaskInstances`."""
        self.skipped += skipped

    async def set_rendered_fields(self, task: TaskKey, fields: Mapping[str, object]) -> None:
        """See `outboard.supervisor.ports.TaskInstances`."""
        self.rendered_fields.update(fields)

    async def set_rendered_map_index(self, task: TaskKey, label: str) -> None:
        """See `outboard.supervisor.ports.TaskInstances`. It is for people who look at pages."""

    async def reschedule_start(self, instance_id: str) -> datetime | None:
        """When the task began that has been put off since."""
        return self._facts.first_reschedule_date

    async def ask(self, task: TaskKey, request: m.CreateHITLDetailPayload) -> m.HITLDetailRequestResult:
        """A person is asked."""
        fields = {name: getattr(request, name) for name, *_ in m.HITLDetailRequestResult.spec}
        self.question = m.HITLDetailRequestResult(**fields)
        return self.question

    async def dag(self, dag_id: str) -> m.DagResult | None:
        """There is every Dag, and none is paused."""
        return m.DagResult(
            dag_id=dag_id,
            is_paused=False,
            bundle_name=None,
            bundle_version=None,
            relative_fileloc=None,
            owners=None,
            tags=[],
            next_dagrun=None,
        )

    async def trigger(self, task: TaskKey, request: m.TriggerDagRun) -> bool:
        """A run of another Dag is asked for: there is none but those that the task has asked for before."""
        if not request.reset_dag_run and self._triggered(request.dag_id, request.run_id):
            return False
        run = TriggeredRun(
            dag_id=request.dag_id,
            run_id=request.run_id,
            conf=request.conf or {},
            logical_date=request.logical_date,
            run_after=request.run_after,
            reset_dag_run=bool(request.reset_dag_run),
            note=request.note,
        )
        self.triggered.append(run)
        return True

    async def state(self, task: TaskKey, dag_id: str, run_id: str) -> str | None:
        """How a run has ended. There may be runs that nobody here has asked for."""
        return self._facts.triggered_run_state

    async def detail(self, dag_id: str, run_id: str) -> m.DagRun | None:
        """What is known about the task's own run."""
        own = self._facts.dag_run
        return own if (dag_id, run_id) == (own.dag_id, own.run_id) else None

    async def count(self, request: m.GetDRCount) -> int:
        """How many runs of a Dag the task has asked for."""
        return sum(run.dag_id == request.dag_id for run in self.triggered)

    def _triggered(self, dag_id: str, run_id: str) -> bool:
        return any((run.dag_id, run.run_id) == (dag_id, run_id) for run in self.triggered)
