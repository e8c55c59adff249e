"""The course of one task: its executions, and what it waits for between two of them, until it is in a last state.

It knows what follows from which outcome, as Airflow's scheduler and server do; not what may start, nor how a try is
executed, nor how triggers and people are waited for.
"""

from __future__ import annotations

import math
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, TypeAlias

import anyio
import attrs

from outboard.protocol import messages as m
from outboard.supervisor import greeting
from outboard.supervisor.human_input import HumanInput
from outboard.supervisor.outcome import (
    AWAITING_INPUT,
    DEFERRED,
    FAILED,
    UP_FOR_RESCHEDULE,
    UP_FOR_RETRY,
    WAITING_STATES,
    Outcome,
)
from outboard.supervisor.resumption import End, Resume, Resumption
from outboard.supervisor.run_report import Progress, RunRequest, Try
from outboard.supervisor.run_store import RunStore
from outboard.supervisor.slots import Slots
from outboard.supervisor.task_run import TaskRun
from outboard.supervisor.trigger_rules import SKIPPED
from outboard.supervisor.triggers import Triggers
from outboard.supervisor.virtual_clock import VirtualClock

__all__ = ("QUEUED", "SKIPPED_BY_REQUEST", "Course", "Execute")

QUEUED = "queued"
RUNNING = "running"

SKIPPED_BY_REQUEST = "skipped by a task before it"

# Runs one try to its outcome.
Execute: TypeAlias = Callable[[m.StartupDetails], Awaitable[Outcome]]


