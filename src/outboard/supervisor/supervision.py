"""One process under supervision: connected, greeted, served, timed, listened to, until nothing of it is left.

What a process does arrives here as bytes, lines, silence and its end, and leaves as calls of the ports and as `Evidence`.
Which process it is and what becomes of the evidence is `outboard.supervisor.coordinator`'s business.
"""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable

import anyio
import attrs
import structlog
from anyio.streams.memory import MemoryObjectReceiveStream

from outboard.comms.serving import ServingChannel
from outboard.errors import LocalProtocolError
from outboard.protocol import messages as m
from outboard.protocol import states
from outboard.protocol.events import Broken, InvalidRequest, LogRecord, Request
from outboard.protocol.log_records import from_fields
from outboard.supervisor import handlers, outcome
from outboard.supervisor.limits import Limits
from outboard.supervisor.outcome import Evidence
from outboard.supervisor.ports import Ports, TaskKey
from outboard.supervisor.process import TaskProcess
from outboard.supervisor.task_log import TaskLog

__all__ = ("Supervision",)

_log = structlog.get_logger(__name__)

# Requests that have been read and not yet answered. Above it reading pauses until the ports have caught up, which cannot
# lock anything up, since they do not wait for the process.
MAX_WAITING_REQUESTS = 64

# In the other states nobody is there to read a reply.
ANSWERABLE = frozenset(state for state in states.STATES if (state, states.REPLY) in states.TRANSITIONS)


