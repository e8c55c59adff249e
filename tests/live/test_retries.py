"""What a task's retry policy makes of a failure, under the real supervisor: what the Execution API was told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

FAILED = (0, "failed", ["failed"])
RETRIED = (0, "up_for_retry", ["up_for_retry"])
PUT_OFF = (0, "up_for_reschedule", ["up_for_reschedule"])

# As much of a reason as Airflow keeps.
MAX_REASON = 500


def run(
    airflow: AirflowSupervisor, task_id: str, raised: str = "ValueError", *, should_retry: bool = True, **context: Any
) -> TaskReport:
    context |= {"should_retry": should_retry, "max_tries": 3, "dag_run": {"conf": {"raised": raised}}}
    warehouse = {"conn_type": "http", "login": "reader", "password": "pass-of-the-warehouse"}
    return airflow.run("retries", task_id, try_number=2, context=context, connections={"warehouse": warehouse})


def retry_of(report: TaskReport) -> tuple[float | None, str | None]:
    """The delay in seconds and the reason that were told with a retry."""
    assert report.outcome == RETRIED
    return report.state["retry_delay_seconds"], report.state["retry_reason"]


# ── by exception ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_policy_delay_and_growth_are_left_to_the_server(airflow: AirflowSupervisor) -> None:
    assert retry_of(run(airflow, "without_a_policy")) == (None, None)


@pytest.mark.parametrize(
    ("raised", "told"),
    [
        ("ConnectionError", (90, "the other side sleeps")),
        ("BrokenPipeError", (90, "the other side sleeps")),  # which is a ConnectionError
        ("TimeoutError", (None, "Matched rule for TimeoutError")),
        ("ValueError", (None, None)),  # which no rule is about
    ],
)
def test_the_rule_for_the_exception_gives_delay_and_reason(
    airflow: AirflowSupervisor, raised: str, told: tuple[float | None, str | None]
) -> None:
    assert retry_of(run(airflow, "by_exception", raised)) == told


def test_a_rule_that_says_so_fails_the_task_whatever_retries_are_left(airflow: AirflowSupervisor) -> None:
    assert run(airflow, "by_exception", "PermissionError").outcome == FAILED


@pytest.mark.parametrize("raised", ["ConnectionError", "ValueError"])
def test_a_policy_gives_no_retry_that_the_server_does_not_allow(airflow: AirflowSupervisor, raised: str) -> None:
    assert run(airflow, "by_exception", raised, should_retry=False).outcome == FAILED


def test_a_policy_is_not_asked_about_a_failure_for_good(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "is_told", "AirflowFailException")
    assert report.outcome == FAILED
    assert not any("policy" in record["event"] for record in report.log)


# ── being put off ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("should_retry", [False, True])
def test_a_policy_can_put_the_task_off_without_a_retry(airflow: AirflowSupervisor, should_retry: bool) -> None:
    report = run(airflow, "by_exception", "BlockingIOError", should_retry=should_retry, task_reschedule_count=1)
    assert report.outcome == PUT_OFF
    dates = [datetime.fromisoformat(report.state[name]) for name in ("end_date", "reschedule_date")]
    assert timedelta(minutes=50) < dates[1] - dates[0] <= timedelta(hours=1)


@pytest.mark.parametrize(("should_retry", "outcome"), [(False, FAILED), (True, RETRIED)])
def test_a_task_that_was_put_off_often_enough_is_retried_or_fails(
    airflow: AirflowSupervisor, should_retry: bool, outcome: object
) -> None:
    report = run(airflow, "by_exception", "BlockingIOError", should_retry=should_retry, task_reschedule_count=2)
    assert report.outcome == outcome


# ── policies of the author's own ──────────────────────────────────────────────────────────────────────────────────


def test_a_policy_is_told_of_the_exception_the_try_and_the_context(airflow: AirflowSupervisor) -> None:
    assert retry_of(run(airflow, "is_told")) == (None, "ValueError 2 3 is_told")


@pytest.mark.parametrize(("task_id", "told"), [("leaves_it_alone", (None, None)), ("breaks", (None, None))])
def test_a_policy_that_decides_nothing_or_breaks_leaves_it_to_the_server(
    airflow: AirflowSupervisor, task_id: str, told: object
) -> None:
    assert retry_of(run(airflow, task_id)) == told


def test_a_policy_that_breaks_is_told_in_the_log(airflow: AirflowSupervisor) -> None:
    errors = run(airflow, "breaks").records(level="error")
    assert "the policy is wrong itself" in str([record["error_detail"] for record in errors])


def test_a_reason_is_cut_to_what_airflow_keeps_and_that_is_told_in_the_log(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "talks_too_much")
    _, reason = retry_of(report)
    assert reason is not None
    assert (len(reason), set(reason)) == (MAX_REASON, {"ä"})
    assert str(MAX_REASON) in report.record(level="warning")["event"]


def test_a_reason_tells_no_secret(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "tells_a_secret")
    assert retry_of(report) == (None, "no login with ***")
    assert "pass-of-the-warehouse" not in str(report.log)


def test_the_reason_of_a_failure_is_told_where_there_is_a_place_for_it(
    airflow: AirflowSupervisor, airflow_version: str
) -> None:
    report = run(airflow, "fails_for_a_reason")
    assert report.outcome == FAILED
    assert report.state.get("retry_reason") == (None if airflow_version.startswith("3.3.") else "never again")
    assert any("never again" in record["event"] for record in report.log)
