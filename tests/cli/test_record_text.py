"""How a log record reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from outboard.cli.record_text import error_line, record_lines

SOURCE = Path(__file__)
FAILURE = {
    "event": "the task raised an exception",
    "level": "error",
    "logger": "task",
    "exception": [
        {"exc_type": "ValueError", "exc_value": "two\nlines", "frames": []},
        {"exc_type": "KeyError", "exc_value": "'k'", "frames": [{"filename": SOURCE.name, "lineno": 1, "name": "f"}]},
    ],
}


def test_an_exception_shows_its_causes_first_with_the_authors_lines() -> None:
    assert [str(line) for line in record_lines(FAILURE, SOURCE)] == [
        "error: the task raised an exception",
        f'  File "{SOURCE.name}", line 1, in f',
        '    """How a log record reads."""',
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


def test_what_a_task_printed_is_no_error_of_its_own() -> None:
    assert error_line({"event": "oops", "level": "error", "logger": "task.stderr"}) == ""
    assert error_line({"event": "oops", "level": "error", "logger": "task"}) == "oops"
