"""Leaving a process to go on in another one: what the supervisor is told, and what the next process makes of its answer."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest

from outboard.errors import SerializationError
from outboard.protocol import messages as m
from outboard.protocol.codec import encode_body
from outboard.runtime import suspension
from outboard.sdk.exceptions import AirflowException, AirflowRescheduleException, TaskAwaitingInput, TaskDeferred
from tests.recorded import FIXTURES
from tests.runtime.child import Child
from tests.runtime.test_task_runner import run

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Waits:
    """A trigger whose ``serialize`` gives back what it was made with, or raises it."""

    def __init__(self, serialized: Any) -> None:
        self.serialized = serialized

    def __repr__(self) -> str:
        return "Waits()"

    def serialize(self) -> Any:
        if isinstance(self.serialized, Exception):
            raise self.serialized
        return self.serialized


def deferred(trigger: Any = Waits(("a.B", {})), **options: Any) -> dict[str, Any]:  # noqa: B008
    return encode_body(suspension.deferred(TaskDeferred(trigger=trigger, **{"method_name": "go_on", **options})))


# ── messages ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_deferred_task_names_its_trigger_and_its_next_method() -> None:
    trigger = Waits(("author.triggers.Row", {"at": NOON, "pair": (1, 2)}))
    body = deferred(trigger, kwargs={"since": NOON}, timeout=timedelta(minutes=1))
    assert (body["type"], body["state"], body["classpath"]) == ("DeferTask", "deferred", "author.triggers.Row")
    assert (body["next_method"], body["trigger_timeout"]) == ("go_on", "PT60S")
    assert body["trigger_kwargs"]["at"]["__classname__"] == "datetime.datetime"
    assert body["trigger_kwargs"]["pair"]["__classname__"] == "builtins.tuple"
    assert body["next_kwargs"]["since"]["__classname__"] == "datetime.datetime"


@pytest.mark.parametrize(("timeout", "sent"), [(None, None), (90, "PT90S"), (1.5, "PT1.5S"), (timedelta(0), "PT0S")])
def test_a_timeout_is_a_timedelta_or_a_number_of_seconds(timeout: Any, sent: str | None) -> None:
    assert deferred(timeout=timeout).get("trigger_timeout") == sent
    awaiting = suspension.awaiting_input(TaskAwaitingInput(method_name="go_on", timeout=timeout))
    assert encode_body(awaiting).get("timeout") == sent


def test_a_task_that_waits_for_a_human_names_its_next_method() -> None:
    body = encode_body(suspension.awaiting_input(TaskAwaitingInput(method_name="go_on", kwargs={"pair": (1,)})))
    assert (body["type"], body["state"], body["next_method"]) == ("AwaitInputTask", "awaiting_input", "go_on")
    assert body["next_kwargs"]["pair"]["__data__"] == [1]


def test_a_task_that_is_put_off_says_until_when() -> None:
    body = encode_body(suspension.rescheduled(AirflowRescheduleException(NOON)))
    assert (body["type"], body["state"], body["reschedule_date"]) == ("RescheduleTask", "up_for_reschedule", NOON)


@pytest.mark.parametrize(
    ("trigger", "text"),
    [
        (object(), "a trigger's serialize() returns its class path and a dict of arguments; that of <object object"),
        (Waits(5), "that of Waits() does not: cannot unpack"),
        (Waits(("a.B", {}, 1)), "that of Waits() does not: too many values to unpack"),
        (Waits(ValueError("not yet")), "that of Waits() does not: not yet"),
        (Waits(("NoPath", {})), "such as 'package.module.Class', and a dict of arguments, not 'NoPath' and {}"),
        (Waits((Waits, {})), "not <class 'tests.runtime.test_suspension.Waits'> and {}"),
        (Waits(("a.B", [1])), "not 'a.B' and [1]"),
    ],
)
def test_a_trigger_that_does_not_say_what_it_is_is_an_error_that_names_it(trigger: Any, text: str) -> None:
    with pytest.raises(AirflowException) as raised:
        deferred(trigger)
    assert text in str(raised.value)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"method_name": ""}, "method_name is the name of the method to go on with, not ''"),
        ({"method_name": print}, "method_name is the name of the method to go on with, not <built-in"),
        ({"timeout": "60"}, "a timeout is a timedelta or a number of seconds, not '60'"),
        ({"timeout": True}, "a timeout is a timedelta or a number of seconds, not True"),
        ({"timeout": float("nan")}, "a timeout is a timedelta or a number of seconds, not nan"),
        ({"timeout": 1e300}, "a timeout is a timedelta or a number of seconds, not 1e+300"),
        ({"kwargs": [1]}, "kwargs are a dict of what the next method gets, not [1]"),
        ({"kwargs": {1: 1}}, "kwargs are named by strings, not by 1"),
    ],
)
def test_a_wrong_argument_is_an_error_in_the_authors_words(options: dict[str, Any], text: str) -> None:
    with pytest.raises(AirflowException) as raised:
        deferred(**options)
    assert text in str(raised.value)
    with pytest.raises(AirflowException) as raised:
        suspension.awaiting_input(TaskAwaitingInput(**{"method_name": "go_on", **options}))
    assert text in str(raised.value)


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"trigger": Waits(("a.B", {"rows": [1, object()]}))}, "trigger_kwargs.rows[1]"),
        ({"kwargs": {"open": {"file": object()}}}, "kwargs.open.file"),
    ],
)
def test_what_cannot_be_sent_is_named_by_its_path(options: dict[str, Any], path: str) -> None:
    with pytest.raises(SerializationError) as raised:
        deferred(**options)
    assert raised.value.path == path


class Nowhere(tzinfo):
    """A zone that does not say how far it is from UTC."""

    def utcoffset(self, when: datetime | None) -> None:
        return None


@pytest.mark.parametrize(
    ("date", "text"),
    [
        (datetime(2026, 1, 1), "takes a datetime with a time zone, and datetime.datetime(2026, 1, 1, 0, 0) has none"),  # noqa: DTZ001
        (datetime(2026, 1, 1, tzinfo=Nowhere()), "has none; make it with datetime.now(timezone.utc)"),
        ("tomorrow", "takes the datetime of the next run, not 'tomorrow'"),
        (None, "takes the datetime of the next run, not None"),
    ],
)
def test_a_date_that_says_no_time_is_an_error(date: Any, text: str) -> None:
    with pytest.raises(AirflowException) as raised:
        suspension.rescheduled(AirflowRescheduleException(date))
    assert text in str(raised.value)


# ── a real process that leaves ────────────────────────────────────────────────────────────────────────────────────────

OPERATOR = """
from datetime import datetime, timezone, timedelta
from outboard import DAG, BaseOperator
from outboard.sdk.exceptions import AirflowRescheduleException, TaskAwaitingInput

