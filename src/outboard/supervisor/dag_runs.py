"""All Dag runs of one command: the one that was asked for, and those that its tasks trigger, each known by its state.

It is the port for Dag runs, and what triggers that wait for one look at. How a run is made is handed in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import anyio
import anyio.abc
import attrs

from outboard.errors import UsageError
from outboard.protocol import messages as m
from outboard.protocol.serialized_dag import SerializedDag
from outboard.supervisor import greeting
from outboard.supervisor.dag_run import check
from outboard.supervisor.ports import TaskKey
from outboard.supervisor.run_report import DagRunReport, RunRequest
from outboard.supervisor.virtual_clock import Hands, Signal, VirtualClock

__all__ = ("DagRuns", "MakeRun")

QUEUED = "queued"
RUNNING = "running"
FINAL_STATES = frozenset({"success", "failed"})

# Who asks so often for the state of a run that has not ended waits for its end.
POLLS = 2

_RunKey = tuple[str, str]  # (dag_id, run_id)


class MakeRun(Protocol):
    """Makes one run: a partial of `outboard.supervisor.dag_run.run_dag`."""

    async def __call__(
        self, dag: SerializedDag, *, request: RunRequest, only_task: str | None, on_start: Callable[[], object]
    ) -> DagRunReport:
        """Run the Dag; call `on_start` when its first tasks count as hands of the clock."""


@attrs.define(eq=False, kw_only=True)
class _Run:
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
    ancestors: frozenset[_RunKey]
    changed: Signal
    state: str = QUEUED
    started_at: datetime | None = None
    ended_at: datetime | None = None
    report: DagRunReport | None = None
    scope: anyio.CancelScope | None = None
    is_wanted_again: bool = False


class DagRuns:
    """Runs of the Dags of one bundle.

    Args:
        dags: the Dags, by id.
        clock: the clock of all runs.
        serialized: the Dags as the bundle sent them, by id, for what is told about them.
    """

    def __init__(
        self, dags: Mapping[str, SerializedDag], clock: VirtualClock, serialized: Mapping[str, Any] | None = None
    ) -> None:
        self._dags = dags
        self._clock = clock
        self._serialized = serialized or {}
        self._runs: dict[_RunKey, _Run] = {}
        self._polls: Counter[tuple[TaskKey, _RunKey]] = Counter()
        self._file = ""
        self._bundle_name = ""
        self._make_run: MakeRun | None = None
        self._tasks: anyio.abc.TaskGroup | None = None
        self._hands: Hands | None = None
        self._forget: Callable[[str, str], object] = lambda dag_id, run_id: None

    async def run(
        self,
        dag: SerializedDag,
        request: RunRequest,
        make_run: MakeRun,
        *,
        only_task: str | None = None,
        on_reset: Callable[[str, str], object] = lambda dag_id, run_id: None,
    ) -> tuple[DagRunReport, tuple[DagRunReport, ...]]:
        """Run a Dag, and whatever its tasks trigger.

        Args:
            dag: the Dag; it need not be one of those that tasks can trigger.
            request: what its tasks are told about the run.
            make_run: makes each run.
            only_task: the only task of that Dag to run.
            on_reset: called with the ids of a Dag and of a run that is about to be run again.

        Returns:
            Its report, and those of the runs that were triggered, in the order in which they were.

        Raises:
            UsageError: as `outboard.supervisor.dag_run.run_dag` does.
        """
        check(dag, only_task=only_task)
        self._make_run, self._forget = make_run, on_reset
        self._file, self._bundle_name = request.file, request.bundle_name
        with self._clock.hands() as self._hands:
            async with anyio.create_task_group() as self._tasks:
                first = self._add(dag, request, frozenset())
                await self._follow(first, only_task)
        assert first.report is not None
        return first.report, tuple(run.report for run in self._runs.values() if run is not first and run.report)

    # ── making runs ───────────────────────────────────────────────────────────────────────────────────────────────

    def _add(self, dag: SerializedDag, request: RunRequest, ancestors: frozenset[_RunKey]) -> _Run:
        key = (dag.dag_id, request.run_id)
        run = _Run(dag=dag, request=request, ancestors=ancestors | {key}, changed=self._clock.signal())
        self._runs[key] = run
        self._begin()
        return run

    def _begin(self) -> None:
        """Count who is about to start a run as a hand; `_make` counts it off."""
        assert self._hands is not None
        self._hands.begin()

    async def _follow(self, run: _Run, only_task: str | None = None) -> None:
        """Make a run, and make it again if a task wants that."""
        while True:
            run.is_wanted_again = False
            with anyio.CancelScope() as run.scope:
                await self._make(run, only_task)
            run.scope = None
            if not run.is_wanted_again:
                return
            self._prepare_again(run)

    async def _make(self, run: _Run, only_task: str | None) -> None:
        assert self._make_run is not None
        assert self._hands is not None
        hand = [self._hands]  # at most one, given back once

        def give_back() -> None:
            if hand:
                hand.pop().end()

        try:
            if run.request.run_after is not None:
                await self._clock.sleep(max(0.0, (run.request.run_after - self._clock.now()).total_seconds()))
            run.started_at = self._clock.now()
            self._enter(run, RUNNING)
            run.report = await self._make_run(run.dag, request=run.request, only_task=only_task, on_start=give_back)
            run.ended_at = self._clock.now()
            self._enter(run, run.report.state)
        finally:
            give_back()

    def _prepare_again(self, run: _Run) -> None:
        self._forget(run.dag.dag_id, run.request.run_id)
        run.request = attrs.evolve(run.request, clear_number=run.request.clear_number + 1)
        run.started_at = run.ended_at = run.report = None
        self._begin()
        self._enter(run, QUEUED)

    def _enter(self, run: _Run, state: str) -> None:
        changed, run.changed = run.changed, self._clock.signal()
        run.state = state
        changed.set()

    # ── the port ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def dag(self, dag_id: str) -> m.DagResult | None:
        """Return what is known about a Dag; None if there is none of that id."""
        if dag_id not in self._dags:
            return None
        told = self._serialized.get(dag_id, {}).get("dag", {})
        owners = {task.get("__var", {}).get("owner", "airflow") for task in told.get("tasks", ())}
        return m.DagResult(
            dag_id=dag_id,
            is_paused=False,
            bundle_name=self._bundle_name,
            bundle_version=None,
            relative_fileloc=self._file,
            owners=", ".join(sorted(map(str, owners))),
            tags=sorted(map(str, told.get("tags") or ())),
            next_dagrun=None,
        )

    async def trigger(self, task: TaskKey, request: m.TriggerDagRun) -> bool:
        """Start a run of a Dag that there is; false if there is such a run already, and it is not to be reset.

        Raises:
            ValueError: that cannot be; the text says why.
        """
        dag, key = self._dags[request.dag_id], (request.dag_id, request.run_id)
        try:
            check(dag)
        except UsageError as error:
            raise ValueError(str(error)) from error
        caller = self._runs.get((task.dag_id, task.run_id))
        ancestors = frozenset() if caller is None else caller.ancestors
        found = self._runs.get(key)
        if found is not None:
            return bool(request.reset_dag_run) and self._reset(found, key, ancestors)
        asked = RunRequest(
            run_id=request.run_id,
            logical_date=request.logical_date,
            conf=request.conf or {},
            bundle_name=self._bundle_name,
            file=self._file,
            run_type="operator_triggered",
            run_after=request.run_after,
            note=request.note,
            partition_key=request.partition_key,
        )
        self._start(self._add(dag, asked, ancestors))
        return True

    def _start(self, run: _Run) -> None:
        assert self._tasks is not None
        self._tasks.start_soon(self._follow, run)

    def _reset(self, run: _Run, key: _RunKey, ancestors: frozenset[_RunKey]) -> bool:
        if key in ancestors:
            raise ValueError(f"the run {key[1]!r} of the Dag {key[0]!r} cannot be reset by a task that is part of it")
        if run.scope is not None:
            run.is_wanted_again = True
            run.scope.cancel()
        else:
            self._prepare_again(run)
            self._start(run)
        return True

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
