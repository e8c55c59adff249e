"""Records in the form that every supervisor takes. That one does take them is tested live, in ``test_log_lines``."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.protocol.log_records import (
    LEVELS,
    MAX_EXTRAS,
    MAX_FRAMES,
    MAX_NAME,
    MAX_NESTING,
    MAX_TEXT,
    RESERVED_NAMES,
    STRAY_LOGGER,
    decode_line,
    encode_line,
    from_fields,
    level_of,
    make_record,
    parse_namespace_levels,
    passes,
)
from outboard.protocol.packing import packb, unpackb
from tests.strategies import ODD_OBJECTS, any_object, hostile_extras, instants

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def extras_of(extra: dict[str, Any]) -> dict[str, object]:
    record = make_record("x", "info", "a", None, extra)
    return {name: value for name, value in record.items() if name not in ("event", "level", "logger")}


# ── the four fields ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plain_call_becomes_a_plain_record() -> None:
    record = make_record("loaded", "info", "weather", NOON, {"rows": 3, "ok": True, "source": "csv", "none": None})
    assert record == {
        "event": "loaded",
        "level": "info",
        "logger": "weather",
        "timestamp": NOON,
        "rows": 3,
        "ok": True,
        "source": "csv",
        "none": None,
    }


@pytest.mark.parametrize(
    ("given_level", "level"),
    [
        *(("INFO", "info"), ("warn", "warning"), ("exception", "error"), ("fatal", "critical"), ("notset", "debug")),
        *(
            (0, "debug"),
            (10, "debug"),
            (25, "info"),
            (30, "warning"),
            (49, "error"),
            (50, "critical"),
            (1000, "critical"),
        ),
        (-5, "debug"),
    ],
)
def test_a_level_by_any_of_its_names_is_one_of_five(given_level: Any, level: str) -> None:
    assert make_record("x", given_level, "a")["level"] == level


def test_an_unknown_level_is_info_and_is_kept_as_an_extra() -> None:
    record = make_record("x", "trace", "a", None, {"level_": "the author's"})
    assert (record["level"], record["level_"], record["level__"]) == ("info", "the author's", "trace")


def test_an_event_that_is_no_text_is_its_str() -> None:
    assert make_record(ValueError("boom"), "info", "a")["event"] == "boom"
    assert make_record(None, "info", "a")["event"] == "None"


def test_a_long_event_is_cut_and_says_so() -> None:
    event = make_record("x" * (MAX_TEXT + 1), "info", "a")["event"]
    assert isinstance(event, str)
    assert len(event) <= MAX_TEXT
    assert event.endswith(" more characters)")


def test_an_event_of_just_the_limit_is_whole() -> None:
    for letter in "xä":
        assert make_record(letter * MAX_TEXT, "info", "a")["event"] == letter * MAX_TEXT


@pytest.mark.parametrize(
    "timestamp",
    [NOON, NOON.astimezone(timezone(timedelta(hours=2))), NOON.replace(tzinfo=None), "2026-11-21T13:00:00+01:00"],
)
def test_a_timestamp_is_kept_in_utc(timestamp: Any) -> None:
    kept = make_record("x", "info", "a", timestamp)["timestamp"]
    assert kept == NOON
    assert isinstance(kept, datetime)
    assert kept.tzinfo is UTC


@pytest.mark.parametrize("timestamp", ["yesterday", 1763726400, "0001-01-01T00:00:00+01:00", ""])
def test_a_timestamp_that_is_none_is_kept_as_an_extra(timestamp: Any) -> None:
    record = make_record("x", "info", "a", timestamp, {"timestamp_": 1})
    assert "timestamp" not in record
    assert (record["timestamp_"], record["timestamp__"]) == (1, timestamp)


def test_without_a_timestamp_the_record_has_none() -> None:
    assert "timestamp" not in make_record("x", "info", "a")


# ── extras ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", sorted(RESERVED_NAMES))
def test_a_reserved_name_gets_an_underscore(name: str) -> None:
    assert extras_of({name: 1}) == {f"{name}_": 1}


def test_a_name_that_is_taken_gets_one_more() -> None:
    assert extras_of({"msg": 1, "msg_": 2, "msg__": 3}) == {"msg___": 1, "msg_": 2, "msg__": 3}


@pytest.mark.parametrize("name", ["lineno", "process", "thread"])
def test_a_name_that_consoles_format_as_a_number_keeps_only_numbers(name: str) -> None:
    assert extras_of({name: 3}) == {name: 3}
    assert extras_of({name: "3"}) == {f"{name}_": "3"}
    assert extras_of({name: None}) == {f"{name}_": None}


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (2**64 - 1, 2**64 - 1),
        (2**64, "18446744073709551616"),
        (-(2**63) - 1, "-9223372036854775809"),
        (float("nan"), "nan"),
        (-float("inf"), "-inf"),
        (1.5, 1.5),
        ((1, {2}), [1, [2]]),
        (b"\xff", "b'\\xff'"),
        (NOON, "2026-11-21T12:00:00+00:00"),
        (date(2026, 1, 1), "2026-01-01"),
        (timedelta(1), "datetime.timedelta(days=1)"),
        ("\ud800x", "\\ud800x"),
        ({1: "a", None: "b", "\udc80": "c"}, {"1": "a", "None": "b", "\\udc80": "c"}),
    ],
)
def test_a_value_without_a_form_in_json_becomes_one_that_has(value: Any, plain: object) -> None:
    assert extras_of({"value": value}) == {"value": plain}


@pytest.mark.parametrize("name", ODD_OBJECTS)
def test_no_object_makes_logging_fail(name: str) -> None:
    value = ODD_OBJECTS[name]
    for record in (make_record(value, "info", "a"), make_record("x", "info", "a", None, {"value": value})):
        assert json.loads(encode_line(record))["level"] == "info"
        assert decode_line(encode_line(record)) == record


def test_an_object_whose_repr_fails_says_so() -> None:
    assert extras_of({"value": ODD_OBJECTS["broken repr"]}) == {"value": "<_BrokenRepr whose repr raised ValueError>"}


def nesting_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(nesting_of, value.values()), default=0)
    return 1 + max(map(nesting_of, value), default=0) if isinstance(value, list) else 0


def test_nesting_is_cut_into_text() -> None:
    plain = extras_of({"value": [[[["kept"]]]], "deeper": [[[[["text", "now"]]]]]})
    assert plain == {"value": [[[["kept"]]]], "deeper": [[[["['text', 'now']"]]]]}
    assert nesting_of(plain["deeper"]) == MAX_NESTING


def test_extras_share_one_budget() -> None:
    plain = extras_of({"first": "x" * MAX_EXTRAS, "second": ["y" * 100], "third": list(range(100_000))})
    assert len(json.dumps(plain)) < MAX_EXTRAS + 1000
    assert plain["second"] == ["… 1 more"]
    assert plain["third"] == ["… 100000 more"]


def test_a_map_is_cut_like_a_list() -> None:
    plain = extras_of({"value": {str(number): number for number in range(100_000)}})["value"]
    assert isinstance(plain, dict)
    assert plain["…"] == f"{100_000 - len(plain) + 1} more"
    assert len(json.dumps(plain)) < 3 * MAX_EXTRAS


class BrokenZone(tzinfo):
    """A zone of an author's that fails."""

    def utcoffset(self, when: datetime | None) -> timedelta:
        raise RuntimeError("no idea")


