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
from outboard.runtime.own_frames import is_machinery

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from importlib.machinery import ModuleSpec
    from types import ModuleType, TracebackType
    from typing import Any

    from outboard.comms.log_channel import LogChannel

__all__ = (
    "LEVEL_VARIABLE",
    "MAX_LINE",
    "NAMESPACE_LEVELS_VARIABLE",
    "RUNTIME_LOGGER",
    "Logs",
    "exception_chain",
    "message_of",
)

# A supervisor resolves its own configuration and passes it on by these names.
LEVEL_VARIABLE = "AIRFLOW__LOGGING__LOGGING_LEVEL"
NAMESPACE_LEVELS_VARIABLE = "AIRFLOW__LOGGING__NAMESPACE_LEVELS"
DEFAULT_LEVEL = "info"

RUNTIME_LOGGER = "outboard"
STDOUT_LOGGER, STDERR_LOGGER = "task.stdout", "task.stderr"

# Characters of a line without an end that are kept before they are sent as a record of their own.
MAX_LINE = 64 * 1024

# Of one group of exceptions: a hundred downloads that fail all fail alike, and a record holds few exceptions.
MAX_MEMBERS = 10


class Logs:
    """Builds records, drops those below the configured level, and passes the rest on.

    Args:
        channel: where records go.
        environment: where the levels are configured.
    """

    def __init__(self, channel: LogChannel, environment: Mapping[str, str]) -> None:
        self._channel = channel
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
            self._channel.emit(make_record(event, level, logger, datetime.now(timezone.utc), extra))

    def _passes(self, level: str, logger: str) -> bool:
        return passes(level_of(level) or DEFAULT_LEVEL, logger, self.default_level, self.namespace_levels)

    def exception(self, event: str, error: BaseException, logger: str = "task") -> None:
        """Send an error record with the exception's chain of tracebacks."""
        self.emit("error", event, logger, {"exception": exception_chain(error)})

    def capture(self) -> None:
        """Let print, logging and structlog come here from now on."""
        sys.stdout = self._writer("info", STDOUT_LOGGER, 1)
        sys.stderr = self._writer("error", STDERR_LOGGER, 2)
        _when_imported({"logging": self._wire_logging, "structlog": self._wire_structlog})

    def flush(self) -> None:
        """Send what was printed without an end of line."""
        for writer in self._writers:
            writer.finish()

    def _writer(self, level: str, logger: str, fd: int) -> LineWriter:
        writer = LineWriter(lambda line: self.emit(level, line, logger), fd, f"<{logger.rpartition('.')[2]}>")
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

    def __init__(self, send: Callable[[str], None], fd: int, name: str) -> None:
        self.name = name
        self._send = send
        self._fd = fd
        self._line = ""
        self._lock = allocate_lock()

    def write(self, text: str) -> int:
        """Take text; each line that is complete now becomes a record."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        with self._lock:
            *lines, rest = (self._line + text).split("\n") if self._line else text.split("\n")
            while len(rest) > MAX_LINE:
                lines.append(rest[:MAX_LINE])
                rest = rest[MAX_LINE:]
            self._line = rest
        # Outside the lock: sending may be interrupted by a handler that prints.
        for line in lines:
            self._send(line)
        return len(text)

    def finish(self) -> None:
        """Send the line that has no end, if there is one."""
        with self._lock:
            line, self._line = self._line, ""
        if line:
            self._send(line)

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
        return _BytesWriter(self)


class _BytesWriter(io.RawIOBase):
    def __init__(self, text: LineWriter) -> None:
        self._text = text

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._text.write(bytes(data).decode("utf-8", "backslashreplace"))
        return len(data)


def exception_chain(error: BaseException) -> list[dict[str, object]]:
    """The exception and what it came from, the last one first, in the form that Airflow's log page shows.

    Each is ``{"exc_type", "exc_value", "frames": [{"filename", "lineno", "name"}, …], …}``, without frames of ours. What
    a group holds follows it, with a note that says so: Airflow's log page shows nothing of what is nested.
    """
    return _chain(error, set())


def message_of(error: BaseException) -> str:
    """What the exception says of itself; never raises, whatever its author has made of ``__str__``."""
    try:
        return str(error)
    except Exception as trouble:
        return f"<{type(error).__name__} whose str raised {type(trouble).__name__}>"


def _chain(error: BaseException, seen: set[int]) -> list[dict[str, object]]:
    chain: list[dict[str, object]] = []
    link: BaseException | None = error
    is_cause = False
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        members = _members(link)
        notes = getattr(link, "__notes__", ())
        chain.append(
            {
                "exc_type": type(link).__name__,
                "exc_value": message_of(link),
                "exc_notes": list(notes) if isinstance(notes, (list, tuple)) else [],
                "syntax_error": None,
                "is_cause": is_cause,
                "frames": _frames(link.__traceback__),
                "is_group": bool(members),
                "exceptions": [],
            }
        )
        chain += _of_members(members, seen)
        is_cause = link.__cause__ is not None
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return chain


def _of_members(members: tuple[BaseException, ...], seen: set[int]) -> list[dict[str, object]]:
    chains: list[dict[str, object]] = []
    for number, member in enumerate(members[:MAX_MEMBERS], 1):
        chain = _chain(member, seen)
        if chain:
            note = f"exception {number} of {len(members)} in the group above"
            chain[0]["exc_notes"] = [note, *chain[0]["exc_notes"]]  # type: ignore[misc]
        chains += chain
    return chains


def _members(error: BaseException) -> tuple[BaseException, ...]:
    """The exceptions of a group, also of the group that older Pythons get from a library; none of another exception."""
    members = getattr(error, "exceptions", ())
    is_group = isinstance(members, tuple) and all(isinstance(each, BaseException) for each in members)
    return members if is_group else ()


def _frames(traceback: TracebackType | None) -> list[dict[str, object]]:
    frames: list[dict[str, object]] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if not is_machinery(code.co_filename):
            frames.append({"filename": code.co_filename, "lineno": traceback.tb_lineno, "name": code.co_name})
        traceback = traceback.tb_next
    return frames


# ── wiring up what the author imports ─────────────────────────────────────────────────────────────────────────────────


def _when_imported(callbacks: dict[str, Callable[[], None]]) -> None:
    waiting = {}
    for name, callback in callbacks.items():
        if name in sys.modules:
            callback()
        else:
            waiting[name] = callback
    sys.meta_path.insert(0, _ImportWatcher(waiting))


class _ImportWatcher:
    """A finder that finds nothing itself, but has a word with the module once it is loaded."""

    def __init__(self, waiting: dict[str, Callable[[], None]]) -> None:
        self._waiting = waiting

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        callback = self._waiting.pop(name, None)
        if callback is None:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                if spec.loader is not None:
                    spec.loader = _WatchedLoader(spec.loader, callback)  # type: ignore[assignment]
                return spec
        return None


class _WatchedLoader:
    def __init__(self, loader: Any, callback: Callable[[], None]) -> None:
        self._loader = loader
        self._callback = callback

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._callback()
