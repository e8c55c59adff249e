"""The tasks that the live tests run under Airflow's supervisor, out of the same files, under ours."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from outboard.protocol import messages as m
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.ports import XComKey
from tests.supervisor.author_bundles import RUN, Packed, pack_author_files
from tests.supervisor.conftest import startup

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return pack_author_files(tmp_path_factory.mktemp("packed"), "outcomes", "handlers", "fragile", "choices")


@pytest.fixture
def packed(bundles: dict[str, Path]) -> Packed:
    return Packed(bundles)


# ── how a task ends ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_returned_value_is_stored_and_the_task_succeeds(packed: Packed) -> None:
    done = await packed.run("outcomes", "returns_a_value")
    assert (done.state, done.xcoms) == (
        "success",
        {"return_value": {"rows": 3, "names": ["a", "b"], "share": 0.5}},
    )


async def test_a_task_that_returns_nothing_stores_nothing(packed: Packed) -> None:
    done = await packed.run("outcomes", "returns_nothing")
    assert (done.state, done.xcoms) == ("success", {})


async def test_a_coroutine_task_stores_what_it_returns(packed: Packed) -> None:
    done = await packed.run("outcomes", "awaits")
    assert (done.state, done.xcoms) == ("success", {"return_value": "awaited"})


async def test_a_registered_handler_runs_for_a_stub_task(packed: Packed) -> None:
    done = await packed.run("handlers", "doubles")
    assert (done.state, done.xcoms) == ("success", {"return_value": 42})


@pytest.mark.parametrize("task_id", ["raises", "exits_politely", "returns_an_object"])
@pytest.mark.parametrize(("should_retry", "state"), [(False, "failed"), (True, "up_for_retry")])
async def test_whatever_is_raised_is_a_failure_or_a_retry(
    packed: Packed, task_id: str, should_retry: bool, state: str
) -> None:
    assert (await packed.run("outcomes", task_id, should_retry=should_retry)).state == state


@pytest.mark.parametrize("should_retry", [False, True])
async def test_failing_for_good_is_never_retried(packed: Packed, should_retry: bool) -> None:
    assert (await packed.run("outcomes", "fails_for_good", should_retry=should_retry)).state == "failed"


async def test_skipping_is_told_as_such(packed: Packed) -> None:
    done = await packed.run("outcomes", "skips")
    assert (done.state, done.said("task")) == ("skipped", [("info", "skipped: nothing to do")])


async def test_a_task_that_the_bundle_lacks_is_removed(packed: Packed) -> None:
    assert (await packed.run("outcomes", "was_never_written")).state == "removed"


@pytest.mark.parametrize(("should_retry", "state"), [(False, "failed"), (True, "up_for_retry")])
async def test_a_file_that_does_not_import_says_so_in_the_task_log(
    packed: Packed, should_retry: bool, state: str
) -> None:
    gone = {"LIBRARY_IS_GONE": "1"}
    done = await packed.run("fragile", "runs", should_retry=should_retry, environment=gone)
    assert done.state == state
    [(level, text)] = done.said("task")
    assert (level, "a_library_that_is_gone" in text) == ("error", True)


@pytest.mark.parametrize("task_id", ["exits_rudely", "kills_itself"])
@pytest.mark.parametrize(("should_retry", "state"), [(False, "failed"), (True, "up_for_retry")])
async def test_a_process_that_dies_is_a_failure_or_a_retry(
    packed: Packed, task_id: str, should_retry: bool, state: str
) -> None:
    assert (await packed.run("outcomes", task_id, should_retry=should_retry)).state == state


# ── what a task asks for ──────────────────────────────────────────────────────────────────────────────────────────


async def test_a_variable_is_read_and_an_absent_one_has_its_default(packed: Packed) -> None:
    packed.store = LocalStore(variables={"region": "north"})
    done = await packed.run("outcomes", "reads_a_variable")
    assert done.xcoms == {"return_value": ["north", "nothing"]}


async def test_an_absent_variable_without_a_default_fails_the_task(packed: Packed) -> None:
    assert (await packed.run("outcomes", "reads_an_absent_variable")).state == "failed"


async def test_a_variable_is_written(packed: Packed) -> None:
    assert (await packed.run("outcomes", "sets_a_variable")).state == "success"
    stored = await packed.store.variables.get("cursor")
    assert stored is not None
    assert stored.value == "2026-01-02"


async def test_a_connection_is_read(packed: Packed) -> None:
    warehouse = m.ConnectionResult(
        **{"conn_id": "warehouse", "conn_type": "postgres", "host": "db.example", "port": 5432},
        **{"login": "reader", "password": "s3cret", "schema": None, "extra": None},
    )
    packed.store = LocalStore(connections={"warehouse": warehouse})
    done = await packed.run("outcomes", "reads_a_connection")
    assert done.xcoms == {"return_value": ["db.example", 5432, "reader", 6]}


async def test_an_argument_is_the_stored_value_of_the_task_upstream(packed: Packed) -> None:
    await packed.run("outcomes", "returns_a_value")
    done = await packed.run("outcomes", "takes_a_value")
    assert done.xcoms == {"return_value": 4}


async def test_a_value_is_pushed_by_hand(packed: Packed) -> None:
    assert (await packed.run("outcomes", "pushes_by_hand")).xcoms == {"count": 7}


async def test_the_context_is_that_of_the_run(packed: Packed) -> None:
    done = await packed.run("outcomes", "reads_its_context")
    assert done.xcoms == {"return_value": [RUN, "reads_its_context", -1, "2026-01-01"]}


async def test_values_of_an_earlier_try_are_cleared_before_the_body_runs(packed: Packed) -> None:
    old = XComKey(dag_id="outcomes", run_id=RUN, task_id="returns_nothing", key="old")
    await packed.store.xcoms.set(old, -1, 2, is_dag_result=False)
    done = await packed.run("outcomes", "returns_nothing", xcom_keys_to_clear=["old"])
    assert (done.state, done.xcoms) == ("success", {})


# ── what a task says ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_everything_that_a_task_says_stands_in_the_log_in_order(packed: Packed) -> None:
    done = await packed.run("outcomes", "logs")
    said = [(record["logger"], record["level"], record["event"]) for record in done.logs.kept]
    assert [entry for entry in said if entry[0] != "outboard"] == [
        ("author.outcomes", "info", "two rows"),
        ("author.outcomes", "warning", "three"),
        ("task.stdout", "info", "four"),
        ("author.outcomes", "error", "five"),
        ("task.stderr", "error", "six"),
        ("author.outcomes", "critical", "seven"),
    ]


async def test_a_logged_exception_has_its_traceback(packed: Packed) -> None:
    done = await packed.run("outcomes", "logs_an_exception")
    [caught] = [record for record in done.logs.kept if record["event"] == "caught"]
    [error] = caught["exception"]
    assert (error["exc_type"], error["exc_value"]) == ("KeyError", "'month'")


# ── params and retry policies ─────────────────────────────────────────────────────────────────────────────────────────


def with_conf(conf: dict[str, Any] | None) -> m.DagRun:
    run = startup().ti_context.dag_run
    run.dag_id, run.conf = "choices", conf
    return run


@pytest.mark.parametrize("conf", [None, {"limit": 5, "code": "ac", "place": "there", "more": [1]}])
async def test_a_task_gets_the_values_of_the_runs_conf_and_else_the_declared_ones(
    packed: Packed, conf: dict[str, Any] | None
) -> None:
    ended = await packed.run("choices", "returns_its_params", dag_run=with_conf(conf))
    declared = {"day": "2024-01-31", "code": "ab", "limit": 3, "place": "here"}
    values = {**declared, **(conf or {})}
    assert (ended.state, ended.xcoms) == ("success", {"return_value": {"limit": values["limit"], "params": values}})


async def test_a_conf_that_does_not_fit_fails_the_task_with_one_clear_error(packed: Packed) -> None:
    ended = await packed.run("choices", "returns_its_params", dag_run=with_conf({"code": "b"}))
    assert (ended.state, ended.xcoms) == ("failed", {})
    (record,) = [record for record in ended.logs.kept if record["logger"] == "task"]
    assert record["exception"][0]["exc_value"] == (
        "task 'returns_its_params' of Dag 'choices': param 'code': 'b' does not match '^a'"
    )


@pytest.mark.parametrize(
    ("kind", "reschedules", "state", "delay", "reason"),
    [
        ("refused", 0, "up_for_retry", 90.0, "busy"),
        ("malformed", 0, "failed", None, None),
        ("wrong", 0, "up_for_retry", None, None),
        ("secret", 0, "up_for_retry", None, "r" * 495 + "***" + "rr"),
        ("forbidden", 1, "up_for_reschedule", None, None),
        ("forbidden", 2, "up_for_retry", None, "Reschedule limit reached (max_reschedules=2): not yet"),
    ],
)
async def test_a_retry_policy_decides_by_what_was_raised(
    packed: Packed, kind: str, reschedules: int, state: str, delay: float | None, reason: str | None
) -> None:
    ended = await packed.run(
        "choices",
        "raises",
        should_retry=True,
        dag_run=with_conf({"kind": kind}),
        task_reschedule_count=reschedules,
    )
    told = ended.terminal
    assert (ended.state, getattr(told, "retry_delay_seconds", None)) == (state, delay)
    assert getattr(told, "retry_reason", None) == reason
    if isinstance(told, m.RescheduleTask):
        assert told.reschedule_date - told.end_date == timedelta(minutes=7)
