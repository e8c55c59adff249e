"""Airflow reads the Dags that we serialise."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from outboard.runtime.dag_serde import serialize_dag
from tests.runtime.test_dag_serde import FILES, declared

RECORDER = Path(__file__).parents[2] / "src" / "outboard" / "_tools" / "record_sdk.py"

# Importing Airflow takes seconds on a slow machine.
LOAD_SECONDS = 120


@pytest.mark.live
def test_airflow_reads_our_dags_as_it_reads_its_own(airflow_python: Path, tmp_path: Path) -> None:
    """By its schema and its own deserialiser: ids, edges, retries, rules, timetables and dates come out alike."""
    theirs = [dag for entry in FILES for dag in entry["dags"]]
    ours = [
        serialize_dag(dag)
        for entry in FILES
        for dag in sorted(declared(entry["source"]).dags, key=lambda dag: dag.dag_id)
    ]
    assert loaded_by_airflow(airflow_python, tmp_path, ours) == loaded_by_airflow(airflow_python, tmp_path, theirs)


def loaded_by_airflow(python: Path, home: Path, dags: list[dict[str, Any]]) -> Any:
    done = subprocess.run(
        [python, RECORDER, "--load"],
        input=json.dumps(dags),
        capture_output=True,
        text=True,
        timeout=LOAD_SECONDS,
        env={"AIRFLOW_HOME": str(home), "AIRFLOW__CORE__UNIT_TEST_MODE": "False"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])