@pytest.mark.parametrize("zone", [BrokenZone(), timezone(timedelta(hours=1))], ids=["broken", "out of range"])
def test_a_time_that_cannot_be_told_is_an_extra_as_text(zone: tzinfo) -> None:
    moment = datetime.min.replace(tzinfo=zone)
    record = make_record("x", "info", "a", moment, {"when": moment})
    assert "timestamp" not in record
    assert record["timestamp_"] == record["when"]
    assert "1" in str(record["when"])


def test_a_long_name_is_cut() -> None:
    (name,) = extras_of({"n" * 1000: 1})
    assert len(name) <= MAX_NAME


def test_a_container_may_grow_while_it_is_logged() -> None:
    growing: dict[str, object] = {}

    class Grower:
        def __repr__(self) -> str:
            growing[f"key {len(growing)}"] = 1
            return "grown"

    growing.update(b=Grower(), c=Grower())
    assert extras_of({"value": growing}) == {"value": {"b": "grown", "c": "grown"}}


# ── exceptions ────────────────────────────────────────────────────────────────────────────────────────────────────


FRAME = {"filename": "dag.py", "lineno": 3, "name": "load"}


def test_a_chain_of_tracebacks_keeps_its_shape() -> None:
    chain = [{"exc_type": "ValueError", "exc_value": "boom", "frames": [FRAME], "is_cause": False, "exc_notes": ["n"]}]
    assert extras_of({"exception": chain}) == {"exception": chain}


