"""A Dag of a bundle in a whole Airflow: tasks in every state that scheduler, triggerer and API server have a part in.

Airflow 3.3 schedules it from the file that `outboard airflow stub` writes, 3.4 from the bundle itself. What counts is what the
REST API says afterwards.
"""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from tests.live.conftest import pack
from tests.live.rest_api import RestApi

if TYPE_CHECKING:
    from tests.live.deployment import Deployment
    from tests.live.rest_api import DagRun

pytestmark = pytest.mark.live

PASSAGE = Path(__file__).with_name("deployed") / "passage.py"

# To ask a bundle for its Dags takes a fraction of a second.
STUB_SECONDS = 60

# Measured: 20 to 30 s, alone on the machine; a triggerer and the workers start meanwhile.
RUN_SECONDS = 300

PASSWORD = "s3cret-of-the-harbour"


@pytest.fixture(scope="module")
def api(deployment: Deployment) -> RestApi:
    deployment.start("triggerer")
    return RestApi(deployment)


@pytest.fixture(scope="module")
def dag_id(api: RestApi, deployment: Deployment, deployed_dags: Path, minor_version: str) -> str:
    """The Dag of the bundle, deployed."""
    assert deployment.executables is not None
    bundle = deployment.executables / "passage"
    pack(PASSAGE, bundle, airflow=minor_version)
    if minor_version == "3.3":
        outboard = Path(sys.executable).with_name("outboard")
        command = [outboard, "airflow", "stub", bundle, "-o", deployed_dags / "passage_dag.py"]
        subprocess.run(command, check=True, capture_output=True, timeout=STUB_SECONDS)
    api.add_connection("harbour_office", conn_type="http", login="pilot", password=PASSWORD)
    for dag_id in ("harbour", "passage"):
        api.wait_for_dag(dag_id)
    return "passage"


@attrs.frozen
class Course:
    """The one run, ended, and what the pilot was asked meanwhile."""

    run: DagRun
    question: dict[str, Any]


@pytest.fixture(scope="module")
def course(api: RestApi, dag_id: str) -> Course:
    """Trigger the one run, answer what the pilot is asked, and wait for the end."""
    run_id = api.trigger(dag_id)
    api.wait_for_task(dag_id, run_id, "asks_the_pilot", "awaiting_input", RUN_SECONDS)
    question = api.question(dag_id, run_id, "asks_the_pilot")
    api.answer(dag_id, run_id, "asks_the_pilot", "north", depth=7.5)
    return Course(api.wait_for_run(dag_id, run_id, RUN_SECONDS), question)


@pytest.fixture(scope="module")
def run(course: Course) -> DagRun:
    return course.run


def test_each_task_ends_in_its_state(run: DagRun) -> None:
    assert run.states == {
        "chooses_a_course": "success",
        "sails_north": "success",
        "sails_south": "skipped",
        "looks_at_the_sky": "success",
        "sets_all_sails": "skipped",
        "looks_out_in_vain": "skipped",
        "signals": "success",
        "runs_aground": "failed",
        "watches_for_the_light": "success",
        "watches_in_vain": "failed",
        "waits_for_the_tide": "success",
        "waits_for_nobody": "failed",
        "waits_for_too_long": "failed",
        "asks_the_pilot": "success",
        "asks_a_pilot_ashore": "success",
        "asks_nobody": "failed",
        "calls_at_the_harbour": "success",
        "signs_the_log": "failed",
    }


@pytest.mark.parametrize(
    ("task_id", "states"),
    [
        ("sails_north", ["running", "success"]),
        ("sails_south", []),
        ("sets_all_sails", []),
        ("looks_out_in_vain", ["running", "skipped"]),
        ("signals", ["running", "up_for_retry", "running", "success"]),
        ("runs_aground", ["running", "failed"]),
        ("watches_for_the_light", ["running", "up_for_reschedule", "running", "success"]),
        ("waits_for_the_tide", ["running", "deferred", "running", "success"]),
        ("waits_for_nobody", ["running", "deferred", "running", "failed"]),
        ("waits_for_too_long", ["running", "deferred", "running", "failed"]),
        ("asks_the_pilot", ["running", "awaiting_input", "update_hitl_detail", "running", "success"]),
        ("asks_a_pilot_ashore", ["running", "awaiting_input", "running", "success"]),
        ("asks_nobody", ["running", "awaiting_input", "running", "failed"]),
        ("calls_at_the_harbour", ["running", "deferred", "running", "success"]),
    ],
)
def test_a_task_comes_into_one_state_after_the_other(run: DagRun, task_id: str, states: list[str]) -> None:
    assert run.history(task_id) == states


# ── retries and looking again ─────────────────────────────────────────────────────────────────────────────────────


def test_a_retry_comes_after_the_delay_of_the_policy_not_of_the_task(run: DagRun) -> None:
    """With the task's own delay, an hour, the run would not have ended yet."""
    first, second = run.tries("signals")
    assert (first["state"], second["state"]) == ("failed", "success")
    assert (datetime.fromisoformat(second["start_date"]) - datetime.fromisoformat(first["end_date"])).seconds >= 1


