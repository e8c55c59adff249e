"""Where log records go: in order, kept until there is somewhere to send them, and to stderr when that place is lost."""

from __future__ import annotations

import posix
from _thread import allocate_lock

from outboard.errors import ChannelError, ProtocolError
from outboard.protocol.log_records import encode_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from outboard.comms.interrupts import Interrupts

__all__ = ("MAX_BUFFERED_RECORDS", "LogChannel", "line_sink")

# Connecting takes milliseconds; a runtime that logs this much before it is connected is better read on stderr.
MAX_BUFFERED_RECORDS = 10_000

STDERR = 2


class LogChannel:
    """Takes records, one at a time, from any thread, also from a signal handler or a finalizer that interrupts one.

    Until `connect` it keeps them; then it hands each to the sink before `emit` returns, so that a record survives whatever
    kills the process a moment later. When the sink fails, that record and all later ones go to stderr as lines.

    Args:
        interrupts: the shields of the channel that the sink writes to.
    """

    def __init__(self, interrupts: Interrupts) -> None:
        self.interrupts = interrupts
        self._sink: Callable[[dict[str, object]], None] | None = None
        self._buffer: list[dict[str, object]] = []
        self._lost = False
        self._lock = allocate_lock()

    def emit(self, record: dict[str, object]) -> None:
        """Pass one record on, or keep it until `connect`. Never raises for a lost peer."""
        if self.interrupts.postpone(self.emit, record):
            return
        with self.interrupts, self._lock:
            if self._sink is not None or self._lost:
                self._send(record)
                return
            self._buffer.append(record)
            if len(self._buffer) >= MAX_BUFFERED_RECORDS:
                self._give_up()

    def connect(self, sink: Callable[[dict[str, object]], None]) -> None:
        """Send what was kept, in order, and everything from now on, to ``sink``."""
        with self.interrupts, self._lock:
            self._sink = sink
            for record in self._buffer:
                self._send(record)
            self._buffer.clear()

    def give_up(self) -> None:
        """There is nothing to connect to: send what was kept, and everything from now on, to stderr."""
        with self.interrupts, self._lock:
            self._give_up()

    def after_fork(self) -> None:
        """In a forked copy of the process: the thread that held the lock, if one did, is not there to release it."""
        self._lock = allocate_lock()
        self.interrupts.after_fork()

    def _give_up(self) -> None:
        self._lost = True
        for record in self._buffer:
            _to_stderr(record)
        self._buffer.clear()

    def _send(self, record: dict[str, object]) -> None:
        if self._sink is None or self._lost:
            _to_stderr(record)
            return
        try:
            self._sink(record)
        except (OSError, ChannelError, ProtocolError):
            # A forked copy cannot use its parent's channel, but that says nothing about the parent's.
            self._lost = True
            _to_stderr(record)


def line_sink(fd: int) -> Callable[[dict[str, object]], None]:
    """A sink that writes each record to ``fd`` as one line of JSON. The log channel sees to it that they come one by one."""

    def write(record: dict[str, object]) -> None:
        view = memoryview(encode_line(record))
        while view:
            view = view[posix.write(fd, view) :]

    return write


def _to_stderr(record: dict[str, object]) -> None:
    try:  # noqa: SIM105  # contextlib is not the child's to load
        posix.write(STDERR, encode_line(record))
    except OSError:
        pass  # stderr is gone as well: there is nobody left to tell
