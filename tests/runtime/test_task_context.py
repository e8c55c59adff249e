"""Params of a task in a real process: what its body sees, and what the supervisor is told when they are wrong."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from outboard.protocol import messages as m
from tests.runtime.child import Child, startup

DECLARED = """
from outboard import Param, dag, get_current_context, task

@dag(params={"day": Param("2024-01-31", format="date"), "limit": Param(3, type="integer", minimum=1), "free": None})
def example(region="eu"):
    @task(params={"free": "own"})
    def body(place, params):
        import sys
        assert get_current_context()["params"] is params
        return [params, place, "jsonschema" in sys.modules]
    body([region])

example()
"""

PLAIN = """
from outboard import dag, task

@dag
def example():
    @task
    def body(params):
        import sys
        return [params, sorted(name for name in sys.modules if "param" in name)]
    body()

example()
"""


def run(folder: Path, source: str, conf: dict[str, Any] | None, **options: Any) -> tuple[Any, Child]:
    greeting = startup("body")
    greeting.ti_context.dag_run.conf = conf
    with Child(folder, source, **options) as child:
        child.greet(greeting)
        report = child.serve()
        child.process.wait(30)
    return report, child


def returned(child: Child) -> Any:
    [value] = [request.value for request in child.requests if isinstance(request, m.SetXCom)]
    return value


def test_a_body_sees_the_declared_values(tmp_path: Path) -> None:
    _, child = run(tmp_path, DECLARED, None)
    values = {"day": "2024-01-31", "limit": 3, "free": "own", "region": "eu"}
    assert returned(child) == [values, ["eu"], False]


def test_a_body_sees_the_values_of_the_runs_conf_in_their_place(tmp_path: Path) -> None:
    _, child = run(tmp_path, DECLARED, {"limit": 5, "region": "us", "free": [1], "more": {"a": 1}})
    values = {"day": "2024-01-31", "limit": 5, "free": [1], "region": "us", "more": {"a": 1}}
    assert returned(child) == [values, ["us"], False]


def test_a_wrong_conf_fails_the_task_before_its_body_starts(tmp_path: Path) -> None:
    report, child = run(tmp_path, DECLARED, {"limit": 0})
    assert (report.state, [type(request).__name__ for request in child.requests]) == ("failed", ["TaskState"])
    (record,) = child.said()
    (error,) = record["exception"]
    assert (error["exc_type"], error["exc_value"]) == (
        "ParamValidationError",
        "task 'body' of Dag 'example': param 'limit': 0 is less than the minimum of 1",
    )


@pytest.mark.parametrize("off", ["False", "f", "0"])
def test_conf_overrides_nothing_where_airflow_is_configured_so(tmp_path: Path, off: str) -> None:
    environment = {**os.environ, "AIRFLOW__CORE__DAG_RUN_CONF_OVERRIDES_PARAMS": off}
    _, child = run(tmp_path, DECLARED, {"limit": 0}, env=environment)
    assert returned(child)[0]["limit"] == 3


def test_without_params_the_conf_is_all_there_is_and_nothing_is_loaded_for_it(tmp_path: Path) -> None:
    _, child = run(tmp_path, PLAIN, {"a": [1]})
    assert returned(child) == [{"a": [1]}, []]
    _, child = run(tmp_path, PLAIN, None)
    assert returned(child) == [{}, []]
