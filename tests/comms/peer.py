"""A supervisor that does what a test tells it, one step at a time, at the other end of a runtime's channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outboard.comms.channel import Channel
from outboard.comms.in_memory import descriptor_pair
from outboard.protocol import messages as m
from outboard.protocol.conversation import SUPERVISOR, Conversation
from outboard.protocol.events import LogRecord, Request

if TYPE_CHECKING:
    from outboard.comms.in_memory import DescriptorEnd
    from outboard.protocol.events import Event

__all__ = ("Peer", "connected")

PARSE = m.DagFileParseRequest(file="f", bundle_path="/", bundle_name="b")


class Peer:
    """The supervisor's end, with plain blocking calls.

    Attributes:
        logged: the log records that came in so far.
    """

    def __init__(self, end: DescriptorEnd) -> None:
        self.end = end
        self.logged: list[dict[str, object]] = []
        self.conversation = Conversation(SUPERVISOR)
        self._seen: list[Event] = []

    def greet(self, message: m.Message = PARSE) -> None:
        """Send the greeting."""
        self.end.send(self.conversation.send_greeting(message))

    def next_event(self) -> Event:
        """Wait for the next event that is no log record."""
        while not self._seen:
            data = self.end.receive()
            found = self.conversation.receive_data(data) if data else self.conversation.receive_eof()
            assert data or found, "nothing more will come"
            self.logged += [event.record for event in found if isinstance(event, LogRecord)]
            self._seen += [event for event in found if not isinstance(event, LogRecord)]
        return self._seen.pop(0)

    def next_request(self) -> Request:
        """Wait for the next request."""
        event = self.next_event()
        assert isinstance(event, Request), event
        return event

    def reply(self, id: int, message: m.Message | None = None, *, error: m.ErrorResponse | None = None) -> None:
        """Answer a request."""
        self.end.send(self.conversation.send_reply(id, message, error=error))


def connected(
    *, chunk_size: int | None = None, greeted: bool = True, request_timeout: float = 30.0
) -> tuple[Channel, Peer]:
    """A channel and its peer, the greeting already exchanged unless ``greeted`` is false."""
    near, far = descriptor_pair(chunk_size=chunk_size)
    channel, peer = Channel(*near.detach(), request_timeout=request_timeout), Peer(far)
    if greeted:
        peer.greet()
        channel.greeting()
    return channel, peer
