"""Record what Airflow's own task process and its supervisor say to each other, as fixtures for our conversation.

::

    AIRFLOW/bin/python src/outboard/_tools/record_transcripts.py     # writes fixtures/transcripts/*.json

Runs native tasks under the real ``supervise_task`` inside an Airflow environment (``.ci/pins/airflow-3.3.2.txt``), which
has no outboard: this file imports nothing of it. Only the Execution API behind the supervisor is scripted. Each frame is
kept as it was written to the wire, with its sender. Ids and dates of a run differ from recording to recording.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID

TARGET = Path(__file__).resolve().parents[3] / "fixtures" / "transcripts"

DAG_BUNDLE = "recorded"
DAG_ID = "spoken"
EPOCH = "2026-01-01T00:00:00Z"
TI_ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")

DAG_FILE = """
from airflow.sdk import Connection, Variable, dag, get_current_context, task
from airflow.sdk.exceptions import AirflowRuntimeError


@dag(schedule=None)
def spoken():
    @task
    def asks():
        ti = get_current_context()["ti"]
        Variable.get("absent", default=None)
        Variable.set("region", Variable.get("region").upper())
        ti.xcom_push("host", Connection.get("warehouse").host)
        ti.xcom_pull(task_ids="earlier")
        return {"rows": [1, 2.5, None], "when": get_current_context()["dag_run"].run_after}

    @task(retries=2)
    def fails():
        raise ValueError("as it should")

    asks()
    fails()


spoken()
"""

# name of the transcript: (task, does the server grant a retry)
SCENES = {"asks": ("asks", False), "fails": ("fails", False), "retries": ("fails", True)}


def configure(home: Path) -> None:
    """Point Airflow at a home of its own. Before the first import of airflow."""
    (home / "spoken.py").write_text(DAG_FILE)
    dag_bundle = {
        "name": DAG_BUNDLE,
        "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
        "kwargs": {"path": str(home)},
    }
    os.environ.update(
        AIRFLOW_HOME=str(home),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__LOGGING__BASE_LOG_FOLDER=str(home / "logs"),
        AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST=json.dumps([dag_bundle]),
        AIRFLOW__WORKERS__EXECUTION_API_RETRIES="1",
    )


class ScriptedApi:
    """Answers the Execution API for one task instance."""

    def __init__(self, *, should_retry: bool) -> None:
        self.should_retry = should_retry
        self.variables = {"region": "north"}

    def answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        """The status and the JSON body for one call."""
        match [method, *path.strip("/").split("/")]:
            case ["PATCH", "task-instances", _, "run"]:
                return 200, self._run_context()
            case ["GET", "variables", key] if key in self.variables:
                return 200, {"key": key, "value": self.variables[key]}
            case ["PUT", "variables", key]:
                self.variables[key] = body["val"]
                return 201, {"message": "set"}
            case ["GET", "connections", conn_id]:
                return 200, {**dict.fromkeys(("schema", "login", "port", "extra")), **self._connection(conn_id)}
            case ["POST", "xcoms", *_]:
                return 201, {"message": "set"}
            case ["GET", "xcoms", *_, "slice"]:
                return 200, [42]
            case ["GET", "variables", *_]:
                return 404, {"detail": {"reason": "not_found", "message": "not found"}}
        return 204, None

    def _connection(self, conn_id: str) -> dict[str, Any]:
        return {"conn_id": conn_id, "conn_type": "postgres", "host": "db.example", "password": "swordfish"}

    def _run_context(self) -> dict[str, Any]:
        dates = ("logical_date", "data_interval_start", "data_interval_end", "run_after", "start_date")
        dag_run = {
            **{"dag_id": DAG_ID, "run_id": "manual__1", "run_type": "manual", "state": "running", "conf": {"k": [1]}},
            **{"consumed_asset_events": [], "partition_key": None, "end_date": None},
            **dict.fromkeys(dates, EPOCH),
        }
        lists: dict[str, Any] = {"variables": [], "connections": [], "xcom_keys_to_clear": []}
        counts = {"task_reschedule_count": 0, "max_tries": 2, "should_retry": self.should_retry}
        return {**lists, **counts, "dag_run": dag_run}


def tap_frames(tape: Path) -> None:
    """Keep every frame that this process, or a task process forked from it, encodes: both sides use one method."""
    comms: Any = importlib.import_module("airflow.sdk.execution_time.comms")
    supervisor_pid = os.getpid()
    as_bytes = comms._FrameMixin.as_bytes

    def tapped(frame: Any) -> Any:
        data = as_bytes(frame)
        line = {"from": "supervisor" if os.getpid() == supervisor_pid else "runtime", "frame": bytes(data).hex()}
        with tape.open("a") as file:
            file.write(json.dumps(line) + "\n")
        return data

    comms._FrameMixin.as_bytes = tapped


def play(task_id: str, *, should_retry: bool) -> None:
    """Run one task to its end under the real supervisor."""
    client_module: Any = importlib.import_module("airflow.sdk.api.client")
    models: Any = importlib.import_module("airflow.sdk.api.datamodels._generated")
    supervisor: Any = importlib.import_module("airflow.sdk.execution_time.supervisor")
    httpx = client_module.httpx
    api = ScriptedApi(should_retry=should_retry)

    def respond(request: Any) -> Any:
        body = json.loads(request.content) if request.content else None
        status, answer = api.answer(request.method, request.url.path, body)
        return httpx.Response(status) if answer is None else httpx.Response(status, json=answer)

    what = models.TaskInstance(
        **{"id": TI_ID, "dag_version_id": TI_ID, "dag_id": DAG_ID, "run_id": "manual__1", "task_id": task_id},
        **{"try_number": 1, "map_index": -1, "queue": "default"},
    )
    with client_module.Client(base_url=None, dry_run=True, token="", transport=httpx.MockTransport(respond)) as client:
        supervisor.supervise_task(
            ti=what,
            bundle_info=models.BundleInfo(name=DAG_BUNDLE, version=None),
            dag_rel_path="spoken.py",
            token="",
            client=client,
            log_path=f"{task_id}.log",
        )


def main() -> int:
    """Record every scene."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        configure(home)
        tape = home / "tape"
        tap_frames(tape)
        for name, (task_id, should_retry) in SCENES.items():
            tape.write_text("")
            play(task_id, should_retry=should_retry)
            lines = tape.read_text().splitlines()
            TARGET.mkdir(parents=True, exist_ok=True)
            (TARGET / f"{name}.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
            print(f"recorded {name}: {len(lines)} frames", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
