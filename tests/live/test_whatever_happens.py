"""Each way in which a task of a bundle can end under Airflow, and each way in which its report can be turned down.

What an author's code can still do to a process that has reported is Airflow's to judge; the rows say how it does. Those
that differ in Airflow 3.4 say so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

# A process that is killed leaves nothing behind to wake the supervisor with, so it may notice as late as this.
HEARTBEAT_SECONDS = 1

NO, YES = False, True
SIGKILL, SIGSEGV = -9, -11

# Left to the scheduler, which hears of the supervisor's own end.
NOTHING: list[str] = []


def end(airflow: AirflowSupervisor, report: str, code: int | None, *, should_retry: bool, **api: Any) -> TaskReport:
    context = {"should_retry": should_retry, "dag_run": {"conf": {"report": report, "exit": code}}}
    return airflow.run("ending", "ends", heartbeat_interval=HEARTBEAT_SECONDS, context=context, **api)


# ── exit code × report ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("report", "code", "should_retry", "final_state", "told", "told_by_3_4"),
    [
        # An exit code of 0 is a success to the supervisor, but nobody tells the server so: its scheduler fails the task.
        ("nothing", 0, NO, "success", NOTHING, NOTHING),
        ("nothing", 0, YES, "success", NOTHING, NOTHING),
        ("nothing", 7, NO, "failed", ["failed"], ["failed"]),
        ("nothing", 7, YES, "up_for_retry", NOTHING, NOTHING),
        ("nothing", SIGKILL, NO, "failed", ["failed"], ["failed"]),
        ("nothing", SIGKILL, YES, "up_for_retry", NOTHING, NOTHING),
        ("nothing", SIGSEGV, NO, "failed", ["failed"], ["failed"]),
        ("nothing", SIGSEGV, YES, "up_for_retry", NOTHING, NOTHING),
        # The server has the success, and refuses what comes after it.
        ("success", 0, NO, "success", ["success"], ["success"]),
        ("success", 7, NO, "failed", ["success", "failed"], ["success", "failed"]),
        ("success", 7, YES, "up_for_retry", ["success"], ["success"]),
        ("success", SIGKILL, NO, "failed", ["success", "failed"], ["success", "failed"]),
        ("success", SIGKILL, YES, "up_for_retry", ["success"], ["success"]),
        # Without a retry to offer, a failure is a failure whatever follows; with one, it was a RetryTask.
        ("failure", 0, NO, "failed", ["failed"], ["failed"]),
        ("failure", 7, NO, "failed", ["failed"], ["failed"]),
        ("failure", SIGKILL, NO, "failed", ["failed"], ["failed"]),
        ("failure", 0, YES, "up_for_retry", ["up_for_retry"], ["up_for_retry"]),
        ("failure", 7, YES, "up_for_retry", ["up_for_retry"], ["up_for_retry"]),
        ("failure", SIGKILL, YES, "up_for_retry", ["up_for_retry"], ["up_for_retry"]),
        # Airflow 3.3 forgets these reports when the exit code is not 0; the server then retries what was not to be retried.
        ("failure for good", 0, YES, "failed", ["failed"], ["failed"]),
        ("failure for good", 7, YES, "up_for_retry", NOTHING, ["failed"]),
        ("failure for good", SIGKILL, YES, "up_for_retry", NOTHING, ["failed"]),
        ("skip", 0, NO, "skipped", ["skipped"], ["skipped"]),
        ("skip", 7, NO, "failed", ["failed"], ["skipped"]),
        ("skip", 7, YES, "up_for_retry", NOTHING, ["skipped"]),
        ("skip", SIGKILL, NO, "failed", ["failed"], ["skipped"]),
    ],
)
def test_an_end_is_judged_by_the_report_and_by_the_exit_code(
    airflow: AirflowSupervisor,
    airflow_version: str,
    report: str,
    code: int,
    should_retry: bool,
    final_state: str,
    told: list[str],
    told_by_3_4: list[str],
) -> None:
    ended = end(airflow, report, code, should_retry=should_retry)
    assert ended.outcome == (code, final_state, told if airflow_version.startswith("3.3.") else told_by_3_4)


# ── reports that are turned down ──────────────────────────────────────────────────────────────────────────────────

REFUSALS = {
    404: {"detail": {"reason": "not_found", "message": "no such task instance"}},
    409: {"detail": {"reason": "invalid_state", "message": "it is not running", "previous_state": "failed"}},
    422: {"detail": [{"loc": ["body", "end_date"], "msg": "no date", "type": "missing"}]},
    500: {"detail": {"reason": "broken", "message": "try later"}},
}


def turned_down(airflow: AirflowSupervisor, report: str, status: int, *, should_retry: bool) -> TaskReport:
    answers = {"PATCH */state": [status, REFUSALS[status]]}
    return end(airflow, report, None, should_retry=should_retry, answers=answers)


def outcomes_told(report: TaskReport) -> set[str]:
    """The states that the server was told, however often. 3.4 also says when it has given up."""
    return {state["state"] for state in report.states} - {"server_terminated"}


@pytest.mark.parametrize("status", [404, 422, 500])
@pytest.mark.parametrize("should_retry", [NO, YES])
def test_a_success_that_is_turned_down_stays_a_success_and_is_told_again(
    airflow: AirflowSupervisor, status: int, should_retry: bool
) -> None:
    report = turned_down(airflow, "success", status, should_retry=should_retry)
    assert (report.raised, report.exit_code, report.final_state) == (None, 0, "success")
    assert [state["state"] for state in report.states] == ["success", "success"]
    assert "could not pass it on" in report.record(level="warning")["event"]


@pytest.mark.parametrize("report", ["success", "failure", "failure for good", "skip"])
@pytest.mark.parametrize("status", list(REFUSALS))
@pytest.mark.parametrize("should_retry", [NO, YES])
def test_no_report_that_is_turned_down_becomes_another_one(
    airflow: AirflowSupervisor, report: str, status: int, should_retry: bool
) -> None:
    meant = {"success": "success", "skip": "skipped", "failure for good": "failed"}.get(report)
    ended = turned_down(airflow, report, status, should_retry=should_retry)
    assert outcomes_told(ended) == {meant or ("up_for_retry" if should_retry else "failed")}


@pytest.mark.parametrize("status", list(REFUSALS))
def test_a_retry_that_is_turned_down_never_passes_for_a_success(airflow: AirflowSupervisor, status: int) -> None:
    """Airflow 3.3 judges by the exit code then; 3.4 raises, or says that the server has ended the task."""
    assert turned_down(airflow, "failure", status, should_retry=YES).final_state != "success"


# ── the worker's secrets ──────────────────────────────────────────────────────────────────────────────────────────

PLANTED = dict.fromkeys(
    [
        *("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__CORE__FERNET_KEY"),
        *("AIRFLOW__API__SECRET_KEY", "AIRFLOW__CELERY__BROKER_URL", "AIRFLOW__CELERY__RESULT_BACKEND"),
        *("AIRFLOW__SECRETS__BACKEND_KWARGS", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_CMD", "AIRFLOW_CONN_AIRFLOW_DB"),
    ],
    '{"p1anted": 1}',
)
FOR_TASKS = {"AIRFLOW_CONN_WAREHOUSE": '{"p1anted": 1}', "SERVICE_TOKEN": '{"p1anted": 1}'}


def test_the_workers_secrets_are_gone_before_the_authors_code_runs_and_what_is_for_tasks_is_not(
    airflow: AirflowSupervisor,
) -> None:
    report = airflow.run("surroundings", "tells_what_it_finds", environment={**PLANTED, **FOR_TASKS})
    [found] = report.bodies("POST /xcoms/surroundings/live/tells_what_it_finds/return_value")
    kept = sorted(FOR_TASKS)
    assert found == {"importing": kept, "running": kept, "forked": kept, "spawned": kept, "shell": kept}


def test_a_dump_of_the_environment_in_the_log_has_none_of_them(airflow: AirflowSupervisor) -> None:
    report = airflow.run("surroundings", "dumps_its_environment", environment=PLANTED)
    assert report.records(logger="task.stdout")
    assert "p1anted" not in str(report.log)


def test_a_task_that_asks_its_user_is_told_that_there_is_none(airflow: AirflowSupervisor) -> None:
    """stdin is the worker's own: a terminal, a service's, or here the pipe that gives it its jobs."""
    report = airflow.run("surroundings", "reads_stdin")
    assert report.bodies("POST /xcoms/surroundings/live/reads_stdin/return_value") == [""]
