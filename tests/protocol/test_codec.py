"""The border of the catalogue: what is sent is valid, and what is received is taken as far as it makes sense."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from outboard.errors import InvalidMessageError, SerializationError, UndecodableMessageError
from outboard.protocol import messages as m
from outboard.protocol.codec import MAX_JSON_DEPTH, check_json, decode_body, encode_body
from outboard.protocol.durations import format_duration
from outboard.protocol.frames import FrameDecoder
from tests.recorded import load, untag

RECORDED = {
    f"{date}: {entry['type']}, {entry['variant']}": entry
    for date in m.SCHEMA_DATES
    for entry in load(f"wire/{date}/messages.json")
}
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SOME_UUID = "01890a5d-ac96-774b-bcce-b302099a8057"


# ── recorded from Airflow ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", RECORDED)
def test_a_recorded_message_is_read_whole_and_written_alike(name: str) -> None:
    entry = RECORDED[name]
    (frame,) = FrameDecoder().feed(bytes.fromhex(entry["frame"]))
    message = decode_body(frame.body)
    assert type(message).__name__ == entry["type"]
    assert_holds(message, untag(entry["decoded"][1]))


def assert_holds(message: m.Message, recorded: dict[str, Any]) -> None:
    """The message has what was recorded, and the schema's defaults for what was left out."""
    for field, _, required, default in message.spec:
        value = getattr(message, field)
        # Airflow's own name for the field, which slips out where a StartupDetails holds connections.
        key = "schema_" if field == "schema" and "schema_" in recorded else field
        if recorded.get(key) is None:
            assert value is None or (not required and value == default), field
        else:
            assert_equal(value, recorded[key])
    assert recorded.keys() - {"type", "schema_"} <= {field for field, *_ in message.spec}


def assert_equal(value: Any, recorded: Any) -> None:
    if isinstance(value, m.Message):
        assert_holds(value, recorded)
    elif isinstance(value, timedelta):
        assert format_duration(value) == recorded
    elif isinstance(value, dict):
        assert value.keys() == recorded.keys()
        for key, item in value.items():
            assert_equal(item, recorded[key])
    elif isinstance(value, (list, tuple)):
        assert len(value) == len(recorded)
        for item, recorded_item in zip(value, recorded, strict=True):
            assert_equal(item, recorded_item)
    else:
        assert value == recorded


def test_every_message_was_recorded() -> None:
    recorded = {entry["type"] for entry in RECORDED.values()}
    parts_of_a_parse_request = {"DagCallbackRequest", "TaskCallbackRequest", "EmailRequest"}
    assert m.MESSAGES - recorded == parts_of_a_parse_request


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_required_fields_are_sent_as_null_and_optional_ones_left_out() -> None:
    body = encode_body(m.PutVariable(key="k", value=None, description=None))
    assert body == {"type": "PutVariable", "key": "k", "value": None, "description": None}
    body = encode_body(m.GetXCom(key="k", dag_id="d", run_id="r", task_id="t", map_index=None))
    assert "map_index" not in body


def test_outcome_messages_send_empty_lists_never_null() -> None:
    for message in (
        m.SucceedTask(end_date=NOON),
        m.SucceedTask(end_date=NOON, task_outlets=None, outlet_events=None),  # type: ignore[arg-type]
    ):
        body = encode_body(message)
        assert (body["task_outlets"], body["outlet_events"]) == ([], [])


def test_the_constant_state_of_an_outcome_is_sent() -> None:
    assert encode_body(m.RetryTask(end_date=NOON))["state"] == "up_for_retry"


def test_a_duration_is_sent_as_text() -> None:
    message = m.DeferTask(classpath="a.B", next_method="go", trigger_timeout=timedelta(seconds=90.5))
    assert encode_body(message)["trigger_timeout"] == "PT90.5S"


def test_the_schema_of_a_connection_keeps_its_name() -> None:
    fields: dict[str, Any] = dict.fromkeys(("host", "login", "password", "port", "extra"))
    message = m.ConnectionResult(conn_id="c", conn_type="t", schema="public", **fields)
    assert encode_body(message)["schema"] == "public"
    assert decode_body(encode_body(message)) == message


