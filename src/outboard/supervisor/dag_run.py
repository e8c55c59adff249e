"""The tasks of one Dag run: in dependency order, a bounded number at a time, with retries, to one report.

It decides what may start and when, as Airflow's scheduler does, and nothing else: how a try is executed is handed in, so
that this module knows no process and no wire beyond the greeting's form.
"""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Protocol, TypeAlias

import anyio
import anyio.abc
import attrs

from outboard.errors import UsageError
from outboard.protocol import messages as m
from outboard.protocol.serialized_dag import SerializedDag, SerializedTask
from outboard.supervisor.outcome import DEFERRED_STATES, FAILED, SUCCESS, UP_FOR_RETRY, Outcome
from outboard.supervisor.ports import UNMAPPED, Clock, SystemClock
from outboard.supervisor.run_report import DagRunReport, Progress, RunRequest, TaskReport, Try
from outboard.supervisor.trigger_rules import RULES, RUN, SKIPPED, UPSTREAM_FAILED, WAIT, Upstream, judge

__all__ = ("Execute", "RunStore", "run_dag")

QUEUED = "queued"
RUNNING = "running"
UP_FOR_RESCHEDULE = "up_for_reschedule"
REMOVED = "removed"

# Where a task does not go on from.
FINAL_STATES = frozenset({SUCCESS, FAILED, SKIPPED, UPSTREAM_FAILED, REMOVED})

FAILURES = frozenset({FAILED, UPSTREAM_FAILED})

# A task process is small, but its author's libraries are not, so the processors set the pace.
DEFAULT_PARALLELISM = max(2, os.cpu_count() or 1)

Execute: TypeAlias = Callable[[m.StartupDetails], Awaitable[Outcome]]


class RunStore(Protocol):
    """What a run needs from the store that its tasks are served from."""

    def add_run(self, dag_id: str, run_id: str, date: datetime) -> None:
        """Make the run known before its first task."""

    def xcom_keys(self, dag_id: str, run_id: str, task_id: str, map_index: int = UNMAPPED) -> list[str]:
        """List the keys under which a task has left XComs."""

    def run_xcoms(self, dag_id: str, run_id: str) -> dict[str, dict[str, object]]:
        """Return the XComs of the run: by task id, then by key."""

    def skipped(self, dag_id: str, run_id: str) -> frozenset[str]:
        """Return the ids of the tasks that another task wants skipped."""


@attrs.define(kw_only=True)
class _TaskRun:
    """Where a task stands.

    Attributes:
        task: its definition.
        state: its state; None before anything has been decided.
        reason: why it is in that state.
        try_number: its current try.
        reschedules: how often it has been put off in this try.
        tries: its executions so far.
    """

    task: SerializedTask
    state: str | None = None
    reason: str = ""
    try_number: int = 0
    reschedules: int = 0
    tries: list[Try] = attrs.field(factory=list)

    @property
    def is_final(self) -> bool:
        return self.state in FINAL_STATES

    def report(self) -> TaskReport:
        reason = "waits for what cannot happen any more" if self.state is None else self.reason
        return TaskReport(task_id=self.task.task_id, state=self.state, reason=reason, tries=tuple(self.tries))


