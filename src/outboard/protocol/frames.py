"""Frames: what stands between bytes and messages.

::

    ┌────────────────────────┬──────────────────────────────────────────────┐
    │ 4 bytes, big-endian    │ payload: one msgpack array                   │
    │ length of the payload  │ [id, body, third, …]                         │
    └────────────────────────┴──────────────────────────────────────────────┘

A request is ``[id, body]`` or ``[id, body, context_carrier]``; a reply is ``[id, body, error]``. Which of the two a frame
is cannot be told from its length, so this module does not try: `Frame.third` is whatever stands third. It knows no
message, and no state.
"""

from __future__ import annotations

from outboard.errors import FrameTooLargeError, LocalProtocolError, RemoteProtocolError
from outboard.protocol.packing import packb, unpackb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from outboard.types import Buffer

__all__ = ("DEFAULT_MAX_FRAME_SIZE", "HEADER_SIZE", "LARGEST_FRAME_SIZE", "Frame", "FrameDecoder", "encode_frame")

HEADER_SIZE = 4

# What the prefix can say.
LARGEST_FRAME_SIZE = 2**32 - 1

# An XCom of some hundred megabytes is a mistake more often than a wish; both sides let the user raise it.
DEFAULT_MAX_FRAME_SIZE = 512 * 1024 * 1024


class Frame:
    """One frame: an integer id, a body (a map with string keys, or None) and what else the array held.

    Attributes:
        id: any integer; replies carry the id of their request.
        body: the message's map, or None.
        third: the third element: a request's context carrier, a reply's error, or None.
        extra: the elements behind the third, which are ignored by everyone.
    """

    __slots__ = ("body", "extra", "id", "third")

    def __init__(
        self, id: int, body: dict[str, object] | None = None, third: object = None, extra: tuple[object, ...] = ()
    ) -> None:
        self.id = id
        self.body = body
        self.third = third
        self.extra = extra

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Frame):
            return NotImplemented
        return (self.id, self.body, self.third, self.extra) == (other.id, other.body, other.third, other.extra)

    __hash__ = None  # type: ignore[assignment]  # a body is mutable

    def __repr__(self) -> str:
        return f"Frame(id={self.id!r}, body={self.body!r}, third={self.third!r}, extra={self.extra!r})"


def encode_frame(
    id: int,
    body: dict[str, object] | None,
    *third: object,
    max_frame_size: int = DEFAULT_MAX_FRAME_SIZE,
) -> bytes:
    """Encode one frame, prefix included, ready for a single write.

    Args:
        id: the frame's id.
        body: the message's map, or None.
        third: at most one more element: a request's context carrier, or a reply's error.
        max_frame_size: the largest payload to allow, in bytes.

    Raises:
        LocalProtocolError: the payload is above the limit, or cannot be packed.
    """
    payload = packb((id, body, *third))
    size = len(payload)
    if size > max_frame_size:
        raise LocalProtocolError(
            f"a frame of {size} bytes is above the limit of {max_frame_size}; send less, or raise the limit"
        )
    return size.to_bytes(HEADER_SIZE, "big") + payload


class FrameDecoder:
    """Cuts a stream of bytes into frames, however it is chunked.

    Memory grows with what has arrived, never with what a prefix promises. After an error the stream has no meaning any
    more: every later call raises the same error.
    """

    __slots__ = ("_buffer", "_error", "max_frame_size")

    def __init__(self, max_frame_size: int = DEFAULT_MAX_FRAME_SIZE) -> None:
        self.max_frame_size = max_frame_size
        self._buffer = bytearray()
        self._error: RemoteProtocolError | None = None

    @property
    def pending(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._buffer)

    @property
    def wanted(self) -> int:
        """How many bytes complete the current frame, as far as its prefix is known: a hint for the next read."""
        have = len(self._buffer)
        if have < HEADER_SIZE:
            return HEADER_SIZE - have
        return HEADER_SIZE + int.from_bytes(self._buffer[:HEADER_SIZE], "big") - have

    def feed(self, data: Buffer) -> Iterator[Frame]:
        """Take the bytes that arrived; yield each frame that is complete now, then raise if the next one is broken.

        Raises:
            FrameTooLargeError: a prefix above `max_frame_size`.
            RemoteProtocolError: an empty frame, or a payload that is no array with an integer id and a map or nil body.
        """
        if not self._buffer and self._error is None and _is_one_frame(data, self.max_frame_size):
            # Nearly every reply is a small frame that comes whole and alone.
            return self._only(bytes(data[HEADER_SIZE:]))
        self._buffer += data
        return self._frames()

    def _only(self, payload: bytes) -> Iterator[Frame]:
        try:
            yield _decode_payload(payload)
        except RemoteProtocolError as error:
            self._error = error
            raise

    def _frames(self) -> Iterator[Frame]:
        if self._error is not None:
            raise self._error
        try:
            while (payload := self._next_payload()) is not None:
                yield _decode_payload(payload)
        except RemoteProtocolError as error:
            self._error = error
            self._buffer.clear()
            raise

    def _next_payload(self) -> bytes | None:
        buffer = self._buffer
        if len(buffer) < HEADER_SIZE:
            return None
        size = int.from_bytes(buffer[:HEADER_SIZE], "big")
        if size == 0:
            raise RemoteProtocolError("an empty frame: its length prefix is zero")
        if size > self.max_frame_size:
            raise FrameTooLargeError(size, self.max_frame_size)
        end = HEADER_SIZE + size
        if len(buffer) < end:
            return None
        payload = bytes(buffer[HEADER_SIZE:end])
        del buffer[:end]
        return payload


def _is_one_frame(data: Buffer, max_frame_size: int) -> bool:
    size = len(data) - HEADER_SIZE
    return 0 < size <= max_frame_size and int.from_bytes(data[:HEADER_SIZE], "big") == size


def _decode_payload(payload: bytes) -> Frame:
    elements = unpackb(payload)
    if not isinstance(elements, list) or not elements:
        raise RemoteProtocolError(f"a frame holds an array of at least one element, not {_kind(elements)}")
    id = elements[0]
    if type(id) is not int:
        raise RemoteProtocolError(f"a frame's id is an integer, not {_kind(id)}")
    body = elements[1] if len(elements) > 1 else None
    if body is not None:
        _check_body(body)
    third = elements[2] if len(elements) > 2 else None
    return Frame(id, body, third, tuple(elements[3:]))


def _check_body(body: object) -> None:
    if type(body) is not dict:
        raise RemoteProtocolError(f"a frame's body is a map or nil, not {_kind(body)}")
    if set(map(type, body)) - {str}:
        [key, *_] = [key for key in body if type(key) is not str]
        raise RemoteProtocolError(f"a body's keys are strings, not {_kind(key)}")


_KINDS = {list: "an array", dict: "a map", str: "a string", bytes: "binary", type(None): "nil", bool: "a boolean"}


def _kind(value: object) -> str:
    if isinstance(value, list) and not value:
        return "an empty array"
    return _KINDS.get(type(value)) or f"a value of type {type(value).__name__}"
