"""Lines of `log_records` through the reader of a stock Airflow supervisor: it must neither raise nor drop one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outboard.protocol.log_records import LEVELS, encode_line, make_record
from tests.live.airflow_reader import AirflowReader, started_reader
from tests.strategies import HAZARDOUS_NAMES, ODD_OBJECTS, any_object, hostile_extras, instants

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.live


class LogLineReader:
    """Reads one line at a time as a supervisor would."""

    def __init__(self, reader: AirflowReader) -> None:
        self._reader = reader

    def read(self, line: bytes) -> dict[str, Any]:
        return self._reader.ask(line.hex())


@pytest.fixture(scope="module")
def reader(airflow_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LogLineReader]:
    with started_reader("log_line_reader.py", airflow_python, tmp_path_factory.mktemp("airflow")) as reader:
        yield LogLineReader(reader)


def assert_taken(reader: LogLineReader, record: dict[str, object]) -> dict[str, Any]:
    answer = reader.read(encode_line(record))
    assert answer["raised"] is None
    assert all(answer["console"]), "a console format wrote nothing"
    (written,) = answer["written"]
    assert (written["event"], written["level"], written["logger"]) == (
        record["event"],
        record["level"],
        record["logger"],
    )
    expected = {"error_detail" if name == "exception" else name for name in record} | {"timestamp"}
    assert set(written) == expected
    assert_showable(written.get("error_detail", []))
    return dict(written)


def assert_showable(chain: Any) -> None:
    """What Airflow's log page takes for granted about tracebacks; it shows no log at all otherwise."""
    assert type(chain) is list
    for link in chain:
        assert type(link["exc_type"]) is str
        assert type(link["exc_value"]) is str
        assert all(type(frame["filename"]) is str for frame in link["frames"])


def test_a_plain_record_arrives_as_it_was_logged(reader: LogLineReader) -> None:
    record = make_record("loaded", "info", "weather", "2026-11-21T09:30:00.25Z", {"rows": 3, "ok": True})
    written = assert_taken(reader, record)
    assert written == {
        "timestamp": "2026-11-21T09:30:00.250000Z",
        "level": "info",
        "event": "loaded",
        "logger": "weather",
        "rows": 3,
        "ok": True,
    }


def test_the_reader_is_one_that_breaks_on_careless_lines(reader: LogLineReader) -> None:
    for careless in ('{"event":"x"}', '{"event":"x","level":"info","msg":1}', '{"event":"x","level":"info","stack":1}'):
        assert reader.read(careless.encode() + b"\n")["raised"] is not None
    assert reader.read(b'{"event":"x","level":"INFO"}\n')["written"] == []


@pytest.mark.parametrize("level", LEVELS)
def test_every_level_arrives(reader: LogLineReader, level: str) -> None:
    assert assert_taken(reader, make_record("x", level, "a.b"))["level"] == level


@pytest.mark.parametrize("name", HAZARDOUS_NAMES, ids=ascii)
def test_no_name_of_an_extra_does_harm(reader: LogLineReader, name: str) -> None:
    for value in ("text", 7, None, ["x"], True, [{"frames": []}]):
        assert_taken(reader, make_record("100% {x} %s %(y)d", "warning", "a", None, {name: value}))


@pytest.mark.parametrize("name", ODD_OBJECTS)
def test_no_value_does_harm(reader: LogLineReader, name: str) -> None:
    value = ODD_OBJECTS[name]
    assert_taken(reader, make_record("x", "info", "a", None, {"value": value}))
    assert_taken(reader, make_record("x", "info", "a", None, {"exception": [{"frames": [], "exc_value": value}]}))
    assert_taken(reader, make_record(value, "info", "a"))


@given(
    event=st.text() | any_object(),
    level=st.sampled_from(LEVELS) | st.text() | st.integers(),
    logger=st.text(min_size=1),
    timestamp=st.none() | instants() | st.text() | st.datetimes(),
    extra=hostile_extras(),
)
@example(event="x", level="info", logger="a", timestamp="0001-01-01T00:00:00+01:00", extra={})
def test_no_record_breaks_the_supervisor_or_is_dropped_by_it(
    reader: LogLineReader, event: object, level: Any, logger: str, timestamp: Any, extra: dict[str, Any]
) -> None:
    assert_taken(reader, make_record(event, level, logger, timestamp, extra))
