"""All Dag runs of one command: the one that was asked for, and those that its tasks trigger, each known by its state.

It is the port for Dag runs, and what triggers look at that wait for one. How a run is made is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import anyio
import anyio.abc
import attrs

from outboard.errors import UsageError
from outboard.protocol import messages as m
from outboard.protocol.serialized_dag import SerializedDag
from outboard.supervisor.dag_run import check
from outboard.supervisor.ports import TaskKey
from outboard.supervisor.run_report import DagRunReport, RunRequest
from outboard.supervisor.run_table import QUEUED, Run, RunKey, RunTable
from outboard.supervisor.virtual_clock import Hands, VirtualClock

__all__ = ("DagRuns", "MakeRun")

RUNNING = "running"


class MakeRun(Protocol):
    """Makes one run: a partial of `outboard.supervisor.dag_run.run_dag`."""

    async def __call__(
        self,
        dag: SerializedDag,
        *,
        request: RunRequest,
        only_task: str | None,
        on_start: Callable[[], object],
        on_end: Callable[[], object],
    ) -> DagRunReport:
        """Run the Dag, see `outboard.supervisor.dag_run.run_dag`."""


@attrs.define(eq=False)
class _Hand:
    """One hand that works, and sometimes does not."""

    _hands: Hands
    _works: bool = attrs.field(default=True, init=False)

    def work(self) -> None:
        if not self._works:
            self._works = True
            self._hands.begin()

    def rest(self) -> None:
        if self._works:
            self._works = False
            self._hands.end()


class DagRuns(RunTable):
    """Runs of the Dags of one bundle.

    Args:
        dags: the Dags, by id.
        clock: the clock of all runs.
        serialized: the Dags as the bundle sent them, by id, for what is told about them.
        conf_problems: says what is wrong with a conf for one of them, as it was sent; empty for nothing.
    """

    def __init__(
        self,
        dags: Mapping[str, SerializedDag],
        clock: VirtualClock,
        serialized: Mapping[str, Any] | None = None,
        conf_problems: Callable[[Any, Mapping[str, object]], str] = lambda serialized, conf: "",
    ) -> None:
        super().__init__(clock)
        self._dags = dags
        self._serialized = serialized or {}
        self._conf_problems = conf_problems
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

    def _add(self, dag: SerializedDag, request: RunRequest, ancestors: frozenset[RunKey]) -> Run:
        key = (dag.dag_id, request.run_id)
        run = Run(dag=dag, request=request, ancestors=ancestors | {key}, changed=self._clock.signal())
        self._runs[key] = run
        self._begin()
        return run

    def _begin(self) -> None:
        """Count who is about to make a run as a hand; `_make` counts him off."""
        assert self._hands is not None
        self._hands.begin()

    async def _follow(self, run: Run, only_task: str | None = None) -> None:
        """Make a run, and make it again if a task wants that."""
        while True:
            with anyio.CancelScope() as run.scope:
                await self._make(run, only_task)
            run.scope = None
            if not run.is_wanted_again:
                return
            run.is_wanted_again = False
            self._prepare_again(run)

    async def _make(self, run: Run, only_task: str | None) -> None:
        assert self._make_run is not None
        assert self._hands is not None
        # While its tasks are under way they are the hands; before and after that, whoever makes the run is one.
        hand = _Hand(self._hands)
        try:
            if run.request.run_after is not None:
                await self._clock.sleep(max(0.0, (run.request.run_after - self._clock.now()).total_seconds()))
            run.started_at = self._clock.now()
            run.enter(RUNNING, self._clock)
            run.report = await self._make_run(
                run.dag, request=run.request, only_task=only_task, on_start=hand.rest, on_end=hand.work
            )
            run.ended_at = run.report.ended_at
            run.enter(run.report.state, self._clock)
        finally:
            hand.rest()

    def _prepare_again(self, run: Run) -> None:
        self._forget(run.dag.dag_id, run.request.run_id)
        run.request = attrs.evolve(run.request, clear_number=run.request.clear_number + 1)
        run.started_at = run.ended_at = run.report = None
        run.enter(QUEUED, self._clock)

    # ── what tasks ask for ────────────────────────────────────────────────────────────────────────────────────────

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
        if problems := self._conf_problems(self._serialized.get(request.dag_id), request.conf or {}):
            raise ValueError(problems)
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

    def _start(self, run: Run) -> None:
        assert self._tasks is not None
        self._tasks.start_soon(self._follow, run)

    def _reset(self, run: Run, key: RunKey, ancestors: frozenset[RunKey]) -> bool:
        if key in ancestors:
            raise ValueError(f"the run {key[1]!r} of the Dag {key[0]!r} cannot be reset by a task that is part of it")
        if run.is_wanted_again:
            return True
        # Whoever makes it anew is a hand from now on: what is cut off takes its time to end.
        self._begin()
        if run.scope is not None:
            run.is_wanted_again = True
            run.scope.cancel()
        else:
            self._prepare_again(run)
            self._start(run)
        return True