@pytest.mark.parametrize(
    ("message", "field", "rule"),
    [
        (m.GetVariable(key=None), "key", "a string is wanted, not None"),  # type: ignore[arg-type]
        (m.GetVariable(key="\ud800"), "key", "lone surrogate"),
        (m.SucceedTask(end_date=NOON.replace(tzinfo=None)), "end_date", "time zone"),
        (m.SucceedTask(end_date="now"), "end_date", "a datetime is wanted"),  # type: ignore[arg-type]
        (m.TaskState(state="success"), "state", "one of failed, skipped, removed"),  # type: ignore[arg-type]
        (m.RetryTask(end_date=NOON, retry_delay_seconds=float("nan")), "retry_delay_seconds", "finite"),
        (m.RetryTask(end_date=NOON, retry_delay_seconds=True), "retry_delay_seconds", "finite number"),
        (m.GetTaskStateStore(ti_id="short", key="k"), "ti_id", "UUID"),
        (m.GetXComSequenceItem(key="k", dag_id="d", run_id="r", task_id="t", offset=2**64), "offset", "2^64−1"),
        (m.GetXComSequenceItem(key="k", dag_id="d", run_id="r", task_id="t", offset=True), "offset", "integer"),
        (m.SkipDownstreamTasks(tasks=["a", ("b", "c")]), "tasks[1]", "wanted"),  # type: ignore[list-item]
        (m.SkipDownstreamTasks(tasks=[("b",)]), "tasks[0]", "2 elements are wanted"),  # type: ignore[list-item]
        (m.MaskSecret(value={"rows": [1, {"x": b"\x00"}]}), "value.rows[1].x", "bytes has no form"),
        (m.MaskSecret(value={"when": NOON}), "value.when", "datetime has no form"),
        (m.CreateHITLDetailPayload(ti_id=SOME_UUID, options=[], subject="s"), "options", "at least 1"),
        (
            m.CreateHITLDetailPayload(
                ti_id=SOME_UUID,
                options=["a"],
                subject="s",
                assigned_users=[m.HITLUser(id="1", name=None)],  # type: ignore[arg-type]
            ),
            "assigned_users[0].name",
            "a string is wanted",
        ),
        (m.DagFileParsingResult(fileloc="f", serialized_dags=[{}]), "serialized_dags[0]", "a LazyDeserializedDAG"),  # type: ignore[list-item]
        (m.DagFileParsingResult(fileloc="f", serialized_dags=[], import_errors={"f": 1}), "import_errors.f", "string"),  # type: ignore[dict-item]
        (m.DagFileParsingResult(fileloc="f", serialized_dags="no"), "serialized_dags", "a list is wanted"),  # type: ignore[arg-type]
        (m.DagFileParsingResult(fileloc="f", serialized_dags=[], import_errors={1: "e"}), "import_errors", "a key"),  # type: ignore[dict-item]
        (m.OKResponse(ok="yes"), "ok", "a boolean is wanted"),  # type: ignore[arg-type]
        (m.DeferTask(classpath="a.B", next_method="go", trigger_timeout=90), "trigger_timeout", "a timedelta"),  # type: ignore[arg-type]
        (m.TriggerDagRun(dag_id="d", run_id="r", conf=[1]), "conf", "a dict is wanted"),  # type: ignore[arg-type]
        (m.SetExecutionTimeout(timeout_seconds=0), "timeout_seconds", "a number above 0"),
        (m.SetExecutionTimeout(timeout_seconds=float("inf")), "timeout_seconds", "a finite number"),
    ],
)
def test_an_invalid_field_is_named_with_its_rule_and_nothing_is_sent(message: m.Message, field: str, rule: str) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        encode_body(message)
    assert caught.value.message == type(message).__name__
    assert caught.value.field == field
    assert rule in caught.value.rule
    assert str(caught.value).startswith(f"{caught.value.message}.{field}: ")


# ── receiving ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "end_date",
    [NOON, "2026-11-21T12:00:00Z", "2026-11-21T12:00:00.000+00:00", "2026-11-21 13:00:00+01:00", "2026-11-21T12:00Z"],
)
def test_a_date_is_a_timestamp_or_text(end_date: object) -> None:
    assert decode_body({"type": "SucceedTask", "end_date": end_date}) == m.SucceedTask(end_date=NOON)


