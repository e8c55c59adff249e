"""How a log record reads: its text, its tracebacks, and the one line that says what has gone wrong."""

from __future__ import annotations

import linecache
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.text import Text

from outboard.supervisor.ports import LogRecord

__all__ = ("OUTPUT_LOGGERS", "error_line", "record_lines")

_LEVEL_STYLES = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "bold red"}

# What a task printed is shown as it is; the level of a stream is no judgement.
OUTPUT_LOGGERS = frozenset({"task.stdout", "task.stderr", "task.output"})

# Characters of the line that says why a task failed; the whole text stands in the log above it.
_MAX_ERROR = 500


def record_lines(record: LogRecord, source: Path) -> list[Text]:
    """A record as lines: its text, then an exception's tracebacks, innermost cause first, as Python shows them."""
    level, logger = str(record.get("level", "info")), str(record.get("logger", ""))
    style = "" if logger in OUTPUT_LOGGERS else _LEVEL_STYLES.get(level, "")
    event = str(record.get("event", ""))
    if style and level != "debug":
        event = f"{level}: {event}"
    lines = [Text(line, style=style) for line in event.splitlines() or [""]]
    chain = record.get("exception")
    if isinstance(chain, Sequence) and not isinstance(chain, str):
        for link in reversed(chain):
            lines += [Text(line, style="red") for line in _exception_lines(link, source)]
    return lines


def error_line(record: LogRecord) -> str:
    """What a record says has gone wrong, in one line; empty if nothing has."""
    if record.get("level") not in ("error", "critical") or record.get("logger") in OUTPUT_LOGGERS:
        return ""
    chain = record.get("exception")
    if isinstance(chain, Sequence) and chain and isinstance(chain[0], Mapping):
        return _one_line(_exception_text(chain[0]))
    return _one_line(str(record.get("event", "")))


def _one_line(text: str) -> str:
    line = " ".join(text[: 2 * _MAX_ERROR].split())
    return line if len(line) <= _MAX_ERROR else f"{line[:_MAX_ERROR]}…"


def _exception_text(link: Mapping[str, object]) -> str:
    kind, value = str(link.get("exc_type", "")), str(link.get("exc_value", ""))
    return f"{kind}: {value}" if value else kind


def _exception_lines(link: object, source: Path) -> list[str]:
    if not isinstance(link, Mapping):
        return [str(link)]
    lines = []
    for frame in link.get("frames") or ():
        lines += _frame_lines(frame, source)
    return [*lines, *_exception_text(link).splitlines()]


def _frame_lines(frame: object, source: Path) -> list[str]:
    if not isinstance(frame, Mapping):
        return []
    file, number = str(frame.get("filename", "?")), frame.get("lineno")
    lines = [f'  File "{file}", line {number}, in {frame.get("name", "?")}']
    # The record has no text of the author's; the file is here.
    path = str(source) if file == source.name else file
    code = linecache.getline(path, number).strip() if isinstance(number, int) else ""
    return [*lines, f"    {code}"] if code else lines
