"""Records of what a body says by print, `logging` and structlog, while all of it also goes where the caller expects it.

In a bundle the runtime owns the process, and takes these three over. Here they are the caller's: pytest captures them, and
other tests have configured them in ways of their own. So nothing is configured: streams get a tee in front, and loggers
are listened to where all their records pass. Each word becomes one record, also where one way leads into another, such as
a structlog logger that prints.
"""

from __future__ import annotations

import io
import logging
import sys
import threading
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TextIO, cast

import structlog

from outboard.comms.log_channel import LogChannel
from outboard.protocol.log_records import level_of
from outboard.runtime.logging_bridge import RecordHandler
from outboard.runtime.logs import LEVEL_VARIABLE, LineWriter, Logs
from outboard.runtime.structlog_bridge import record_event
from outboard.testing import structlog_tap
from outboard.testing.structlog_tap import Proceed

__all__ = ("TappedLogs",)

# What a print to a stream says that an earlier test has closed, and that some logger still holds.
_CLOSED = "I/O operation on closed file"


class TappedLogs(Logs):
    """The records of one task, in a process that is not its own."""

    def __init__(self, channel: LogChannel) -> None:
        # What is too low for a logger does not come here; a level for all would hide what one logger is to tell.
        super().__init__(channel, {LEVEL_VARIABLE: "debug"})
        self._once = _Once()

    @contextmanager
    def tapped(self, not_from: Container[int]) -> Iterator[None]:
        """Be where records pass; none is taken yet.

        Args:
            not_from: the threads of the supervisor. What is said there is nobody's.
        """
        with ExitStack() as stack:
            stack.enter_context(self._streams())
            lowest = stack.enter_context(self._logging(not_from))
            stack.enter_context(self._structlog(not_from, lowest))
            yield

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Take records, while they are tapped and can be sent."""
        self._once.is_over = False
        try:
            yield
        finally:
            self.flush()
            self._once.is_over = True

    @contextmanager
    def _streams(self) -> Iterator[None]:
        before = sys.stdout, sys.stderr
        sys.stdout = self._tee(sys.stdout, "info", "task.stdout", 1)
        sys.stderr = self._tee(sys.stderr, "error", "task.stderr", 2)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = before

    def _tee(self, stream: TextIO, level: str, logger: str, fd: int) -> TextIO:
        return cast("TextIO", _Tee(stream, self._writer(level, logger, fd), self._once))

    @contextmanager
    def _logging(self, not_from: Container[int]) -> Iterator[int]:
        """Yield the lowest level that is recorded where nobody has decided otherwise."""
        handler, once = RecordHandler(self), self._once
        call_handlers, root = logging.Logger.callHandlers, logging.getLogger()

        def tapped(logger: logging.Logger, record: logging.LogRecord) -> None:
            if threading.get_ident() in not_from:
                return
            if once.is_taken:
                call_handlers(logger, record)
                return
            handler.emit(record)
            with once:
                call_handlers(logger, record)

        before, lowest = root.level, min(root.level, logging.INFO)
        # As in a bundle; the default, warning, would hide most of what a task says.
        root.setLevel(lowest)
        logging.Logger.callHandlers = tapped  # type: ignore[method-assign,assignment]
        try:
            yield lowest
        finally:
            logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign]
            root.setLevel(before)

    def _structlog(self, not_from: Container[int], lowest: int) -> Any:
        once = self._once

        def listen(logger: structlog.BoundLoggerBase, method: str, fields: dict[str, Any], proceed: Proceed) -> Any:
            if threading.get_ident() in not_from:
                return None
            if once.is_taken:
                return proceed()
            if _number(method) >= lowest:
                record_event(self, logger._logger, method, _with_its_context(logger, method, fields))
            with once:
                try:
                    return proceed()
                except ValueError as error:
                    if _CLOSED not in str(error):
                        raise
                    return None

        return structlog_tap.listening(listen)


class _Once:
    """In this thread, what is said now has been taken already. Used as a context manager.

    Attributes:
        is_over: whether nothing is taken any more: somebody may hold a stream for longer than the task lasts.
    """

    def __init__(self) -> None:
        self.is_over = True
        self._of_thread = threading.local()

    @property
    def is_taken(self) -> bool:
        return self.is_over or bool(getattr(self._of_thread, "is_taken", False))

    def __enter__(self) -> None:
        self._of_thread.is_taken = True

    def __exit__(self, *_: object) -> None:
        self._of_thread.is_taken = False


class _Tee(io.TextIOBase):
    """A stream of the caller's; what is written to it becomes records as well."""

    def __init__(self, stream: TextIO, writer: LineWriter, once: _Once) -> None:
        self._stream = stream
        self._writer = writer
        self._once = once

    def write(self, text: str) -> int:
        if not self._once.is_taken:
            self._writer.write(text)
        return self._stream.write(text)

    def write_bytes(self, data: bytes) -> int:
        if not self._once.is_taken:
            self._writer.buffer.write(data)
        below = getattr(self._stream, "buffer", None)
        if below is None:  # a StringIO, which holds text only
            self._stream.write(data.decode("utf-8", "backslashreplace"))
        else:
            below.write(data)
        return len(data)

    @property
    def buffer(self) -> _TeeBuffer:
        return _TeeBuffer(self)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        """Leave the stream open: it is the caller's."""

    def fileno(self) -> int:
        try:
            return self._stream.fileno()
        except OSError:
            return self._writer.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def writable(self) -> bool:
        return True

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self._stream.errors

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _TeeBuffer(io.RawIOBase):
    def __init__(self, tee: _Tee) -> None:
        self._tee = tee

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._tee.write_bytes(bytes(data))


def _with_its_context(logger: structlog.BoundLoggerBase, method: str, fields: dict[str, Any]) -> dict[str, Any]:
    """The event as the runtime's own processors would get it."""
    event: Any = {**structlog.get_context(logger), **fields}
    event = structlog.contextvars.merge_contextvars(logger._logger, method, event)
    arguments = event.pop("positional_args", None)
    if arguments:
        # As logging does: one mapping stands for its items.
        named = arguments[0] if len(arguments) == 1 and isinstance(arguments[0], dict) else arguments
        event["event"] = str(event.get("event")) % named
    return cast("dict[str, Any]", event)


def _number(method: str) -> int:
    level = level_of("error" if method == "exception" else method)
    return getattr(logging, (level or "info").upper())  # type: ignore[no-any-return]