@attrs.define(eq=False, kw_only=True)
class Course:
    """Takes tasks of one run along. Whoever calls counts as a hand of the clock.

    Attributes:
        dag_id: of which Dag they are.
        request: what the tasks are told about the run.
        started_at: when the run started.
        execute: runs one try to its outcome.
        store: where the tasks' XComs are.
        clock: tells the time, and waits.
        triggers: keeps what deferred tasks wait for.
        human_input: gets the answers that tasks await.
        on_progress: called whenever a task comes into another state.
        slots: how many tries may be under way at once.
    """

    dag_id: str
    request: RunRequest
    started_at: datetime
    execute: Execute
    store: RunStore
    clock: VirtualClock
    triggers: Triggers
    human_input: HumanInput
    on_progress: Callable[[Progress], object]
    slots: Slots
    _dag_version_id: str = attrs.field(factory=lambda: str(uuid.uuid4()), init=False)

    async def follow(self, run: TaskRun) -> None:
        """Execute a task until it is in a final state."""
        while not run.is_final:
            async with self.slots:
                if run.task.task_id in self.store.skipped(self.dag_id, self.request.run_id):
                    # Airflow overwrites whatever does not run yet or has not ended.
                    self.enter(run, SKIPPED, reason=SKIPPED_BY_REQUEST)
                    break
                outcome, instance = await self._execute(run)
            await self._go_on(run, outcome, instance)

    async def _execute(self, run: TaskRun) -> tuple[Outcome, m.TaskInstance]:
        self.enter(run, RUNNING)
        if run.next_method is None:
            run.started_at = self.clock.now()
        request = self.request
        instance = greeting.identify(run, self.dag_id, request.run_id, self._dag_version_id)
        startup = greeting.greet(
            run,
            instance,
            greeting.describe_run(self.dag_id, request, started_at=self.started_at),
            request,
            now=self.clock.now(),
            reschedules=self.store.reschedules(run.instance_id),
            xcom_keys=self.store.xcom_keys(self.dag_id, request.run_id, run.task.task_id),
        )
        try:
            outcome = await self.execute(startup)
        finally:
            self.clock.work(run.key(self.dag_id, request.run_id))
        run.tries.append(Try(try_number=run.try_number, outcome=outcome))
        return outcome, instance

    # ── what follows from an execution ────────────────────────────────────────────────────────────────────────────

    async def _go_on(self, run: TaskRun, outcome: Outcome, instance: m.TaskInstance) -> None:
        """Draw the consequence of an outcome, and wait for what the task wants to wait for."""
        report = outcome.terminal
        if outcome.state == UP_FOR_RETRY:
            await self._retry(run, outcome.reason, outcome.retry_delay, outcome)
        elif outcome.state == UP_FOR_RESCHEDULE and isinstance(report, m.RescheduleTask):
            await self._put_off(run, outcome, report.reschedule_date)
        elif outcome.state == DEFERRED and isinstance(report, m.DeferTask):
            self.enter(run, DEFERRED, reason=self.triggers.describe(report), outcome=outcome)
            await self._resume(run, self.triggers.resumption(instance, report))
        elif outcome.state == AWAITING_INPUT and isinstance(report, m.AwaitInputTask):
            question = self.store.question(run.instance_id)
            self.enter(run, AWAITING_INPUT, reason="" if question is None else question.subject, outcome=outcome)
            await self._resume(run, self.human_input.resumption(instance, report, question))
        elif outcome.state in WAITING_STATES.values():
            reason = f"{outcome.reason}, without saying what it waits for"
            self.enter(run, FAILED, reason=reason, outcome=outcome)
        else:
            self.enter(run, outcome.state, reason=outcome.reason, outcome=outcome)

    async def _retry(self, run: TaskRun, reason: str, asked: float | None, outcome: Outcome | None = None) -> None:
        delay = _seconds(asked, default=run.task.delay_after(run.try_number))
        self.enter(run, UP_FOR_RETRY, reason=reason, outcome=outcome, delay=delay)
        await self._wait(run, self.clock.sleep(delay))
        if not run.is_final:
            run.begin_try()
            self.enter(run, QUEUED)

    async def _put_off(self, run: TaskRun, outcome: Outcome, until: datetime) -> None:
        delay = _seconds((until - self.clock.now()).total_seconds(), default=0)
        self.store.add_reschedule(run.instance_id, self.clock.now())
        self.enter(run, UP_FOR_RESCHEDULE, reason=outcome.reason, outcome=outcome, delay=delay)
        await self._wait(run, self.clock.sleep(delay))
        if not run.is_final:
            run.begin_anew()
            self.enter(run, QUEUED)

    async def _resume(self, run: TaskRun, resumption: Awaitable[Resumption]) -> None:
        found = await self._wait(run, resumption)
        if run.is_final:
            return
        if isinstance(found, Resume):
            run.resume(found)
            self.enter(run, QUEUED)
        else:
            assert isinstance(found, End)
            await self._end(run, found)

    async def _end(self, run: TaskRun, end: End) -> None:
        """End a try without another execution of it."""
        if end.state == FAILED and end.may_retry and run.may_retry:
            await self._retry(run, end.reason, None)
            return
        self.store.push(self.dag_id, self.request.run_id, run.task.task_id, end.xcoms)
        self.enter(run, end.state, reason=end.reason)

    async def _wait(self, run: TaskRun, waiting: Awaitable[Any]) -> Any:
        """Wait, unless another task wants this one skipped meanwhile; it is in its final state then."""
        with anyio.CancelScope() as run.waiting:
            try:
                return await waiting
            finally:
                run.waiting = None

    def enter(
        self, run: TaskRun, state: str, *, reason: str = "", outcome: Outcome | None = None, delay: float | None = None
    ) -> None:
        """Let a task come into a state, and tell so."""
        run.enter(state, reason, self.clock.now())
        self.on_progress(
            Progress(
                dag_id=self.dag_id,
                run_id=self.request.run_id,
                task_id=run.task.task_id,
                state=state,
                try_number=run.try_number,
                at=self.clock.now(),
                reason=reason,
                outcome=outcome,
                delay=delay,
            )
        )


def _seconds(value: float | None, *, default: float) -> float:
    """Take a delay that a task asks for; the wire lets through what makes no sense as one."""
    if value is None or not math.isfinite(value):
        return default
    return max(0.0, value)
