"""The tasks of one Dag run: in dependency order, a bounded number at a time, with retries and waits, to one report.

It decides what may start and when, as Airflow's scheduler does, and nothing else: how a try is executed is handed in, and
so is what a task waits for that has deferred itself, so that this module knows no process and no wire.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime

import anyio
import anyio.abc
import attrs

from outboard.errors import UsageError
from outboard.protocol.serialized_dag import SerializedDag, SerializedTask
from outboard.supervisor.course import QUEUED, SKIPPED_BY_REQUEST, Course, Execute
from outboard.supervisor.human_input import HumanInput
from outboard.supervisor.outcome import FAILED, SUCCESS
from outboard.supervisor.ports import Clock
from outboard.supervisor.run_report import DagRunReport, Progress, RunRequest
from outboard.supervisor.run_store import RunStore
from outboard.supervisor.slots import Slots
from outboard.supervisor.task_run import TaskRun
from outboard.supervisor.trigger_rules import RULES, RUN, SKIPPED, UPSTREAM_FAILED, WAIT, Upstream, judge
from outboard.supervisor.triggers import Triggers
from outboard.supervisor.virtual_clock import Hands, VirtualClock

__all__ = ("check", "run_dag")

FAILURES = frozenset({FAILED, UPSTREAM_FAILED})

# A task process is small, but its author's libraries are not, so the processors set the pace.
DEFAULT_PARALLELISM = max(2, os.cpu_count() or 1)


async def run_dag(
    dag: SerializedDag,
    execute: Execute,
    *,
    request: RunRequest,
    store: RunStore,
    parallelism: int = DEFAULT_PARALLELISM,
    only_task: str | None = None,
    clock: Clock | None = None,
    triggers: Triggers | None = None,
    human_input: HumanInput | None = None,
    on_progress: Callable[[Progress], object] = lambda progress: None,
    on_start: Callable[[], object] = lambda: None,
    on_end: Callable[[], object] = lambda: None,
) -> DagRunReport:
    """Run a Dag, or one task of it.

    A failed task fails what waits for it, according to its trigger rule, and no more. A cancellation cancels the tries that
    are under way.

    Args:
        dag: the Dag, as its bundle declares it.
        execute: runs one try to its outcome, such as a partial of `outboard.supervisor.coordinator.run_task`.
        request: what the tasks are told about the run.
        store: where the tasks' XComs are.
        parallelism: how many tries may be under way at once.
        only_task: the id of the only task to run, whatever it waits for.
        clock: tells the time, and waits; the triggers and the human input must be on the same one.
        triggers: keeps what deferred tasks wait for; by default times and dates only.
        human_input: gets the answers that tasks await; by default from nobody.
        on_progress: called whenever a task comes into another state; must return at once.
        on_start: called when the first tasks count as hands of the clock; not at all if there are none.
        on_end: called when the last one is about to stop counting as one.

    Raises:
        UsageError: there is no such task, a task has an unknown trigger rule, or `parallelism` is below one.
    """
    check(dag, parallelism, only_task)
    wanted = dag.order if only_task is None else (only_task,)
    run_clock = clock if isinstance(clock, VirtualClock) else VirtualClock(clock)
    with run_clock.hands() as hands:
        course = Course(
            dag_id=dag.dag_id,
            request=request,
            started_at=run_clock.now(),
            execute=execute,
            store=store,
            clock=run_clock,
            triggers=triggers or Triggers(clock=run_clock),
            human_input=human_input or HumanInput(clock=run_clock),
            on_progress=on_progress,
            slots=Slots(parallelism, run_clock),
        )
        runs = {task_id: TaskRun(task=dag.tasks[task_id]) for task_id in wanted}
        scheduler = _Scheduler(
            dag=dag, request=request, store=store, course=course, hands=hands, runs=runs, on_end=on_end
        )
        return await scheduler.run(on_start)


def check(dag: SerializedDag, parallelism: int = 1, only_task: str | None = None) -> None:
    """Refuse what cannot be run.

    Raises:
        UsageError: as `run_dag` does.
    """
    if parallelism < 1:
        raise UsageError(f"parallelism is {parallelism}, but at least one task must be able to run")
    if only_task is not None and only_task not in dag.tasks:
        known = ", ".join(dag.order)
        raise UsageError(f"Dag {dag.dag_id!r} has no task {only_task!r}; it has: {known}")
    for task in dag.tasks.values():
        if task.trigger_rule not in RULES:
            known = ", ".join(sorted(RULES))
            raise UsageError(
                f"task {task.task_id!r} of Dag {dag.dag_id!r} has the unknown trigger rule {task.trigger_rule!r}; "
                f"there are: {known}"
            )


@attrs.define(eq=False, kw_only=True)
class _Scheduler:
    """Runs tasks until none is left that may run. Whoever runs a task is a hand of the clock."""

    dag: SerializedDag
    request: RunRequest
    store: RunStore
    course: Course
    hands: Hands
    runs: dict[str, TaskRun]
    on_end: Callable[[], object]
    _ended_at: datetime = attrs.field(init=False)

    async def run(self, on_start: Callable[[], object]) -> DagRunReport:
        dag_id, run_id = self.dag.dag_id, self.request.run_id
        self.store.add_run(dag_id, run_id, self.request.logical_date or self.course.started_at)
        async with anyio.create_task_group() as tasks:
            self._ended_at = self.course.started_at
            self._advance(tasks)
            if self.hands.count:
                on_start()
        return DagRunReport(
            dag_id=dag_id,
            run_id=run_id,
            state=self._run_state(),
            started_at=self.course.started_at,
            ended_at=self._ended_at,
            tasks=tuple(run.report() for run in self.runs.values()),
            xcoms=self.store.run_xcoms(dag_id, run_id),
        )

    # ── what may run ──────────────────────────────────────────────────────────────────────────────────────────────

    def _advance(self, tasks: anyio.abc.TaskGroup) -> None:
        """Decide about every task that nothing has been decided about; called at the start and whenever one has ended.

        One pass in topological order suffices: what is given up here is seen by those behind it.
        """
        skipped = self.store.skipped(self.dag.dag_id, self.request.run_id)
        for run in self.runs.values():
            if run.waiting is not None and run.task.task_id in skipped:
                self.course.enter(run, SKIPPED, reason=SKIPPED_BY_REQUEST)
                run.waiting.cancel()
            if run.state is not None:
                continue
            verdict = SKIPPED if run.task.task_id in skipped else self._judge(run.task)
            if verdict == RUN:
                run.begin_try()
                self.course.enter(run, QUEUED)
                self.hands.begin()
                tasks.start_soon(self._run_task, run, tasks)
            elif verdict != WAIT:
                reason = self._why_given_up(run.task, verdict, by_request=run.task.task_id in skipped)
                self.course.enter(run, verdict, reason=reason)

    def _judge(self, task: SerializedTask) -> str:
        # A task that is run alone waits for nobody.
        upstream = [self.runs[task_id] for task_id in task.upstream if task_id in self.runs]
        return judge(task.trigger_rule, Upstream.count(run.state for run in upstream))

    def _why_given_up(self, task: SerializedTask, verdict: str, *, by_request: bool) -> str:
        if by_request:
            return SKIPPED_BY_REQUEST
        stand = ", ".join(
            f"{task_id} {self.runs[task_id].state}" for task_id in task.upstream if self._has_ended(task_id)
        )
        return f"{verdict} by its trigger rule {task.trigger_rule}: {stand}"

    def _has_ended(self, task_id: str) -> bool:
        return self.runs[task_id].is_final

    def _run_state(self) -> str:
        """Airflow's rule: the tasks behind which there are no others decide, those without a handler aside.

        Its tasks that never came to run are a failure: they wait for what cannot happen any more.
        """
        runs = self.runs.values()
        if not all(run.is_final for run in runs):
            return FAILED
        last = [run for run in runs if not any(below in self.runs for below in run.task.downstream)]
        return FAILED if any(run.state in FAILURES for run in last) else SUCCESS

    async def _run_task(self, run: TaskRun, tasks: anyio.abc.TaskGroup) -> None:
        """Follow a task to its end, then look who was waiting for that."""
        try:
            await self.course.follow(run)
            self._advance(tasks)
        finally:
            self._ended_at = self.course.clock.now()
            if self.hands.count == 1:
                # Told while this is still a hand: a clock must not leap before others know that the run has ended.
                self.on_end()
            self.hands.end()
