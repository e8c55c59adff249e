"""What stands around a task's body, under the real supervisor: params, time limits, being stopped, hooks, callbacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

SUCCEEDED = (0, "success", ["success"])
FAILED = (0, "failed", ["failed"])
RETRIED = (0, "up_for_retry", ["up_for_retry"])
SKIPPED = (0, "skipped", ["skipped"])

STATE = "PATCH /task-instances/{id}/state"

CALLBACKS = [f"on_{when}_callback" for when in ("execute", "success", "failure", "retry", "skipped")]


def run(airflow: AirflowSupervisor, task_id: str, **options: Any) -> TaskReport:
    return airflow.run("around", task_id, **options)


def said(report: TaskReport) -> list[str]:
    """What the author's code and the runtime have said around the body, in order."""
    return [record["event"] for record in report.log if record["logger"] in ("author.around", "task")]


# ── params ────────────────────────────────────────────────────────────────────────────────────────────────────────


def with_conf(**conf: Any) -> dict[str, Any]:
    return {"dag_run": {"conf": conf}, "should_retry": True}


def test_a_param_of_the_task_itself_comes_before_the_dags(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "reads_params", context=with_conf(rows=5))
    assert (report.outcome, report.pushed) == (SUCCEEDED, {"return_value": {"rows": 5, "where": "south"}})


def test_a_param_that_nobody_gives_fails_the_task_and_is_named(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "wants_a_param", context=with_conf())
    assert report.outcome == RETRIED
    [error, *_] = report.record(level="error")["error_detail"]
    assert error["exc_type"] == "ParamValidationError"
    assert "key" in error["exc_value"]


def test_params_are_left_alone_where_airflow_is_configured_so(airflow: AirflowSupervisor) -> None:
    off = {"AIRFLOW__CORE__DAG_RUN_CONF_OVERRIDES_PARAMS": "False"}
    report = run(airflow, "reads_params", context=with_conf(rows=5), environment=off)
    assert report.pushed == {"return_value": {"rows": 3, "where": "south"}}


# ── time limits and being stopped ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("task_id", "should_retry", "outcome"),
    [("takes_too_long", False, FAILED), ("takes_too_long", True, RETRIED), ("takes_too_long_to_await", False, FAILED)],
)
def test_a_body_that_takes_too_long_is_interrupted_and_tidies_up(
    airflow: AirflowSupervisor, task_id: str, should_retry: bool, outcome: object
) -> None:
    report = run(airflow, task_id, context={"should_retry": should_retry})
    assert report.outcome == outcome
    assert said(report)[0] == "left its desk tidy"
    assert report.record(level="error")["error_detail"][0]["exc_type"] == "AirflowTaskTimeout"


def test_a_time_limit_is_told_to_a_supervisor_that_has_a_message_for_it(
    airflow: AirflowSupervisor, airflow_version: str
) -> None:
    report = run(airflow, "is_quick_enough")
    assert (report.outcome, report.pushed) == (SUCCEEDED, {"return_value": "in time"})
    asked = (
        ["SetXCom", "SucceedTask"]
        if airflow_version.startswith("3.3.")
        else ["SetExecutionTimeout", "SetXCom", "SucceedTask"]
    )
    assert report.record(event="the task ends")["requests"] == len(asked)


def test_the_supervisor_stops_a_body_that_hears_no_alarm(airflow: AirflowSupervisor, airflow_version: str) -> None:
    if airflow_version.startswith("3.3."):
        pytest.skip("the supervisor of Airflow 3.3 is told of no time limit")
    report = run(airflow, "hears_no_alarm", cleanup_time=1)
    assert report.outcome == FAILED
    assert report.record(event="Task did not stop before execution_timeout elapsed; terminating process")
    assert report.record(event="left its desk tidy")


def test_what_a_task_has_started_elsewhere_is_ended_when_its_time_is_up(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "has_too_much_elsewhere")
    assert report.outcome == FAILED
    assert report.told == ["PUT /variables/started", "PUT /variables/ended_elsewhere", STATE]


def test_what_a_task_has_started_elsewhere_is_ended_when_it_must_not_run_any_more(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "has_something_elsewhere", terminate_after="PUT /variables/started", heartbeat_interval=0.2)
    assert report.raised is None
    assert str(report.final_state).lower() == "server_terminated"
    assert report.told[:2] == ["PUT /variables/started", "PUT /variables/ended_elsewhere"]
    assert report.record(event="left its desk tidy")


# ── hooks and log groups ──────────────────────────────────────────────────────────────────────────────────────────


def test_hooks_are_called_around_the_body_each_side_in_a_group_of_the_log(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "hooked")
    assert (report.outcome, report.pushed) == (SUCCEEDED, {"return_value": "result"})
    assert said(report) == [
        *("::group::Pre Execute", "before hooked", "its own before", "::endgroup::"),
        "the body",
        *("::group::Post Execute", "after, with result", "its own after, with result", "::endgroup::"),
    ]


@pytest.mark.parametrize(
    ("task_id", "should_retry", "outcome"),
    [
        ("is_stopped_before", False, FAILED),
        ("is_stopped_before", True, RETRIED),
        ("is_skipped_before", True, SKIPPED),
    ],
)
def test_what_a_hook_before_the_body_raises_decides_and_the_body_does_not_run(
    airflow: AirflowSupervisor, task_id: str, should_retry: bool, outcome: object
) -> None:
    report = run(airflow, task_id, context={"should_retry": should_retry})
    assert report.outcome == outcome
    assert "the body" not in said(report)


def test_a_hook_after_the_body_that_raises_fails_the_task_and_nothing_is_stored(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "fails_after")
    assert (report.outcome, report.pushed) == (FAILED, {})


# ── callbacks ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("task_id", "should_retry", "outcome", "callback", "error"),
    [
        ("succeeds", False, SUCCEEDED, "on_success_callback", "NoneType"),
        ("raises", False, FAILED, "on_failure_callback", "ConnectionError"),
        ("raises", True, RETRIED, "on_retry_callback", "ConnectionError"),
        ("raises_for_good", True, FAILED, "on_failure_callback", "AirflowFailException"),
        ("has_nothing_to_do", True, SKIPPED, "on_skipped_callback", "NoneType"),
    ],
)
def test_the_callback_of_the_state_is_called_with_the_exception_and_no_other(
    airflow: AirflowSupervisor, task_id: str, should_retry: bool, outcome: object, callback: str, error: str
) -> None:
    report = run(airflow, task_id, context={"should_retry": should_retry})
    assert report.outcome == outcome
    bodies = {name: report.bodies(f"PUT /variables/{name}") for name in CALLBACKS}
    called = {name: each["val"] for name, calls in bodies.items() for each in calls}
    assert called == {"on_execute_callback": f"{task_id}: NoneType", callback: f"{task_id}: {error}"}


def test_a_callback_is_called_after_the_report(airflow: AirflowSupervisor) -> None:
    """As natively. Other ends than a success may be told later: the supervisor keeps them until the process has ended."""
    assert run(airflow, "succeeds").told[-2:] == [STATE, "PUT /variables/on_success_callback"]


def test_a_callback_that_raises_is_told_in_the_log_and_keeps_nobody_from_being_called(
    airflow: AirflowSupervisor,
) -> None:
    report = run(airflow, "has_a_broken_callback")
    assert report.outcome == SUCCEEDED
    assert report.told == [STATE, "PUT /variables/on_success_callback"]
    assert "'fails' raised an exception" in report.record(level="error")["event"]
