"""SIGTERM, and the loss of the supervisor.

The first SIGTERM (or SIGINT) interrupts the body: the operator's ``on_kill`` is called, `AirflowTaskTerminated` is raised in
the main thread, and the retry decision follows. The second one means it: the process leaves at once. Once the report is out
there is nothing left to interrupt, so the first one is enough.

A supervisor that dies says nothing, and a busy body does not look. So the kernel is asked to send SIGIO when the other end
of a descriptor is closed (``O_ASYNC``): no thread has to watch. The task then reports nothing, since nobody is there to
hear it; it calls ``on_kill``, ends its process group, if the supervisor made one for it, and leaves with a code that is not
zero.

The author's own handlers wait, like ours, until they interrupt no frame: see `outboard.comms.interrupts`.
"""

from __future__ import annotations

import posix
from fcntl import F_GETFL, F_SETFL, F_SETOWN, fcntl
from select import POLLERR, POLLHUP, POLLRDHUP, poll
from time import monotonic, sleep

from outboard.sdk.exceptions import AirflowTaskTerminated

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    from outboard.comms.interrupts import Interrupts
else:
    import _signal  # the module around it loads enum

__all__ = ("EXIT_PEER_LOST", "GROUP_GRACE", "Signals", "leave_without_supervisor", "lifeline")

# sysexits' EX_IOERR: an input or output was lost.
EXIT_PEER_LOST = 74

# Seconds that the rest of the group has to end by itself when the supervisor is lost; the kill follows.
GROUP_GRACE = 2.0

S_IFMT, S_IFIFO, S_IFSOCK = 0o170000, 0o010000, 0o140000


class Signals:
    """The handlers of one process.

    Attributes:
        interrupt: what the first SIGTERM does with its exception. A coroutine task puts its own way here.
        on_kill: what is called before that, once, while a body runs that has something to end elsewhere.
    """

    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupt: Callable[[BaseException], None] = interrupts.throw
        self.on_kill: Callable[[], object] | None = None
        self._interrupts = interrupts
        self._terminated = False
        self._reported = False
        self._line = -1

    def watch(self, line: int) -> None:
        """Install the handlers, and watch the descriptor ``line`` for the loss of the supervisor; see `lifeline`."""
        self._line = line
        _signal.signal(_signal.SIGTERM, self._on_terminate)
        _signal.signal(_signal.SIGINT, self._on_terminate)
        _signal.signal(_signal.SIGIO, self._on_io)
        _let_handlers_wait(self._interrupts)
        try:
            fcntl(line, F_SETOWN, posix.getpid())
            fcntl(line, F_SETFL, fcntl(line, F_GETFL) | posix.O_ASYNC)
        except OSError:
            return  # no pipe, no socket: then the next request or record finds out
        if _hung_up(line):
            leave_without_supervisor()

    def report_is_out(self) -> None:
        """From now on a SIGTERM ends the process at once, with the exit code of a delivered report."""
        self._reported = True

    def _on_terminate(self, number: int, _: FrameType | None) -> None:
        if self._reported:
            posix._exit(0)
        if self._terminated:
            posix._exit(128 + number)
        self._terminated = True
        error = AirflowTaskTerminated(f"the supervisor sent signal {number}")
        if self.on_kill is None:
            self.interrupt(error)
            return
        # It may ask the supervisor for something, which needs the channel in one piece, and no request of the body's there.
        if not self._interrupts.call_at_end(error, lambda: self._kill_and_interrupt(error)):
            self._kill_and_interrupt(error)

    def _kill_and_interrupt(self, error: BaseException) -> None:
        try:
            if self.on_kill is not None:
                self.on_kill()
        finally:
            self.interrupt(error)

    def _on_io(self, _number: int, _: FrameType | None) -> None:
        if not _hung_up(self._line):
            return
        if self.on_kill is None:
            leave_without_supervisor()
        elif not self._interrupts.postpone(self._kill_and_leave):
            self._kill_and_leave()

    def _kill_and_leave(self) -> None:
        try:
            if self.on_kill is not None:
                self.on_kill()
        finally:
            leave_without_supervisor()


class _WaitingHandler:
    """A handler of the author's that runs when it interrupts nothing of ours, which is nearly always at once."""

    __slots__ = ("_interrupts", "handler")

    def __init__(self, handler: Callable[..., object], interrupts: Interrupts) -> None:
        self.handler = handler
        self._interrupts = interrupts

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if not self._interrupts.postpone(self.handler, number, frame):
            self.handler(number, frame)


def _let_handlers_wait(interrupts: Interrupts) -> None:
    """Wrap each handler that is installed from now on, and show authors what they installed.

    A handler that raises, such as that of a timeout, would otherwise leave half a frame on the wire. All of `signal` goes
    through these two functions.
    """
    install, look_up = _signal.signal, _signal.getsignal

    def unwrapped(handler: Any) -> Any:
        return handler.handler if type(handler) is _WaitingHandler else handler

    def signal(number: int, handler: Any, /) -> Any:
        return unwrapped(install(number, _WaitingHandler(handler, interrupts) if callable(handler) else handler))

    def getsignal(number: int, /) -> Any:
        return unwrapped(look_up(number))

    _signal.signal, _signal.getsignal = signal, getsignal  # type: ignore[assignment]


def lifeline(write_fd: int) -> int:
    """The descriptor to watch: stderr where it is a pipe or a socket, else the wire's write side.

    Each read at the other end of a watched pipe raises SIGIO too, and the wire is read all the time; stderr hardly ever.
    """
    return 2 if posix.fstat(2).st_mode & S_IFMT in (S_IFIFO, S_IFSOCK) else write_fd


def _hung_up(fd: int) -> bool:
    state = poll()
    # A socket whose other side has only sent its end is no POLLHUP yet, and that is all that a dead supervisor sends.
    state.register(fd, POLLRDHUP)
    return any(found & (POLLERR | POLLHUP | POLLRDHUP) for _, found in state.poll(0))


def leave_without_supervisor() -> None:
    """End the process group, if it was made for this task, and leave. Does not return."""
    if posix.getsid(0) == posix.getpid():
        _end_group()
    posix._exit(EXIT_PEER_LOST)


def _end_group() -> None:
    """SIGTERM, a grace time for our own children, then SIGKILL, which also ends this process."""
    _signal.signal(_signal.SIGTERM, _signal.SIG_IGN)
    posix.killpg(0, _signal.SIGTERM)
    deadline = monotonic() + GROUP_GRACE
    while monotonic() < deadline:
        try:
            if posix.waitpid(-1, posix.WNOHANG) == (0, 0):
                sleep(0.01)
        except ChildProcessError:
            break
    posix.killpg(0, _signal.SIGKILL)
