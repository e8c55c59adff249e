"""What a real Airflow makes of a stub file is what the bundle itself says of its Dags."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import anyio
import pytest

from outboard.cli.asking import Contents, ask
from tests.airflow.breaking import DAGS, OUTBOARD, pack

pytestmark = pytest.mark.live

READER = Path(__file__).with_name("dag_bag_reader.py")
NIGHTLY = Path(__file__).parents[1] / "airflow" / "author_files" / "nightly.py"
QUEUE = "native"

# Importing Airflow takes seconds on a slow machine.
LOAD_SECONDS = 120

# What Airflow derives from the kind of operator, or from the file; a stub is of another kind and in another file. Callbacks
# are in the bundle, so the Dag processor must not look for them in the stub file.
OF_THE_OPERATOR = {
    *("_is_sensor", "reschedule", "has_on_failure_callback"),
    *("_needs_expansion", "_operator_name", "_task_module", "has_retry_policy", "is_stub", "multiple_outputs"),
    *("op_args", "op_kwargs", "python_callable_name", "task_type", "template_fields", "template_fields_renderers"),
}
OF_THE_FILE = {"_processor_dags_folder", "edge_info", "fileloc", "relative_fileloc"}


def task_fields(dag: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """All that is to be scheduled of each task, by id."""
    tasks = [task["__var"] for task in dag["tasks"]]
    return {task["task_id"]: {key: task[key] for key in sorted(task.keys() - OF_THE_OPERATOR)} for task in tasks}


def dag_fields(dag: dict[str, Any]) -> dict[str, Any]:
    """All that is to be scheduled of the Dag itself."""
    fields = {key: dag[key] for key in sorted(dag.keys() - OF_THE_FILE - {"tasks"})}
    return {**fields, "tags": sorted(fields.get("tags") or [])}


def read_by_airflow(python: Path, stubs: Path, home: Path) -> dict[str, dict[str, Any]]:
    done = subprocess.run(
        [python, READER, stubs],
        capture_output=True,
        text=True,
        timeout=LOAD_SECONDS,
        env={"AIRFLOW_HOME": str(home), "PATH": "/usr/bin:/bin"},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answer = json.loads(done.stdout)
    assert answer["import_errors"] == {}
    return answer["dags"]


@pytest.mark.parametrize("source", [NIGHTLY, DAGS / "hello.py"], ids=lambda path: path.stem)
def test_airflow_reads_the_bundles_own_dags_out_of_its_stub(source: Path, airflow_python: Path, tmp_path: Path) -> None:
    """Ids, edges, retries, delays, rules, queues, pools, dates and schedules."""
    bundle = pack(source, tmp_path / source.stem)
    stubs = tmp_path / "dags"
    stubs.mkdir()
    command = [OUTBOARD, "airflow", "stub", bundle, "-o", stubs / "stub.py", "--queue", QUEUE]
    subprocess.run(command, check=True, capture_output=True, timeout=LOAD_SECONDS)

    contents: Contents = anyio.run(ask, bundle, bundle)
    theirs = read_by_airflow(airflow_python, stubs, tmp_path / "home")
    assert theirs.keys() == contents.serialized.keys() | contents.handlers.keys()
    for dag_id, sent in contents.serialized.items():
        ours = sent["dag"]
        routed = {task_id: {"queue": QUEUE, **fields} for task_id, fields in task_fields(ours).items()}
        assert task_fields(theirs[dag_id]) == routed
        assert dag_fields(theirs[dag_id]) == dag_fields(ours)
    for dag_id, task_ids in contents.handlers.items():
        assert list(task_fields(theirs[dag_id])) == list(task_ids)