def test_a_long_message_does_not_cost_the_frames() -> None:
    chain = [{"exc_type": "E", "exc_value": "x" * 10 * MAX_TEXT, "frames": [FRAME]}]
    (link,) = extras_of({"exception": chain})["exception"]  # type: ignore[misc]
    assert link["frames"] == [FRAME]
    assert link["exc_value"].endswith("more characters)")


@pytest.mark.parametrize("value", ["Traceback …", None, [], {}, [{"frames": None}], [{}], [[]], [{"frames": [1]}]])
def test_an_exception_of_another_shape_is_an_extra_like_others(value: Any) -> None:
    plain = extras_of({"exception": value})
    assert list(plain) == ["exception_"]


def test_what_a_log_page_reads_is_always_there() -> None:
    chain = [{"frames": [{}, {"filename": None, "lineno": "3", "name": 5}], "exc_type": ValueError}]
    assert extras_of({"exception": chain}) == {
        "exception": [
            {
                "exc_type": "<class 'ValueError'>",
                "exc_value": "",
                "frames": [
                    {"filename": "?", "lineno": 0, "name": "?"},
                    {"filename": "None", "lineno": 0, "name": "5"},
                ],
            }
        ]
    }


def test_the_middle_of_a_long_traceback_is_left_out() -> None:
    frames = [{**FRAME, "lineno": number} for number in range(1000)]
    (link,) = extras_of({"exception": [{"exc_type": "E", "exc_value": "", "frames": frames}]})["exception"]  # type: ignore[misc]
    assert len(link["frames"]) == MAX_FRAMES + 1
    assert [frame["lineno"] for frame in link["frames"][:50]] == list(range(50))
    assert [frame["lineno"] for frame in link["frames"][51:]] == list(range(950, 1000))
    assert link["frames"][50]["name"] == "900 frames left out"


# ── lines ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_line_is_one_line_of_ascii() -> None:
    line = encode_line(make_record("a\nb\r\u2028é🌍", "info", "a", NOON, {"x": ["\n"]}))
    assert line.isascii()
    assert line.count(b"\n") == 1
    assert line.endswith(b"}\n")
    assert json.loads(line) == {
        "event": "a\nb\r\u2028é🌍",
        "level": "info",
        "logger": "a",
        "timestamp": "2026-11-21T12:00:00Z",
        "x": ["\n"],
    }


def test_what_was_not_built_as_a_record_is_not_encoded() -> None:
    with pytest.raises(TypeError, match="make_record"):
        encode_line({"event": "x", "value": object()})


def test_a_record_is_read_back() -> None:
    record = make_record("x", "error", "a.b", NOON, {"rows": [1, None], "msg": "m"})
    assert decode_line(encode_line(record)) == record


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"plain text\n", "not JSON"),
        (b"\xff\xfe{}\n", "not UTF-8 at byte 0"),
        (b"[1]\n", "not a JSON object but an array"),
        (b"3\n", "not a JSON object but a number"),
        (b'"x"\n', "not a JSON object but a string"),
        (b"null\n", "not a JSON object but null"),
        (b"true\n", "not a JSON object but a boolean"),
        (b"", "not JSON"),
        (b'{"event": "cut', "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"n": ' + b"9" * 5000 + b"}", "not JSON"),
    ],
)
def test_a_line_that_is_no_record_becomes_one_that_says_so(line: bytes, problem: str) -> None:
    record = decode_line(line)
    assert problem in str(record["problem"])
    assert (record["level"], record["logger"]) == ("warning", STRAY_LOGGER)
    if len(line) < 100:
        assert record["event"] == line.decode("utf-8", "backslashreplace").rstrip("\n")


