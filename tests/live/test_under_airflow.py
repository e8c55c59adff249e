"""A packed file under the real supervisor of an unmodified Airflow. What counts is what the Execution API was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

XCOMS = "/xcoms/outcomes/live"
WAREHOUSE = {"conn_type": "postgres", "host": "db.example", "port": 5432, "login": "reader", "password": "s3cret"}

SUCCEEDED = (0, "success", ["success"])
FAILED = (0, "failed", ["failed"])
RETRIED = (0, "up_for_retry", ["up_for_retry"])

# Nothing was told: the supervisor's own inference is left to Airflow's scheduler.
LEFT_TO_THE_SCHEDULER: list[str] = []

# The design's own number. A runtime that simply leaves loses the race in one run of three, or of sixty: it varies.
MANY = 200


def run(airflow: AirflowSupervisor, task_id: str, **options: object) -> TaskReport:
    return airflow.run("outcomes", task_id, **options)


# ── being found ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_airflow_finds_the_packed_file_by_its_dag_id(airflow: AirflowSupervisor) -> None:
    found = airflow.find("outcomes")
    assert found == {"path": str(airflow.executables / "outcomes"), "schema_version": "2026-06-16"}


def test_airflow_finds_no_file_for_a_dag_that_was_not_packed(airflow: AirflowSupervisor) -> None:
    assert "cannot find executable bundle" in airflow.find("someone_elses")["error"]


# ── how a task ends ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_returned_value_is_stored_before_success_is_told(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "returns_a_value")
    assert report.outcome == SUCCEEDED
    assert report.told == [f"POST {XCOMS}/returns_a_value/return_value", "PATCH /task-instances/{id}/state"]
    assert report.bodies(report.told[0]) == [{"rows": 3, "names": ["a", "b"], "share": 0.5}]
    assert report.states[0]["task_outlets"] == report.states[0]["outlet_events"] == []


def test_a_task_that_returns_nothing_stores_nothing(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "returns_nothing")
    assert report.outcome == SUCCEEDED
    assert report.told == ["PATCH /task-instances/{id}/state"]


def test_a_coroutine_task_stores_what_it_returns(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "awaits")
    assert report.outcome == SUCCEEDED
    assert report.bodies(f"POST {XCOMS}/awaits/return_value") == ["awaited"]


def test_a_registered_handler_runs_for_a_stub_task(airflow: AirflowSupervisor) -> None:
    report = airflow.run("handlers", "doubles")
    assert report.outcome == SUCCEEDED
    assert report.bodies("POST /xcoms/handlers/live/doubles/return_value") == [42]


def test_an_exception_is_a_failure_with_its_traceback_in_the_log(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "raises")
    assert report.outcome == FAILED
    [error] = report.record(level="error")["error_detail"]
    assert (error["exc_type"], error["exc_value"]) == ("ValueError", "the third row is wrong")
    assert error["frames"][-1]["name"] == "raises"


def test_an_exception_is_retried_when_the_server_allows_it(airflow: AirflowSupervisor) -> None:
    assert run(airflow, "raises", context={"should_retry": True}).outcome == RETRIED


@pytest.mark.parametrize("should_retry", [False, True])
def test_failing_for_good_is_never_retried(airflow: AirflowSupervisor, should_retry: bool) -> None:
    assert run(airflow, "fails_for_good", context={"should_retry": should_retry}).outcome == FAILED


def test_skipping_is_told_as_such(airflow: AirflowSupervisor) -> None:
    assert run(airflow, "skips").outcome == (0, "skipped", ["skipped"])


def test_a_polite_exit_is_a_failure_all_the_same(airflow: AirflowSupervisor) -> None:
    """``sys.exit(0)`` in a body: Airflow's own runner fails it too."""
    assert run(airflow, "exits_politely").outcome == FAILED


def test_a_polite_exit_is_retried_when_the_server_allows_it(airflow: AirflowSupervisor) -> None:
    assert run(airflow, "exits_politely", context={"should_retry": True}).outcome == RETRIED


