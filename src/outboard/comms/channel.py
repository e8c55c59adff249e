"""The runtime's end of the wire: a request goes out, its caller gets its own reply, from any thread.

No thread reads in the background. Whoever waits for a reply reads for everybody: the first waiter becomes the reader and
hands replies to their callers as they come; when it has its own, the next waiter takes over. A task with one thread thus
pays for two plain system calls, and one with fifty threads still gets each reply to its caller. Coroutines call through a
worker thread (`Channel.request_async`), so that the event loop never waits.

The channel belongs to the process that made it. A forked copy would steal the parent's replies, so it is refused.
"""

from __future__ import annotations

import posix
from _thread import allocate_lock, get_ident
from select import POLLIN, poll
from time import monotonic

from outboard.comms.interrupts import Interrupts
from outboard.errors import (
    ChannelClosedError,
    ForkedProcessError,
    InterruptedCallError,
    PeerLostError,
    RequestTimeoutError,
    ServerError,
)
from outboard.protocol import events, states
from outboard.protocol.conversation import RUNTIME, Conversation
from outboard.protocol.frames import DEFAULT_MAX_FRAME_SIZE
from outboard.protocol.versions import DEFAULT_SCHEMA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType

    from outboard.protocol.events import Event
    from outboard.protocol.messages import Message

__all__ = ("DEFAULT_REQUEST_TIMEOUT", "Channel")

# Airflow retries a failing API call five times, with growing pauses, before it answers; this outlasts that.
DEFAULT_REQUEST_TIMEOUT = 120.0

READ_SIZE = 64 * 1024
LARGEST_READ = 1024 * 1024


class _Waiter:
    """One call that waits: its outcome, and the lock it sleeps on when another call does the reading."""

    __slots__ = ("error", "reply", "sleeping")

    def __init__(self) -> None:
        self.reply: Event | None = None
        self.error: Exception | None = None
        self.sleeping: LockType | None = None

    @property
    def done(self) -> bool:
        return self.reply is not None or self.error is not None


