from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import pytest

from outboard.cli.display import LiveDisplay, PlainDisplay, display_on
from outboard.cli.output import Output
from outboard.cli.record_text import record_lines
from outboard.supervisor.ports import TaskKey
from outboard.supervisor.run_report import Progress

SOURCE = Path(__file__)
TASK = TaskKey(dag_id="d", run_id="r", task_id="extract")
FAILURE = {
    "event": "the task raised an exception",
    "level": "error",
    "logger": "task",
    "exception": [
        {"exc_type": "ValueError", "exc_value": "two\nlines", "frames": []},
        {"exc_type": "KeyError", "exc_value": "'k'", "frames": [{"filename": SOURCE.name, "lineno": 1, "name": "f"}]},
    ],
}


def progress(state: str, task_id: str = "extract", **more: object) -> Progress:
    return Progress(task_id=task_id, state=state, try_number=1, at=datetime.now(UTC), **more)  # type: ignore[arg-type]


def plain(*, terminal: bool = False) -> tuple[PlainDisplay, io.StringIO]:
    text = io.StringIO()
    console = Output(file=text, force_terminal=terminal, width=80, highlight=False, color_system=None)
    return display_on(console, SOURCE), text  # type: ignore[return-value]


def test_a_terminal_gets_a_live_display_and_a_pipe_gets_lines() -> None:
    assert isinstance(plain(terminal=True)[0], LiveDisplay)
    assert not isinstance(plain()[0], LiveDisplay)


def test_what_tasks_say_lines_up_behind_their_ids() -> None:
    display, text = plain()
    with display:
        display.expect(["a", "extract"])
        display.change(progress("running", "a"))
        display.write(TASK, {"event": "first\nsecond", "level": "info", "logger": "task.stdout"})
    assert text.getvalue().splitlines() == ["a       = running", "extract | first", "extract | second"]


def test_that_a_task_is_queued_is_no_news() -> None:
    display, text = plain()
    display.change(progress("queued"))
    assert text.getvalue() == ""


def test_a_state_says_what_its_name_does_not() -> None:
    display, text = plain()
    display.change(progress("up_for_retry", delay=1.5))
    display.change(progress("upstream_failed", reason="check failed"))
    assert text.getvalue().splitlines() == [
        "extract = up_for_retry: again in 1.5 s",
        "extract = upstream_failed: check failed",
    ]


def test_markup_and_long_lines_of_a_task_come_through_as_they_are() -> None:
    display, text = plain()
    display.write(TASK, {"event": "[red]not markup[/] " + "x" * 200, "level": "info", "logger": "task.stdout"})
    assert text.getvalue() == f"extract | [red]not markup[/] {'x' * 200}\n"


def test_an_exception_shows_its_causes_first_with_the_authors_lines() -> None:
    assert [str(line) for line in record_lines(FAILURE, SOURCE)] == [
        "error: the task raised an exception",
        f'  File "{SOURCE.name}", line 1, in f',
        "    from __future__ import annotations",
        "KeyError: 'k'",
        "ValueError: two",
        "lines",
    ]


@pytest.mark.parametrize(
    "record",
    [{}, {"event": None}, {"exception": "text"}, {"exception": [None]}, {"exception": [{"frames": [3, {}]}]}],
)
def test_a_record_of_any_form_can_be_shown(record: dict[str, object]) -> None:
    assert record_lines(record, SOURCE)


def test_the_last_error_of_a_task_is_kept_in_one_line() -> None:
    display, _ = plain()
    assert display.last_error("extract") == ""
    display.write(TASK, FAILURE)
    display.write(TASK, {"event": "printed", "level": "error", "logger": "task.stderr"})
    display.write(TASK, {"event": "fine again", "level": "info", "logger": "task"})
    assert display.last_error("extract") == "ValueError: two lines"


def test_the_last_error_of_a_task_is_no_novel() -> None:
    display, _ = plain()
    display.write(TASK, {"event": "word " * 100_000, "level": "error", "logger": "task"})
    assert display.last_error("extract").endswith("…")
    assert len(display.last_error("extract")) < 600


def test_what_a_file_says_while_it_is_loaded_stands_behind_its_name() -> None:
    display, text = plain()
    loading = TaskKey(dag_id="", run_id="", task_id=str(SOURCE.absolute()))
    display.write(loading, {"event": "loading", "level": "info", "logger": "task.stdout"})
    assert text.getvalue() == f"{SOURCE.name} | loading\n"


def test_the_live_display_shows_every_task_and_leaves_only_lines_behind() -> None:
    display, text = plain(terminal=True)
    with display:
        display.note("building the environment")
        display.expect(["extract", "load"])
        display.change(progress("running"))
        display.change(progress("success"))
    assert "building the environment" in text.getvalue()
    assert "extract = success" in text.getvalue()