def test_a_value_that_cannot_be_stored_fails_with_its_path(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "returns_an_object")
    assert report.outcome == FAILED
    assert report.told == ["PATCH /task-instances/{id}/state"]
    assert "return_value.rows[1]" in report.record(level="error")["event"]


def test_a_value_that_the_server_refuses_fails_the_task(airflow: AirflowSupervisor) -> None:
    refusal = [500, {"detail": {"reason": "broken", "message": "no room"}}]
    report = run(airflow, "returns_a_value", answers={"POST /xcoms/*": refusal})
    assert report.outcome == FAILED


def test_a_task_that_the_bundle_lacks_is_removed(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "was_never_written")
    assert report.outcome == (0, "removed", ["removed"])
    assert "was_never_written" in report.record(level="error")["event"]


@pytest.mark.parametrize(("should_retry", "outcome"), [(False, FAILED), (True, RETRIED)])
def test_a_file_that_does_not_import_says_so_in_the_task_log(
    airflow: AirflowSupervisor, should_retry: bool, outcome: object
) -> None:
    gone = {"LIBRARY_IS_GONE": "1"}
    report = airflow.run("fragile", "runs", environment=gone, context={"should_retry": should_retry})
    assert report.outcome == outcome
    assert "a_library_that_is_gone" in str(report.record(level="error"))


# ── ends that the runtime has no say in ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("task_id", "exit_code"), [("exits_rudely", 7), ("kills_itself", -9)])
@pytest.mark.parametrize(
    ("should_retry", "final_state", "told"),
    [(False, "failed", ["failed"]), (True, "up_for_retry", LEFT_TO_THE_SCHEDULER)],
)
def test_a_process_that_dies_is_judged_by_its_exit_code(
    airflow: AirflowSupervisor, task_id: str, exit_code: int, should_retry: bool, final_state: str, told: list[str]
) -> None:
    # What is killed leaves nothing to wake the supervisor with, so it may notice only at its next heartbeat.
    report = run(airflow, task_id, context={"should_retry": should_retry}, heartbeat_interval=1)
    assert report.outcome == (exit_code, final_state, told)


def test_a_success_that_the_server_does_not_take_is_left_to_the_supervisor(airflow: AirflowSupervisor) -> None:
    """The supervisor keeps the report and tries again when the process has ended; a failure of ours would overrule it."""
    broken = [500, {"detail": {"reason": "broken", "message": "try later"}}]
    report = run(airflow, "returns_nothing", answers={"PATCH */state": broken})
    assert report.exit_code == 0
    assert {state["state"] for state in report.states} == {"success"}


def test_a_task_that_must_not_run_any_more_is_interrupted_and_tidies_up(airflow: AirflowSupervisor) -> None:
    """A heartbeat is answered with 409, and SIGTERM follows: the body's ``finally`` runs, and no SIGKILL is needed."""
    report = run(airflow, "waits", terminate_after="PUT /variables/started", heartbeat_interval=0.2)
    assert report.raised is None
    assert report.final_state is not None
    assert report.final_state.lower() == "server_terminated"  # in capitals before Airflow 3.4
    assert report.exit_code != -9
    assert report.record(event="left its desk tidy")["level"] == "info"


def test_no_task_ends_late(airflow: AirflowSupervisor) -> None:
    """Airflow's supervisor sleeps through a heartbeat interval if the last descriptor closes just before the process ends."""
    late = next((number for number in range(MANY) if run(airflow, "returns_a_value").stalled), None)
    assert late is None


# ── what a task asks for ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_variable_is_read_and_an_absent_one_has_its_default(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "reads_a_variable", variables={"region": "north"})
    assert report.outcome == SUCCEEDED
    assert report.told[:2] == ["GET /variables/region", "GET /variables/absent"]
    assert report.bodies(f"POST {XCOMS}/reads_a_variable/return_value") == [["north", "nothing"]]


def test_an_absent_variable_without_a_default_fails_the_task(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "reads_an_absent_variable")
    assert report.outcome == FAILED
    assert "absent" in str(report.record(level="error"))