class Channel:
    """Requests and replies over two descriptors (which may be the same one).

    Attributes:
        conversation: the exchange's state; read it, never drive it.
        request_timeout: seconds that a request waits for its reply, unless the call says otherwise.
        interrupts: shields each call, except while it waits; shared with the log channel that writes here.
        requests_sent: how many requests went out.
    """

    def __init__(
        self,
        read_fd: int,
        write_fd: int,
        *,
        request_timeout: float = DEFAULT_REQUEST_TIMEOUT,
        max_frame_size: int = DEFAULT_MAX_FRAME_SIZE,
        schema: str = DEFAULT_SCHEMA,
        interrupts: Interrupts | None = None,
    ) -> None:
        self.conversation = Conversation(RUNTIME, max_frame_size=max_frame_size, schema=schema)
        self.request_timeout = request_timeout
        self.interrupts = interrupts or Interrupts()
        self.requests_sent = 0
        self.write_fd = write_fd
        self._read_fd = read_fd
        self._readable = poll()
        self._readable.register(read_fd, POLLIN)
        self._pid = posix.getpid()
        self._lock = allocate_lock()  # the conversation and the waiters; nobody waits while holding it
        # Whole frames on the write side. Apart from the lock above: a supervisor that is busy writing a large reply may
        # leave our large request unread until somebody here has read that reply.
        self._writing = allocate_lock()
        self._reading = allocate_lock()  # held by the one call that reads
        self._reader = 0  # its thread
        self._waiters: dict[int, _Waiter] = {}
        self._greeting: _Waiter = _Waiter()
        self._lost: Exception | None = None

    @property
    def is_lost(self) -> bool:
        """Whether the supervisor is known to be gone, or the channel is closed."""
        return self._lost is not None

    # ── calls ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def greeting(self) -> Message:
        """Wait for the supervisor's first message, as long as it takes: a slow API server is no reason to give up.

        Raises:
            PeerLostError: the supervisor went away first.
            RemoteProtocolError: what came is no greeting.
        """
        self._check_owner()
        with self.interrupts:
            self._wait(self._greeting, None)
        if self._greeting.error is not None:
            raise self._greeting.error
        message: Message = self._greeting.reply.message  # type: ignore[union-attr]
        return message

    def request(self, message: Message, *, timeout: float | None = None) -> Message | None:
        """Send a request and wait for its reply: a message, or None where the reply is empty.

        Args:
            message: any request of the catalogue.
            timeout: seconds to wait; None means `request_timeout`.

        Raises:
            InvalidMessageError: the schema refuses the message; nothing was sent.
            ServerError: the supervisor answered with an error.
            RequestTimeoutError: it did not answer in time.
            UndecodableMessageError: this reply cannot be read; the channel goes on.
            PeerLostError: the supervisor is gone.
            ForkedProcessError: this process is a forked copy of the task's.
            InterruptedCallError: a signal handler or a finalizer asks in the middle of another call of its own thread.
        """
        seconds = self.request_timeout if timeout is None else timeout
        return self._call(message, monotonic() + seconds, seconds)

    def report(self, message: Message) -> None:
        """Send the terminal message and wait, without a deadline, until the supervisor has taken it.

        Raises:
            ServerError: the supervisor took the message, but could not pass it on. There is nothing left to do.
            PeerLostError: the supervisor went away; whether it took the message is unknown.
        """
        self._call(message, None, 0.0)

    async def request_async(self, message: Message, *, timeout: float | None = None) -> Message | None:
        """`request`, for coroutines: the event loop goes on meanwhile. A cancelled call drops its late reply."""
        from anyio import to_thread  # only coroutine tasks pay for it

        return await to_thread.run_sync(lambda: self.request(message, timeout=timeout), abandon_on_cancel=True)

    def log(self, record: dict[str, object]) -> None:
        """Send one log record among the frames.

        Raises:
            PeerLostError: the supervisor is gone.
            ForkedProcessError: this process is a forked copy of the task's.
        """
        self._check_owner()
        data = self.conversation.send_log(record)  # changes no state, so it needs no lock
        with self.interrupts, self._writing:
            self._write(data)

    # ── how a call waits ──────────────────────────────────────────────────────────────────────────────────────────

    def _call(self, message: Message, deadline: float | None, seconds: float) -> Message | None:
        self._check_owner()
        if self.interrupts.is_shielded or self._reader == get_ident():
            raise InterruptedCallError(type(message).__name__)
        waiter = _Waiter()
        with self.interrupts:
            with self._writing:
                with self._lock:
                    request_id, data = self.conversation.send_request(message)
                    self._waiters[request_id] = waiter
                self._write(data)
                self.requests_sent += 1
            try:
                if not self._wait(waiter, deadline):
                    raise RequestTimeoutError(type(message).__name__, seconds)
            finally:
                if not waiter.done:
                    self._forget(request_id)
        return _outcome(waiter)

    def _wait(self, waiter: _Waiter, deadline: float | None) -> bool:
        """Wait until the waiter is done (True) or the deadline has passed (False). Inside of a shield."""
        while not waiter.done:
            left = -1.0 if deadline is None else max(0.0, deadline - monotonic())
            if self._reading.acquire(False):
                try:
                    self._reader = get_ident()
                    self._read_for(waiter, left)
                finally:
                    self._reader = 0
                    self._reading.release()
                    if self._waiters:
                        self._wake_another()
            else:
                self._sleep(waiter, left)
            if left == 0.0 and not waiter.done:
                return False
        return True

    def _read_for(self, waiter: _Waiter, seconds: float) -> None:
        if waiter.done:  # its reply came between the check and the turn to read
            return
        if self.interrupts.lifted(self._readable.poll, None if seconds < 0 else seconds * 1000):
            self._receive()

    def _receive(self) -> None:
        size = min(max(self.conversation.wanted, READ_SIZE), LARGEST_READ)
        try:
            data = posix.read(self._read_fd, size)
        except ConnectionError:
            data = b""  # a supervisor that was killed resets its sockets
        with self._lock:
            found = self.conversation.receive_data(data) if data else self.conversation.receive_eof()
            for event in found:
                self._deliver(event)
            if not data and self._lost is None:
                self._fail_all(PeerLostError("the supervisor closed the connection"))

    def _deliver(self, event: Event) -> None:
        if isinstance(event, (events.Reply, events.UndecodableReply)):
            waiter = self._waiters.pop(event.id, None)
            if waiter is not None:
                _finish(waiter, event, None)
        elif isinstance(event, events.Greeting):
            _finish(self._greeting, event, None)
        elif isinstance(event, events.Broken):
            self._fail_all(event.error)
        elif isinstance(event, events.PeerClosed):
            self._fail_all(PeerLostError(_how_lost(event)))

    def _sleep(self, waiter: _Waiter, seconds: float) -> None:
        with self._lock:
            if waiter.done or not self._reading.locked():
                return
            lock = waiter.sleeping = allocate_lock()
            lock.acquire()
        self.interrupts.lifted(lock.acquire, True, seconds)
        waiter.sleeping = None

    def _wake_another(self) -> None:
        with self._lock:
            for waiter in self._waiters.values():
                lock = waiter.sleeping
                if lock is not None and lock.locked():
                    lock.release()
                    return

    # ── what goes wrong ───────────────────────────────────────────────────────────────────────────────────────────

    def _check_owner(self) -> None:
        if posix.getpid() != self._pid:
            raise ForkedProcessError(
                "a forked copy of the task's process cannot talk to the supervisor: ask in the task, hand over the value"
            )
        if self._lost is not None:
            raise self._lost

    def _write(self, data: bytes) -> None:
        try:
            written = posix.write(self.write_fd, data)
            if written < len(data):
                view = memoryview(data)[written:]
                while view:
                    view = view[posix.write(self.write_fd, view) :]
        except ConnectionError as error:
            lost = PeerLostError("the supervisor closed the connection")
            with self._lock:
                self._fail_all(lost)
            raise lost from error

    def _fail_all(self, error: Exception) -> None:
        self._lost = error
        for waiter in (self._greeting, *self._waiters.values()):
            if not waiter.done:
                _finish(waiter, None, error)
        self._waiters.clear()

    def _forget(self, request_id: int) -> None:
        with self._lock:
            self._waiters.pop(request_id, None)
            self.conversation.abandon(request_id)
        # This call may have been woken to read for the others, and left instead.
        self._wake_another()

    def close(self) -> None:
        """Give the descriptors back; later calls raise `ChannelClosedError`."""
        with self.interrupts, self._lock:
            if isinstance(self._lost, ChannelClosedError):
                return
            self._fail_all(ChannelClosedError("the channel is closed"))
        for fd in {self._read_fd, self.write_fd}:
            posix.close(fd)


def _finish(waiter: _Waiter, reply: Event | None, error: Exception | None) -> None:
    waiter.reply, waiter.error = reply, error
    sleeping = waiter.sleeping
    if sleeping is not None and sleeping.locked():
        sleeping.release()


def _outcome(waiter: _Waiter) -> Message | None:
    if waiter.error is not None:
        raise waiter.error
    reply = waiter.reply
    if isinstance(reply, events.UndecodableReply):
        raise reply.error
    assert isinstance(reply, events.Reply)
    if reply.error is not None:
        raise ServerError(reply.error.error, reply.error.detail)
    return reply.message


def _how_lost(event: events.PeerClosed) -> str:
    cut = f", in the middle of a frame ({event.partial} bytes of it came)" if event.partial else ""
    if event.state_before == states.WAITING:
        return f"the supervisor closed the connection before it said what to do{cut}"
    return f"the supervisor closed the connection{cut}"
