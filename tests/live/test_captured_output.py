"""Whatever a task says, in whichever way, stands in Airflow's task log; and nothing that it says stops the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

OUT, ERR = ("task.stdout", "info"), ("task.stderr", "error")
MEGABYTE = 1_000_000


def say(airflow: AirflowSupervisor, way: str) -> TaskReport:
    """Run the task that speaks in this way; it has to succeed."""
    report = airflow.run("says", "speaks", context={"dag_run": {"conf": {"way": way}}})
    assert report.outcome == (0, "success", ["success"])
    return report


def heard(report: TaskReport) -> list[tuple[tuple[str, str], str]]:
    """What the task said. The runtime has a word at its start and one at its end."""
    said = [record for record in report.log if record["logger"] != "outboard"]
    return [((record["logger"], record["level"]), record["event"]) for record in said]


# ── output ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("way", "lines"),
    [
        ("without_an_end", [(OUT, "out"), (ERR, "err")]),
        ("bytes_that_are_no_text", [(OUT, r"caf\xe9")]),
        (
            "odd_characters",
            [(OUT, "a\rb\0c\x1b[31mred\x1b[0m \\ud800"), (OUT, ""), (OUT, "two"), (OUT, "lines")],
        ),
        ("redirected", [(ERR, "from stdout to stderr")]),
        ("to_the_interpreters_own_streams", [(OUT, "out, written"), (ERR, "err, written")]),
        # The supervisor decodes these itself.
        ("bytes_to_the_descriptors", [(OUT, "caf\N{REPLACEMENT CHARACTER}"), (ERR, "err, no end")]),
        ("a_long_line_to_a_descriptor", [(OUT, "y" * MEGABYTE)]),
        ("from_c", [(OUT, "7 from C, buffered"), (OUT, "more, at the very end")]),
        ("after_closing_stdout", [(OUT, "still heard")]),
        ("from_a_command", [(OUT, "out"), (ERR, "err"), (OUT, "no end")]),
        ("from_a_command_with_our_streams", [(OUT, "out"), (ERR, "err")]),
        ("from_a_fork", [(OUT, "a child prints")]),
        ("from_a_thread_that_outlives_the_body", [(OUT, "the body has ended")]),
        (
            "after_the_end",
            [(OUT, "printed"), (("author", "warning"), "logged"), (OUT, "written"), (OUT, "out, no end")],
        ),
    ],
)
def test_output_is_in_the_log_line_by_line(
    airflow: AirflowSupervisor, way: str, lines: list[tuple[tuple[str, str], str]]
) -> None:
    """Those of one stream are in order; between a stream, a descriptor and the log, Airflow keeps none."""
    assert sorted(heard(say(airflow, way))) == sorted(lines)


def test_a_long_line_is_in_the_log_whole_in_pieces(airflow: AirflowSupervisor) -> None:
    pieces = [event for _, event in heard(say(airflow, "a_long_line"))]
    assert "".join(pieces) == "x" * MEGABYTE


@pytest.mark.parametrize(
    ("way", "last"),
    [
        ("a_warning", "UserWarning: mind the step"),
        ("an_exception_in_a_finalizer", "ValueError: in a finalizer"),
        ("an_exception_in_a_thread", "KeyError: 'in a thread'"),
        ("the_stacks_of_all_threads", ""),
    ],
)
def test_what_the_interpreter_tells_of_trouble_is_in_the_log(airflow: AirflowSupervisor, way: str, last: str) -> None:
    lines = heard(say(airflow, way))
    assert {where for where, _ in lines} == {ERR}
    assert any("says.py" in line for _, line in lines)
    assert lines[-1][1].endswith(last)


# ── records ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_level_is_one_of_airflows(airflow: AirflowSupervisor) -> None:
    levels = [(event, level) for (_, level), event in heard(say(airflow, "at_each_level"))]
    assert levels == [
        ("at 20", "info"),
        ("at 30", "warning"),
        ("at 35", "warning"),
        ("at 40", "error"),
        ("at 50", "critical"),
        ("at 99", "critical"),
    ]


def test_a_field_with_a_name_that_airflow_needs_is_kept_under_another(airflow: AirflowSupervisor) -> None:
    """As they are, some of these crash the supervisor of Airflow."""
    report = say(airflow, "with_names_that_are_taken")
    record = report.record(event="taken")
    names = ("event", "level", "timestamp", "logger", "self", "target", "method_name", "positional_args", "type")
    assert [record[f"{name}_"] for name in names] == ["mine"] * len(names)
    assert report.record(event="taken too")["msg_"] == "mine"


def test_a_value_that_json_lacks_is_shown(airflow: AirflowSupervisor) -> None:
    record = say(airflow, "with_values_that_json_lacks").record(event="values")
    shown = {name: record[name] for name in ("object", "bytes", "set", "nan", "huge", "half", "unshowable")}
    assert shown == {
        "object": "<class 'object'>",
        "bytes": r"b'\xff'",
        "set": [1],
        "nan": "nan",
        "huge": str(2**70),
        "half": r"\ud800",
        "unshowable": "<Unshowable whose repr raised RuntimeError>",
    }


def test_a_message_that_is_no_text_is_shown(airflow: AirflowSupervisor) -> None:
    first, second, third, fourth = [event for _, event in heard(say(airflow, "with_a_message_that_is_no_text"))]
    assert first == "{'a': 1}"
    assert second.startswith("%d rows ('three',) (the arguments do not fit the message")
    assert third == "<Unshowable> (it cannot be shown: no words)"
    assert fourth == "two\nlines"


@pytest.mark.parametrize("event", ["caught by logging", "caught by structlog"])
def test_a_logged_exception_has_its_cause(airflow: AirflowSupervisor, event: str) -> None:
    record = say(airflow, "with_exceptions").record(event=event)
    assert [link["exc_type"] for link in record["error_detail"]] == ["LookupError", "KeyError"]
    assert record["level"] == "error"


def test_a_logged_group_has_its_members(airflow: AirflowSupervisor) -> None:
    detail = say(airflow, "with_exceptions").record(event="given")["error_detail"]
    assert [(link["exc_type"], link["exc_value"]) for link in detail] == [
        ("ExceptionGroup", "both (2 sub-exceptions)"),
        ("ValueError", "one"),
        ("ValueError", "two"),
    ]


def test_an_error_without_an_exception_is_an_error(airflow: AirflowSupervisor) -> None:
    assert "error_detail" not in say(airflow, "with_exceptions").record(event="none to tell of")


@pytest.mark.parametrize(
    ("way", "lines"),
    [
        ("with_its_own_handlers", [(OUT, "by its own handler"), (("author", "info"), "by ours")]),
        ("with_its_own_configuration", [(OUT, "as its author wants it")]),
        ("with_its_own_structlog", [(OUT, "event='rendered' rows=3")]),
    ],
)
def test_an_author_who_configures_logging_has_the_last_word(
    airflow: AirflowSupervisor, way: str, lines: list[tuple[tuple[str, str], str]]
) -> None:
    assert heard(say(airflow, way)) == lines


def test_threads_keep_their_own_order_and_cut_no_record(airflow: AirflowSupervisor) -> None:
    events = [event for _, event in heard(say(airflow, "from_many_threads"))]
    for name in "abcd":
        assert [event for event in events if event[0] == name] == [f"{name} {number}" for number in range(500)]
    assert len(events) == 2000


def test_an_exception_that_nobody_awaits_is_told_by_asyncio(airflow: AirflowSupervisor) -> None:
    [record] = say(airflow, "from_a_coroutine_that_nobody_awaits").records(logger="asyncio")
    assert record["error_detail"][0]["exc_value"] == "nobody listens"


def test_a_flood_of_records_is_kept_whole_and_in_order(airflow: AirflowSupervisor) -> None:
    events = [event for _, event in heard(say(airflow, "a_great_deal"))]
    assert events == [str(number) for number in range(20_000)]
