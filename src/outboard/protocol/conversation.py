"""One side of one exchange, without its I/O: bytes in, events out; messages in, bytes out.

The same class plays both roles. It owns the ids and the state and applies the table in `outboard.protocol.states`; it
never waits, and it never guesses: what arrives out of place is reported as what it is.
"""

from __future__ import annotations

from outboard.errors import InvalidMessageError, LocalProtocolError, RemoteProtocolError, UndecodableMessageError
from outboard.protocol import events, messages, states
from outboard.protocol.codec import decode_body, encode_body
from outboard.protocol.frames import DEFAULT_MAX_FRAME_SIZE, FrameDecoder, encode_frame
from outboard.protocol.versions import LATEST_SCHEMA, check_request, migrate_down

TYPE_CHECKING = False
if TYPE_CHECKING:
    from outboard.protocol.events import Event
    from outboard.protocol.frames import Frame
    from outboard.protocol.messages import ErrorResponse, Message
    from outboard.types import Buffer

__all__ = ("GREETING_ID", "LOG_ID", "RUNTIME", "SUPERVISOR", "Conversation")

RUNTIME = "runtime"
SUPERVISOR = "supervisor"

# The greeting is no request and has no reply; requests count from the next number.
GREETING_ID = 0
# Log records among the frames are never answered, so their id names no request.
LOG_ID = -1
LOG_TYPE = "LogRecord"

_GREETINGS = {
    messages.TASK_GREETING: states.GREET_TASK,
    messages.PARSE_GREETING: states.GREET_PARSE,
    messages.TRIGGER_GREETING: states.GREET_TRIGGER,
}


