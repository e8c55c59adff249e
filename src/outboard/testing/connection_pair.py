"""Both roles of one exchange, joined by a link that a test controls byte by byte.

Knows conversations, no I/O: whatever a test does here, it does to both sides of the protocol at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outboard.protocol.conversation import RUNTIME, SUPERVISOR, Conversation
from outboard.protocol.frames import DEFAULT_MAX_FRAME_SIZE
from outboard.protocol.versions import LATEST_SCHEMA

if TYPE_CHECKING:
    from outboard.protocol import messages as m
    from outboard.protocol.events import Event

__all__ = ("ConnectionPair",)


class ConnectionPair:
    """A runtime's and a supervisor's `Conversation`, and what is under way between them.

    The calls named after what is sent send it and deliver everything to the other side at once; they return the events
    that it caused there. To hold bytes back, use `post` and `deliver`.

    Attributes:
        runtime: the runtime's conversation.
        supervisor: the supervisor's.
        chunk_size: how many bytes are delivered at a time, or None for all of them.
    """

    def __init__(
        self,
        *,
        chunk_size: int | None = None,
        max_frame_size: int = DEFAULT_MAX_FRAME_SIZE,
        schema: str = LATEST_SCHEMA,
    ) -> None:
        self.runtime = Conversation(RUNTIME, max_frame_size=max_frame_size, schema=schema)
        self.supervisor = Conversation(SUPERVISOR, max_frame_size=max_frame_size, schema=schema)
        self.chunk_size = chunk_size
        self._under_way = {RUNTIME: bytearray(), SUPERVISOR: bytearray()}
        self._has_ended = {RUNTIME: False, SUPERVISOR: False}

    # ── sending, and delivering at once ───────────────────────────────────────────────────────────────────────────

    def greet(self, message: m.Message) -> list[Event]:
        """The supervisor greets; what the runtime learns from it."""
        return self._pass_on(RUNTIME, self.supervisor.send_greeting(message))

    def request(self, message: m.Message, context_carrier: dict[str, str] | None = None) -> tuple[int, list[Event]]:
        """The runtime asks or reports; the frame's id, and what the supervisor learns from it."""
        request_id, data = self.runtime.send_request(message, context_carrier)
        return request_id, self._pass_on(SUPERVISOR, data)

    def reply(self, id: int, message: m.Message | None = None, *, error: m.ErrorResponse | None = None) -> list[Event]:
        """The supervisor answers; what the runtime learns from it."""
        return self._pass_on(RUNTIME, self.supervisor.send_reply(id, message, error=error))

    def log(self, record: dict[str, object]) -> list[Event]:
        """The runtime logs among its frames; what the supervisor learns from it."""
        return self._pass_on(SUPERVISOR, self.runtime.send_log(record))

    def hang_up(self, role: str) -> list[Event]:
        """The side of this role ends its stream; what the other side learns from it."""
        receiver = SUPERVISOR if role == RUNTIME else RUNTIME
        self.end(receiver)
        return self.deliver(receiver)

    def _pass_on(self, receiver: str, data: bytes) -> list[Event]:
        self.post(receiver, data)
        return self.deliver(receiver)

    # ── the link ──────────────────────────────────────────────────────────────────────────────────────────────────

    def post(self, receiver: str, data: bytes) -> None:
        """Put bytes on their way to the side of this role, without delivering them."""
        self._under_way[receiver] += data

    def end(self, receiver: str) -> None:
        """Let the stream towards the side of this role end behind what is under way to it."""
        self._has_ended[receiver] = True

    def under_way(self, receiver: str) -> int:
        """How many bytes are on their way to the side of this role."""
        return len(self._under_way[receiver])

    def deliver(self, receiver: str, size: int | None = None) -> list[Event]:
        """Deliver up to ``size`` bytes (None: all of them, and then the end, if it comes); the events they caused."""
        conversation = self.runtime if receiver == RUNTIME else self.supervisor
        waiting = self._under_way[receiver]
        left = len(waiting) if size is None else min(size, len(waiting))
        found: list[Event] = []
        while left:
            chunk = bytes(waiting[: min(left, self.chunk_size or left)])
            del waiting[: len(chunk)]
            left -= len(chunk)
            found += conversation.receive_data(chunk)
        if size is None and self._has_ended[receiver]:
            found += conversation.receive_eof()
        return found