@pytest.mark.parametrize("timeout", ["PT90.5S", "PT1M30.5S", 90.5])
def test_a_duration_is_text_or_seconds(timeout: object) -> None:
    body = {"type": "AwaitInputTask", "next_method": "go", "timeout": timeout}
    assert decode_body(body) == m.AwaitInputTask(next_method="go", timeout=timedelta(seconds=90.5))


def test_a_task_to_skip_is_named_alone_or_with_its_index() -> None:
    body = {"type": "SkipDownstreamTasks", "tasks": ["a", ["b", 3]]}
    assert decode_body(body) == m.SkipDownstreamTasks(tasks=["a", ("b", 3)])


@pytest.mark.parametrize("index", [-1, 0])
def test_a_bound_is_part_of_the_range_or_not_as_the_schema_says(index: int) -> None:
    """``index`` may be 0, ``max_iterations`` may not."""
    (entry,) = [e for e in RECORDED.values() if e["type"] == "StartupDetails" and "loop" in str(e["decoded"])][:1]
    body = untag(entry["decoded"][1])
    body["ti_context"]["loop"] |= {"index": index, "max_iterations": index}
    with pytest.raises(UndecodableMessageError) as caught:
        decode_body(body)
    assert caught.value.field == f"ti_context.loop.{'index' if index < 0 else 'max_iterations'}"


def test_a_uuid_is_text_or_sixteen_bytes() -> None:
    for ti_id in (SOME_UUID, bytes.fromhex(SOME_UUID.replace("-", ""))):
        assert decode_body({"type": "ValidateInletsAndOutlets", "ti_id": ti_id}) == m.ValidateInletsAndOutlets(
            ti_id=SOME_UUID
        )


def test_a_field_that_is_left_out_has_the_schemas_default() -> None:
    message = decode_body({"type": "GetVariableKeys"})
    assert message == m.GetVariableKeys(prefix=None, limit=1000, offset=0)


def test_a_default_that_is_a_list_is_not_shared() -> None:
    first, second = (decode_body({"type": "SucceedTask", "end_date": NOON}) for _ in range(2))
    first.task_outlets.append(1)  # type: ignore[attr-defined]
    assert second.task_outlets == []  # type: ignore[attr-defined]


def test_what_a_json_field_holds_is_not_touched() -> None:
    value = {"a": [1, None, {"type": "GetVariable"}], "when": NOON}
    assert decode_body({"type": "XComResult", "key": "k", "value": value}).value == value  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("body", "message", "field", "rule"),
    [
        (None, "?", "type", "names its type"),
        ([], "?", "type", "names its type"),
        ({}, "?", "type", "names its type"),
        ({"type": 5}, "?", "type", "names its type"),
        ({"type": "Nonsense"}, "Nonsense", "type", "no such message"),
        ({"type": "TaskInstance"}, "TaskInstance", "type", "no such message"),
        ({"type": "GetVariable"}, "GetVariable", "key", "required"),
        ({"type": "GetVariable", "key": 5}, "GetVariable", "key", "a string is wanted, not 5"),
        ({"type": "GetVariable", "key": None}, "GetVariable", "key", "a string is wanted, not None"),
        ({"type": "GetVariable", "key": b"k"}, "GetVariable", "key", "a string is wanted"),
        ({"type": "SucceedTask", "end_date": "2026-11-21T12:00:00"}, "SucceedTask", "end_date", "time zone"),
        ({"type": "SucceedTask", "end_date": "soon"}, "SucceedTask", "end_date", "ISO 8601"),
        ({"type": "SucceedTask", "end_date": 5}, "SucceedTask", "end_date", "ISO 8601"),
        ({"type": "AwaitInputTask", "next_method": "m", "timeout": "90"}, "AwaitInputTask", "timeout", "duration"),
        ({"type": "AwaitInputTask", "next_method": "m", "timeout": 1e300}, "AwaitInputTask", "timeout", "duration"),
        ({"type": "OKResponse", "ok": 1}, "OKResponse", "ok", "boolean"),
        ({"type": "SkipDownstreamTasks", "tasks": [5]}, "SkipDownstreamTasks", "tasks[0]", "an array is wanted"),
        ({"type": "TaskState", "state": ["failed"]}, "TaskState", "state", "one of"),
        ({"type": "PreviousDagRunResult", "dag_run": []}, "PreviousDagRunResult", "dag_run", "a map is wanted"),
        ({"type": "AssetsByAliasResult", "assets": {}}, "AssetsByAliasResult", "assets", "an array is wanted"),
        (
            {"type": "AssetsByAliasResult", "assets": [{"name": "a", "uri": "u", "group": "g", "type": "OKResponse"}]},
            "AssetsByAliasResult",
            "assets[0]",
            "a AssetResult is wanted",
        ),
        (
            {
                "type": "DagFileParseRequest",
                "file": "f",
                "bundle_path": "p",
                "bundle_name": "n",
                "callback_requests": [5],
            },
            "DagFileParseRequest",
            "callback_requests[0]",
            "a map is wanted",
        ),
        (
            {"type": "DagFileParsingResult", "fileloc": "f", "serialized_dags": [], "import_errors": {1: "e"}},
            "DagFileParsingResult",
            "import_errors",
            "a key is a string",
        ),
    ],
)
def test_what_is_no_message_is_refused_with_the_field(body: object, message: str, field: str, rule: str) -> None:
    with pytest.raises(UndecodableMessageError) as caught:
        decode_body(body)
    assert (caught.value.message, caught.value.field) == (message, field)
    assert rule in caught.value.rule


