"""Messages of ours through the models of a stock Airflow: it takes each, and reads what we meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from outboard.protocol import messages as m
from outboard.protocol.codec import decode_body, encode_body
from outboard.protocol.frames import encode_frame
from outboard.protocol.packing import unpackb
from outboard.protocol.versions import DEFAULT_SCHEMA, migrate_down
from tests.live.airflow_reader import AirflowReader, started_reader
from tests.recorded import load
from tests.strategies import messages

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.live

RECORDED = load(f"wire/{DEFAULT_SCHEMA}/messages.json")
TO_SUPERVISOR = sorted({entry["type"] for entry in RECORDED if entry["direction"] == "to supervisor"})
TO_RUNTIME = sorted({entry["type"] for entry in RECORDED if entry["direction"] == "to runtime"})
# The newer date allows null here, the older one does not.
NULL_ONLY_SINCE_THE_NEWEST_DATE = [("DagRunAssetReference", "start_date", None)]

# Each example waits for another process.
a_fifth_of_the_examples = settings(
    max_examples=settings().max_examples // 5, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.fixture(scope="module")
def reader(airflow_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowReader]:
    with started_reader("message_reader.py", airflow_python, tmp_path_factory.mktemp("airflow")) as reader:
        yield reader


def read_back(reader: AirflowReader, direction: str, message: m.Message) -> m.Message:
    """What Airflow read, said again in its own words and read by us."""
    body = encode_body(message)
    migrate_down(type(message).__name__, body, DEFAULT_SCHEMA)
    answer = reader.ask(f"{direction} {encode_frame(1, body, None).hex()}")
    assert answer["refused"] is None
    return decode_body(unpackb(bytes.fromhex(answer["read"])))


def in_the_older_schema(message: m.Message) -> m.Message:
    body: dict[str, Any] = encode_body(message)
    migrate_down(type(message).__name__, body, DEFAULT_SCHEMA)
    return decode_body(body)


def says(part: Any, definition: str, field: str, value: object) -> bool:
    """Whether a message holds, at any depth, a definition with this value in this field."""
    if isinstance(part, list):
        return any(says(item, definition, field, value) for item in part)
    if not isinstance(part, m.Message):
        return False
    if type(part).__name__ == definition and getattr(part, field) == value:
        return True
    return any(says(getattr(part, name), definition, field, value) for name, *_ in part.spec)


@pytest.mark.parametrize("name", TO_SUPERVISOR)
@a_fifth_of_the_examples
@given(data=st.data())
def test_a_supervisor_takes_every_request_that_our_codec_lets_pass(
    reader: AirflowReader, name: str, data: st.DataObject
) -> None:
    message = data.draw(messages(name))
    assert read_back(reader, "request", message) == in_the_older_schema(message)


@pytest.mark.parametrize("name", TO_RUNTIME)
@a_fifth_of_the_examples
@given(data=st.data())
def test_a_native_task_takes_every_reply_that_our_supervisor_sends(
    reader: AirflowReader, name: str, data: st.DataObject
) -> None:
    message = data.draw(messages(name))
    assume(not any(says(message, *newer) for newer in NULL_ONLY_SINCE_THE_NEWEST_DATE))
    if isinstance(message, m.DagFileParseRequest):
        message.bundle_path = "/bundle"  # Airflow makes a path of it, and says it again in its normal form
    assert read_back(reader, "response", message) == in_the_older_schema(message)