def test_a_policy_ends_the_retries(run: DagRun) -> None:
    assert run.tasks["runs_aground"]["try_number"] == 1


def test_the_reason_of_a_retry_is_read_back_where_the_api_tells_it(run: DagRun, airflow_version: str) -> None:
    first, _ = run.tries("signals")
    assert first.get("state_reason") == (None if airflow_version.startswith("3.3.") else "a calm")


def test_a_sensor_that_is_put_off_uses_up_no_try(run: DagRun) -> None:
    assert run.tasks["watches_for_the_light"]["try_number"] == 1


def test_a_sensors_time_is_up_after_several_looks(run: DagRun) -> None:
    assert run.history("watches_in_vain")[:2] == ["running", "up_for_reschedule"]
    assert "AirflowSensorTimeout" in str(run.log("watches_in_vain").records)


# ── waiting ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_resumed_task_gets_the_triggers_event_and_what_it_left_for_itself(run: DagRun) -> None:
    value = run.xcom("waits_for_the_tide")
    assert {name: each["__data__"]["timestamp"] for name, each in value.items()} == {
        "event": datetime(2026, 1, 1, tzinfo=UTC).timestamp(),
        "since": datetime(2026, 1, 2, tzinfo=UTC).timestamp(),
    }


def test_the_log_of_a_task_that_waited_has_what_its_trigger_said(run: DagRun) -> None:
    events = [record["event"] for record in run.log("waits_for_the_tide").records]
    assert "trigger starting" in events
    assert events.count("the task starts") == 2


@pytest.mark.parametrize(
    ("task_id", "error"), [("waits_for_nobody", "TaskDeferralError"), ("waits_for_too_long", "TaskDeferralTimeout")]
)
def test_a_trigger_that_fails_or_takes_too_long_fails_the_task(run: DagRun, task_id: str, error: str) -> None:
    assert run.log(task_id).record("the task raised an exception")["error_detail"][0]["exc_type"] == error


# ── asking a human ────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_question_stands_in_the_api_as_the_task_has_put_it(course: Course) -> None:
    asked = {name: course.question[name] for name in ("subject", "options", "defaults", "response_received")}
    assert asked == {
        "subject": "Which way?",
        "options": ["north", "south"],
        "defaults": None,
        "response_received": False,
    }
    assert course.question["params"]["depth"]["value"] == 3


def test_an_answer_through_the_api_is_the_tasks_value(run: DagRun) -> None:
    value = run.xcom("asks_the_pilot")
    assert (value["chosen_options"], value["params_input"]) == (["north"], {"depth": 7.5})
    assert value["responded_by_user"]["name"]


def test_the_default_is_the_answer_when_nobody_answers_in_time(run: DagRun) -> None:
    value = run.xcom("asks_a_pilot_ashore")
    assert (value["chosen_options"], value["params_input"], value["responded_by_user"]) == (
        ["south"],
        {"depth": 3},
        None,
    )


def test_a_question_without_a_default_fails_when_nobody_answers_in_time(run: DagRun) -> None:
    record = run.log("asks_nobody").record("the task raised an exception")
    assert record["error_detail"][0]["exc_type"] == "HITLTimeoutError"


# ── runs of other Dags ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_that_a_task_asked_for_gets_its_conf_and_the_task_waits_for_it(api: RestApi, run: DagRun) -> None:
    assert run.xcom("calls_at_the_harbour", "trigger_run_id") == "for_water"
    called = api.wait_for_run("harbour", "for_water", RUN_SECONDS)
    assert (called.state, called.xcom("is_called_at")) == ("success", 7)


# ── secrets ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_secret_is_masked_in_the_stored_log(run: DagRun) -> None:
    log = run.log("signs_the_log")
    assert log.record("the password is ***")["logger"] == "task.stdout"
    assert log.record("the task raised an exception")["error_detail"][0]["exc_value"] == "*** was refused"


def test_a_secret_is_in_no_file_of_airflows(run: DagRun, deployment: Deployment) -> None:
    files = [path for path in (deployment.home / "logs").rglob("*") if path.is_file()]
    assert any("task_id=signs_the_log" in str(path) for path in files)
    assert [path for path in files if PASSWORD.encode() in path.read_bytes()] == []


# ── being cleared ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_a_branch_has_skipped_stays_skipped_when_it_is_cleared(api: RestApi, run: DagRun, dag_id: str) -> None:
    """Without the branch being cleared too. The scheduler looks for the branch's decision."""
    run_id = run.tasks["sails_south"]["dag_run_id"]
    api.clear(dag_id, run_id, "sails_south", "sets_all_sails")
    again = api.wait_for_run(dag_id, run_id, RUN_SECONDS)
    assert (again.states["sails_south"], again.states["sets_all_sails"]) == ("skipped", "skipped")
    assert again.history("sails_south") == again.history("sets_all_sails") == []
