"""A try of a task in the caller's process: the runtime's own code, joined to a supervisor in a thread.

The body runs in the caller's thread, so that a debugger stops in it and fixtures reach it. Only where an event loop runs in
that thread does it run in one of its own, since a coroutine task needs a loop for itself.
"""

from __future__ import annotations

import contextvars
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent import futures
from contextlib import contextmanager, suppress
from typing import Any

from outboard.comms.channel import Channel
from outboard.comms.in_memory import descriptor_pair
from outboard.comms.interrupts import Interrupts
from outboard.comms.log_channel import LogChannel
from outboard.errors import ChannelError, UsageError
from outboard.protocol import messages as m
from outboard.protocol.versions import DEFAULT_SCHEMA
from outboard.runtime.signals import Signals
from outboard.supervisor import outcome
from outboard.supervisor.outcome import Evidence
from outboard.supervisor.ports import SystemClock
from outboard.testing import surroundings
from outboard.testing.ended_task import EndedTask
from outboard.testing.in_memory_supervisor import InMemorySupervisor
from outboard.testing.observed_run import ObservedRun
from outboard.testing.run_facts import Facts
from outboard.testing.supervisor_thread import supervisor_thread
from outboard.testing.taps import TappedLogs
from outboard.testing.task_under_test import TaskUnderTest
from outboard.testing.world import World

__all__ = ("run_in_process",)

MODULE = "outboard_task_under_test"
"""Under this name the runtime imports what declares the task."""

# Seconds that a body in a thread of its own has to end when the test has been interrupted, such as by its timeout.
GRACE = 5.0

_BETWEEN_INTERRUPTS = 0.1

# The current context, the current client and the standard streams are the process's.
_turn = threading.Lock()


def run_in_process(facts: Facts, world: World) -> EndedTask:
    """Run one try of a task here.

    Raises:
        UsageError: a task is being run here already, or its time limit cannot be kept.
    """
    needs_thread = _has_event_loop()
    _check_time_limit(facts.task, needs_thread=needs_thread)
    if not _turn.acquire(blocking=False):
        raise UsageError(
            "run_task runs a task in this process already, and one at a time; let that end first, or use real=True"
        )
    try:
        with surroundings.kept(), surroundings.operator_kept(facts.task.operator), _declared(facts.task):
            return _run(facts, world, needs_thread=needs_thread)
    finally:
        _turn.release()


def _run(facts: Facts, world: World, *, needs_thread: bool) -> EndedTask:
    clock, interrupts = SystemClock(), Interrupts()
    started_at = clock.now()
    supervisor = InMemorySupervisor(facts.key, world)
    greeting = facts.greeting(world.own_xcom_keys())
    near, far = descriptor_pair()
    channel = Channel(*near.detach(), interrupts=interrupts)
    log_channel = LogChannel(interrupts)
    log_channel.connect(channel.log)
    logs, signals = TappedLogs(log_channel), Signals(interrupts)
    own_threads: set[int] = set()
    with logs.tapped(own_threads), supervisor_thread(own_threads) as portal:
        with _served(portal.start_task_soon(supervisor.serve, far, greeting), channel):
            details = channel.greeting()
            assert isinstance(details, m.StartupDetails)
            run = ObservedRun(details, _Bundle(), channel, logs, signals, now=facts.now)
            with logs.taking():
                _call(_in_own_context(run.run_to_its_end), signals, needs_thread=needs_thread)
        leftovers = portal.call(world.leftovers)
    evidence = Evidence(
        should_retry=greeting.ti_context.should_retry,
        phase=outcome.REPORTED,
        report=supervisor.report,
        exit_code=0,
    )
    return EndedTask(
        outcome=outcome.decide(evidence, started_at=started_at, ended_at=clock.now()),
        records=supervisor.records.records,
        leftovers=leftovers,
        witness=world.witness,
        value=run.value,
        exception=run.exception,
    )