@pytest.mark.parametrize(
    ("line", "record"),
    [
        (b'{"event": "x"}', {"event": "x", "level": "info", "logger": STRAY_LOGGER}),
        (b"{}", {"event": "", "level": "info", "logger": STRAY_LOGGER}),
        (b'{"event": "x", "level": "WARN", "logger": "a"}', {"event": "x", "level": "warning", "logger": "a"}),
        (b'{"event": "x", "level": ["a"]}', {"event": "x", "level": "info", "logger": STRAY_LOGGER, "level_": ["a"]}),
        (
            b'{"event": 5, "logger": 7, "timestamp": 3, "msg": NaN}',
            {"event": "5", "level": "info", "logger": "7", "timestamp_": 3, "msg_": "nan"},
        ),
    ],
)
def test_an_object_with_flaws_is_mended(line: bytes, record: dict[str, object]) -> None:
    assert decode_line(line) == record


# ── levels ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_name_that_is_no_level_is_none() -> None:
    for name in ("trace", "", "information", None, 1.5, True, ["info"]):
        assert level_of(name) is None


@pytest.mark.parametrize("level", LEVELS)
def test_a_record_passes_its_own_level_and_those_below(level: str) -> None:
    at = LEVELS.index(level)
    assert [passes(level, "a", threshold, {}) for threshold in LEVELS] == [n <= at for n in range(5)]


@pytest.mark.parametrize(
    ("logger", "threshold"),
    [
        ("sqlalchemy", "error"),
        ("sqlalchemy.pool", "error"),
        ("sqlalchemy.engine", "debug"),
        ("sqlalchemy.engine.base", "debug"),
        ("sqlalchemy.enginex", "error"),
        ("sqlalchemyx", "info"),
        ("", "info"),
        ("root", "info"),
    ],
)
def test_the_longest_dotted_prefix_decides(logger: str, threshold: str) -> None:
    levels = {"sqlalchemy": "error", "sqlalchemy.engine": "debug"}
    at = LEVELS.index(threshold)
    assert [passes(level, logger, "info", levels) for level in LEVELS] == [n >= at for n in range(5)]


def test_namespace_levels_are_separated_by_spaces_or_commas() -> None:
    levels, problems = parse_namespace_levels(" sqlalchemy=INFO,botocore=warn \n a.b=debug,,a.b=ERROR ")
    assert levels == {"sqlalchemy": "info", "botocore": "warning", "a.b": "error"}
    assert problems == []


def test_each_wrong_entry_is_named_and_the_others_count() -> None:
    levels, problems = parse_namespace_levels("a=loud b =info c=info")
    assert levels == {"c": "info"}
    assert len(problems) == 3
    assert "'loud', for the logger 'a'" in problems[0]
    assert "'b' is not of the form" in problems[1]
    assert "'=info' is not of the form" in problems[2]


# ── properties ────────────────────────────────────────────────────────────────────────────────────────────────────


@given(
    st.text() | any_object(), st.text() | st.integers(), st.text(), st.none() | instants() | st.text(), hostile_extras()
)
def test_every_record_can_be_written_and_is_read_back(
    event: object, level: Any, logger: str, timestamp: Any, extra: dict[str, Any]
) -> None:
    record = make_record(event, level, logger or "a", timestamp, extra)
    line = encode_line(record)
    assert len(line) < 12 * (MAX_TEXT + MAX_EXTRAS) + 10_000
    assert decode_line(line) == record
    assert unpackb(packb(record)) == record
    assert from_fields(record) == record


@given(st.binary())
def test_any_line_becomes_a_record(line: bytes) -> None:
    record = decode_line(line)
    assert decode_line(encode_line(record)) == record
