"""The Dag runs that there are: what is told about them, and how their states are waited for. Makes none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import TypeAlias

import anyio
import attrs

from outboard.protocol import messages as m
from outboard.protocol.serialized_dag import SerializedDag
from outboard.supervisor import greeting
from outboard.supervisor.ports import TaskKey
from outboard.supervisor.run_report import DagRunReport, RunRequest
from outboard.supervisor.virtual_clock import Signal, VirtualClock

__all__ = ("QUEUED", "Run", "RunKey", "RunTable")

QUEUED = "queued"
FINAL_STATES = frozenset({"success", "failed"})

# Who asks so often for the state of a run that has not ended waits for its end.
POLLS = 2

RunKey: TypeAlias = tuple[str, str]  # (dag_id, run_id)


@attrs.define(eq=False, kw_only=True)
class Run:
    """One run.

    Attributes:
        dag: its Dag.
        request: what was asked for.
        ancestors: itself, the run whose task has triggered it, and so on.
        changed: set when it comes into another state.
        scope: what to cancel to end it early; None while it is not under way.
        is_wanted_again: whether it is to be run again after that.
    """

    dag: SerializedDag
    request: RunRequest
    ancestors: frozenset[RunKey]
    changed: Signal
    state: str = QUEUED
    started_at: datetime | None = None
    ended_at: datetime | None = None
    report: DagRunReport | None = None
    scope: anyio.CancelScope | None = None
    is_wanted_again: bool = False

    def enter(self, state: str, clock: VirtualClock) -> None:
        """Come into a state, and let those know who wait for that."""
        changed, self.changed = self.changed, clock.signal()
        self.state = state
        changed.set()


class RunTable:
    """Runs by their ids.

    Args:
        clock: the clock of all runs.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._runs: dict[RunKey, Run] = {}
        self._polls: Counter[tuple[TaskKey, RunKey]] = Counter()

    # ── what tasks ask ────────────────────────────────────────────────────────────────────────────────────────────

    async def state(self, task: TaskKey, dag_id: str, run_id: str) -> str | None:
        """Return the state of a run; None if there is no such run."""
        state = self.state_of(dag_id, run_id)
        poll = (task, (dag_id, run_id))
        self._polls[poll] += 1
        if state is None or state in FINAL_STATES:
            del self._polls[poll]
            self._clock.work(task)
        elif self._polls[poll] >= POLLS:
            self._clock.rest(task)
        return state

    async def detail(self, dag_id: str, run_id: str) -> m.DagRun | None:
        """Return what is known about a run; None if there is no such run."""
        run = self._runs.get((dag_id, run_id))
        if run is None:
            return None
        request = run.request
        if request.run_after is None and request.logical_date is None and run.started_at is None:
            request = attrs.evolve(request, run_after=self._clock.now())
        return greeting.describe_run(dag_id, request, started_at=run.started_at, state=run.state, ended_at=run.ended_at)

    async def count(self, request: m.GetDRCount) -> int:
        """Count the runs of a Dag that a request selects."""
        return sum(
            dag_id == request.dag_id
            and (not request.run_ids or run_id in request.run_ids)
            and (not request.states or run.state in request.states)
            and (not request.logical_dates or run.request.logical_date in request.logical_dates)
            for (dag_id, run_id), run in self._runs.items()
        )

    # ── what triggers look at ─────────────────────────────────────────────────────────────────────────────────────

    def obstacle(self, instance: m.TaskInstance, dag_id: str, run_ids: Sequence[str]) -> str | None:
        """Say why it would be no use to wait for these runs; None if it is."""
        caller = self._runs.get((instance.dag_id, instance.run_id))
        for run_id in run_ids:
            if (dag_id, run_id) not in self._runs:
                return f"there is no run {run_id!r} of a Dag {dag_id!r} here"
            if caller is not None and (dag_id, run_id) in caller.ancestors:
                return f"the run {run_id!r} of the Dag {dag_id!r} cannot end before this task has"
        return None

    async def reach(self, dag_id: str, run_ids: Sequence[str], states: Sequence[str], at_most: float | None) -> bool:
        """Wait until each of the runs is in one of the states, at most so many seconds; returns whether they are.

        Without a limit, a run that has ended in another state ends the wait.
        """
        started_at = self._clock.now()
        for run in [self._runs[dag_id, run_id] for run_id in run_ids]:
            while run.state not in states:
                if at_most is None and run.state in FINAL_STATES:
                    return False
                passed = (self._clock.now() - started_at).total_seconds()
                if at_most is not None and passed >= at_most:
                    return False
                await self._clock.wait(run.changed, None if at_most is None else at_most - passed)
        return True

    def state_of(self, dag_id: str, run_id: str) -> str | None:
        """Return a run's state; None if there is no such run."""
        run = self._runs.get((dag_id, run_id))
        return None if run is None else run.state
