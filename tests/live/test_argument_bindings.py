"""What a stub task is called with in its Dag reaches its handler, from Airflow 3.4 on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.live.version import AIRFLOW_VERSION

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(AIRFLOW_VERSION.startswith("3.3"), reason="Airflow 3.3 sends no arguments of stub tasks"),
]

ROWS = {"name": "rows", "kind": "xcom", "task_id": "extract"}
WEIGHT = {"name": "weight", "kind": "literal", "value": 10}
FORGOTTEN = {"name": "colour", "kind": "literal", "value": "red"}


def run(airflow: AirflowSupervisor, *bindings: dict[str, Any]) -> TaskReport:
    return airflow.run(
        "called", "sums", context={"arg_bindings": list(bindings)}, xcoms={"extract/return_value": [1, 2, 3]}
    )


def test_values_and_results_reach_the_handler_by_name(airflow: AirflowSupervisor) -> None:
    report = run(airflow, ROWS, WEIGHT)
    assert report.outcome == (0, "success", ["success"])
    assert report.bodies("POST /xcoms/called/live/sums/return_value") == [[60, "none"]]


def test_a_default_of_the_stubs_counts_as_what_was_given(airflow: AirflowSupervisor) -> None:
    label = {"name": "label", "kind": "literal", "value": "of the stub", "from_default": True}
    report = run(airflow, ROWS, label, {**FORGOTTEN, "from_default": True})
    assert report.bodies("POST /xcoms/called/live/sums/return_value") == [[6, "of the stub"]]


def test_an_argument_without_a_parameter_fails_the_task_and_is_named(airflow: AirflowSupervisor) -> None:
    report = run(airflow, ROWS, FORGOTTEN)
    assert report.outcome == (0, "failed", ["failed"])
    assert "is given 'colour' by its Dag" in str(report.record(level="error"))
