"""What a `Conversation` reports about the bytes it was given. Plain values; each has only the fields that it names."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from outboard.errors import RemoteProtocolError, UndecodableMessageError
    from outboard.protocol.messages import ErrorResponse, Message

__all__ = (
    "Broken",
    "Event",
    "Greeting",
    "InvalidRequest",
    "LogRecord",
    "PeerClosed",
    "Reply",
    "Request",
    "UndecodableReply",
)


class Event:
    """The root of all events; they compare by value."""

    __slots__: tuple[str, ...] = ()

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]  # some fields are mutable

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__slots__)})"


class Greeting(Event):
    """The runtime was told what to do: ``message`` is a StartupDetails, a DagFileParseRequest or a RunTrigger."""

    __slots__ = ("message",)

    def __init__(self, message: Message) -> None:
        self.message = message


class Request(Event):
    """The supervisor is asked: answer frame ``id`` exactly once.

    ``context_carrier`` is the W3C trace context that came with it, or None.
    """

    __slots__ = ("context_carrier", "id", "message")

    def __init__(self, id: int, message: Message, context_carrier: object = None) -> None:
        self.id = id
        self.message = message
        self.context_carrier = context_carrier


class InvalidRequest(Event):
    """The supervisor was sent a sound frame that is no request it may accept now: answer frame ``id`` with an error."""

    __slots__ = ("error", "id")

    def __init__(self, id: int, error: UndecodableMessageError) -> None:
        self.id = id
        self.error = error


class Reply(Event):
    """The runtime got the reply to request ``id``: a ``message``, an ``error``, or neither (done, nothing to say)."""

    __slots__ = ("error", "id", "message")

    def __init__(self, id: int, message: Message | None, error: ErrorResponse | None) -> None:
        self.id = id
        self.message = message
        self.error = error


class UndecodableReply(Event):
    """The reply to request ``id`` cannot be read; only that request fails."""

    __slots__ = ("error", "id")

    def __init__(self, id: int, error: UndecodableMessageError) -> None:
        self.id = id
        self.error = error


class LogRecord(Event):
    """A log record came in among the frames (stdio only). ``record`` is the map as sent, without its ``type``."""

    __slots__ = ("record",)

    def __init__(self, record: dict[str, object]) -> None:
        self.record = record


class PeerClosed(Event):
    """The stream ended in ``state_before``, with ``partial`` bytes of an unfinished frame left over."""

    __slots__ = ("partial", "state_before")

    def __init__(self, state_before: str, partial: int) -> None:
        self.state_before = state_before
        self.partial = partial


class Broken(Event):
    """The peer broke the protocol; nothing more can be read from this stream. Always the last event of its list."""

    __slots__ = ("error",)

    def __init__(self, error: RemoteProtocolError) -> None:
        self.error = error