class Conversation:
    """One side of one exchange.

    Attributes:
        role: `RUNTIME` or `SUPERVISOR`.
        state: one of `outboard.protocol.states.STATES`.
        max_frame_size: the largest payload to send or to accept, in bytes.
        schema: the schema date that is spoken: the one that the runtime is stamped with.
    """

    __slots__ = ("_decoder", "_last_id", "_pending", "max_frame_size", "role", "schema", "state")

    def __init__(self, role: str, *, max_frame_size: int = DEFAULT_MAX_FRAME_SIZE, schema: str = LATEST_SCHEMA) -> None:
        self.role = role
        self.schema = schema
        self.state = states.WAITING
        self.max_frame_size = max_frame_size
        self._decoder = FrameDecoder(max_frame_size)
        self._pending: set[int] = set()
        self._last_id = GREETING_ID

    @property
    def wanted(self) -> int:
        """A hint for the next read: how many bytes complete the frame that is under way."""
        return self._decoder.wanted

    # ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────

    def send_greeting(self, message: Message) -> bytes:
        """The supervisor hands over a task or a trigger, or asks for the Dags of a file.

        Raises:
            LocalProtocolError: not the first message, or not a greeting.
        """
        name = type(message).__name__
        following = self._following(SUPERVISOR, _GREETINGS.get(name, states.BREAK), name)
        data = self._frame(GREETING_ID, self._downward(message))
        self.state = following
        return data

    def send_request(self, message: Message, context_carrier: dict[str, str] | None = None) -> tuple[int, bytes]:
        """The runtime asks, or reports. Returns the frame's id and its bytes.

        Raises:
            InvalidMessageError: the schema refuses a field.
            LocalProtocolError: no request is allowed in this state.
        """
        following = self._following(RUNTIME, _kind_of_request(message), type(message).__name__)
        request_id = self._last_id + 1
        carrier = () if context_carrier is None else (context_carrier,)
        body = encode_body(message)
        check_request(type(message).__name__, body, self.schema)
        data = self._frame(request_id, body, *carrier)
        self._last_id = request_id
        self._pending.add(request_id)
        self.state = following
        return request_id, data

    def send_reply(self, id: int, message: Message | None = None, *, error: ErrorResponse | None = None) -> bytes:
        """The supervisor answers: with a message, with an error, or with nothing but the answer itself."""
        if (self.state, states.REPLY) not in states.TRANSITIONS:
            raise LocalProtocolError(f"no reply can be sent while the exchange is {self.state}")
        body = None if message is None else self._downward(message)
        return self._frame(id, body, None if error is None else encode_body(error))

    def send_log(self, record: dict[str, object]) -> bytes:
        """The runtime sends one log record among the frames; see `outboard.protocol.log_records` for its form."""
        if self.role != RUNTIME or (self.state, states.LOG) not in states.TRANSITIONS:
            self._following(RUNTIME, states.LOG, LOG_TYPE)  # says what is wrong
        return self._frame(LOG_ID, {"type": LOG_TYPE, **record})

    def abandon(self, request_id: int) -> None:
        """The caller of a request has given up; its reply, should one come, is dropped."""
        self._pending.discard(request_id)

    def _downward(self, message: Message) -> dict[str, object]:
        body = encode_body(message)
        if self.schema != LATEST_SCHEMA:
            migrate_down(type(message).__name__, body, self.schema)
        return body

    def _following(self, role: str, event: str, name: str) -> str:
        if self.role != role:
            raise LocalProtocolError(f"a {self.role} does not send {name}")
        following = states.next_state(self.state, event)
        if following is None or event is states.BREAK:
            raise LocalProtocolError(f"{name} cannot be sent while the exchange is {self.state}")
        return following

    def _frame(self, id: int, body: dict[str, object] | None, *third: object) -> bytes:
        try:
            return encode_frame(id, body, *third, max_frame_size=self.max_frame_size)
        except InvalidMessageError:
            raise
        except LocalProtocolError as error:
            name = "reply" if body is None else body["type"]
            raise LocalProtocolError(f"{name}: {error}") from error

    # ── receiving ─────────────────────────────────────────────────────────────────────────────────────────────────

    def receive_data(self, data: Buffer) -> list[Event]:
        """What the bytes that arrived mean, in order. After a `Broken` event, data is ignored."""
        found: list[Event] = []
        if self.state in (states.BROKEN, states.CLOSED, states.LOST):
            return found
        try:
            for frame in self._decoder.feed(data):
                event = self._receive_reply(frame) if self.role == RUNTIME else self._receive_request(frame)
                if event is not None:
                    found.append(event)
        except RemoteProtocolError as error:
            self.state = states.BROKEN
            found.append(events.Broken(error))
        return found

    def receive_eof(self) -> list[Event]:
        """What the end of the stream means: a `PeerClosed` the first time, nothing after that."""
        before = self.state
        following = states.next_state(before, states.HANG_UP)
        if following is None:
            return []
        self.state = following
        return [events.PeerClosed(before, self._decoder.pending)]

    def _receive_reply(self, frame: Frame) -> Event | None:
        if self.state == states.WAITING:
            return self._receive_greeting(frame)
        if frame.id in self._pending:
            self._pending.discard(frame.id)
            return _reply(frame)
        if GREETING_ID < frame.id <= self._last_id:
            return None  # a late reply to a request that was given up
        raise RemoteProtocolError(f"a reply to request {frame.id}, which was never sent")

    def _receive_greeting(self, frame: Frame) -> Event:
        message = decode_body(frame.body)
        following = states.next_state(self.state, _GREETINGS.get(type(message).__name__, ""))
        if following is None:
            raise RemoteProtocolError(f"the first message is {' or '.join(_GREETINGS)}, not {type(message).__name__}")
        self.state = following
        return events.Greeting(message)

    def _receive_request(self, frame: Frame) -> Event:
        if frame.id == LOG_ID and frame.body is not None and frame.body.get("type") == LOG_TYPE:
            record = {key: value for key, value in frame.body.items() if key != "type"}
            return events.LogRecord(record)
        if self.state == states.WAITING:
            raise RemoteProtocolError("a request before the greeting")
        try:
            message = decode_body(frame.body)
        except UndecodableMessageError as error:
            return events.InvalidRequest(frame.id, error)
        following = states.next_state(self.state, _kind_of_request(message))
        if following is None:
            name = type(message).__name__
            rule = f"not allowed while the exchange is {self.state}"
            return events.InvalidRequest(frame.id, UndecodableMessageError(name, "", rule))
        self.state = following
        return events.Request(frame.id, message, frame.third)


def _kind_of_request(message: Message) -> str:
    name = type(message).__name__
    if name in messages.TERMINAL:
        return states.REPORT
    if name == messages.PARSE_RESULT:
        return states.RESULT
    if name in messages.TRIGGER_REPORTS:
        return states.TRIGGER_END
    return states.BREAK if name in _GREETINGS else states.REQUEST


def _reply(frame: Frame) -> Event:
    try:
        error = None if frame.third is None else decode_body(frame.third)
        message = None if frame.body is None else decode_body(frame.body)
    except UndecodableMessageError as undecodable:
        return events.UndecodableReply(frame.id, undecodable)
    # An error comes in either place: as the body where a thing is not found, in the third element where the API failed.
    for candidate in (error, message):
        if type(candidate).__name__ == "ErrorResponse":
            return events.Reply(frame.id, None, candidate)  # type: ignore[arg-type]
    return events.Reply(frame.id, message, None)
