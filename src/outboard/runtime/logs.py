"""Records of all that a task says: print, stderr, logging, structlog, and the runtime's own words, in one order.

``logging`` and ``structlog`` are wired up when the author's code imports them, not before: either costs more than the rest
of the child.
"""

from __future__ import annotations

import io
import sys
from _thread import allocate_lock
from datetime import datetime, timezone

from outboard.protocol.log_records import LEVELS, level_of, make_record, parse_namespace_levels, passes
from outboard.protocol.masking import Masker
from outboard.runtime.import_watch import when_imported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from outboard.comms.interrupts import Interrupts
    from outboard.comms.log_channel import LogChannel

__all__ = (
    "LEVEL_VARIABLE",
    "MAX_LINE",
    "NAMESPACE_LEVELS_VARIABLE",
    "RUNTIME_LOGGER",
    "Logs",
)

# A supervisor resolves its own configuration and passes it on by these names.
LEVEL_VARIABLE = "AIRFLOW__LOGGING__LOGGING_LEVEL"
NAMESPACE_LEVELS_VARIABLE = "AIRFLOW__LOGGING__NAMESPACE_LEVELS"
DEFAULT_LEVEL = "info"

RUNTIME_LOGGER = "outboard"
STDOUT_LOGGER, STDERR_LOGGER = "task.stdout", "task.stderr"

# Characters of a line without an end that are kept before they are sent as a record of their own.
MAX_LINE = 64 * 1024


class Logs:
    """Builds records, drops those below the configured level, and passes the rest on.

    Args:
        channel: where records go.
        environment: where the levels are configured.

    Attributes:
        masker: the secrets that no record may show.
    """

    def __init__(self, channel: LogChannel, environment: Mapping[str, str]) -> None:
        self._channel = channel
        self.masker = Masker()
        self.default_level = level_of(environment.get(LEVEL_VARIABLE, DEFAULT_LEVEL)) or DEFAULT_LEVEL
        self.namespace_levels: dict[str, str] = {}
        self._writers: list[LineWriter] = []
        self._passing: frozenset[str] = frozenset()
        text = environment.get(NAMESPACE_LEVELS_VARIABLE)
        if text:
            self.namespace_levels, problems = parse_namespace_levels(text)
            for problem in problems:
                self.emit("warning", f"{NAMESPACE_LEVELS_VARIABLE}: {problem}")
        else:
            # Without namespaces the level alone decides, and the decision can be made once.
            self._passing = frozenset([level for level in LEVELS if self._passes(level, "")])

    def emit(
        self, level: str, event: object, logger: str = RUNTIME_LOGGER, extra: Mapping[str, object] | None = None
    ) -> None:
        """Send one record, unless its level (in any spelling) is below what is configured for its logger."""
        if level in self._passing or self._passes(level, logger):
            record = make_record(event, level, logger, datetime.now(timezone.utc), extra)
            self._channel.emit(self.masker.record(record) if self.masker else record)

    def _passes(self, level: str, logger: str) -> bool:
        return passes(level_of(level) or DEFAULT_LEVEL, logger, self.default_level, self.namespace_levels)

    def exception(self, event: str, error: BaseException, logger: str = "task") -> None:
        """Send an error record with the exception's chain of tracebacks."""
        from outboard.runtime.tracebacks import exception_chain

        self.emit("error", event, logger, {"exception": exception_chain(error)})

    def capture(self) -> None:
        """Let print, logging and structlog come here from now on."""
        sys.stdout = self._writer("info", STDOUT_LOGGER, 1)
        sys.stderr = self._writer("error", STDERR_LOGGER, 2)
        when_imported({"logging": self._wire_logging, "structlog": self._wire_structlog})

    def flush(self) -> None:
        """Send what was printed without an end of line, also into streams that the author has put in front of ours."""
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
        for writer in self._writers:
            writer.finish()

    def after_fork(self) -> None:
        """In a forked copy of the process: the threads that held locks are not there to release them."""
        self._channel.after_fork()
        for writer in self._writers:
            writer.after_fork()

    def _writer(self, level: str, logger: str, fd: int) -> LineWriter:
        def send(line: str) -> None:
            self.emit(level, line, logger)

        writer = LineWriter(send, self._channel.interrupts, fd, f"<{logger.rpartition('.')[2]}>")
        self._writers.append(writer)
        return writer

    def _wire_logging(self) -> None:
        from outboard.runtime import logging_bridge

        logging_bridge.install(self)

    def _wire_structlog(self) -> None:
        from outboard.runtime import structlog_bridge

        structlog_bridge.install(self)


class LineWriter(io.TextIOBase):
    """Stands in for ``sys.stdout`` and ``sys.stderr``: each line becomes a record.

    What child processes write to the descriptor itself does not come here; the supervisor drains that.
    """

    encoding = "utf-8"
    errors = "backslashreplace"
    line_buffering = True
    write_through = False
    mode = "w"

    def __init__(self, send: Callable[[str], None], interrupts: Interrupts, fd: int, name: str) -> None:
        self.name = name
        self._send = send
        self._interrupts = interrupts
        self._fd = fd
        self._line = ""
        self._lock = allocate_lock()
        self._bytes: _BytesWriter | None = None

    def write(self, text: str) -> int:
        """Take text; each line that is complete now becomes a record."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if self._interrupts.postpone(self.write, text):
            return len(text)
        with self._interrupts, self._lock:
            *lines, rest = (self._line + text).split("\n") if self._line else text.split("\n")
            while len(rest) > MAX_LINE:
                lines.append(rest[:MAX_LINE])
                rest = rest[MAX_LINE:]
            self._line = rest
        for line in lines:
            self._send(line)
        return len(text)

    def finish(self) -> None:
        """Send the line that has no end, if there is one."""
        with self._interrupts, self._lock:
            line, self._line = self._line, ""
        if line:
            self._send(line)

    def after_fork(self) -> None:
        """See `Logs.after_fork`."""
        self._lock = allocate_lock()

    def writable(self) -> bool:
        """Always."""
        return True

    def reconfigure(self, **options: object) -> None:
        """Take what a text stream takes, and stay as it is: a record is a line of text, whatever its encoding was to be."""

    def fileno(self) -> int:
        """The descriptor that child processes inherit under this name."""
        return self._fd

    @property
    def buffer(self) -> _BytesWriter:
        """For code that writes bytes."""
        if self._bytes is None:
            self._bytes = _BytesWriter(self)
        return self._bytes


class _BytesWriter(io.RawIOBase):
    """Bytes → text. A character may come in several pieces."""

    def __init__(self, text: LineWriter) -> None:
        from codecs import getincrementaldecoder  # every interpreter has loaded it; few tasks write bytes

        self._text = text
        self._decoder = getincrementaldecoder("utf-8")("backslashreplace")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._text.write(self._decoder.decode(bytes(data)))
        return len(data)
