"""How a run reads while it lasts: one line per event, and on a terminal the states of all tasks below them.

Knows what people look at. Must not know how tasks are run. Everything goes to stderr; stdout is for the result.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
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
from outboard.cli.record_text import error_line, record_lines
from outboard.supervisor.ports import LogRecord, TaskKey
from outboard.supervisor.run_report import Progress

__all__ = ("STATE_STYLES", "Display", "LiveDisplay", "PlainDisplay", "display_on")

STATE_STYLES = {
    "success": "green",
    "failed": "red",
    "upstream_failed": "red",
    "up_for_retry": "yellow",
    "up_for_reschedule": "yellow",
    "deferred": "blue",
    "awaiting_input": "bright_magenta",
    "running": "cyan",
    "skipped": "magenta",
    "removed": "magenta",
}

# What the runtime says of each task is for logs that are kept: which code ran, and what it took.
_RUNTIME_LOGGER = "outboard"

_REFRESHES_PER_SECOND = 8


class Display(AbstractContextManager["Display"], Protocol):
    """What a run shows while it lasts. It is also where the tasks' log records go."""

    def note(self, line: str) -> None:
        """Say something about the run as a whole."""

    def expect(self, task_ids: Sequence[str], run: tuple[str, str] = ("", "")) -> None:
        """Name the tasks that there will be, and the ids of the Dag and the run that they are of."""

    def change(self, progress: Progress) -> None:
        """Say that a task is in another state now."""

    def write(self, task: TaskKey, record: LogRecord) -> None:
        """Show one log record of a task."""

    def last_error(self, name: str) -> str:
        """The last error that a task logged, in one line; empty if there was none."""

    def name_of(self, dag_id: str, run_id: str, task_id: str) -> str:
        """What a task is called here: its id, behind its Dag's if it belongs to another run."""

    def asking(self) -> AbstractContextManager[None]:
        """Show nothing that moves for as long as somebody types."""


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
        self._run = ("", "")
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

    def expect(self, task_ids: Sequence[str], run: tuple[str, str] = ("", "")) -> None:
        """Name the tasks, so that what they say lines up."""
        self._width = max(map(len, task_ids), default=0)
        self._run = run

    def change(self, progress: Progress) -> None:
        """Say that a task is in another state now; that it waits for a processor is no news."""
        if progress.state == "queued":
            return
        text = Text(progress.state, style=STATE_STYLES.get(progress.state, ""))
        if detail := _detail(progress):
            text.append(f": {detail}", style="default")
        self._print_behind(self.name_of(progress.dag_id, progress.run_id, progress.task_id), "=", text)

    def write(self, task: TaskKey, record: LogRecord) -> None:
        """Show one log record of a task, line by line."""
        if not self._verbose and record.get("logger") == _RUNTIME_LOGGER and record.get("level") == "info":
            return
        # While a file is loaded it belongs to no Dag yet, and is known by its path.
        name = self.name_of(task.dag_id, task.run_id, task.task_id) if task.dag_id else self._source.name
        error = error_line(record)
        if error:
            self._errors[name] = error
        for line in record_lines(record, self._source):
            self._print_behind(name, "|", line)

    def last_error(self, name: str) -> str:
        """The last error that a task logged, in one line."""
        return self._errors.get(name, "")

    def name_of(self, dag_id: str, run_id: str, task_id: str) -> str:
        """What a task is called here: its id, behind its Dag's if it belongs to another run."""
        return task_id if self._run in ((dag_id, run_id), ("", "")) else f"{dag_id}.{task_id}"

    def asking(self) -> AbstractContextManager[None]:
        """Nothing moves here."""
        return contextlib.nullcontext()

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

    def expect(self, task_ids: Sequence[str], run: tuple[str, str] = ("", "")) -> None:
        """Show the tasks, none of which has begun."""
        super().expect(task_ids, run)
        self._states = dict.fromkeys(task_ids, "")

    def change(self, progress: Progress) -> None:
        """Show a task's new state, and say it above too."""
        super().change(progress)
        self._states[self.name_of(progress.dag_id, progress.run_id, progress.task_id)] = progress.state

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """Take the tasks' states away for as long as somebody types."""
        self._live.stop()
        try:
            yield
        finally:
            self._live.start()

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
    if progress.reason and _says_more(progress):
        parts.append(progress.reason)
    return ", ".join(parts)


def _says_more(progress: Progress) -> bool:
    """Whether the reason says more than the state; what a process reported of itself does not."""
    report = progress.outcome.terminal if progress.outcome else None
    if report is None or progress.state in ("deferred", "awaiting_input"):
        return True
    return bool(getattr(report, "retry_reason", None))