class Trigger:
    def __init__(self, **arguments):
        self.arguments = arguments
    def serialize(self):
        return "author.Trigger", self.arguments

class Waits(BaseOperator):
    def execute(self, context):
        %s
    def go_on(self, context, event=None, **arguments):
        print("goes on in", context["run_id"])
        return {"event": event, **arguments}

with DAG("example"):
    Waits(task_id="body", retries=2)
"""


def test_a_body_that_defers_ends_its_process_deferred(tmp_path: Path) -> None:
    body = 'self.defer(trigger=Trigger(rows=3), method_name="go_on", kwargs={"pair": (1, 2)}, timeout=60)'
    report, child = run(tmp_path, OPERATOR % body)
    assert [type(request).__name__ for request in child.requests] == ["DeferTask"]
    assert (report.state, report.classpath, report.trigger_kwargs) == ("deferred", "author.Trigger", {"rows": 3})
    assert (report.next_method, report.trigger_timeout) == ("go_on", timedelta(seconds=60))
    assert report.next_kwargs["pair"]["__classname__"] == "builtins.tuple"
    assert "deferred, until author.Trigger fires" in child.logged("task")
    assert child.process.returncode == 0


def test_a_body_that_waits_for_a_human_ends_its_process_awaiting_input(tmp_path: Path) -> None:
    body = 'raise TaskAwaitingInput(method_name="go_on", timeout=timedelta(hours=1))'
    report, _ = run(tmp_path, OPERATOR % body)
    assert (report.state, report.next_method, report.timeout) == ("awaiting_input", "go_on", timedelta(hours=1))


def test_a_body_that_is_put_off_ends_its_process_until_then(tmp_path: Path) -> None:
    body = "raise AirflowRescheduleException(datetime(2026, 3, 1, tzinfo=timezone(timedelta(hours=2))))"
    report, _ = run(tmp_path, OPERATOR % body)
    assert (report.state, report.reschedule_date) == ("up_for_reschedule", datetime(2026, 2, 28, 22, tzinfo=UTC))


def test_where_triggerers_serve_queues_the_trigger_is_for_that_of_the_task(tmp_path: Path) -> None:
    body = 'self.defer(trigger=Trigger(), method_name="go_on")'
    queues = {}
    for name, inherits in (("inherits", True), ("has its own", False)):
        text = (OPERATOR % body).replace("class Trigger:", f"class Trigger:\n    supports_triggerer_queue = {inherits}")
        with Child(tmp_path, text, env={**os.environ, "AIRFLOW__TRIGGERER__QUEUES_ENABLED": "True"}) as child:
            queues[name] = child.run().queue
    assert queues == {"inherits": "default", "has its own": None}
    assert run(tmp_path, OPERATOR % body)[0].queue is None


def test_what_lets_everything_pass_lets_a_deferral_pass(tmp_path: Path) -> None:
    body = """try:
            self.defer(trigger=Trigger(), method_name="go_on")
        except Exception:
            return "caught"
        finally:
            print("cleaned up")"""
    report, child = run(tmp_path, OPERATOR % body)
    assert report.state == "deferred"
    assert "cleaned up" in child.logged("task.stdout")


@pytest.mark.parametrize(
    ("body", "logged"),
    [
        ('self.defer(trigger=Trigger(x=[object()]), method_name="go_on")', "trigger_kwargs.x[0]"),
        ('self.defer(trigger=Trigger(), method_name="go_on", kwargs={"f": print})', "kwargs.f"),
        ('self.defer(trigger=object(), method_name="go_on")', "a trigger's serialize() returns"),
        ('raise TaskAwaitingInput(method_name="go_on", kwargs={"f": print})', "kwargs.f"),
        ("raise AirflowRescheduleException(datetime(2026, 1, 1))", "has none; make it with datetime.now(timezone.utc)"),
    ],
)
@pytest.mark.parametrize(("should_retry", "state"), [(True, "up_for_retry"), (False, "failed")])
def test_a_wait_that_cannot_be_told_is_a_failure_that_says_why(
    tmp_path: Path, body: str, logged: str, should_retry: bool, state: str
) -> None:
    report, child = run(tmp_path, OPERATOR % body, should_retry=should_retry)
    assert report.state == state
    assert logged in repr(child.said())


# ── a real process that goes on ───────────────────────────────────────────────────────────────────────────────────────

VERSIONS = ("3.3", "3.4")


def told(version: str, case: str) -> dict[str, Any]:
    recorded: dict[str, dict[str, Any]] = json.loads((FIXTURES / "sdk" / f"resumptions-{version}.json").read_text())
    return recorded[case]


def resume(folder: Path, version: str, case: str, **context: Any) -> tuple[Any, Child]:
    return run(
        folder, OPERATOR % "raise ValueError('a task that goes on does not begin')", **told(version, case), **context
    )


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("case", "returned"),
    [
        ("nothing", {"event": None}),
        ("a payload and arguments", {"event": {"status": "success", "rows": [1, 2]}, "table": "sales"}),
        ("arguments of before 3.2", {"event": "x"}),
        ("no answer", {"event": {"error": "there was no answer in time", "error_type": "timeout"}}),
    ],
)
def test_a_task_goes_on_with_what_the_server_tells(tmp_path: Path, version: str, case: str, returned: Any) -> None:
    report, child = resume(tmp_path, version, case)
    assert report.state == "success", child.records
    [pushed] = [request.value for request in child.requests if isinstance(request, m.SetXCom)]
    assert {name: pushed[name] for name in returned} == returned
    assert "goes on in r1" in child.logged("task.stdout")


@pytest.mark.parametrize("version", VERSIONS)
def test_dates_and_tuples_come_back_as_what_they_were(tmp_path: Path, version: str) -> None:
    report, child = resume(tmp_path, version, "a payload and arguments")
    pushed = child.requests[0].value
    assert pushed["since"]["__classname__"] == "datetime.datetime"
    assert pushed["since"]["__data__"]["timestamp"] == datetime(2026, 1, 1, 12, 30, 15, 250000, tzinfo=UTC).timestamp()
    assert pushed["pair"]["__data__"] == [1, [2]]
    assert report.state == "success"


@pytest.mark.parametrize("version", VERSIONS)
def test_the_event_of_another_dags_run_is_the_tuple_that_its_trigger_fired(tmp_path: Path, version: str) -> None:
    _, child = resume(tmp_path, version, "the run of another Dag")
    event = child.requests[0].value["event"]
    assert event["__classname__"] == "builtins.tuple"
    assert event["__data__"][1]["r9"] == "success"


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("should_retry", "state"), [(True, "up_for_retry"), (False, "failed")])
def test_a_trigger_that_failed_fails_the_task_with_its_traceback_in_the_log(
    tmp_path: Path, version: str, should_retry: bool, state: str
) -> None:
    report, child = resume(tmp_path, version, "a trigger that failed", should_retry=should_retry)
    assert report.state == state
    [trace] = [event for event in child.logged() if "the trigger failed" in event]
    assert "no route to the warehouse" in trace
    assert "TaskDeferralError" in repr(child.said())


def test_a_wait_that_was_too_long_is_a_failure_that_may_be_retried(tmp_path: Path) -> None:
    greeting = {"next_method": "__fail__", "next_kwargs": {"error": "Trigger timeout"}, "should_retry": True}
    report, child = run(tmp_path, OPERATOR % "pass", **greeting)
    assert report.state == "up_for_retry"
    assert "TaskDeferralTimeout" in repr(child.said())


def test_a_next_method_that_the_bundle_no_longer_has_is_a_failure_that_names_it(tmp_path: Path) -> None:
    report, child = run(tmp_path, OPERATOR % "pass", next_method="went_on", next_kwargs={"event": 1})
    assert report.state == "failed"
    assert "Waits has no method 'went_on' to go on with" in repr(child.said())


def test_arguments_that_are_no_map_are_a_failure_that_says_so(tmp_path: Path) -> None:
    report, child = run(tmp_path, OPERATOR % "pass", next_method="go_on", next_kwargs="gAAAA")
    assert report.state == "failed"
    assert "the server sent no map of arguments to go on with" in repr(child.said())


def test_a_resumed_task_may_wait_again(tmp_path: Path) -> None:
    text = (OPERATOR % "pass").replace(
        "return {", 'self.defer(trigger=Trigger(), method_name="go_on")\n        return {'
    )
    report, _ = run(tmp_path, text, next_method="go_on", next_kwargs={"event": 1})
    assert (report.state, report.next_method) == ("deferred", "go_on")
