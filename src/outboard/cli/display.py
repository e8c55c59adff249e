"""How a run reads while it lasts: one line per event, and on a terminal the states of all tasks below them.

Knows what people look at. Must not know how tasks are run. Everything goes to stderr; stdout is for the result.
"""

from __future__ import annotations

import linecache
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from outboard.cli.output import Output
from outboard.supervisor.ports import LogRecord, TaskKey
from outboard.supervisor.run_report import Progress

__all__ = ("STATE_STYLES", "Display", "LiveDisplay", "PlainDisplay", "display_on")

STATE_STYLES = {
    "success": "green",
    "failed": "red",
    "upstream_failed": "red",
    "up_for_retry": "yellow",
    "running": "cyan",
    "skipped": "magenta",
    "removed": "magenta",
}

_LEVEL_STYLES = {"debug": "dim", "warning": "yellow", "error": "red", "critical": "bold red"}

# What a task printed is shown as it is; the level of a stream is no judgement.
_OUTPUT_LOGGERS = frozenset({"task.stdout", "task.stderr", "task.output"})

# What the runtime says of each task is for logs that are kept: which code ran, and what it took.
_RUNTIME_LOGGER = "outboard"

_REFRESHES_PER_SECOND = 8

# Characters of the line that says why a task failed; the whole text stands in the log above it.
_MAX_ERROR = 500


class Display(AbstractContextManager["Display"], Protocol):
    """What a run shows while it lasts. It is also where the tasks' log records go."""

    def note(self, line: str) -> None:
        """Say something about the run as a whole."""

    def expect(self, task_ids: Sequence[str]) -> None:
        """Name the tasks that there will be."""

    def change(self, progress: Progress) -> None:
        """Say that a task is in another state now."""

    def write(self, task: TaskKey, record: LogRecord) -> None:
        """Show one log record of a task."""

    def last_error(self, task_id: str) -> str:
        """The last error that a task logged, in one line; empty if there was none."""


def display_on(console: Output, source: Path, *, verbose: bool = False) -> Display:
    """The kind of display that a console can show.

    Args:
        console: on stderr.
        source: the author's file, for the lines of tracebacks.
        verbose: whether to show what the runtime says of itself, too.
    """
    kind = LiveDisplay if console.is_terminal else PlainDisplay
    return kind(console, source, verbose=verbose)


class PlainDisplay:
    """Lines, in the order of events, for files and pipes."""

    def __init__(self, console: Output, source: Path, *, verbose: bool = False) -> None:
        self._console = console
        self._verbose = verbose
        self._source = source.absolute()
        self._width = 0
        self._errors: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None

    def note(self, line: str) -> None:
        """Say something about the run as a whole."""
        self._print(Text(line, style="dim"))

    def expect(self, task_ids: Sequence[str]) -> None:
        """Name the tasks, so that what they say lines up."""
        self._width = max(map(len, task_ids), default=0)

    def change(self, progress: Progress) -> None:
        """Say that a task is in another state now; that it waits for a processor is no news."""
        if progress.state == "queued":
            return
        text = Text(progress.state, style=STATE_STYLES.get(progress.state, ""))
        if detail := _detail(progress):
            text.append(f": {detail}", style="default")
        self._print_behind(progress.task_id, "=", text)

    def write(self, task: TaskKey, record: LogRecord) -> None:
        """Show one log record of a task, line by line."""
        if not self._verbose and record.get("logger") == _RUNTIME_LOGGER and record.get("level") == "info":
            return
        error = _error_line(record)
        if error:
            self._errors[task.task_id] = error
        # While a file is loaded it belongs to no Dag yet, and is known by its path.
        name = task.task_id if task.dag_id else self._source.name
        for line in record_lines(record, self._source):
            self._print_behind(name, "|", line)

    def last_error(self, task_id: str) -> str:
        """The last error that a task logged, in one line."""
        return self._errors.get(task_id, "")

    def _print_behind(self, task_id: str, mark: str, line: Text) -> None:
        self._print(Text.assemble((f"{task_id:{self._width}} {mark} ", "dim"), line))

    def _print(self, line: Text) -> None:
        self._console.print_plainly(line.plain)


class LiveDisplay(PlainDisplay):
    """The same lines, and below them all tasks, those that run among them marked."""

    def __init__(self, console: Output, source: Path, *, verbose: bool = False) -> None:
        super().__init__(console, source, verbose=verbose)
        self._states: dict[str, str] = {}
        self._spinner = Spinner("dots")
        self._live = Live(
            console=console, get_renderable=self._render, refresh_per_second=_REFRESHES_PER_SECOND, transient=True
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def expect(self, task_ids: Sequence[str]) -> None:
        """Show the tasks, none of which has begun."""
        super().expect(task_ids)
        self._states = dict.fromkeys(task_ids, "")

    def change(self, progress: Progress) -> None:
        """Show a task's new state, and say it above too."""
        super().change(progress)
        self._states[progress.task_id] = progress.state

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)

    def _render(self) -> RenderableType:
        running = [task_id for task_id, state in self._states.items() if state == "running"]
        if not self._states:
            return Group(self._spinner)
        table = Table.grid(padding=(0, 1))
        table.add_row(self._spinner if running else "", *[self._cell(task_id) for task_id in self._states])
        return table

    def _cell(self, task_id: str) -> Text:
        state = self._states[task_id]
        return Text(task_id, style=STATE_STYLES.get(state, "dim"))


def _detail(progress: Progress) -> str:
    parts = [f"try {progress.try_number}"] if progress.try_number > 1 else []
    if progress.delay is not None:
        parts.append(f"again in {progress.delay:g} s")
    # What a process reported of itself says no more than the state.
    if progress.reason and (progress.outcome is None or progress.outcome.terminal is None):
        parts.append(progress.reason)
    return ", ".join(parts)


# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────


def record_lines(record: LogRecord, source: Path) -> list[Text]:
    """A record as lines: its text, then an exception's tracebacks, innermost cause first, as Python shows them."""
    level, logger = str(record.get("level", "info")), str(record.get("logger", ""))
    style = "" if logger in _OUTPUT_LOGGERS else _LEVEL_STYLES.get(level, "")
    event = str(record.get("event", ""))
    if style and level != "debug":
        event = f"{level}: {event}"
    lines = [Text(line, style=style) for line in event.splitlines() or [""]]
    chain = record.get("exception")
    if isinstance(chain, Sequence) and not isinstance(chain, str):
        for link in reversed(chain):
            lines += [Text(line, style="red") for line in _exception_lines(link, source)]
    return lines


def _error_line(record: LogRecord) -> str:
    """What a record says has gone wrong, in one line; empty if nothing has."""
    if record.get("level") not in ("error", "critical") or record.get("logger") in _OUTPUT_LOGGERS:
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