# ── values of JSON-typed fields ───────────────────────────────────────────────────────────────────────────────────


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def cyclic() -> Any:
    value: dict[str, Any] = {}
    value["again"] = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [None, True, -(2**63), 2**64 - 1, 1.5, "é🌍", [1, "x", (2,)], {"a": {"b": [None]}}, deep(MAX_JSON_DEPTH), [], {}],
)
def test_json_passes(value: object) -> None:
    check_json(value, "value")


def test_the_same_value_twice_is_no_cycle() -> None:
    twice = [1]
    check_json([twice, twice, {"again": twice}])


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        ({"rows": [1, {"when": NOON}]}, "v.rows[1].when", "datetime"),
        ([1, 2**64], "v[1]", "integer"),
        ([1, -(2**63) - 1], "v[1]", "integer"),
        ([1.0, float("nan")], "v[1]", "nan"),
        ([float("inf"), -float("inf")], "v[0]", "inf"),
        (["a", "\udc80"], "v[1]", "surrogate at character 0"),
        ({"\udc80": 1}, "v", "surrogate"),
        ({1: 2}, "v", "a key is a string, not 1"),
        ({None: 2}, "v", "a key is a string, not None"),
        ({"a": {b"k": 2}}, "v.a", "a key is a string"),
        (b"x", "v", "bytes"),
        ({1, 2}, "v", "set"),
        (object(), "v", "object"),
        (cyclic(), "v.again[0]", "contains itself"),
        (deep(MAX_JSON_DEPTH + 1), "v" + "[0]" * MAX_JSON_DEPTH, f"more than {MAX_JSON_DEPTH} levels"),
    ],
)
def test_what_json_cannot_hold_is_refused_with_its_path(value: object, path: str, reason: str) -> None:
    with pytest.raises(SerializationError) as caught:
        check_json(value, "v")
    assert caught.value.path == path
    assert reason in caught.value.reason


def test_a_mixed_list_is_looked_at_item_by_item() -> None:
    for value in ([1, 1.5, float("nan")], ["a", None, "\ud800"], [1, True, 2**64]):
        with pytest.raises(SerializationError) as caught:
            check_json(value)
        assert caught.value.path == "[2]"


def test_floats_whose_sum_overflows_are_still_fine() -> None:
    check_json([1.7e308, 1.7e308])


def test_a_zone_far_away_is_sent_as_its_instant() -> None:
    moment = NOON.astimezone(timezone(timedelta(hours=14)))
    assert decode_body(encode_body(m.SucceedTask(end_date=moment))) == m.SucceedTask(end_date=NOON)
