"""Where checks of a runtime stand: it starts the bundle under test, greets it as a supervisor does, and answers it.

Knows the messages of a task's exchange and the schema date that is spoken. It decides nothing about the peer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import attrs

from outboard.conformance.check import Failure, NotOffered
from outboard.conformance.peer_process import DEADLINE, PeerProcess, Transport
from outboard.conformance.probes import DAG_ID, UNKNOWN_TASK
from outboard.conformance.transcript import Transcript, show_elements, show_frame
from outboard.conformance.wire import frame
from outboard.errors import InvalidMessageError, UndecodableMessageError, UsageError
from outboard.protocol import messages as m
from outboard.protocol.codec import decode_body, encode_body
from outboard.protocol.frames import Frame
from outboard.protocol.versions import DEFAULT_SCHEMA, check_request, migrate_down

__all__ = ("Answer", "Run", "RuntimeBench", "RuntimePeer", "body_of", "error")

Body: TypeAlias = dict[str, Any]
Answer: TypeAlias = Body | Callable[[Body], Body | None] | None

NOW = datetime(2026, 3, 29, 1, 30, 0, 250_000, tzinfo=UTC)
SOME_UUID = "0198c2b4-8f6e-7c3a-9d51-3b6f0c7ae219"
RUN_ID = "conformance__2026-03-29"

REPORTS = frozenset({*m.TERMINAL, m.PARSE_RESULT})

# What there is nothing of, unless a check says so; everything else is answered with nothing.
NOT_FOUND = {"GetVariable": "VARIABLE_NOT_FOUND", "GetConnection": "CONNECTION_NOT_FOUND"}
ACKNOWLEDGED = frozenset({"DeleteVariable", "TriggerDagRun"})

# What the kit itself adds nothing to: no level, no filter, no Python settings of whoever runs it.
PASSED_ON = ("PATH", "HOME", "LANG", "TMPDIR")


def body_of(message: m.Message) -> Body:
    """A message as a map."""
    return encode_body(message)


def error(kind: str, **detail: object) -> Body:
    """The map of an error."""
    return {"type": "ErrorResponse", "error": kind, "detail": detail or None}


@attrs.frozen
class Run:
    """One process from its start to its end.

    Attributes:
        peer: what it said besides.
        requests: the bodies of all its requests, its report last.
        report: the body of its report.
        exit_code: how it ended.
    """

    peer: RuntimePeer
    requests: list[Body]
    report: Body
    exit_code: int

    def request(self, kind: str) -> Body:
        """The one request of a type."""
        found = [body for body in self.requests if body.get("type") == kind]
        if len(found) != 1:
            raise Failure(f"it sent {len(found)} requests of type {kind}, not one")
        return found[0]

    @property
    def returned(self) -> object:
        """The value of the XCom ``return_value``."""
        found = [body for body in self.requests if body.get("type") == "SetXCom" and body.get("key") == "return_value"]
        if len(found) != 1:
            raise Failure(f"it pushed the XCom return_value {len(found)} times, not once")
        return found[0].get("value")


class RuntimePeer(PeerProcess):
    """A bundle under test, spoken to in messages."""

    schema: str = DEFAULT_SCHEMA
    task_id: str = ""

    def greeting(self, task_id: str, *, should_retry: bool = False) -> Body:
        """The greeting for one try of a probe."""
        run = m.DagRun(
            dag_id=DAG_ID,
            run_id=RUN_ID,
            logical_date=NOW,
            data_interval_start=NOW,
            data_interval_end=NOW,
            run_after=NOW,
            start_date=NOW,
            end_date=None,
            run_type="manual",
            state="running",
            conf={},
            consumed_asset_events=[],
            partition_key=None,
        )
        instance = m.TaskInstance(
            id=SOME_UUID, task_id=task_id, dag_id=DAG_ID, run_id=RUN_ID, try_number=1, dag_version_id=SOME_UUID
        )
        message = m.StartupDetails(
            ti=instance,
            dag_rel_path="conformance.py",
            bundle_info=m.BundleInfo(name="conformance"),
            start_date=NOW,
            ti_context=m.TIRunContext(dag_run=run, max_tries=1, should_retry=should_retry),
            sentry_integration="",
        )
        body = body_of(message)
        migrate_down("StartupDetails", body, self.schema)
        return body

    def greet(self, task_id: str, change: Callable[[Body], None] | None = None, *, should_retry: bool = False) -> None:
        """Connect and send the greeting, changed if need be."""
        self.connect()
        self.task_id = task_id
        body = self.greeting(task_id, should_retry=should_retry)
        if change is not None:
            change(body)
        self.send(0, body, None)

    def send(self, *elements: Any) -> None:
        """Send one frame of these elements."""
        self.transcript.sent(show_elements(elements))
        self.write(frame(*elements), quietly=True)

    def next_request(self) -> Frame:
        """The next request; that the process ends instead is a failure."""
        self.wait_until(lambda: bool(self.frames) or "comm" in self.ended, "a request")
        if not self.frames:
            self.wait_exit()
            raise Failure(f"it ended instead of sending a request or a report: {self._end_in_words()}")
        found = self.frames.popleft()
        body = found.body or {}
        if body.get("type") == "TaskState" and body.get("state") == "removed" and self.task_id != UNKNOWN_TASK:
            raise NotOffered(f"the bundle has no task {self.task_id} in the Dag {DAG_ID}")
        return found

    def expect_request(self, kind: str) -> Frame:
        """The next request, which has to be of this type."""
        found = self.next_request()
        if (found.body or {}).get("type") != kind:
            raise Failure(f"it sent {(found.body or {}).get('type')} instead of {kind}")
        return found

    def answer(self, request: Frame, answers: Mapping[str, Answer]) -> None:
        """Answer one request, by its type."""
        body = request.body or {}
        kind = str(body.get("type"))
        if kind in answers:
            made = answers[kind]
            self.send(request.id, made(body) if callable(made) else made, None)
        elif kind in NOT_FOUND:
            self.send(request.id, error(NOT_FOUND[kind]), None)
        elif kind == "GetXCom":
            self.send(request.id, {"type": "XComResult", "key": body.get("key"), "value": None}, None)
        else:
            self.send(request.id, {"type": "OKResponse", "ok": True} if kind in ACKNOWLEDGED else None, None)

    def serve(self, answers: Mapping[str, Answer] | None = None) -> Run:
        """Answer everything, the report included, until the process has ended."""
        requests: list[Body] = []
        while not requests or requests[-1].get("type") not in REPORTS:
            request = self.next_request()
            requests.append(request.body or {})
            self.answer(request, answers or {})
        code = self.wait_exit()
        return Run(self, requests, requests[-1], code)

    def sends_only_logs(self) -> None:
        """The process has sent no frame that was not taken.

        Raises:
            Failure: it has.
        """
        if self.frames:
            raise Failure(f"it sent {show_frame(self.frames[0])}, which it must not")

    def check_messages(self, bodies: Sequence[Body]) -> None:
        """Each body is a message that the schema date takes.

        Raises:
            Failure: one is not.
        """
        for body in bodies:
            try:
                decode_body(body)
                check_request(str(body["type"]), dict(body), self.schema)
            except (UndecodableMessageError, InvalidMessageError) as invalid:
                raise Failure(f"it sent a message that the schema {self.schema} refuses: {invalid}") from invalid


class RuntimeBench:
    """Starts the bundle under test, as often as a check needs it.

    Attributes:
        transcript: what everybody said.
        transport: how bundles are spoken to.
        deadline: the seconds for each step.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        transport: Transport = "stdio",
        schema: str = DEFAULT_SCHEMA,
        deadline: float = DEADLINE,
    ) -> None:
        if not command:
            raise UsageError("name the command that starts the bundle to check")
        if schema not in m.SCHEMA_DATES:
            raise UsageError(f"there is no schema date {schema}; there are {', '.join(m.SCHEMA_DATES)}")
        self.command = list(command)
        self.transport = transport
        self.schema = schema
        self.deadline = deadline
        self.transcript = Transcript()
        self._peers: list[RuntimePeer] = []

    def start(self, **environment: str) -> RuntimePeer:
        """Start the bundle; ``environment`` is added to what it gets."""
        return self._start(environment, None)

    def start_with(self, flags: Sequence[str]) -> RuntimePeer:
        """Start the bundle with these arguments instead of those of the transport."""
        return self._start({}, flags)

    def _start(self, environment: Mapping[str, str], flags: Sequence[str] | None) -> RuntimePeer:
        inherited = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        try:
            peer = RuntimePeer(
                self.command,
                self.transcript,
                transport=self.transport,
                environment={**inherited, **environment},
                deadline=self.deadline,
                flags=flags,
            )
        except OSError as problem:
            raise UsageError(f"{self.command[0]} cannot be started: {problem.strerror}") from problem
        peer.schema = self.schema
        self._peers.append(peer)
        return peer

    def greeted(self, task_id: str, *, should_retry: bool = False) -> RuntimePeer:
        """Start the bundle and greet it with a probe."""
        peer = self.start()
        peer.greet(task_id, should_retry=should_retry)
        return peer

    def run(self, task_id: str, answers: Mapping[str, Answer] | None = None, *, should_retry: bool = False) -> Run:
        """Run a probe to its end."""
        return self.greeted(task_id, should_retry=should_retry).serve(answers)

    def close(self) -> None:
        """End everything that was started."""
        while self._peers:
            self._peers.pop().close()