async def run_dag(
    dag: SerializedDag,
    execute: Execute,
    *,
    request: RunRequest,
    store: RunStore,
    parallelism: int = DEFAULT_PARALLELISM,
    only_task: str | None = None,
    clock: Clock | None = None,
    on_progress: Callable[[Progress], object] = lambda progress: None,
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
        clock: tells the time, and waits before retries.
        on_progress: called whenever a task comes into another state; must return at once.

    Raises:
        UsageError: there is no such task, a task has an unknown trigger rule, or `parallelism` is below one.
    """
    _check(dag, parallelism, only_task)
    wanted = dag.order if only_task is None else (only_task,)
    scheduler = _Scheduler(
        dag=dag,
        execute=execute,
        request=request,
        store=store,
        clock=clock or SystemClock(),
        on_progress=on_progress,
        runs={task_id: _TaskRun(task=dag.tasks[task_id]) for task_id in wanted},
        slots=anyio.CapacityLimiter(parallelism),
    )
    return await scheduler.run()


def _check(dag: SerializedDag, parallelism: int, only_task: str | None) -> None:
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
    """Runs tasks until none is left that may run."""

    dag: SerializedDag
    execute: Execute
    request: RunRequest
    store: RunStore
    clock: Clock
    on_progress: Callable[[Progress], object]
    runs: dict[str, _TaskRun]
    slots: anyio.CapacityLimiter
    _started_at: datetime = attrs.field(init=False)
    _dag_version_id: str = attrs.field(factory=lambda: str(uuid.uuid4()), init=False)

    async def run(self) -> DagRunReport:
        self._started_at = self.clock.now()
        date = self.request.logical_date or self._started_at
        self.store.add_run(self.dag.dag_id, self.request.run_id, date)
        async with anyio.create_task_group() as tasks:
            self._advance(tasks)
        return DagRunReport(
            dag_id=self.dag.dag_id,
            run_id=self.request.run_id,
            state=self._run_state(),
            started_at=self._started_at,
            ended_at=self.clock.now(),
            tasks=tuple(run.report() for run in self.runs.values()),
            xcoms=self.store.run_xcoms(self.dag.dag_id, self.request.run_id),
        )

    # ── what may run ──────────────────────────────────────────────────────────────────────────────────────────────

    def _advance(self, tasks: anyio.abc.TaskGroup) -> None:
        """Decide about every task that nothing has been decided about; called at the start and whenever one has ended.

        One pass in topological order suffices: what is given up here is seen by those behind it.
        """
        skipped = self.store.skipped(self.dag.dag_id, self.request.run_id)
        for run in self.runs.values():
            if run.state is not None:
                continue
            verdict = SKIPPED if run.task.task_id in skipped else self._judge(run.task)
            if verdict == RUN:
                run.try_number = 1
                self._enter(run, QUEUED)
                tasks.start_soon(self._run_task, run, tasks)
            elif verdict != WAIT:
                reason = self._why_given_up(run.task, verdict, by_request=run.task.task_id in skipped)
                self._enter(run, verdict, reason=reason)

    def _judge(self, task: SerializedTask) -> str:
        # A task that is run alone waits for nobody.
        upstream = [self.runs[task_id] for task_id in task.upstream if task_id in self.runs]
        return judge(task.trigger_rule, Upstream.count(run.state for run in upstream))

    def _why_given_up(self, task: SerializedTask, verdict: str, *, by_request: bool) -> str:
        if by_request:
            return "skipped by a task before it"
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

    # ── running ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _run_task(self, run: _TaskRun, tasks: anyio.abc.TaskGroup) -> None:
        """Execute a task until it is in a final state, then look who was waiting for that."""
        while not run.is_final:
            async with self.slots:
                if self._is_to_be_skipped(run):
                    self._enter(run, SKIPPED, reason="skipped by a task before it")
                    break
                outcome = await self._execute(run)
            delay = self._after(run, outcome)
            if delay is not None:
                await self.clock.sleep(delay)
                self._enter(run, QUEUED)
        self._advance(tasks)

    def _is_to_be_skipped(self, run: _TaskRun) -> bool:
        # Airflow overwrites whatever does not run yet or has not ended.
        return run.task.task_id in self.store.skipped(self.dag.dag_id, self.request.run_id)

    async def _execute(self, run: _TaskRun) -> Outcome:
        self._enter(run, RUNNING)
        outcome = await self.execute(self._startup(run))
        run.tries.append(Try(try_number=run.try_number, outcome=outcome))
        return outcome

    def _after(self, run: _TaskRun, outcome: Outcome) -> float | None:
        """Draw the consequence of an outcome; returns how many seconds to wait before the next execution, if any."""
        if outcome.state == UP_FOR_RETRY:
            delay = _seconds(outcome.retry_delay, default=run.task.delay_after(run.try_number))
            self._enter(run, UP_FOR_RETRY, reason=outcome.reason, outcome=outcome, delay=delay)
            run.try_number += 1
            run.reschedules = 0
            return delay
        if isinstance(outcome.terminal, m.RescheduleTask) and outcome.state == UP_FOR_RESCHEDULE:
            delay = _seconds((outcome.terminal.reschedule_date - self.clock.now()).total_seconds(), default=0)
            self._enter(run, UP_FOR_RESCHEDULE, reason=outcome.reason, outcome=outcome, delay=delay)
            run.reschedules += 1
            return delay
        if outcome.state in DEFERRED_STATES.values():
            reason = f"{outcome.reason}, which nothing in a local run takes up again"
            self._enter(run, FAILED, reason=reason, outcome=outcome)
        else:
            self._enter(run, outcome.state, reason=outcome.reason, outcome=outcome)
        return None

    def _enter(
        self, run: _TaskRun, state: str, *, reason: str = "", outcome: Outcome | None = None, delay: float | None = None
    ) -> None:
        run.state = state
        run.reason = reason
        self.on_progress(
            Progress(
                task_id=run.task.task_id,
                state=state,
                try_number=run.try_number,
                at=self.clock.now(),
                reason=reason,
                outcome=outcome,
                delay=delay,
            )
        )

    # ── the greeting ──────────────────────────────────────────────────────────────────────────────────────────────

    def _startup(self, run: _TaskRun) -> m.StartupDetails:
        task, request = run.task, self.request
        instance = m.TaskInstance(
            # As on Airflow's server, each try is an instance of its own.
            id=str(uuid.uuid4()),
            task_id=task.task_id,
            dag_id=self.dag.dag_id,
            run_id=request.run_id,
            try_number=run.try_number,
            dag_version_id=self._dag_version_id,
        )
        context = m.TIRunContext(
            dag_run=self._dag_run(),
            task_reschedule_count=run.reschedules,
            max_tries=task.retries,
            xcom_keys_to_clear=self.store.xcom_keys(self.dag.dag_id, request.run_id, task.task_id),
            # `max_tries` counts the retries, so the last try is one above it.
            should_retry=task.retries > 0 and run.try_number <= task.retries,
        )
        return m.StartupDetails(
            ti=instance,
            dag_rel_path=request.file,
            bundle_info=m.BundleInfo(name=request.bundle_name),
            start_date=self.clock.now(),
            ti_context=context,
            sentry_integration="",
        )

    def _dag_run(self) -> m.DagRun:
        date = self.request.logical_date
        return m.DagRun(
            dag_id=self.dag.dag_id,
            run_id=self.request.run_id,
            logical_date=date,
            # A manual run covers the moment that it is for.
            data_interval_start=date,
            data_interval_end=date,
            run_after=date or self._started_at,
            start_date=self._started_at,
            end_date=None,
            run_type="manual",
            state="running",
            conf=dict(self.request.conf),
            consumed_asset_events=[],
            partition_key=None,
        )


def _seconds(value: float | None, *, default: float) -> float:
    """Take a delay that a task asks for; the wire lets through what makes no sense as one."""
    if value is None or not math.isfinite(value):
        return default
    return max(0.0, value)
