"""A task that asks for a run of another Dag: what it asks for, and how it judges the run."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from outboard import Context, DagRunState, TriggerDagRunOperator
from outboard.protocol import serde
from outboard.sdk.exceptions import AirflowException, AirflowRuntimeError, DagRunTriggerException
from outboard.sdk.trigger_dag_run import DagIsPaused
from tests.recorded import FIXTURES
from tests.sdk.conftest import World

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def wanted(**arguments: Any) -> DagRunTriggerException:
    with pytest.raises(DagRunTriggerException) as raised:
        TriggerDagRunOperator(task_id="t", **{"trigger_dag_id": "other", **arguments}).execute(Context())
    return raised.value


def test_unless_told_otherwise_the_run_is_of_now_and_not_waited_for(world: World) -> None:
    asked = wanted()
    assert (asked.trigger_dag_id, asked.dag_run_id) == ("other", "manual__2026-01-01T00:00:00+00:00")
    assert (asked.logical_date, asked.run_after, asked.conf, asked.note) == (world.time, None, None, None)
    assert (asked.reset_dag_run, asked.skip_when_already_exists) == (False, False)
    assert (asked.wait_for_completion, asked.deferrable, asked.poke_interval) == (False, False, 60)
    assert (asked.allowed_states, asked.failed_states) == (["success"], ["failed"])


def test_what_is_asked_for_is_what_was_given(world: World) -> None:
    arguments = {
        **{"reset_dag_run": True, "skip_when_already_exists": True, "wait_for_completion": True, "deferrable": True},
        **{"poke_interval": 5, "note": "by hand", "logical_date": NOON, "run_after": NOON + timedelta(hours=1)},
    }
    asked = wanted(
        trigger_run_id="mine",
        conf={"rows": 3},
        allowed_states=[DagRunState.SUCCESS, "failed"],
        failed_states=[],
        **arguments,
    )
    assert {name: getattr(asked, name) for name in arguments} == arguments
    assert (asked.dag_run_id, asked.conf) == ("mine", {"rows": 3})
    assert (asked.allowed_states, asked.failed_states) == (["success", "failed"], [])


@pytest.mark.parametrize(
    ("arguments", "run_id"),
    [
        ({"logical_date": NOON}, "manual__2026-01-31T12:00:00+00:00"),
        ({"logical_date": NOON, "run_after": NOON + timedelta(hours=1)}, "manual__2026-01-31T13:00:00+00:00"),
        ({"logical_date": "2026-01-31T12:00:00Z"}, "manual__2026-01-31T12:00:00+00:00"),
        ({"logical_date": "2026-01-31"}, "manual__2026-01-31T00:00:00+00:00"),
        ({"logical_date": NOON.astimezone(timezone(timedelta(hours=2)))}, "manual__2026-01-31T14:00:00+02:00"),
    ],
)
def test_an_id_is_made_of_the_dates_in_airflows_form(arguments: dict[str, Any], run_id: str, world: World) -> None:
    assert wanted(**arguments).dag_run_id == run_id


def test_a_run_without_a_logical_date_has_an_id_that_is_nobody_elses(world: World) -> None:
    first, second = wanted(run_after=NOON), wanted(run_after=NOON)
    assert first.logical_date is None
    assert first.dag_run_id.startswith("manual__2026-01-31T12:00:00+00:00_")
    assert first.dag_run_id != second.dag_run_id
    assert wanted(logical_date=None).dag_run_id.startswith("manual__2026-01-01T00:00:00+00:00_")


@pytest.mark.parametrize("conf", [{1: [2, (3,)]}, '{"1": [2, [3]]}'])
def test_conf_is_what_json_makes_of_it(conf: Any, world: World) -> None:
    assert wanted(conf=conf).conf == {"1": [2, [3]]}


def test_the_deployment_says_where_to_wait_unless_the_author_does(world: World) -> None:
    world.options["operators", "default_deferrable"] = True
    assert wanted().deferrable is True
    assert wanted(deferrable=False).deferrable is False


def test_a_paused_dag_can_be_a_failure(world: World) -> None:
    world.paused = {"other": True, "running": False}
    operator = TriggerDagRunOperator(task_id="t", trigger_dag_id="other", fail_when_dag_is_paused=True)
    with pytest.raises(DagIsPaused, match="the Dag 'other' is paused"):
        operator.execute(Context())
    assert wanted(trigger_dag_id="running", fail_when_dag_is_paused=True).trigger_dag_id == "running"
    assert wanted().trigger_dag_id == "other"
    with pytest.raises(AirflowRuntimeError):
        TriggerDagRunOperator(task_id="t", trigger_dag_id="gone", fail_when_dag_is_paused=True).execute(Context())


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"poke_interval": -1}, ValueError, "task 't': poke_interval is a number of seconds from 0, not -1"),
        ({"allowed_states": ["done"]}, ValueError, "task 't': allowed_states: 'done' is no state of a run"),
        ({"failed_states": "failed"}, TypeError, "task 't': failed_states is a list of states, not 'failed'"),
    ],
)
def test_a_wrong_argument_is_an_error_where_it_is_given(
    arguments: dict[str, Any], kind: type[Exception], text: str
) -> None:
    with pytest.raises(kind, match=text):
        TriggerDagRunOperator(task_id="t", trigger_dag_id="other", **arguments)


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        ({"trigger_dag_id": 5}, TypeError, "a trigger_dag_id is a string, not 5"),
        ({"conf": {"a": {1}}}, ValueError, "conf is a dict that JSON has a form for, or JSON, not"),
        ({"conf": {"a": float("nan")}}, ValueError, "conf is a dict that JSON has a form for, or JSON, not"),
        ({"conf": "{"}, ValueError, "conf is a dict that JSON has a form for, or JSON, not '{'"),
        ({"conf": [1]}, ValueError, r"conf is a dict, not \[1\]"),
        ({"logical_date": "noon"}, ValueError, "logical_date is a datetime or ISO 8601 text, such as .*, not 'noon'"),
        ({"run_after": 5}, TypeError, "run_after is a datetime or ISO 8601 text, not 5"),
        (
            {"run_after": NOON.replace(tzinfo=None)},
            ValueError,
            "run_after is a datetime with a time zone, and .* has none",
        ),
    ],
)
def test_a_wrong_value_is_an_error_when_the_task_runs(
    arguments: dict[str, Any], kind: type[Exception], text: str, world: World
) -> None:
    operator = TriggerDagRunOperator(task_id="t", **{"trigger_dag_id": "other", **arguments})
    with pytest.raises(kind, match=text):
        operator.execute(Context())


# ── after a wait ──────────────────────────────────────────────────────────────────────────────────────────────────────

OPERATOR = TriggerDagRunOperator(task_id="t", trigger_dag_id="other")


@pytest.mark.parametrize("version", ["3.3", "3.4"])
def test_the_event_of_airflows_trigger_ends_the_task(version: str, world: World) -> None:
    recorded = json.loads((FIXTURES / "sdk" / f"resumptions-{version}.json").read_text())["the run of another Dag"]
    OPERATOR.resume_execution("execute_complete", serde.deserialize(recorded["next_kwargs"]), Context())
    assert world.said == [("info", "the run 'r9' of the Dag 'other' ended success")]


def test_a_run_that_has_failed_fails_the_task(world: World) -> None:
    event = ("path", {"run_ids": ["r8", "r9"], "r8": "success", "r9": "failed"})
    with pytest.raises(AirflowException, match="the run 'r9' of the Dag 'other' ended failed"):
        OPERATOR.execute_complete(Context(), event)


@pytest.mark.parametrize(
    "event",
    [None, "success", {}, ("path", {}), ("path", {"run_ids": ["r9"]}), ("path", {"run_ids": ["r9"], "r9": "queued"})],
)
def test_an_event_that_tells_of_no_end_is_no_success(event: Any, world: World) -> None:
    with pytest.raises(AirflowException, match=r"does not say which run has ended|ended unknown|ended queued"):
        OPERATOR.execute_complete(Context(), event)