@attrs.define(eq=False, kw_only=True)
class Supervision:
    """The supervision of one process. Each coroutine of it is one task; `evidence` is what they share.

    Attributes:
        task: what the process runs.
        evidence: what is known about the process; filled while it runs.
        ports: what its requests are served from, and where its log goes.
        limits: how long it may take, and how much it may say at once.
        at_once: set from outside, it kills the process, also in its time of grace.
        no_longer_wanted: set from outside, it ends the process.
    """

    task: TaskKey
    evidence: Evidence
    ports: Ports
    limits: Limits
    at_once: anyio.Event = attrs.field(factory=anyio.Event)
    no_longer_wanted: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    _heard: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    _settled: anyio.Event = attrs.field(factory=anyio.Event, init=False)
    _said: TaskLog = attrs.field(init=False)
    _working: anyio.CancelScope = attrs.field(factory=anyio.CancelScope, init=False)
    _own_limit: float | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._said = TaskLog(task=self.task, ports=self.ports, limits=self.limits)

    async def run(self, process: TaskProcess, greeting: m.Message) -> None:
        """Serve a process until it, all of its kin and all of its output have come to an end."""
        async with anyio.create_task_group() as readers:
            for name, stream in process.output:
                readers.start_soon(self._said.drain_output, name, stream)
            async with anyio.create_task_group() as killer:
                killer.start_soon(self._kill_at_once, process)
                if await self._connect(process):
                    if process.logs is not None:
                        readers.start_soon(self._said.drain_records, process.logs)
                    await self._converse(process, greeting)
                await process.end(self.limits.grace)
                killer.cancel_scope.cancel()
            self.evidence.exit_code = process.exit_code
            self._end_by(readers.cancel_scope)

    async def _kill_at_once(self, process: TaskProcess) -> None:
        await self.at_once.wait()
        process.signal_group(signal.SIGKILL)

    async def _connect(self, process: TaskProcess) -> bool:
        """Wait for the connections; false if the process ended first, is not wanted any more, or took too long."""
        connected = False
        with anyio.move_on_after(self.limits.startup) as patience:
            async with anyio.create_task_group() as rivals:
                rivals.start_soon(_cancel_after, rivals.cancel_scope, process.wait)
                rivals.start_soon(_cancel_after, rivals.cancel_scope, self.no_longer_wanted.wait)
                await process.connect()
                connected = True
                rivals.cancel_scope.cancel()
        if patience.cancelled_caught and not connected:
            self.evidence.exceeded = f"did not connect within {self.limits.startup:g} seconds"
        return connected

    async def _converse(self, process: TaskProcess, greeting: m.Message) -> None:
        assert process.requests is not None
        assert process.replies is not None
        frame = self.limits.frame
        async with (
            ServingChannel(process.requests, process.replies, max_frame_size=frame) as channel,
            anyio.create_task_group() as serving,
        ):
            channel.greet(greeting)
            serving.start_soon(self._serve, channel)
            await self._watch(process, channel)
            if process.has_read_everything() and not channel.unwritten:
                self._has_begun()
            await process.end(self.limits.grace)
            self._end_by(serving.cancel_scope)

    def _end_by(self, scope: anyio.CancelScope) -> None:
        """Give the readers of an ended process a little time: their streams end, unless somebody holds them open."""
        scope.deadline = min(scope.deadline, anyio.current_time() + self.limits.drain)

    # ── limits ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _watch(self, process: TaskProcess, channel: ServingChannel) -> None:
        """Wait until the process has ended, by itself or by what enforces the limits."""
        async with anyio.create_task_group() as watchers:
            watchers.start_soon(self._enforce_startup, process, channel)
            watchers.start_soon(self._enforce_execution, process)
            watchers.start_soon(self._end_when_unwanted, process)
            await process.wait()
            watchers.cancel_scope.cancel()

    async def _end_when_unwanted(self, process: TaskProcess) -> None:
        await self.no_longer_wanted.wait()
        await process.end(self.limits.grace)

    async def _enforce_startup(self, process: TaskProcess, channel: ServingChannel) -> None:
        with anyio.move_on_after(self.limits.startup):
            await self._heard.wait()
        # A task that computes says nothing, so silence alone is no sign of trouble; an unread greeting is.
        if self._heard.is_set():
            return
        if process.has_read_everything() and not channel.unwritten:
            self._has_begun()
        else:
            self.evidence.exceeded = f"did not read its greeting within {self.limits.startup:g} seconds"
            await process.end(self.limits.grace)

    async def _enforce_execution(self, process: TaskProcess) -> None:
        self._working.deadline = latest = anyio.current_time() + self.limits.execution
        with self._working:
            await self._settled.wait()
        if self._settled.is_set():
            await self._await_exit()
        else:
            self._has_begun()
            self.evidence.exceeded = f"was ended after {self.limits.execution:g} seconds, the limit for its execution"
            if self._own_limit is not None and self._working.deadline < latest:
                limit = f"{self._own_limit:g} seconds"
                self.evidence.exceeded = f"did not stop when its execution_timeout of {limit} had passed, and was ended"
        await process.end(self.limits.grace)

    def _limit_execution(self, seconds: float) -> None:
        """Take the limit that a task announces; it stops itself then, unless it hangs where no Python code runs."""
        self._own_limit = seconds
        own = anyio.current_time() + seconds + self.limits.grace
        self._working.deadline = min(self._working.deadline, own)

    async def _await_exit(self) -> None:
        """Give a process that has nothing more to say the time to leave by itself; returns if it does not."""
        evidence, limits = self.evidence, self.limits
        if evidence.report is not None:
            await anyio.sleep(limits.overtime)
            evidence.lingered = limits.overtime
        elif evidence.broke_protocol is None:
            await anyio.sleep(limits.grace)
            evidence.hung_up = True

    def _has_begun(self) -> None:
        if self.evidence.phase == outcome.STARTING:
            self.evidence.phase = outcome.RUNNING

    # ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def _serve(self, channel: ServingChannel) -> None:
        """Read what the process sends until its stream ends; requests are answered in order, beside the reading."""
        send, receive = anyio.create_memory_object_stream[Request | InvalidRequest](MAX_WAITING_REQUESTS)
        has_reported = False
        async with anyio.create_task_group() as answering:
            answering.start_soon(self._answer_in_order, channel, receive)
            async with send:
                async for event in channel.events():
                    if isinstance(event, LogRecord):
                        self._said.write(from_fields(event.record))
                    elif isinstance(event, Request | InvalidRequest):
                        self._has_begun()
                        self._heard.set()
                        has_reported |= isinstance(event, Request) and _is_report(event.message)
                        await send.send(event)
                    elif isinstance(event, Broken):
                        self._note_violation(event)
            if not has_reported:
                # Nobody waits for the answers any more. With a report among them, what came before it still counts.
                answering.cancel_scope.cancel()
        self._heard.set()
        self._settled.set()

    def _note_violation(self, event: Broken) -> None:
        _log.warning("protocol broken", **attrs.asdict(self.task), error=str(event.error))
        self.evidence.broke_protocol = str(event.error)

    async def _answer_in_order(
        self, channel: ServingChannel, requests: MemoryObjectReceiveStream[Request | InvalidRequest]
    ) -> None:
        async with requests:
            async for request in requests:
                if isinstance(request, InvalidRequest):
                    _log.warning("invalid request", **attrs.asdict(self.task), error=str(request.error))
                    self._reply(channel, request.id, handlers.answer_invalid(request.error))
                else:
                    await self._answer(channel, request)

    async def _answer(self, channel: ServingChannel, request: Request) -> None:
        message = request.message
        if isinstance(message, m.MaskSecret):
            self._said.secrets.add(message.value, message.name)
        if isinstance(message, m.SetExecutionTimeout):
            self._limit_execution(message.timeout_seconds)
        answer = await handlers.answer(self.ports, self.task, message, patience=self.limits.request)
        if answer.message is not None:
            self._said.secrets.learn(answer.message)
        if _is_report(message):
            self.evidence.report = message
            self.evidence.phase = outcome.REPORTED
            self._settled.set()
        self._reply(channel, request.id, answer)

    def _reply(self, channel: ServingChannel, request_id: int, answer: handlers.Answer) -> None:
        if channel.state not in ANSWERABLE:
            return
        try:
            channel.reply(request_id, answer.message, error=answer.error)
        except LocalProtocolError as error:
            # A store that holds what the schema refuses, or a value above the limit for a frame.
            _log.warning("reply cannot be sent", **attrs.asdict(self.task), error=str(error))
            refusal = handlers.failure(f"the reply cannot be sent: {error}", status=500)
            channel.reply(request_id, error=refusal.error)


def _is_report(message: m.Message) -> bool:
    name = type(message).__name__
    return name in m.TERMINAL or name in m.TRIGGER_REPORTS or name == m.PARSE_RESULT


async def _cancel_after(scope: anyio.CancelScope, wait: Callable[[], Awaitable[object]]) -> None:
    await wait()
    scope.cancel()
