"""A random walk of both roles: whatever they do, and however it is delivered, they never disagree on the state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from outboard.errors import LocalProtocolError
from outboard.protocol import messages as m
from outboard.protocol import states
from outboard.protocol.codec import decode_body
from outboard.protocol.conversation import RUNTIME, SUPERVISOR
from outboard.protocol.events import (
    Broken,
    Event,
    Greeting,
    InvalidRequest,
    LogRecord,
    PeerClosed,
    Reply,
    Request,
    UndecodableReply,
)
from outboard.protocol.frames import FrameDecoder
from outboard.testing import ConnectionPair
from tests.recorded import load

pytestmark = pytest.mark.property

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
(_first, *_) = load("transcripts/asks.json")
(_frame,) = FrameDecoder().feed(bytes.fromhex(_first["frame"]))
_startup = decode_body(_frame.body)
assert isinstance(_startup, m.StartupDetails)
GREETINGS = (
    _startup,
    m.DagFileParseRequest(file="f", bundle_path="/", bundle_name="b"),
    m.RunTrigger(ti=_startup.ti, classpath="triggers.Tide", trigger_kwargs={"level": 3}),
)
REQUESTS = (
    m.GetVariable(key="k"),
    m.SetXCom(key="k", value="x" * 50, dag_id="d", run_id="r", task_id="t"),
    m.MaskSecret(value=None),
)
REPORTS = (
    m.SucceedTask(end_date=NOON),
    m.TaskState(state="failed", end_date=NOON),
    m.RetryTask(end_date=NOON),
    m.DagFileParsingResult(fileloc="f", serialized_dags=[]),
    m.TriggerFired(payload=None),
    m.TriggerFailed(error="the tide is out", traceback=["line"]),
)
# The one state in which each report is allowed.
REPORTABLE = {
    "DagFileParsingResult": states.PARSING,
    "TriggerFailed": states.TRIGGERING,
    "TriggerFired": states.TRIGGERING,
}
REPLIES = (
    None,
    m.VariableResult(key="k", value="v"),
    m.XComResult(key="k", value={"rows": [1, None]}),
    m.ErrorResponse(error="GENERIC_ERROR"),
)


class Walk(RuleBasedStateMachine):
    """Each rule is something that one side does, or that the link between them does."""

    @initialize(chunk_size=st.none() | st.integers(1, 40))
    def connect(self, chunk_size: int | None) -> None:
        self.pair = ConnectionPair(chunk_size=chunk_size)
        self.asked: dict[int, m.Message] = {}  # sent by the runtime, not yet seen by the supervisor
        self.waiting: list[int] = []  # seen by the supervisor, not yet answered
        self.answered: dict[int, Any] = {}  # answered, not yet seen by the runtime
        self.greeting: m.Message | None = None
        self.logged: list[dict[str, object]] = []
        self.abandoned: set[int] = set()
        self.gone: set[str] = set()  # who has hung up

    # ── what the supervisor does ──────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: SUPERVISOR not in self.gone)
    @rule(message=st.sampled_from(GREETINGS))
    def greet(self, message: m.Message) -> None:
        before = self.pair.supervisor.state
        try:
            sent = self.pair.supervisor.send_greeting(message)
        except LocalProtocolError:
            assert before != states.WAITING
            assert self.pair.supervisor.state == before
        else:
            assert before == states.WAITING
            self.greeting = message
            self.pair.post(RUNTIME, sent)

    @precondition(lambda self: self.waiting and SUPERVISOR not in self.gone)
    @rule(index=st.integers(min_value=0), reply=st.sampled_from(REPLIES), in_error=st.booleans())
    def answer(self, index: int, reply: m.Message | None, in_error: bool) -> None:
        request_id = self.waiting[index % len(self.waiting)]
        is_error = isinstance(reply, m.ErrorResponse)
        arguments: dict[str, Any] = {"error": reply} if is_error and in_error else {"message": reply}
        try:
            sent = self.pair.supervisor.send_reply(request_id, **arguments)
        except LocalProtocolError:
            assert self.pair.supervisor.state in (states.LOST, states.CLOSED)
            return
        self.waiting.remove(request_id)
        self.answered[request_id] = (None, reply) if is_error else (reply, None)
        self.pair.post(RUNTIME, sent)

    # ── what the runtime does ─────────────────────────────────────────────────────────────────────────────────────

    @precondition(lambda self: RUNTIME not in self.gone)
    @rule(message=st.sampled_from(REQUESTS))
    def ask(self, message: m.Message) -> None:
        self._send(message, (states.RUNNING, states.PARSING, states.TRIGGERING, states.REPORTED))

    @precondition(lambda self: RUNTIME not in self.gone)
    @rule(message=st.sampled_from(REPORTS))
    def report(self, message: m.Message) -> None:
        self._send(message, (REPORTABLE.get(type(message).__name__, states.RUNNING),))

    def _send(self, message: m.Message, allowed_in: tuple[str, ...]) -> None:
        before = self.pair.runtime.state
        try:
            request_id, sent = self.pair.runtime.send_request(message)
        except LocalProtocolError:
            assert before not in allowed_in
            assert self.pair.runtime.state == before
        else:
            assert before in allowed_in
            self.asked[request_id] = message
            self.pair.post(SUPERVISOR, sent)

    @precondition(lambda self: RUNTIME not in self.gone)
    @rule(number=st.integers(0, 9))
    def log(self, number: int) -> None:
        record: dict[str, object] = {"event": "x", "number": number}
        try:
            sent = self.pair.runtime.send_log(record)
        except LocalProtocolError:
            assert self.pair.runtime.state in (states.LOST, states.CLOSED)
        else:
            self.logged.append(record)
            self.pair.post(SUPERVISOR, sent)

    @precondition(lambda self: self.asked or self.waiting or self.answered)
    @rule(index=st.integers(min_value=0))
    def abandon(self, index: int) -> None:
        under_way = [*self.asked, *self.waiting, *self.answered]
        request_id = under_way[index % len(under_way)]
        self.pair.runtime.abandon(request_id)
        self.abandoned.add(request_id)

    # ── what happens between them ─────────────────────────────────────────────────────────────────────────────────

    @rule(role=st.sampled_from((RUNTIME, SUPERVISOR)), luck=st.integers(0, 9))
    def hang_up(self, role: str, luck: int) -> None:
        # Seldom, or most walks would end before they get anywhere.
        if luck == 9:
            self._hang_up(role)

    def _hang_up(self, role: str) -> None:
        self.gone.add(role)
        self.pair.end(SUPERVISOR if role == RUNTIME else RUNTIME)

    @rule()
    def deliver_everything(self) -> None:
        for receiver in (RUNTIME, SUPERVISOR):
            self.deliver(receiver, None)

    @rule(receiver=st.sampled_from((RUNTIME, SUPERVISOR)), size=st.none() | st.integers(0, 60))
    def deliver(self, receiver: str, size: int | None) -> None:
        for event in self.pair.deliver(receiver, size):
            self._see(receiver, event)

    def _see(self, receiver: str, event: Event) -> None:
        assert not isinstance(event, (Broken, InvalidRequest, UndecodableReply)), event
        if isinstance(event, Greeting):
            assert (receiver, event.message) == (RUNTIME, self.greeting)
        elif isinstance(event, Request):
            # In the order in which they were sent, each once.
            request_id = next(iter(self.asked))
            assert (event.id, event.message) == (request_id, self.asked.pop(request_id))
            self.waiting.append(request_id)
        elif isinstance(event, Reply):
            assert event.id not in self.abandoned
            assert (event.message, event.error) == self.answered.pop(event.id)
        elif isinstance(event, LogRecord):
            assert event.record == self.logged.pop(0)
        else:
            assert isinstance(event, PeerClosed)
            assert event.partial == 0

    # ── what must hold at any time ────────────────────────────────────────────────────────────────────────────────

    @invariant()
    def nothing_is_ever_broken(self) -> None:
        assert states.BROKEN not in (self.pair.runtime.state, self.pair.supervisor.state)

    @invariant()
    def both_agree_when_nothing_is_under_way(self) -> None:
        runtime, supervisor = self.pair.runtime.state, self.pair.supervisor.state
        if self.gone or self.pair.under_way(RUNTIME) or self.pair.under_way(SUPERVISOR):
            return
        assert runtime == supervisor

    @invariant()
    def nobody_is_ahead_of_what_was_sent(self) -> None:
        open_states = (states.WAITING, states.RUNNING, states.PARSING, states.TRIGGERING, states.REPORTED)
        runtime, supervisor = self.pair.runtime.state, self.pair.supervisor.state
        if runtime in open_states and supervisor in open_states and runtime != supervisor:
            greeting_under_way = runtime == states.WAITING and self.pair.under_way(RUNTIME) > 0
            report_under_way = runtime == states.REPORTED and self.pair.under_way(SUPERVISOR) > 0
            assert greeting_under_way or report_under_way

    def teardown(self) -> None:
        """Everything arrives in the end, and both know whether the task was reported."""
        if not hasattr(self, "pair"):
            return
        for role in (SUPERVISOR, RUNTIME):
            if role not in self.gone:
                self._hang_up(role)
        self.deliver(RUNTIME, None)
        self.deliver(SUPERVISOR, None)
        assert not self.asked
        assert not self.logged
        assert self.answered.keys() <= self.abandoned
        reported = self.pair.supervisor.state == states.CLOSED
        assert self.pair.supervisor.state == (states.CLOSED if reported else states.LOST)
        assert self.pair.runtime.state == (states.CLOSED if reported else states.LOST)


TestRandomWalk = Walk.TestCase
