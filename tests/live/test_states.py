"""Every state that a task of a bundle can come into, under the real supervisor: what the Execution API was told.

How a waiting task goes on is written down by Airflow's own code (`airflow_waiting`), so a resumed task gets what a deployment
of this version would give it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

SUCCEEDED = (0, "success", ["success"])
FAILED = (0, "failed", ["failed"])
RETRIED = (0, "up_for_retry", ["up_for_retry"])
SKIPPED = (0, "skipped", ["skipped"])
PUT_OFF = (0, "up_for_reschedule", ["up_for_reschedule"])
DEFERRED = (0, "deferred", ["deferred"])
AWAITING = (0, "awaiting_input", ["awaiting_input"])

STATE = "PATCH /task-instances/{id}/state"
SKIP = "PATCH /task-instances/{id}/skip-downstream"

LONG_AGO = "2026-01-01T00:00:00Z"


def run(airflow: AirflowSupervisor, task_id: str, **options: Any) -> TaskReport:
    return airflow.run("states", task_id, **options)


def resumed(
    airflow: AirflowSupervisor, task_id: str, waiting: TaskReport, *, context: Any = None, **by: Any
) -> TaskReport:
    """Run a task that waits once more, when what it waits for has come."""
    return run(airflow, task_id, context={**airflow.resumption(waiting, **by), **(context or {})})


def when(date: str) -> datetime:
    return datetime.fromisoformat(date)


# ── skips ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("task_id", "followed", "skipped"),
    [
        ("chooses_one", ["chosen"], ["also_chosen", "left_out"]),
        ("chooses_two", ["also_chosen", "chosen"], ["left_out"]),
        ("chooses_none", [], ["also_chosen", "chosen", "left_out"]),
        ("chooses_while_awaiting", ["chosen"], ["also_chosen", "left_out"]),
    ],
)
def test_a_branch_skips_what_it_has_not_chosen_and_is_a_success(
    airflow: AirflowSupervisor, task_id: str, followed: list[str], skipped: list[str]
) -> None:
    report = run(airflow, task_id)
    assert report.outcome == SUCCEEDED
    assert report.skipped == [[task_id, -1] for task_id in skipped]
    assert report.pushed == {"skipmixin_key": {"followed": followed}}
    assert report.told == [f"POST /xcoms/states/live/{task_id}/skipmixin_key", SKIP, STATE]


@pytest.mark.parametrize(("should_retry", "outcome"), [(False, FAILED), (True, RETRIED)])
def test_a_branch_that_chooses_a_task_that_is_not_there_fails_and_names_it(
    airflow: AirflowSupervisor, should_retry: bool, outcome: object
) -> None:
    report = run(airflow, "chooses_what_is_not_there", context={"should_retry": should_retry})
    assert (report.outcome, report.skipped) == (outcome, [])
    assert "'nowhere'" in str(report.record(level="error"))


@pytest.mark.parametrize(
    ("task_id", "skipped"),
    [("stops", ["also_chosen", "behind", "chosen"]), ("stops_what_is_next", ["also_chosen", "chosen"])],
)
def test_a_short_circuit_skips_all_that_is_behind_it_or_what_is_next_only(
    airflow: AirflowSupervisor, task_id: str, skipped: list[str]
) -> None:
    report = run(airflow, task_id)
    assert (report.outcome, report.skipped) == (SUCCEEDED, skipped)
    assert report.pushed == {"skipmixin_key": {"skipped": skipped}}


def test_a_short_circuit_that_lets_through_stores_what_it_returns_and_skips_nothing(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "lets_through")
    assert (report.outcome, report.skipped, report.pushed) == (SUCCEEDED, [], {"return_value": {"rows": 3}})


def test_tasks_can_be_skipped_by_hand_and_by_their_index(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "skips_by_hand")
    assert (report.outcome, report.skipped) == (SUCCEEDED, ["chosen", ["left_out", 2]])


# ── being put off ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_task_that_puts_itself_off_says_until_when(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "puts_itself_off", context={"should_retry": True})
    assert report.outcome == PUT_OFF
    assert when(report.state["reschedule_date"]) == datetime(2030, 1, 1, 12, tzinfo=UTC)


def test_a_date_without_a_zone_fails_the_task_and_says_so(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "puts_itself_off_without_a_zone")
    assert report.outcome == FAILED
    assert "time zone" in str(report.record(level="error")["error_detail"])


def test_a_sensor_that_finds_nothing_is_put_off_by_its_interval(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "looks_again", context={"should_retry": True})
    assert report.outcome == PUT_OFF
    waits = when(report.state["reschedule_date"]) - when(report.state["end_date"])
    assert timedelta(minutes=50) < waits <= timedelta(hours=1)  # the end is noted a moment after the decision


def test_a_sensor_that_finds_what_it_looks_for_is_a_success(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "looks_again", variables={"there": "yes"})
    assert (report.outcome, report.pushed) == (SUCCEEDED, {})


def test_a_sensor_in_its_process_looks_until_it_finds(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "looks_three_times")
    assert (report.outcome, report.pushed) == (SUCCEEDED, {"return_value": {"looks": 3}})


@pytest.mark.parametrize("should_retry", [False, True])
def test_a_sensor_in_its_process_that_has_waited_for_too_long_fails_for_good(
    airflow: AirflowSupervisor, should_retry: bool
) -> None:
    assert run(airflow, "looks_in_vain", context={"should_retry": should_retry}).outcome == FAILED


def put_off_since(airflow_version: str, date: str) -> dict[str, Any]:
    """What the server says of a task that was first put off at a date: Airflow 3.4 by itself, 3.3 where it is asked."""
    told = {} if airflow_version.startswith("3.3.") else {"first_task_reschedule_start_date": date}
    return {"first_rescheduled": date, "context": {"task_reschedule_count": 3, "should_retry": True, **told}}


def test_a_sensor_counts_its_time_from_its_first_look(airflow: AirflowSupervisor, airflow_version: str) -> None:
    report = run(airflow, "looks_again", **put_off_since(airflow_version, LONG_AGO))
    assert report.outcome == FAILED  # for good, as there is a retry left
    asked = ["GET /task-reschedules/{id}/start_date"] if airflow_version.startswith("3.3.") else []
    assert report.told == [*asked, "GET /variables/there", STATE]


def test_a_sensor_with_time_left_is_put_off_again(airflow: AirflowSupervisor, airflow_version: str) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    assert run(airflow, "looks_again", **put_off_since(airflow_version, yesterday)).outcome == PUT_OFF


def test_a_soft_sensor_is_skipped_when_its_time_is_up(airflow: AirflowSupervisor, airflow_version: str) -> None:
    assert run(airflow, "looks_again_softly", **put_off_since(airflow_version, LONG_AGO)).outcome == SKIPPED


# ── deferral ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_deferred_task_names_its_trigger_and_how_to_go_on(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "waits_for_a_moment")
    assert report.outcome == DEFERRED
    state = report.state
    assert state["classpath"] == "airflow.providers.standard.triggers.temporal.DateTimeTrigger"
    assert (state["next_method"], state["trigger_timeout"], state["queue"]) == ("goes_on", "PT1M30S", None)
    assert state["next_kwargs"].keys() == {"since", "pair"}


def test_a_resumed_task_gets_the_event_of_airflows_own_trigger_and_what_it_left_for_itself(
    airflow: AirflowSupervisor,
) -> None:
    waiting = run(airflow, "waits_for_a_moment")
    context = {"start_date": "2026-02-03T04:05:06Z"}
    report = resumed(airflow, "waits_for_a_moment", waiting, trigger=True, context=context)
    assert report.outcome == SUCCEEDED
    value = report.pushed["return_value"]
    assert value["pair"]["__data__"] == ["left", 2]
    moments = [value[name]["__data__"]["timestamp"] for name in ("event", "since")]
    assert moments == [datetime(2026, 1, 1, tzinfo=UTC).timestamp(), datetime(2026, 1, 2, 3, tzinfo=UTC).timestamp()]
    assert value["began"] == "2026-02-03 04:05:06+00:00"  # when it first started
    assert "POST /xcoms/states/live/waits_for_a_moment/before" not in report.told  # the body did not run again


@pytest.mark.parametrize(
    "event",
    [
        None,
        True,
        "fired",
        {"status": "ok", "rows": [1, 2.5, None]},
        {"__classname__": "builtins.tuple", "__version__": 1, "__data__": ["ok", {"rows": 3}]},
    ],
    ids=["null", "flag", "text", "map", "tuple"],
)
def test_an_event_of_every_form_reaches_the_resumed_task(airflow: AirflowSupervisor, event: Any) -> None:
    waiting = run(airflow, "waits_for_a_moment")
    report = resumed(airflow, "waits_for_a_moment", waiting, event=event)
    assert (report.outcome, report.pushed["return_value"]["event"]) == (SUCCEEDED, event)


def test_a_task_that_was_deferred_by_an_older_airflow_goes_on(airflow: AirflowSupervisor) -> None:
    old = {"since": {"__type": "datetime", "__var": 0.0}, "pair": {"__type": "tuple", "__var": [1, 2]}, "event": "late"}
    context = {"next_method": "goes_on", "next_kwargs": {"__type": "dict", "__var": old}}
    report = run(airflow, "waits_for_a_moment", context=context)
    assert report.outcome == SUCCEEDED
    assert report.pushed["return_value"]["event"] == "late"
    assert report.pushed["return_value"]["since"]["__data__"]["timestamp"] == 0


def test_a_resumed_task_can_defer_again(airflow: AirflowSupervisor) -> None:
    first = run(airflow, "waits_twice")
    second = resumed(airflow, "waits_twice", first, trigger=True)
    assert (second.outcome, second.state["next_method"]) == (DEFERRED, "goes_on")
    third = resumed(airflow, "waits_twice", second, trigger=True)
    assert (third.outcome, third.pushed["return_value"]["pair"]["__data__"]) == (SUCCEEDED, ["left", 2])


@pytest.mark.parametrize(("should_retry", "outcome"), [(False, FAILED), (True, RETRIED)])
def test_a_trigger_that_fails_fails_the_task_with_the_triggers_traceback(
    airflow: AirflowSupervisor, should_retry: bool, outcome: object
) -> None:
    waiting = run(airflow, "waits_for_nobody")
    report = resumed(airflow, "waits_for_nobody", waiting, trigger=True, context={"should_retry": should_retry})
    assert report.outcome == outcome
    assert any("No module named 'triggers_of_nobody'" in record["event"] for record in report.records(level="error"))
    assert report.record(event="the task raised an exception")["error_detail"][0]["exc_type"] == "TaskDeferralError"


@pytest.mark.parametrize(("should_retry", "outcome"), [(False, FAILED), (True, RETRIED)])
def test_a_trigger_that_takes_too_long_fails_the_task(
    airflow: AirflowSupervisor, should_retry: bool, outcome: object
) -> None:
    waiting = run(airflow, "waits_for_a_moment")
    report = resumed(airflow, "waits_for_a_moment", waiting, timeout=True, context={"should_retry": should_retry})
    assert report.outcome == outcome
    assert report.record(level="error")["error_detail"][0]["exc_type"] == "TaskDeferralTimeout"


def test_a_method_that_is_not_there_fails_the_task_and_is_named(airflow: AirflowSupervisor) -> None:
    waiting = run(airflow, "waits_without_a_way_on")
    report = resumed(airflow, "waits_without_a_way_on", waiting, trigger=True)
    assert report.outcome == FAILED
    assert "'not_there'" in str(report.record(level="error")["error_detail"])


def test_a_trigger_whose_arguments_have_no_encoding_fails_the_task_with_their_path(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "waits_for_what_has_no_encoding")
    assert report.outcome == FAILED
    assert "trigger_kwargs.socket" in report.record(level="error")["event"]


# ── asking a human ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_question_is_put_before_the_task_waits_for_its_answer(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "asks")
    assert report.outcome == AWAITING
    assert report.told[-2:] == ["POST /hitlDetails/{id}", STATE]
    depth = {"value": 3, "description": "in metres", "schema": {"type": "number", "minimum": 0}, "source": "task"}
    assert report.asked == {
        **{"subject": "Which way?", "body": "There are *rocks*.", "options": ["north", "south", "back"]},
        **{"defaults": None, "multiple": False, "params": {"depth": depth}, "assigned_users": []},
    }
    assert (report.state["next_method"], report.state["timeout"]) == ("execute_complete", None)


def test_a_question_can_have_defaults_several_answers_a_time_and_people_who_may_answer(
    airflow: AirflowSupervisor,
) -> None:
    report = run(airflow, "asks_some_for_a_while")
    assert report.asked is not None
    assert (report.asked["defaults"], report.asked["multiple"]) == (["south"], True)
    assert report.asked["assigned_users"] == [{"id": "7", "name": "pilot"}]
    assert report.state["timeout"] == "PT5M"


@pytest.mark.parametrize(("should_retry", "outcome"), [(False, FAILED), (True, RETRIED)])
def test_a_question_that_the_server_refuses_fails_the_task(
    airflow: AirflowSupervisor, should_retry: bool, outcome: object
) -> None:
    refusal = [422, {"detail": [{"loc": ["body"], "msg": "no such user", "type": "value_error"}]}]
    context = {"should_retry": should_retry}
    assert run(airflow, "asks", answers={"POST /hitlDetails/*": refusal}, context=context).outcome == outcome


def answered(airflow: AirflowSupervisor, task_id: str, *options: str, **answer: Any) -> TaskReport:
    """Run a task that has asked once more, with that answer."""
    answer = {"chosen_options": list(options), "params_input": {}, **answer}
    return resumed(airflow, task_id, run(airflow, task_id), answer=answer)


def test_an_answer_is_the_tasks_value(airflow: AirflowSupervisor) -> None:
    report = answered(airflow, "asks", "north", params_input={"depth": 7.5})
    assert report.outcome == SUCCEEDED
    value = report.pushed["return_value"]
    assert value.pop("responded_at")["__classname__"] == "datetime.datetime"
    who = {"id": "7", "name": "pilot"}
    assert value == {"chosen_options": ["north"], "params_input": {"depth": 7.5}, "responded_by_user": who}


@pytest.mark.parametrize("answer", [{"chosen_options": ["west"]}, {"params_input": {"depth": -1}}], ids=str)
def test_an_answer_that_does_not_fit_fails_the_task(airflow: AirflowSupervisor, answer: dict[str, Any]) -> None:
    assert answered(airflow, "asks", "north", **answer).outcome == FAILED


def test_the_default_counts_when_nobody_has_answered_in_time(airflow: AirflowSupervisor) -> None:
    report = answered(airflow, "asks_some_for_a_while", "south", responded_by=None, timedout=True)
    assert report.outcome == SUCCEEDED
    assert report.pushed["return_value"]["chosen_options"] == ["south"]
    assert report.pushed["return_value"]["responded_by_user"] is None


@pytest.mark.parametrize(("should_retry", "outcome"), [(False, FAILED), (True, RETRIED)])
def test_a_question_without_a_default_fails_the_task_when_nobody_has_answered_in_time(
    airflow: AirflowSupervisor, should_retry: bool, outcome: object
) -> None:
    event = {"error": "nobody has answered", "error_type": "timeout"}
    context = {"should_retry": should_retry}
    report = resumed(airflow, "asks", run(airflow, "asks"), event=event, context=context)
    assert report.outcome == outcome
    assert report.record(level="error")["error_detail"][0]["exc_type"] == "HITLTimeoutError"


@pytest.mark.parametrize(("option", "skipped"), [("Approve", []), ("Reject", ["also_chosen", "chosen"])])
def test_a_rejection_skips_what_is_next(airflow: AirflowSupervisor, option: str, skipped: list[str]) -> None:
    report = answered(airflow, "asks_whether_to_go_on", option)
    assert (report.outcome, report.skipped) == (SUCCEEDED, skipped)


def test_a_rejection_can_be_a_failure(airflow: AirflowSupervisor) -> None:
    report = answered(airflow, "asks_whether_to_go_on_or_fails", "Reject")
    assert (report.outcome, report.skipped) == (FAILED, [])


def test_a_human_chooses_the_branch(airflow: AirflowSupervisor) -> None:
    report = answered(airflow, "asks_where_to_go_on", "the other one")
    assert report.outcome == SUCCEEDED
    assert report.skipped == [["also_chosen", -1], ["chosen", -1]]


def test_a_form_is_filled(airflow: AirflowSupervisor) -> None:
    report = answered(airflow, "asks_for_a_number", "OK", params_input={"depth": 4})
    assert (report.outcome, report.pushed["return_value"]["params_input"]) == (SUCCEEDED, {"depth": 4})


# ── runs of other Dags ────────────────────────────────────────────────────────────────────────────────────────────

RUN = "/dag-runs/harvest/by_hand"
THERE = {"dag_runs": {"harvest/by_hand": "running"}}


def test_a_run_of_another_dag_is_triggered_with_its_conf_date_and_note(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "triggers_a_run")
    assert report.outcome == SUCCEEDED
    [wanted] = report.bodies(f"POST {RUN}")
    assert wanted == {"conf": {"field": 7}, "logical_date": "2026-03-01T00:00:00Z", "note": "early"}
    assert report.pushed == {"trigger_run_id": "by_hand"}


@pytest.mark.parametrize(
    ("task_id", "outcome"), [("triggers_a_run", FAILED), ("triggers_a_run_or_is_skipped", SKIPPED)]
)
def test_a_run_that_there_is_already_fails_the_task_for_good_or_skips_it(
    airflow: AirflowSupervisor, task_id: str, outcome: object
) -> None:
    assert run(airflow, task_id, context={"should_retry": True}, **THERE).outcome == outcome


def test_a_run_that_there_is_already_can_be_cleared(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "triggers_a_run_anew", **THERE)
    assert report.outcome == SUCCEEDED
    assert [route for route in report.told if RUN in route] == [f"POST {RUN}", f"POST {RUN}/clear"]


@pytest.mark.parametrize("should_retry", [False, True])
def test_a_dag_that_is_not_there_fails_the_task(airflow: AirflowSupervisor, should_retry: bool) -> None:
    dags = {"another": {}}
    report = run(airflow, "triggers_a_run", dags=dags, context={"should_retry": should_retry})
    assert report.outcome == (RETRIED if should_retry else FAILED)
    assert "harvest" in str(report.record(level="error"))


@pytest.mark.parametrize(("ends", "outcome"), [("success", SUCCEEDED), ("failed", RETRIED)])
def test_a_task_that_waits_for_the_run_ends_as_it_does(airflow: AirflowSupervisor, ends: str, outcome: object) -> None:
    states = ["queued", "running", ends]
    report = run(airflow, "triggers_a_run_and_polls", triggered=states, context={"should_retry": True})
    assert report.outcome == outcome
    assert report.told.count(f"GET {RUN}/state") == len(states)


def test_a_task_can_wait_for_the_run_in_the_triggerer(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "triggers_a_run_and_defers")
    assert report.outcome == DEFERRED
    assert report.state["classpath"] == "airflow.providers.standard.triggers.external_task.DagStateTrigger"
    kwargs = report.state["trigger_kwargs"]
    assert (kwargs["dag_id"], kwargs["run_ids"], kwargs["states"]) == ("harvest", ["by_hand"], ["success", "failed"])


@pytest.mark.parametrize(("ends", "outcome"), [("success", SUCCEEDED), ("failed", RETRIED)])
def test_a_task_that_has_waited_in_the_triggerer_ends_as_the_run_does(
    airflow: AirflowSupervisor, ends: str, outcome: object
) -> None:
    waiting = run(airflow, "triggers_a_run_and_defers")
    told = [waiting.state["classpath"], {**waiting.state["trigger_kwargs"], "by_hand": ends}]
    event = {"__classname__": "builtins.tuple", "__version__": 1, "__data__": told}
    context = {"should_retry": True}
    assert resumed(airflow, "triggers_a_run_and_defers", waiting, event=event, context=context).outcome == outcome


@pytest.mark.parametrize(("paused", "outcome"), [(False, SUCCEEDED), (True, FAILED)])
def test_a_dag_that_is_paused_fails_the_task_that_wants_it_awake(
    airflow: AirflowSupervisor, paused: bool, outcome: object
) -> None:
    report = run(airflow, "triggers_a_run_if_awake", dags={"harvest": {"is_paused": paused}})
    assert report.outcome == outcome
    assert (f"POST {RUN}" in report.told) != paused
