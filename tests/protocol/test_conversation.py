"""One exchange, tried through both of its ends at once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from outboard.errors import (
    FrameTooLargeError,
    InvalidMessageError,
    LocalProtocolError,
    RemoteProtocolError,
    UndecodableMessageError,
)
from outboard.protocol import messages as m
from outboard.protocol import states
from outboard.protocol.conversation import GREETING_ID, LOG_ID, RUNTIME, SUPERVISOR, Conversation
from outboard.protocol.events import (
    Broken,
    Greeting,
    InvalidRequest,
    LogRecord,
    PeerClosed,
    Reply,
    Request,
    UndecodableReply,
)
from outboard.protocol.frames import FrameDecoder, encode_frame
from outboard.protocol.versions import DEFAULT_SCHEMA
from outboard.testing import ConnectionPair
from tests.recorded import load

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
GET = m.GetVariable(key="region")
FOUND = m.VariableResult(key="region", value="north")
NOT_FOUND = m.ErrorResponse(error="VARIABLE_NOT_FOUND", detail={"key": "region"})
DONE = m.SucceedTask(end_date=NOON)
PARSE = m.DagFileParseRequest(file="/b/dags.py", bundle_path="/b", bundle_name="b")
PARSED = m.DagFileParsingResult(fileloc="/b/dags.py", serialized_dags=[])
FIRED = m.TriggerFired(payload={"level": 3})


def startup() -> m.StartupDetails:
    """The greeting of a real supervisor."""
    (frame,) = FrameDecoder().feed(bytes.fromhex(load("transcripts/asks.json")[0]["frame"]))
    (greeting,) = Conversation(RUNTIME).receive_data(encode_frame(0, frame.body))
    assert isinstance(greeting, Greeting)
    assert isinstance(greeting.message, m.StartupDetails)
    return greeting.message


STARTUP = startup()
TRIGGER = m.RunTrigger(ti=STARTUP.ti, classpath="triggers.Tide", trigger_kwargs={"level": 3})


@pytest.fixture(params=[None, 1], ids=["whole", "byte by byte"])
def pair(request: pytest.FixtureRequest) -> ConnectionPair:
    """A fresh pair; what is posted is delivered whole, and byte by byte."""
    return ConnectionPair(chunk_size=request.param)


@pytest.fixture
def running(pair: ConnectionPair) -> ConnectionPair:
    """A pair whose runtime was handed a task."""
    pair.greet(STARTUP)
    return pair


def assert_both(pair: ConnectionPair, state: str) -> None:
    assert (pair.runtime.state, pair.supervisor.state) == (state, state)


# ── an exchange that goes well ────────────────────────────────────────────────────────────────────────────────────


def test_before_the_greeting_both_wait(pair: ConnectionPair) -> None:
    assert_both(pair, states.WAITING)


def test_the_greeting_hands_over_a_task(pair: ConnectionPair) -> None:
    assert pair.greet(STARTUP) == [Greeting(STARTUP)]
    assert_both(pair, states.RUNNING)


def test_the_greeting_asks_for_the_dags_of_a_file(pair: ConnectionPair) -> None:
    assert pair.greet(PARSE) == [Greeting(PARSE)]
    assert_both(pair, states.PARSING)


def test_the_greeting_hands_over_a_trigger_whose_event_is_the_report(pair: ConnectionPair) -> None:
    assert pair.greet(TRIGGER) == [Greeting(TRIGGER)]
    assert_both(pair, states.TRIGGERING)
    request_id, events = pair.request(GET)
    assert events == [Request(request_id, GET)]
    assert pair.reply(request_id, FOUND) == [Reply(request_id, FOUND, None)]
    request_id, events = pair.request(FIRED)
    assert events == [Request(request_id, FIRED)]
    assert_both(pair, states.REPORTED)
    assert pair.reply(request_id) == [Reply(request_id, None, None)]


@pytest.mark.parametrize("report", [DONE, PARSED], ids=["a task", "a parse"])
def test_the_report_of_something_else_is_none_of_a_trigger(pair: ConnectionPair, report: m.Message) -> None:
    pair.greet(TRIGGER)
    with pytest.raises(LocalProtocolError, match="cannot be sent while the exchange is triggering"):
        pair.request(report)
    assert_both(pair, states.TRIGGERING)


def test_an_event_is_no_report_of_a_task(running: ConnectionPair) -> None:
    with pytest.raises(LocalProtocolError, match="TriggerFired cannot be sent while the exchange is running"):
        running.request(FIRED)


def test_a_request_gets_its_reply(running: ConnectionPair) -> None:
    request_id, events = running.request(GET)
    assert events == [Request(request_id, GET)]
    assert running.reply(request_id, FOUND) == [Reply(request_id, FOUND, None)]
    assert_both(running, states.RUNNING)


def test_requests_count_from_the_number_after_the_greeting(running: ConnectionPair) -> None:
    assert [running.request(GET)[0] for _ in range(3)] == [GREETING_ID + 1, GREETING_ID + 2, GREETING_ID + 3]


def test_a_context_carrier_travels_with_its_request(running: ConnectionPair) -> None:
    carrier = {"traceparent": "00-ab-cd-01"}
    request_id, events = running.request(GET, carrier)
    assert events == [Request(request_id, GET, carrier)]


def test_replies_may_come_in_any_order(running: ConnectionPair) -> None:
    first, second, third = (running.request(m.GetVariable(key=key))[0] for key in "abc")
    for request_id in (third, first, second):
        assert running.reply(request_id, FOUND) == [Reply(request_id, FOUND, None)]


def test_a_reply_may_say_nothing(running: ConnectionPair) -> None:
    request_id, _ = running.request(m.MaskSecret(value="x"))
    assert running.reply(request_id) == [Reply(request_id, None, None)]


def test_an_error_comes_as_the_body_or_in_its_own_place(running: ConnectionPair) -> None:
    for reply in ({"message": NOT_FOUND}, {"error": NOT_FOUND}):
        request_id, _ = running.request(GET)
        assert running.reply(request_id, **reply) == [Reply(request_id, None, NOT_FOUND)]


def test_the_report_ends_the_task_and_is_answered(running: ConnectionPair) -> None:
    request_id, events = running.request(DONE)
    assert events == [Request(request_id, DONE)]
    assert_both(running, states.REPORTED)
    assert running.reply(request_id) == [Reply(request_id, None, None)]
    assert running.hang_up(RUNTIME) == [PeerClosed(states.REPORTED, 0)]
    assert running.supervisor.state == states.CLOSED


def test_after_the_report_requests_are_still_served(running: ConnectionPair) -> None:
    running.request(DONE)
    request_id, events = running.request(GET)
    assert events == [Request(request_id, GET)]
    assert running.reply(request_id, FOUND) == [Reply(request_id, FOUND, None)]


def test_a_parsing_result_is_the_report_of_a_parse(pair: ConnectionPair) -> None:
    pair.greet(PARSE)
    request_id, events = pair.request(PARSED)
    assert events == [Request(request_id, PARSED)]
    assert_both(pair, states.REPORTED)


@pytest.mark.parametrize("greeted", [False, True])
def test_log_records_pass_before_and_after_the_greeting(pair: ConnectionPair, greeted: bool) -> None:
    if greeted:
        pair.greet(STARTUP)
    record: dict[str, object] = {"event": "x", "level": "info", "logger": "a", "timestamp": NOON, "rows": [1]}
    assert pair.log(record) == [LogRecord(record)]
    assert record["event"] == "x"


def test_a_log_record_is_a_frame_that_nobody_answers() -> None:
    data = Conversation(RUNTIME).send_log({"event": "x"})
    (frame,) = FrameDecoder().feed(data)
    assert (frame.id, frame.body) == (LOG_ID, {"type": "LogRecord", "event": "x"})


# ── recorded from Airflow ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("scene", ["asks", "fails", "retries"])
def test_a_recorded_exchange_makes_sense_to_our_supervisor(scene: str) -> None:
    ours = Conversation(SUPERVISOR)
    ours.send_greeting(STARTUP)
    for line in load(f"transcripts/{scene}.json"):
        if line["from"] == "runtime":
            (event,) = ours.receive_data(bytes.fromhex(line["frame"]))
            assert isinstance(event, Request)
    assert ours.state == states.REPORTED
    assert ours.receive_eof() == [PeerClosed(states.REPORTED, 0)]


@pytest.mark.parametrize("scene", ["asks", "fails", "retries"])
def test_a_recorded_exchange_makes_sense_to_our_runtime(scene: str) -> None:
    ours = Conversation(RUNTIME)
    lines = load(f"transcripts/{scene}.json")
    (greeting,) = ours.receive_data(bytes.fromhex(lines[0]["frame"]))
    assert isinstance(greeting, Greeting)
    # Their runtime counts from 0 and ours from 1: what it asked, ours asks, and gets the recorded replies.
    their_supervisor = Conversation(SUPERVISOR)
    their_supervisor.send_greeting(greeting.message)
    for line in lines[1:]:
        data = bytes.fromhex(line["frame"])
        if line["from"] == "runtime":
            (asked,) = their_supervisor.receive_data(data)
            assert isinstance(asked, Request)
            ours.send_request(asked.message)
        else:
            (frame,) = FrameDecoder().feed(data)
            (event,) = ours.receive_data(encode_frame(frame.id + 1, frame.body, frame.third))
            assert isinstance(event, Reply)
    assert ours.state == states.REPORTED


# ── an older schema ───────────────────────────────────────────────────────────────────────────────────────────────


def test_an_older_runtime_is_not_told_what_its_date_does_not_know() -> None:
    pair = ConnectionPair(schema=DEFAULT_SCHEMA)
    newer = startup()
    newer.ti.region_index = 3
    newer.bundle_info.version_data = {"commit": "abc"}
    assert pair.greet(newer) == [Greeting(STARTUP)]
    found = m.PreviousTIResult(
        task_instance=m.PreviousTIResponse(task_id="t", dag_id="d", run_id="r", try_number=1, region_index=3)
    )
    request_id, _ = pair.request(m.GetPreviousTI(dag_id="d", task_id="t"))
    (event,) = pair.reply(request_id, found)
    assert isinstance(event, Reply)
    assert isinstance(event.message, m.PreviousTIResult)
    assert event.message.task_instance is not None
    assert event.message.task_instance.region_index is None


def test_an_older_runtime_cannot_ask_for_what_its_date_does_not_know() -> None:
    pair = ConnectionPair(schema=DEFAULT_SCHEMA)
    pair.greet(STARTUP)
    with pytest.raises(InvalidMessageError, match="needs Airflow"):
        pair.request(m.SetExecutionTimeout(timeout_seconds=3.0))
    assert pair.request(GET)[0] == 1


# ── what we may not send ──────────────────────────────────────────────────────────────────────────────────────────


def refused(call: Any, *arguments: Any) -> str:
    with pytest.raises(LocalProtocolError) as caught:
        call(*arguments)
    return str(caught.value)


def test_each_role_sends_only_its_own_messages() -> None:
    runtime, supervisor = Conversation(RUNTIME), Conversation(SUPERVISOR)
    assert refused(runtime.send_greeting, STARTUP) == "a runtime does not send StartupDetails"
    supervisor.send_greeting(STARTUP)
    assert refused(supervisor.send_request, GET) == "a supervisor does not send GetVariable"
    assert refused(supervisor.send_log, {"event": "x"}) == "a supervisor does not send LogRecord"


def test_a_greeting_is_a_greeting_and_comes_once() -> None:
    supervisor = Conversation(SUPERVISOR)
    assert refused(supervisor.send_greeting, FOUND) == "VariableResult cannot be sent while the exchange is waiting"
    supervisor.send_greeting(STARTUP)
    assert refused(supervisor.send_greeting, STARTUP) == "StartupDetails cannot be sent while the exchange is running"


def test_a_request_before_the_greeting_is_refused() -> None:
    assert "while the exchange is waiting" in refused(Conversation(RUNTIME).send_request, GET)


def test_a_second_report_is_refused(running: ConnectionPair) -> None:
    running.request(DONE)
    assert "SucceedTask cannot be sent while the exchange is reported" in refused(running.runtime.send_request, DONE)


def test_the_report_of_the_other_kind_is_refused(running: ConnectionPair) -> None:
    refused(running.runtime.send_request, PARSED)
    parsing = ConnectionPair()
    parsing.greet(PARSE)
    refused(parsing.runtime.send_request, DONE)


def test_a_greeting_as_a_request_is_refused(running: ConnectionPair) -> None:
    assert "StartupDetails cannot be sent" in refused(running.runtime.send_request, STARTUP)


def test_a_reply_before_the_greeting_or_after_the_end_is_refused() -> None:
    supervisor = Conversation(SUPERVISOR)
    assert "while the exchange is waiting" in refused(supervisor.send_reply, 1)
    supervisor.send_greeting(STARTUP)
    supervisor.receive_eof()
    assert "while the exchange is lost" in refused(supervisor.send_reply, 1)


def test_an_invalid_message_changes_nothing(running: ConnectionPair) -> None:
    with pytest.raises(InvalidMessageError):
        running.runtime.send_request(m.GetVariable(key=5))  # type: ignore[arg-type]
    with pytest.raises(InvalidMessageError):
        running.runtime.send_request(m.SucceedTask(end_date=NOON.replace(tzinfo=None)))
    assert_both(running, states.RUNNING)
    assert running.request(GET)[0] == 1


def test_a_message_above_the_limit_changes_nothing_and_is_named() -> None:
    pair = ConnectionPair(max_frame_size=4096)
    pair.greet(STARTUP)
    large = m.SetXCom(key="k", value="x" * 4096, dag_id="d", run_id="r", task_id="t")
    assert refused(pair.runtime.send_request, large).startswith("SetXCom: a frame of ")
    assert pair.request(GET)[0] == 1
    assert refused(pair.supervisor.send_reply, 1, m.XComResult(key="k", value="x" * 4096)).startswith("XComResult: ")
    assert_both(pair, states.RUNNING)


# ── what the peer may not send ────────────────────────────────────────────────────────────────────────────────────


def broken(events: list[Any]) -> RemoteProtocolError:
    assert isinstance(events[-1], Broken)
    return events[-1].error


def test_an_invalid_request_is_an_event_that_names_the_field_and_the_id(running: ConnectionPair) -> None:
    (event,) = running.supervisor.receive_data(encode_frame(7, {"type": "GetVariable"}))
    assert isinstance(event, InvalidRequest)
    assert (event.id, event.error.message, event.error.field) == (7, "GetVariable", "key")
    assert_both(running, states.RUNNING)


@pytest.mark.parametrize("body", [None, {}, {"type": "Nonsense"}, {"type": 5}])
def test_a_frame_that_is_no_message_is_an_invalid_request(running: ConnectionPair, body: Any) -> None:
    (event,) = running.supervisor.receive_data(encode_frame(7, body))
    assert isinstance(event, InvalidRequest)


def test_a_request_that_is_not_allowed_now_is_an_invalid_request(running: ConnectionPair) -> None:
    running.request(DONE)
    for body in ({"type": "SucceedTask", "end_date": NOON}, {"type": "DagFileParsingResult", "fileloc": "f"}):
        (event,) = running.supervisor.receive_data(encode_frame(9, body | {"serialized_dags": []}))
        assert isinstance(event, InvalidRequest)
        assert "not allowed while the exchange is reported" in event.error.rule
    assert running.supervisor.state == states.REPORTED


def test_a_runtime_that_numbers_its_frames_otherwise_is_served(running: ConnectionPair) -> None:
    body = {"type": "GetVariable", "key": "region"}
    for frame_id in (0, -7, 2**63, 0):
        assert running.supervisor.receive_data(encode_frame(frame_id, body)) == [Request(frame_id, GET)]


def test_a_request_whose_id_is_that_of_log_records_is_a_request(running: ConnectionPair) -> None:
    body = {"type": "GetVariable", "key": "region"}
    assert running.supervisor.receive_data(encode_frame(LOG_ID, body)) == [Request(LOG_ID, GET)]


def test_a_log_record_with_another_id_is_an_invalid_request(running: ConnectionPair) -> None:
    (event,) = running.supervisor.receive_data(encode_frame(5, {"type": "LogRecord", "event": "x"}))
    assert isinstance(event, InvalidRequest)


def test_a_request_before_the_greeting_breaks_the_exchange() -> None:
    supervisor = Conversation(SUPERVISOR)
    assert "before the greeting" in str(broken(supervisor.receive_data(encode_frame(1, {"type": "GetVariable"}))))
    assert supervisor.state == states.BROKEN


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (None, "names its type"),
        ({"type": "Nonsense"}, "no such message"),
        ({"type": "OKResponse", "ok": True}, "the first message is"),
        ({"type": "StartupDetails"}, "required"),
    ],
)
def test_a_first_message_that_is_no_greeting_breaks_the_exchange(body: Any, part: str) -> None:
    runtime = Conversation(RUNTIME)
    assert part in str(broken(runtime.receive_data(encode_frame(0, body))))
    assert runtime.state == states.BROKEN


def test_a_reply_to_a_request_that_was_never_sent_breaks_the_exchange(running: ConnectionPair) -> None:
    assert "request 3, which was never sent" in str(broken(running.reply(3)))
    assert running.runtime.state == states.BROKEN


def test_a_second_greeting_breaks_the_exchange(running: ConnectionPair) -> None:
    again = Conversation(SUPERVISOR).send_greeting(STARTUP)
    assert "request 0, which was never sent" in str(broken(running.runtime.receive_data(again)))


def test_a_second_reply_to_one_request_is_dropped(running: ConnectionPair) -> None:
    request_id, _ = running.request(GET)
    assert running.reply(request_id, FOUND) == [Reply(request_id, FOUND, None)]
    assert running.reply(request_id, FOUND) == []


def test_the_late_reply_to_a_request_that_was_given_up_is_dropped(running: ConnectionPair) -> None:
    request_id, _ = running.request(GET)
    running.runtime.abandon(request_id)
    assert running.reply(request_id, FOUND) == []
    assert_both(running, states.RUNNING)


@pytest.mark.parametrize(
    ("body", "third"),
    [
        ({"type": "Nonsense"}, None),
        ({"type": "VariableResult"}, None),
        ({}, None),
        (None, {"type": "Nonsense"}),
        (None, "text"),
        (None, {"type": "ErrorResponse", "error": "NEW_KIND_OF_ERROR"}),
    ],
)
def test_a_reply_that_cannot_be_read_fails_only_its_own_request(
    running: ConnectionPair, body: Any, third: object
) -> None:
    first, second = (running.request(GET)[0] for _ in range(2))
    (event,) = running.runtime.receive_data(encode_frame(first, body, third))
    assert isinstance(event, UndecodableReply)
    assert event.id == first
    assert isinstance(event.error, UndecodableMessageError)
    assert running.reply(second, FOUND) == [Reply(second, FOUND, None)]


def test_replies_of_one_to_five_elements_are_replies(running: ConnectionPair) -> None:
    for count in range(1, 6):
        request_id, _ = running.request(GET)
        payload = bytes([0x90 + count, request_id]) + b"\xc0" * (count - 1)
        data = len(payload).to_bytes(4, "big") + payload
        assert running.runtime.receive_data(data) == [Reply(request_id, None, None)]


def test_requests_of_two_to_five_elements_are_requests(running: ConnectionPair) -> None:
    body = bytes.fromhex("82a474797065ab4765745661726961626c65a36b6579a6726567696f6e")
    for count in range(2, 6):
        payload = bytes([0x90 + count, 1]) + body + b"\xc0" * (count - 2)
        assert running.supervisor.receive_data(len(payload).to_bytes(4, "big") + payload) == [Request(1, GET)]


def test_a_broken_frame_breaks_the_exchange_after_the_sound_ones_before_it(running: ConnectionPair) -> None:
    _, data = running.runtime.send_request(GET)
    events = running.supervisor.receive_data(data + bytes(4) + data)
    assert events[:-1] == [Request(1, GET)]
    assert "empty frame" in str(broken(events))
    assert running.supervisor.receive_data(data) == []
    assert running.supervisor.receive_eof() == []
    assert running.supervisor.state == states.BROKEN


def test_a_prefix_above_the_limit_breaks_the_exchange() -> None:
    runtime = Conversation(RUNTIME, max_frame_size=100)
    error = broken(runtime.receive_data(b"\xff\xff\xff\xff"))
    assert isinstance(error, FrameTooLargeError)


# ── the end of the stream ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_end_before_the_greeting_is_lost(pair: ConnectionPair) -> None:
    assert pair.hang_up(SUPERVISOR) == [PeerClosed(states.WAITING, 0)]
    assert pair.runtime.state == states.LOST


def test_an_end_before_the_report_is_lost_for_both_sides(running: ConnectionPair) -> None:
    assert running.hang_up(RUNTIME) == [PeerClosed(states.RUNNING, 0)]
    assert running.hang_up(SUPERVISOR) == [PeerClosed(states.RUNNING, 0)]
    assert_both(running, states.LOST)


def test_an_end_inside_a_frame_says_how_much_of_it_came(running: ConnectionPair) -> None:
    _, data = running.runtime.send_request(DONE)
    running.post(SUPERVISOR, data[:-1])
    assert running.hang_up(RUNTIME) == [PeerClosed(states.RUNNING, len(data) - 1)]
    assert running.supervisor.state == states.LOST


def test_the_end_comes_once(running: ConnectionPair) -> None:
    running.supervisor.receive_eof()
    assert running.supervisor.receive_eof() == []
    assert running.supervisor.receive_data(encode_frame(1, {"type": "GetVariable", "key": "k"})) == []


def test_wanted_is_a_hint_for_the_next_read(running: ConnectionPair) -> None:
    _, data = running.runtime.send_request(GET)
    assert running.supervisor.wanted == 4
    running.supervisor.receive_data(data[:4])
    assert running.supervisor.wanted == len(data) - 4


# ── events ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_events_compare_by_type_and_value_and_show_their_fields() -> None:
    assert Request(1, GET) == Request(1, GET)
    assert Request(1, GET) != Request(2, GET)
    assert Request(1, GET) != Greeting(GET)
    assert repr(Reply(1, None, None)) == "Reply(error=None, id=1, message=None)"
