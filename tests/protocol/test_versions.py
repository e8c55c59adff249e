"""What a message of the newest schema becomes on the wire of an older one."""

from __future__ import annotations

import pytest

from outboard.errors import InvalidMessageError
from outboard.protocol import messages as m
from outboard.protocol.codec import encode_body
from outboard.protocol.conversation import RUNTIME, SUPERVISOR, Conversation
from outboard.protocol.frames import FrameDecoder
from outboard.protocol.versions import AIRFLOW, DEFAULT_SCHEMA, LATEST_SCHEMA, check_request, migrate_down
from tests.runtime.child import startup

OLD = "2026-06-16"


def body_of(data: bytes) -> dict[str, object]:
    [frame] = FrameDecoder().feed(data)
    assert frame.body is not None
    return frame.body


def test_every_date_names_the_airflow_that_brought_it() -> None:
    assert tuple(AIRFLOW) == m.SCHEMA_DATES
    assert (m.SCHEMA_DATES[0], m.SCHEMA_DATES[-1]) == (DEFAULT_SCHEMA, LATEST_SCHEMA)


def test_a_newer_field_that_says_nothing_is_left_out_for_an_older_date() -> None:
    body = encode_body(m.GetXCom(key="k", dag_id="d", run_id="r", task_id="t"))
    assert body["previous_iteration"] is False
    check_request("GetXCom", body, OLD)
    assert "previous_iteration" not in body


def test_a_newer_field_that_says_something_is_an_error_that_names_the_airflow_that_has_it() -> None:
    body = encode_body(m.GetXCom(key="k", dag_id="d", run_id="r", task_id="t", previous_iteration=True))
    with pytest.raises(InvalidMessageError, match=r"GetXCom\.previous_iteration: this needs Airflow 3\.4 or newer"):
        check_request("GetXCom", body, OLD)


def test_a_newer_message_is_an_error_in_an_older_exchange_and_none_in_a_newer_one() -> None:
    message = m.SetExecutionTimeout(timeout_seconds=3)
    with pytest.raises(InvalidMessageError, match=r"SetExecutionTimeout: .* pack it with --airflow 3\.4"):
        check_request("SetExecutionTimeout", encode_body(message), OLD)
    check_request("SetExecutionTimeout", encode_body(message), LATEST_SCHEMA)


def test_a_bound_of_the_schema_is_kept() -> None:
    with pytest.raises(InvalidMessageError, match="a number above 0 is wanted, not 0"):
        encode_body(m.SetExecutionTimeout(timeout_seconds=0))


def test_what_a_supervisor_sends_is_cut_to_the_date_at_every_depth() -> None:
    greeting = startup("body")
    greeting.ti_context.arg_bindings = [m.LiteralArgBinding(name="x", kind="literal", value=1)]
    greeting.bundle_info.version_data = {"commit": "abc"}
    body = body_of(Conversation(SUPERVISOR, schema=OLD).send_greeting(greeting))
    assert "arg_bindings" not in body["ti_context"]  # type: ignore[operator]
    assert "version_data" not in body["bundle_info"]  # type: ignore[operator]
    newest = body_of(Conversation(SUPERVISOR).send_greeting(greeting))
    assert newest["ti_context"]["arg_bindings"][0]["name"] == "x"  # type: ignore[index]


def test_nothing_of_the_newest_date_is_left_when_a_body_goes_down() -> None:
    greeting = encode_body(startup("body"))
    before = {name: set(value) for name, value in greeting.items() if isinstance(value, dict)}
    migrate_down("StartupDetails", greeting, OLD)
    for part, name in (("ti", "TaskInstance"), ("ti_context", "TIRunContext"), ("bundle_info", "BundleInfo")):
        added = m.ADDED[LATEST_SCHEMA][name]
        assert added is not None
        assert set(greeting[part]) == before[part] - set(added)  # type: ignore[call-overload]


def test_a_runtime_of_an_older_date_never_sends_a_field_of_a_newer_one() -> None:
    runtime = Conversation(RUNTIME, schema=OLD)
    runtime.receive_data(Conversation(SUPERVISOR, schema=OLD).send_greeting(startup("body")))
    _, data = runtime.send_request(m.SucceedTask(end_date=startup("x").start_date))
    assert set(body_of(data)) == {"type", "state", "end_date", "task_outlets", "outlet_events"}
