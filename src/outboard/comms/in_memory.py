"""Two joined ends without a process between them, for tests of either role.

`stream_pair` joins two anyio streams; `descriptor_pair` joins two pairs of descriptors, as the runtime's channel reads and
writes them. Both let a test say how the bytes are cut on their way, and when they arrive: nothing here has a clock.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

import anyio
import anyio.abc
import anyio.lowlevel

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("DEFAULT_CAPACITY", "DescriptorEnd", "MemoryStream", "descriptor_pair", "stream_pair")

# What a pipe holds on Linux before its writer has to wait.
DEFAULT_CAPACITY = 65_536


# ── anyio streams ─────────────────────────────────────────────────────────────────────────────────────────────────────


class _Direction:
    """What is under way from one end to the other."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.data = bytearray()
        self.is_held = False
        self.has_ended = False  # the sender will send no more
        self.is_deaf = False  # the receiver will read no more
        self.is_broken = False
        self._waiting: list[anyio.Event] = []

    def change(self) -> None:
        """Wake whoever waits; something is different now."""
        for event in self._waiting:
            event.set()
        self._waiting.clear()

    async def until(self, condition: Callable[[], bool]) -> None:
        while not condition():
            event = anyio.Event()
            self._waiting.append(event)
            await event.wait()

    def has_news(self) -> bool:
        return self.is_broken or (not self.is_held and bool(self.data or self.has_ended))

    def has_room(self) -> bool:
        return self.is_broken or self.is_deaf or len(self.data) < self.capacity


class MemoryStream(anyio.abc.ByteStream):
    """One end of a stream in memory.

    Attributes:
        chunk_size: the most that one `receive` of this end returns; None leaves it to the caller.
    """

    def __init__(self, incoming: _Direction, outgoing: _Direction, chunk_size: int | None) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._is_closed = False
        self.chunk_size = chunk_size

    def hold(self) -> None:
        """Keep what the peer sends, and its end of stream, from arriving here until `release`."""
        self._incoming.is_held = True

    def release(self) -> None:
        """Let what was held arrive."""
        self._incoming.is_held = False
        self._incoming.change()

    @property
    def arrived(self) -> int:
        """How many bytes wait to be received at this end."""
        return 0 if self._incoming.is_held else len(self._incoming.data)

    async def receive(self, max_bytes: int = DEFAULT_CAPACITY) -> bytes:
        """Return the next bytes, at least one.

        Raises:
            anyio.EndOfStream: the peer has ended its stream.
            anyio.BrokenResourceError: the connection was severed.
            anyio.ClosedResourceError: this end is closed.
        """
        await anyio.lowlevel.checkpoint()
        await self._incoming.until(lambda: self._is_closed or self._incoming.has_news())
        if self._is_closed:
            raise anyio.ClosedResourceError
        if self._incoming.is_broken:
            raise anyio.BrokenResourceError
        if not self._incoming.data:
            raise anyio.EndOfStream
        size = min(max_bytes, self.chunk_size or max_bytes)
        data = bytes(self._incoming.data[:size])
        del self._incoming.data[:size]
        self._incoming.change()
        return data

    async def send(self, item: bytes) -> None:
        """Send all of ``item``; waits while the peer leaves a full buffer unread.

        Raises:
            anyio.BrokenResourceError: the peer has closed its end, or the connection was severed.
            anyio.ClosedResourceError: this end is closed.
        """
        await anyio.lowlevel.checkpoint()
        rest = memoryview(item)
        while rest:
            await self._outgoing.until(lambda: self._is_closed or self._outgoing.has_room())
            if self._is_closed or self._outgoing.has_ended:
                raise anyio.ClosedResourceError
            if self._outgoing.is_broken or self._outgoing.is_deaf:
                raise anyio.BrokenResourceError
            room = self._outgoing.capacity - len(self._outgoing.data)
            self._outgoing.data += rest[:room]
            rest = rest[room:]
            self._outgoing.change()

    async def send_eof(self) -> None:
        """End the stream towards the peer; receiving goes on."""
        self._outgoing.has_ended = True
        self._outgoing.change()

    async def aclose(self) -> None:
        """Close this end. The peer receives what was sent and then the end; what it sends afterwards raises there."""
        self._is_closed = True
        self._outgoing.has_ended = True
        self._incoming.is_deaf = True
        self._incoming.change()
        self._outgoing.change()

    def sever(self) -> None:
        """Break the connection at once, in both directions, as when a host is lost; nothing under way arrives."""
        for direction in (self._incoming, self._outgoing):
            direction.is_broken = True
            direction.change()


def stream_pair(
    *, capacity: int = DEFAULT_CAPACITY, chunk_size: int | None = None
) -> tuple[MemoryStream, MemoryStream]:
    """Join two streams.

    Args:
        capacity: how many bytes a direction holds before its sender has to wait.
        chunk_size: the most that one receive returns, at either end; None for as much as asked for.
    """
    there, back = _Direction(capacity), _Direction(capacity)
    return MemoryStream(back, there, chunk_size), MemoryStream(there, back, chunk_size)


# ── descriptors ───────────────────────────────────────────────────────────────────────────────────────────────────────


class DescriptorEnd:
    """One end of a pair of connections: a descriptor to read from, one to write to, and plain blocking calls on them."""

    def __init__(self, read_fd: int, write_fd: int, chunk_size: int | None) -> None:
        self.read_fd = read_fd
        self.write_fd = write_fd
        self._chunk_size = chunk_size

    def send(self, data: bytes) -> None:
        """Send all of ``data``, cut into chunks that arrive one at a time. Raises OSError when the peer is gone."""
        rest = memoryview(data)
        while rest:
            size = self._chunk_size or len(rest)
            rest = rest[os.write(self.write_fd, rest[:size]) :]

    def receive(self, max_bytes: int = DEFAULT_CAPACITY) -> bytes:
        """Wait for the next bytes; empty at the end of the stream."""
        return os.read(self.read_fd, max_bytes)

    def detach(self) -> tuple[int, int]:
        """Hand both descriptors over to somebody who closes them."""
        descriptors = self.read_fd, self.write_fd
        self.read_fd = self.write_fd = -1
        return descriptors

    def close(self) -> None:
        """Close what is still owned; the peer sees the end of the stream."""
        for descriptor in self.detach():
            if descriptor >= 0:
                os.close(descriptor)


def descriptor_pair(*, chunk_size: int | None = None) -> tuple[DescriptorEnd, DescriptorEnd]:
    """Join two pairs of descriptors, one connection in each direction.

    Args:
        chunk_size: how many bytes a single read returns at most, whatever was sent together, up to `DEFAULT_CAPACITY`.
            Only `DescriptorEnd.send` cuts; whoever writes to a descriptor by itself should write no more at a time. None
            joins plain stream sockets.
    """
    # Packets keep their borders: each read returns one, which no timing can undo.
    kind = socket.SOCK_STREAM if chunk_size is None else socket.SOCK_SEQPACKET
    near_reading, far_writing = _connection(kind)
    far_reading, near_writing = _connection(kind)
    return (
        DescriptorEnd(near_reading, near_writing, chunk_size),
        DescriptorEnd(far_reading, far_writing, chunk_size),
    )


def _connection(kind: socket.SocketKind) -> tuple[int, int]:
    reading, writing = socket.socketpair(socket.AF_UNIX, kind)
    return reading.detach(), writing.detach()