def test_a_variable_is_written(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "sets_a_variable")
    assert report.outcome == SUCCEEDED
    assert report.bodies("PUT /variables/cursor") == [{"val": "2026-01-02", "description": None}]


def test_a_connection_is_read(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "reads_a_connection", connections={"warehouse": WAREHOUSE})
    assert report.outcome == SUCCEEDED
    assert report.bodies(f"POST {XCOMS}/reads_a_connection/return_value") == [["db.example", 5432, "reader", 6]]


def test_an_argument_is_the_stored_value_of_the_task_upstream(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "takes_a_value", xcoms={"returns_a_value/return_value": {"rows": 41}})
    assert report.outcome == SUCCEEDED
    assert report.bodies(f"POST {XCOMS}/takes_a_value/return_value") == [42]


def test_a_value_is_pushed_by_hand(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "pushes_by_hand")
    assert report.outcome == SUCCEEDED
    assert report.bodies(f"POST {XCOMS}/pushes_by_hand/count") == [7]


def test_the_context_is_that_of_the_run(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "reads_its_context", map_index=2)
    [call] = [call for call in report.calls if call.method == "POST"]
    assert report.outcome == SUCCEEDED
    assert call.body == ["live", "reads_its_context", 2, "2026-01-01"]
    assert call.params["map_index"] == "2"


def test_values_of_an_earlier_try_are_cleared_before_the_body_runs(airflow: AirflowSupervisor) -> None:
    """Airflow 3.3 leaves this to the runtime."""
    old = {"returns_a_value/return_value": 1, "returns_a_value/old": 2}
    context = {"xcom_keys_to_clear": ["return_value", "old"]}
    report = run(airflow, "returns_a_value", xcoms=old, context=context)
    path = f"{XCOMS}/returns_a_value"
    assert report.outcome == SUCCEEDED
    assert report.told[:3] == [f"DELETE {path}/return_value", f"DELETE {path}/old", f"POST {path}/return_value"]


# ── what a task says ──────────────────────────────────────────────────────────────────────────────────────────────


def of_the_author(report: TaskReport) -> list[dict[str, object]]:
    """The log without the runtime's own words at the start and the end."""
    return [record for record in report.log if record["logger"] != "outboard"]


def test_everything_that_a_task_says_stands_in_the_log_in_order(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "logs")
    said = [(record["logger"], record["level"], record["event"]) for record in of_the_author(report)]
    assert said == [
        ("author.outcomes", "info", "two rows"),
        ("author.outcomes", "warning", "three"),
        ("task.stdout", "info", "four"),
        ("author.outcomes", "error", "five"),
        ("task.stderr", "error", "six"),
        ("author.outcomes", "critical", "seven"),
    ]
    assert report.record(event="two rows")["rows"] == 2


@pytest.mark.parametrize(
    "configuration",
    [
        {"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"},
        {"AIRFLOW__LOGGING__NAMESPACE_LEVELS": "author=DEBUG"},
    ],
    ids=["everywhere", "for one namespace"],
)
def test_the_configured_level_decides_what_is_logged(airflow: AirflowSupervisor, configuration: dict[str, str]) -> None:
    report = run(airflow, "logs", environment=configuration)
    assert report.record(event="one row")["level"] == "debug"


def test_a_namespace_can_be_quieter_than_the_rest(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "logs", environment={"AIRFLOW__LOGGING__NAMESPACE_LEVELS": "author.outcomes=ERROR"})
    assert [record["event"] for record in of_the_author(report)] == ["four", "five", "six", "seven"]


def test_a_logged_exception_has_its_traceback(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "logs_an_exception")
    [error] = report.record(event="caught")["error_detail"]
    assert (error["exc_type"], error["exc_value"]) == ("KeyError", "'month'")


def test_structlog_events_keep_their_fields(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "logs_with_structlog")
    record = report.record(event="loaded")
    assert report.outcome == SUCCEEDED
    assert (record["level"], record["rows"], record["source"]) == ("info", 3, "a file")


def test_what_a_command_of_the_task_prints_is_logged(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "runs_a_command")
    assert report.outcome == SUCCEEDED
    assert report.record(event="from a child")["logger"] == "task.stdout"
