"""anyio byte streams over plain descriptors: the parent's ends of pipes and sockets.

The child never loads this: it reads and writes its descriptors itself. A stream here belongs to one task; reading and
writing happen through two streams, over two descriptors.
"""

from __future__ import annotations

import errno
import fcntl
import os
import sys
import termios

import anyio
import anyio.abc
import anyio.lowlevel

__all__ = ("DescriptorReader", "DescriptorWriter")

# The capacity of a pipe on Linux; a larger read gains nothing.
READ_SIZE = 65_536

_PEER_GONE = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN, errno.EIO})


class _Descriptor:
    """Owns one non-blocking descriptor."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Return the descriptor.

        Raises:
            anyio.ClosedResourceError: it is closed.
        """
        if self._descriptor < 0:
            raise anyio.ClosedResourceError
        return self._descriptor

    def close(self) -> None:
        """Close the descriptor; the second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    async def aclose(self) -> None:
        """Close the descriptor; the second time does nothing."""
        self.close()


class DescriptorReader(_Descriptor, anyio.abc.ByteReceiveStream):
    """The reading end of a pipe or of a socket."""

    async def receive(self, max_bytes: int = READ_SIZE) -> bytes:
        """Return what has arrived, at least one byte.

        Raises:
            anyio.EndOfStream: the other side has closed its end.
            anyio.BrokenResourceError: the connection was reset.
            anyio.ClosedResourceError: the stream was closed here.
        """
        await anyio.lowlevel.checkpoint()
        while True:
            try:
                data = os.read(self.fileno(), max_bytes)
            except BlockingIOError:
                await anyio.wait_readable(self.fileno())
            except OSError as error:
                raise _translated(error) from error
            else:
                if data:
                    return data
                raise anyio.EndOfStream


class DescriptorWriter(_Descriptor, anyio.abc.ByteSendStream):
    """The writing end of a pipe or of a socket.

    A `send` that is cancelled after its first byte leaves the stream broken: nothing may follow half a frame.
    """

    _is_broken = False

    async def send(self, item: bytes) -> None:
        """Write all bytes.

        Raises:
            anyio.BrokenResourceError: the other side is gone, or an earlier send was cut short.
            anyio.ClosedResourceError: the stream was closed here.
        """
        if self._is_broken:
            raise anyio.BrokenResourceError
        await anyio.lowlevel.checkpoint()
        rest = memoryview(item)
        self._is_broken = True
        while rest:
            rest = rest[await self._write_some(rest) :]
        self._is_broken = False

    @property
    def unread(self) -> int:
        """How many bytes the other side has not taken out of the pipe yet. For pipes only, also once nobody reads."""
        return int.from_bytes(fcntl.ioctl(self.fileno(), termios.FIONREAD, bytes(4)), sys.byteorder)

    async def _write_some(self, data: memoryview) -> int:
        while True:
            try:
                return os.write(self.fileno(), data)
            except BlockingIOError:
                await anyio.wait_writable(self.fileno())
            except OSError as error:
                raise _translated(error) from error


def _translated(error: OSError) -> Exception:
    return anyio.BrokenResourceError() if error.errno in _PEER_GONE else error
