"""Params and retry policies under the real supervisor, and params as Airflow itself judges and reads them."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.sdk.test_param_schema import VALUES, schemas, verdict

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

RECORDER = Path(__file__).parents[2] / "src" / "outboard" / "_tools" / "record_params.py"

# Importing Airflow takes seconds on a slow machine.
JUDGE_SECONDS = 120

MANY = 500


def test_airflow_gives_the_verdicts_that_we_give_on_schemas_and_values_of_any_kind(
    airflow_python: Path, tmp_path: Path
) -> None:
    cases: list[tuple[Any, Any]] = []

    @settings(max_examples=MANY, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(schemas(), VALUES)
    def collect(schema: Any, value: Any) -> None:
        # What Airflow gets is JSON, and so shall be what we judge.
        cases.append(json.loads(json.dumps((schema, value))))

    collect()
    ours = [verdict(schema, value) for schema, value in cases]
    theirs = judged_by_airflow(airflow_python, tmp_path, cases)
    assert [(*case, our, their) for case, our, their in zip(cases, ours, theirs, strict=True) if our != their] == []
    assert set(theirs) == set("+-?")


def judged_by_airflow(python: Path, home: Path, cases: list[tuple[Any, Any]]) -> list[str]:
    done = subprocess.run(
        [python, RECORDER, "--judge"],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        timeout=JUDGE_SECONDS,
        env={"AIRFLOW_HOME": str(home)},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    verdicts: list[str] = json.loads(done.stdout.splitlines()[-1])
    return verdicts


# ── params of a run ───────────────────────────────────────────────────────────────────────────────────────────────────


def with_conf(conf: dict[str, Any] | None, **context: Any) -> dict[str, Any]:
    return {"dag_run": {"conf": conf}, **context}


def returned(report: TaskReport) -> Any:
    assert report.outcome == (0, "success", ["success"])
    (value,) = report.bodies("POST /xcoms/choices/live/returns_its_params/return_value")
    return value


def test_a_task_gets_the_declared_values(airflow: AirflowSupervisor) -> None:
    value = returned(airflow.run("choices", "returns_its_params", context=with_conf(None)))
    assert value == {"limit": 3, "params": {"day": "2024-01-31", "code": "ab", "limit": 3, "place": "here"}}


def test_a_task_gets_the_values_of_the_runs_conf_in_their_place(airflow: AirflowSupervisor) -> None:
    conf = {"limit": 5, "code": "ac", "place": "there", "more": [1]}
    value = returned(airflow.run("choices", "returns_its_params", context=with_conf(conf)))
    assert value == {"limit": 5, "params": {"day": "2024-01-31", **conf}}


def test_a_conf_that_does_not_fit_fails_the_task_with_one_clear_error(airflow: AirflowSupervisor) -> None:
    report = airflow.run("choices", "returns_its_params", context=with_conf({"day": "31.1.2024"}))
    assert report.outcome == (0, "failed", ["failed"])
    assert report.told == ["PATCH /task-instances/{id}/state"]
    (error,) = report.record(event="the task raised an exception")["error_detail"]
    assert (error["exc_type"], error["exc_value"]) == (
        "ParamValidationError",
        "task 'returns_its_params' of Dag 'choices': param 'day': '31.1.2024' is not a date, which is written YYYY-MM-DD",
    )


# ── retry policies ────────────────────────────────────────────────────────────────────────────────────────────────────


def raises(airflow: AirflowSupervisor, kind: str, **context: Any) -> dict[str, Any]:
    """What the API is told of a task that raises that, where a retry is allowed."""
    report = airflow.run("choices", "raises", context=with_conf({"kind": kind}, should_retry=True, **context))
    (state,) = report.states
    assert report.raised is None
    told: dict[str, Any] = state
    return told


def test_a_rule_changes_the_delay_and_gives_a_reason(airflow: AirflowSupervisor) -> None:
    told = raises(airflow, "refused")
    assert (told["state"], told["retry_delay_seconds"], told["retry_reason"]) == ("up_for_retry", 90.0, "busy")


def test_a_reason_is_masked_and_then_cut(airflow: AirflowSupervisor) -> None:
    assert raises(airflow, "secret")["retry_reason"] == "r" * 495 + "***" + "rr"


def test_a_rule_ends_the_retries(airflow: AirflowSupervisor) -> None:
    assert raises(airflow, "malformed")["state"] == "failed"


def test_without_a_rule_the_task_is_tried_again_as_ever(airflow: AirflowSupervisor) -> None:
    told = raises(airflow, "wrong")
    assert (told["state"], told.get("retry_delay_seconds"), told.get("retry_reason")) == ("up_for_retry", None, None)


def test_a_rule_puts_the_task_off_until_its_bound(airflow: AirflowSupervisor) -> None:
    told = raises(airflow, "forbidden", task_reschedule_count=1)
    assert told["state"] == "up_for_reschedule"
    put_off = datetime.fromisoformat(told["reschedule_date"]) - datetime.fromisoformat(told["end_date"])
    assert put_off == timedelta(minutes=7)
    told = raises(airflow, "forbidden", task_reschedule_count=2)
    reason = "Reschedule limit reached (max_reschedules=2): not yet"
    assert (told["state"], told["retry_reason"]) == ("up_for_retry", reason)
