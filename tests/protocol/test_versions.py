"""Speaking an older date of the schema: what goes, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.errors import InvalidMessageError
from outboard.protocol import messages as m
from outboard.protocol.codec import encode_body
from outboard.protocol.versions import AIRFLOW, DEFAULT_SCHEMA, LATEST_SCHEMA, check_request, migrate_down
from tests.recorded import load, untag
from tests.strategies import messages

RECORDED = {entry["type"]: entry for entry in load(f"wire/{LATEST_SCHEMA}/downgraded.json")}
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)

# Airflow's migration forgets these; a reader of the older date ignores what it does not know.
LEFT_IN_BY_AIRFLOW = {("ti_context", "multi_team"), ("bundle_info", "version_data")}


@pytest.mark.parametrize("name", RECORDED)
def test_a_message_for_an_older_runtime_is_what_airflow_makes_of_it(name: str) -> None:
    body, expected = untag(RECORDED[name]["newest"]), untag(RECORDED[name]["older"])
    for outer, inner in LEFT_IN_BY_AIRFLOW:
        expected.get(outer, {}).pop(inner, None)
    migrate_down(name, body, RECORDED[name]["schema"])
    assert body == expected


def test_every_date_names_the_airflow_that_brought_it() -> None:
    assert tuple(AIRFLOW) == m.SCHEMA_DATES
    assert (min(AIRFLOW), max(AIRFLOW)) == (DEFAULT_SCHEMA, LATEST_SCHEMA)


def fields_in(kind: Any, value: Any) -> set[tuple[str, str]]:
    """Every (definition, field) that occurs in a value of this kind."""
    head = kind[0] if isinstance(kind, tuple) else ""
    if head == "optional":
        return set() if value is None else fields_in(kind[1], value)
    if head == "list":
        return {found for item in value for found in fields_in(kind[1], item)}
    if head == "union" and isinstance(value, dict) and "type" in value:
        return fields_in(("ref", value["type"]), value)
    if head != "ref" or m.enum_values(kind[1]) is not None:
        return set()
    spec = {field: inner for field, inner, *_ in m.definition(kind[1]).spec}
    found = {(kind[1], field) for field in value if field in spec}
    return found.union(*(fields_in(spec[field], value[field]) for field in value if field in spec))


@pytest.mark.parametrize("name", ["StartupDetails", "DagFileParseRequest", "PreviousTIResult", "VariableResult"])
@given(data=st.data())
def test_nothing_newer_is_left_at_any_depth(name: str, data: st.DataObject) -> None:
    body = encode_body(data.draw(messages(name)))
    before = fields_in(("ref", name), body)
    migrate_down(name, body, DEFAULT_SCHEMA)
    left = fields_in(("ref", name), body)
    added = m.ADDED[LATEST_SCHEMA]
    newer = {
        (owner, field) for owner, field in before if added.get(owner, ()) is None or field in (added.get(owner) or ())
    }
    assert left == before - newer


def test_the_newest_date_changes_nothing() -> None:
    body = untag(RECORDED["StartupDetails"]["newest"])
    migrate_down("StartupDetails", body, LATEST_SCHEMA)
    assert body == untag(RECORDED["StartupDetails"]["newest"])


def test_a_newer_field_that_says_nothing_is_left_out_of_a_request() -> None:
    message = m.GetXCom(key="k", dag_id="d", run_id="r", task_id="t")
    body = encode_body(message)
    check_request("GetXCom", body, DEFAULT_SCHEMA)
    assert "previous_iteration" not in body


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (m.SetExecutionTimeout(timeout_seconds=3.0), ""),
        (m.TaskState(state="failed", end_date=NOON, retry_reason="why"), "retry_reason"),
        (m.GetAssetEventByAsset(name="a", uri=None, partition_key="p"), "partition_key"),
    ],
)
def test_a_request_that_needs_a_newer_date_says_which_airflow_has_it(message: m.Message, field: str) -> None:
    name = type(message).__name__
    with pytest.raises(InvalidMessageError, match=r"needs Airflow 3\.4 or newer") as caught:
        check_request(name, encode_body(message), DEFAULT_SCHEMA)
    assert (caught.value.message, caught.value.field) == (name, field)
    check_request(name, encode_body(message), LATEST_SCHEMA)
