"""A Dag with stub tasks in a whole Airflow: scheduler, Dag processor, API server, LocalExecutor; handlers in a packed file.

One run of one Dag has all of it. What counts is what the REST API says afterwards.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live.rest_api import RestApi

if TYPE_CHECKING:
    from tests.live.deployment import Deployment
    from tests.live.rest_api import DagRun

pytestmark = pytest.mark.live

DEPLOYED = Path(__file__).with_name("deployed")

# Measured: 12 to 16 s for 23 tasks, alone on the machine.
RUN_SECONDS = 90

TIDE_TABLES = {
    **{"conn_type": "http", "host": "tides.example", "port": 8443, "login": "pilot", "password": "s3cret-tide"},
    "extra": '{"zone": "north"}',
}


@pytest.fixture(scope="module")
def api(deployment: Deployment) -> RestApi:
    return RestApi(deployment)


@pytest.fixture(scope="module")
def run(api: RestApi, deployed_dags: Path) -> DagRun:
    """The one run, ended."""
    api.set_variable("home_port", "Bergen")
    api.set_variable("draught", '{"metres": 3.5}')
    api.add_connection("tide_tables", **TIDE_TABLES)
    shutil.copy(DEPLOYED / "voyage_dag.py", deployed_dags)
    api.wait_for_dag("voyage")
    return api.run("voyage", RUN_SECONDS)


# ── states ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_task_ends_in_its_state(run: DagRun) -> None:
    assert run.states == {
        "soundings": "success",
        "finds_the_deepest": "success",
        "log_book": "success",
        "reads_settings": "success",
        "awaits": "success",
        "succeeds_at_the_second_try": "success",
        "is_killed_at_the_first_try": "success",
        "speaks": "success",
        "looks_around": "success",
        "raises": "failed",
        "fails_for_good": "failed",
        "skips": "skipped",
        "follows_the_skipped": "skipped",
        "was_never_written": "removed",
    }


def test_a_failed_task_fails_the_run(run: DagRun) -> None:
    assert run.state == "failed"


def test_nothing_that_was_deployed_is_an_import_error(api: RestApi, run: DagRun) -> None:
    """Airflow 3.4 also parses the bundle, which holds handlers and no Dag."""
    assert api.import_errors() == []


@pytest.mark.parametrize(
    ("task_id", "tries"),
    [
        ("finds_the_deepest", 1),
        ("succeeds_at_the_second_try", 2),
        ("is_killed_at_the_first_try", 2),
        ("raises", 1),
        ("fails_for_good", 1),
        ("skips", 1),
    ],
)
def test_a_task_is_tried_as_often_as_it_takes(run: DagRun, task_id: str, tries: int) -> None:
    assert run.tasks[task_id]["try_number"] == tries


# ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_native_tasks_value_reaches_a_handler_and_the_handlers_a_native_task(run: DagRun) -> None:
    assert run.xcom("log_book") == "Ålesund, 06:30: 7.25 m"


def test_a_value_that_a_handler_pushed_by_hand_is_stored(run: DagRun) -> None:
    assert run.xcom("finds_the_deepest", "how_many") == 3


def test_a_handler_reads_variables_and_a_connection(run: DagRun) -> None:
    assert run.xcom("reads_settings") == {
        "port": "Bergen",
        "draught": 3.5,
        "absent": "nothing",
        "tide": ["tides.example", 8443, "pilot", len("s3cret-tide"), "north"],
    }


def test_a_variable_that_a_handler_sets_is_there_for_all(api: RestApi, run: DagRun) -> None:
    assert api.variable("last_port") == "Bergen"


def test_a_coroutine_handlers_value_is_stored(run: DagRun) -> None:
    assert run.xcom("awaits") == ["port", "starboard"]


@pytest.mark.parametrize("task_id", ["succeeds_at_the_second_try", "is_killed_at_the_first_try"])
def test_a_retried_handler_knows_its_try(run: DagRun, task_id: str) -> None:
    assert run.xcom(task_id) == 2


def test_a_handler_finds_neither_airflow_nor_its_secrets(run: DagRun) -> None:
    assert run.xcom("looks_around") == {"secrets": [], "modules": ["outboard"]}


# ── logs ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("event", "level", "logger"),
    [
        ("ahoy, Ålesund", "info", "task.stdout"),
        ("man overboard", "error", "task.stderr"),
        ("12 knots", "info", "voyage"),
        ("rocks ahead", "warning", "voyage"),
        ("aground", "error", "voyage"),
        ("abandon ship", "critical", "voyage"),
        ("bearing", "info", "voyage.bridge"),
        ("from the engine room", "info", "task.stdout"),
        ("no chart", "error", "voyage"),
    ],
)
def test_what_a_handler_says_is_read_back_with_its_level(run: DagRun, event: str, level: str, logger: str) -> None:
    record = run.log("speaks").record(event)
    assert (record["level"], record["logger"]) == (level, logger)


def test_fields_are_read_back_with_their_record(run: DagRun) -> None:
    log = run.log("speaks")
    assert log.record("12 knots")["knots"] == 12
    assert log.record("bearing")["degrees"] == 270


def test_what_is_below_the_configured_level_is_not_logged(run: DagRun) -> None:
    assert "not to be heard" not in [record["event"] for record in run.log("speaks").records]


def test_a_logged_exception_is_read_back_with_its_traceback(run: DagRun) -> None:
    [error] = run.log("speaks").record("no chart")["error_detail"]
    assert (error["exc_type"], error["exc_value"]) == ("KeyError", "'chart'")
    assert error["frames"][-1]["name"] == "speaks"


def test_the_exception_of_a_failed_handler_is_read_back_with_its_cause(run: DagRun) -> None:
    record = run.log("raises").record("the task raised an exception")
    assert [error["exc_type"] for error in record["error_detail"]] == ["LookupError", "ValueError"]
    assert record["error_detail"][0]["frames"][-1]["filename"].endswith("voyage_handlers.py")


def test_each_try_has_a_log_of_its_own(run: DagRun) -> None:
    first, second = (run.log("succeeds_at_the_second_try", number) for number in (1, 2))
    assert "the lock was closed" in str(first.records)
    assert "the lock was closed" not in str(second.records)


def test_what_a_handler_said_before_it_was_killed_is_read_back(run: DagRun) -> None:
    assert run.log("is_killed_at_the_first_try", 1).record("about to sink")["level"] == "info"


def test_a_stub_task_without_a_handler_says_so(run: DagRun) -> None:
    assert "the bundle has no task 'was_never_written' of Dag 'voyage'" in str(run.log("was_never_written").records)


def test_a_connections_password_is_in_no_log(run: DagRun) -> None:
    assert "s3cret-tide" not in str(
        [run.log(task_id).records for task_id in run.tasks if run.tasks[task_id]["try_number"]]
    )


# ── what only a native task gets ──────────────────────────────────────────────────────────────────────────────────
#
# docs/how-to/what-a-bundle-does-not-get.md says so. Where one of these fails, a bundle has come to get it: say that there.


@pytest.fixture(scope="module")
def errand(api: RestApi, deployed_dags: Path) -> DagRun:
    """A run in which each thing is asked for by a native task and by a handler."""
    for name in ("beside_the_dag.py", "errand_dag.py"):
        shutil.copy(DEPLOYED / name, deployed_dags)
    api.wait_for_dag("errand")
    return api.run("errand", RUN_SECONDS)


def test_a_bundle_finds_what_is_in_it_and_none_of_the_workers_modules(errand: DagRun) -> None:
    assert errand.xcom("natively_finds")["modules"] == ["airflow", "library_of_the_worker", "beside_the_dag"]
    assert errand.xcom("finds")["modules"] == []


def test_a_variable_in_the_servers_environment_is_for_all_and_one_in_the_workers_for_native_tasks(
    errand: DagRun,
) -> None:
    assert errand.xcom("natively_finds")["variables"] == ["of_the_worker", "of_the_server"]
    assert errand.xcom("finds")["variables"] == ["of_the_server"]


def test_nobody_enforces_the_execution_timeout_of_a_stub_task(errand: DagRun) -> None:
    assert (errand.states["natively_overruns"], errand.states["overruns"]) == ("failed", "success")


def test_nobody_calls_the_callbacks_of_a_stub_task(api: RestApi, errand: DagRun) -> None:
    assert (errand.states["natively_fails"], errand.states["fails"]) == ("failed", "failed")
    assert api.variable("called_back_by_natively_fails") == "yes"
    assert api.variable("called_back_by_fails") is None


def test_the_outlets_of_a_stub_task_have_no_events(api: RestApi, errand: DagRun) -> None:
    assert (errand.states["natively_delivers"], errand.states["delivers"]) == ("success", "success")
    assert (api.asset_events("delivered_natively"), api.asset_events("delivered")) == (1, 0)


# ── what comes of an end that the report does not match ───────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def rude(api: RestApi, deployed_dags: Path) -> DagRun:
    shutil.copy(DEPLOYED / "rude_dag.py", deployed_dags)
    api.wait_for_dag("rude")
    return api.run("rude", RUN_SECONDS)


@pytest.mark.parametrize(
    ("task_id", "state", "tries", "state_in_3_4", "tries_in_3_4"),
    [
        ("says_nothing", "failed", 1, "failed", 1),
        ("says_nothing_with_a_retry", "failed", 2, "failed", 2),
        ("succeeds_and_exits_with_7", "success", 1, "success", 1),
        ("succeeds_and_exits_with_7_with_a_retry", "success", 1, "success", 1),
        ("skips_and_exits_with_7", "failed", 1, "skipped", 1),
        ("skips_and_exits_with_7_with_a_retry", "failed", 2, "skipped", 1),
        ("fails_for_good_and_exits_with_7", "failed", 1, "failed", 1),
        ("fails_for_good_and_exits_with_7_with_a_retry", "failed", 2, "failed", 1),
    ],
)
def test_a_task_whose_exit_code_belies_its_report_ends_as_airflow_sees_it(
    rude: DagRun, airflow_version: str, task_id: str, state: str, tries: int, state_in_3_4: str, tries_in_3_4: int
) -> None:
    task = rude.tasks[task_id]
    expected = (state, tries) if airflow_version.startswith("3.3.") else (state_in_3_4, tries_in_3_4)
    assert (task["state"], task["try_number"]) == expected
