from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

from outboard.cli.display import LiveDisplay, PlainDisplay, display_on
from outboard.cli.output import Output
from outboard.protocol import messages as m
from outboard.supervisor.outcome import Outcome
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


def ended(report: m.Message) -> Outcome:
    now = datetime.now(UTC)
    return Outcome(state="x", reason="x", exit_code=0, terminal=report, started_at=now, ended_at=now)


def test_a_state_that_a_process_reported_says_more_only_where_there_is_more() -> None:
    display, text = plain()
    now = datetime.now(UTC)
    retry = ended(m.RetryTask(end_date=now, retry_reason="the moon is wrong"))
    display.change(progress("up_for_retry", delay=3.0, reason="asked for a retry: the moon is wrong", outcome=retry))
    failed = ended(m.TaskState(state="failed", end_date=now))
    display.change(progress("failed", reason="reported failed", outcome=failed))
    defers = ended(m.DeferTask(classpath="author.Tide", next_method="go_on"))
    display.change(progress("deferred", reason="waits for Tide", outcome=defers))
    asks = ended(m.AwaitInputTask(next_method="go_on"))
    display.change(progress("awaiting_input", reason="Go?", outcome=asks))
    assert text.getvalue().splitlines() == [
        "extract = up_for_retry: again in 3 s, asked for a retry: the moon is wrong",
        "extract = failed",
        "extract = deferred: waits for Tide",
        "extract = awaiting_input: Go?",
    ]


def test_a_task_of_another_run_stands_behind_its_dag() -> None:
    display, text = plain()
    display.expect(["extract"], ("d", "r"))
    display.change(progress("running", dag_id="d", run_id="r"))
    display.change(progress("running", dag_id="other", run_id="r"))
    display.write(TASK, FAILURE)
    display.write(TaskKey(dag_id="d", run_id="r2", task_id="extract"), {**FAILURE, "exception": [], "event": "lost"})
    lines = text.getvalue().splitlines()
    assert lines[:2] == ["extract = running", "other.extract = running"]
    assert lines[-1] == "d.extract | error: lost"
    assert (display.last_error("extract"), display.last_error("d.extract")) == ("ValueError: two lines", "lost")
    assert [display.name_of("d", run_id, "t") for run_id in ("r", "r2")] == ["t", "d.t"]


def test_nothing_moves_while_somebody_types() -> None:
    for terminal in (False, True):
        display, text = plain(terminal=terminal)
        with display:
            with display.asking():
                before = text.getvalue()
                display.note("a question")
            assert "a question" in text.getvalue().removeprefix(before)


def test_markup_and_long_lines_of_a_task_come_through_as_they_are() -> None:
    display, text = plain()
    display.write(TASK, {"event": "[red]not markup[/] " + "x" * 200, "level": "info", "logger": "task.stdout"})
    assert text.getvalue() == f"extract | [red]not markup[/] {'x' * 200}\n"


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