@contextmanager
def _served(serving: futures.Future[None], channel: Channel) -> Iterator[None]:
    """While the supervisor serves. If it fails, that is the error."""
    try:
        yield
    except ChannelError:
        channel.close()
        serving.result()
        raise
    finally:
        channel.close()
        futures.wait([serving])
    serving.result()


# ── what the runtime finds ────────────────────────────────────────────────────────────────────────────────────────────


class _Bundle:
    """As if the task's declaration were in a bundle: one module with nothing else in it."""

    def __init__(self) -> None:
        self.file = self.name = "test"
        self.modules: Sequence[str] = (MODULE,)
        self.dag_ids: Sequence[str] = ()
        self.digest = ""
        self.schema = DEFAULT_SCHEMA
        self.about: Mapping[str, str] = {}

    def metadata(self) -> bytes:
        return b"{}"

    def modules_of(self, dag_id: str) -> Sequence[str]:
        return self.modules

    def is_authors(self, module: str) -> bool:
        top, file = module.partition(".")[0], getattr(sys.modules.get(module), "__file__", None) or ""
        return top != "outboard" and top not in sys.stdlib_module_names and "site-packages" not in file

    def complete(self) -> None:
        """Everything is there."""


@contextmanager
def _declared(task: TaskUnderTest) -> Iterator[None]:
    module: Any = types.ModuleType(MODULE)
    module.declaration = task.declaration
    sys.modules[MODULE] = module
    try:
        yield
    finally:
        del sys.modules[MODULE]


# ── in which thread, and in which context ─────────────────────────────────────────────────────────────────────────────


def _has_event_loop() -> bool:
    """Whether an event loop runs in this thread, which then cannot run another one."""
    asyncio, trio = sys.modules.get("asyncio"), sys.modules.get("trio")
    try:
        if asyncio is not None:
            asyncio.get_running_loop()
            return True
    except RuntimeError:
        pass
    try:
        if trio is not None:
            trio.lowlevel.current_task()
            return True
    except RuntimeError:
        pass
    return False


def _check_time_limit(task: TaskUnderTest, *, needs_thread: bool) -> None:
    is_main = threading.current_thread() is threading.main_thread()
    if task.operator.execution_timeout is None or (is_main and not needs_thread):
        return
    where = "beside the event loop of an async test" if needs_thread else "in another thread than the main one"
    raise UsageError(
        f"{task.operator.label} has an execution_timeout, whose alarm rings in the main thread only, and cannot be kept "
        f"{where}; run it in a plain test function, or with real=True"
    )


def _in_own_context(call: Callable[[], None]) -> Callable[[], None]:
    """Keep to itself what the body does to context variables, such as those of structlog."""
    context = contextvars.copy_context()
    sniffio = sys.modules.get("sniffio")
    if sniffio is not None:
        # An async fixture leaves the name of its event loop here, which then seems to run in this thread.
        context.run(sniffio.current_async_library_cvar.set, None)
    return lambda: context.run(call)


def _call(call: Callable[[], None], signals: Signals, *, needs_thread: bool) -> None:
    if not needs_thread:
        call()
        return
    ended: futures.Future[None] = futures.Future()

    def run() -> None:
        try:
            call()
            ended.set_result(None)
        except BaseException as error:
            ended.set_exception(error)

    thread = threading.Thread(target=run, name="outboard-task", daemon=True)
    try:
        thread.start()
        thread.join()
    except BaseException as interruption:
        _interrupt(ended, signals, interruption)
        raise
    ended.result()


def _interrupt(ended: futures.Future[None], signals: Signals, interruption: BaseException) -> None:
    """Cancel a coroutine, as soon as it has begun. Another body cannot be ended from here, and is left to itself."""
    for _ in range(round(GRACE / _BETWEEN_INTERRUPTS)):
        with suppress(BaseException):
            signals.interrupt(interruption)
        if futures.wait([ended], _BETWEEN_INTERRUPTS).done:
            return
