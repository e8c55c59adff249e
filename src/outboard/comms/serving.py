"""The supervisor's end of one exchange, over any pair of anyio byte streams.

It reads without a pause while it writes: a task that floods its log while we send it a large XCom must not lock both
sides up. So replies are queued, and a task of its own writes them. The channel knows the protocol and no message's
meaning; who serves the requests, decides.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

import anyio
import anyio.abc

from outboard.errors import RemoteProtocolError
from outboard.protocol import messages as m
from outboard.protocol.conversation import SUPERVISOR, Conversation
from outboard.protocol.events import Broken, Event
from outboard.protocol.frames import DEFAULT_MAX_FRAME_SIZE

__all__ = ("MAX_UNREAD_BYTES", "MAX_UNREAD_REPLIES", "ServingChannel")

# A sound runtime has one reply under way for each of its threads. These bound what one that asks and never reads can make
# us hold; a single reply may be as large as a frame.
MAX_UNREAD_REPLIES = 10_000
MAX_UNREAD_BYTES = 512 * 1024 * 1024


class ServingChannel:
    """Greets a runtime, reports what it sends, and takes it the replies.

    Use it as an async context manager; on leaving, what is queued and not yet written is dropped.

    Args:
        receive: where the runtime's frames come from. One task at a time may iterate over `events`.
        send: where ours go.
        max_frame_size: the largest payload of a frame, in either direction.
    """

    def __init__(
        self,
        receive: anyio.abc.ByteReceiveStream,
        send: anyio.abc.ByteSendStream,
        *,
        max_frame_size: int = DEFAULT_MAX_FRAME_SIZE,
    ) -> None:
        self._receive = receive
        self._send = send
        self._conversation = Conversation(SUPERVISOR, max_frame_size=max_frame_size)
        self._unwritten: deque[bytes] = deque()
        self._unwritten_size = 0
        self._wake = anyio.Event()
        self._idle = anyio.Event()
        self._peer_reads = True
        self._overload: RemoteProtocolError | None = None
        self._reading = anyio.CancelScope()
        self._tasks = anyio.create_task_group()

    @property
    def state(self) -> str:
        """Where the exchange stands: one of `outboard.protocol.states.STATES`."""
        return self._conversation.state

    @property
    def unwritten(self) -> int:
        """How many frames wait to be written, or are being written."""
        return len(self._unwritten)

    async def __aenter__(self) -> Self:
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._write_replies)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        self._tasks.cancel_scope.cancel()
        return await self._tasks.__aexit__(kind, error, traceback)

    def greet(self, message: m.Message) -> None:
        """Queue the greeting, which must be the first message.

        Raises:
            InvalidMessageError: the schema refuses a field.
            LocalProtocolError: it is no greeting, or not the first one.
        """
        self._queue(self._conversation.send_greeting(message))

    def reply(self, id: int, message: m.Message | None = None, *, error: m.ErrorResponse | None = None) -> None:
        """Queue the reply to one request.

        Raises:
            InvalidMessageError: the schema refuses a field; the request still waits for its reply.
            LocalProtocolError: the reply is above the frame limit (the request still waits), or nothing is awaited.
        """
        self._queue(self._conversation.send_reply(id, message, error=error))

    async def flush(self) -> None:
        """Wait until everything queued is written, or the runtime is found to be gone."""
        while self._unwritten and self._peer_reads:
            self._idle = anyio.Event()
            await self._idle.wait()

    async def events(self) -> AsyncIterator[Event]:
        """Yield what the runtime sends, until the stream ends: last comes a `PeerClosed` or a `Broken`."""
        while self._overload is None and (data := await self._read()):
            for event in self._conversation.receive_data(data):
                yield event
                if isinstance(event, Broken):
                    return
                if self._overload is not None:
                    break
        if self._overload is not None:
            yield Broken(self._overload)
            return
        for event in self._conversation.receive_eof():
            yield event

    async def _read(self) -> bytes:
        """Return what has arrived; nothing at the end of the stream."""
        with anyio.CancelScope() as self._reading:
            try:
                return await self._receive.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return b""
        return b""

    def _queue(self, data: bytes) -> None:
        if not self._peer_reads:
            return
        self._unwritten.append(data)
        self._unwritten_size += len(data)
        self._wake.set()
        count, size = len(self._unwritten), self._unwritten_size
        # One reply alone may have any size that a frame may have.
        if count > MAX_UNREAD_REPLIES or (count > 1 and size > MAX_UNREAD_BYTES):
            self._overload = RemoteProtocolError(
                f"it sends requests but does not read the replies: {count} wait, {size} bytes in all"
            )
            self._stop_writing()
            self._reading.cancel()

    def _stop_writing(self) -> None:
        self._peer_reads = False
        self._unwritten.clear()
        self._unwritten_size = 0
        self._idle.set()

    async def _write_replies(self) -> None:
        """Write what is queued, in order. The only task that touches the sending stream."""
        try:
            while True:
                while self._unwritten:
                    await self._send.send(self._unwritten[0])
                    if not self._peer_reads:
                        return
                    self._unwritten_size -= len(self._unwritten.popleft())
                self._idle.set()
                self._wake = anyio.Event()
                await self._wake.wait()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            # That the runtime is gone is told by the reading side, which still holds what it sent before it went.
            self._stop_writing()
