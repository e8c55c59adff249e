"""Airflow's own supervisor as an adapter of the kit; to be run by the Python of an environment with Airflow 3.3 or 3.4.

    AIRFLOW/bin/python …/outboard/conformance/adapters/stock_airflow.py

Everything is the real thing (supervisor, coordinator, API client, log writer), but for the transport below the client,
which answers from memory. One job as JSON on stdin, what came of it as JSON on stdout. It knows Airflow, and nothing of
outboard, which need not be there.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import traceback
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

__all__ = ("main",)

QUEUE, DAG_BUNDLE, EXECUTABLES = "conformance", "conformance-dags", "conformance-bundles"
EPOCH = "2026-01-01T00:00:00Z"

# In seconds. Some ends are noticed by polling only, this often.
HEARTBEAT = 5


def configure(home: Path, executables: Path, haste: dict[str, Any]) -> None:
    """Point Airflow at a home of its own and at the folder of the bundle. Before the first import of airflow."""
    bundles = [dag_bundle(DAG_BUNDLE, home)]
    where: dict[str, Any] = {"task_startup_timeout": haste.get("startup", 10.0)}
    if version("apache-airflow-task-sdk").startswith("1.3."):  # Airflow 3.3
        where["executables_root"] = [str(executables)]
    else:
        bundles.append(dag_bundle(EXECUTABLES, executables))
        where["task_handler_bundle_name"] = EXECUTABLES
    coordinator = {"classpath": "airflow.sdk.coordinators.executable.ExecutableCoordinator", "kwargs": where}
    os.environ.update(
        AIRFLOW_HOME=str(home),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__TASK_SUCCESS_OVERTIME=str(int(haste.get("overtime", 20))),
        AIRFLOW__LOGGING__BASE_LOG_FOLDER=str(home / "logs"),
        AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST=json.dumps(bundles),
        AIRFLOW__SDK__COORDINATORS=json.dumps({"conformance": coordinator}),
        AIRFLOW__SDK__QUEUE_TO_COORDINATOR=json.dumps({QUEUE: "conformance"}),
        AIRFLOW__WORKERS__EXECUTION_API_RETRIES="1",
        AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL=str(HEARTBEAT),
        AIRFLOW__CORE__KILLED_TASK_CLEANUP_TIME="5",
    )


def dag_bundle(name: str, folder: Path) -> dict[str, Any]:
    """One entry of Airflow's list of Dag bundles."""
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return {"name": name, "classpath": local, "kwargs": {"path": str(folder)}}


class ScriptedApi:
    """An Execution API for one task instance: the handler of a transport. What it was told last is the outcome."""

    def __init__(self, httpx: Any, job: dict[str, Any]) -> None:
        self.outcome: str | None = None
        self._httpx = httpx
        self._job = job

    def __call__(self, request: Any) -> Any:
        kind, *parts = request.url.path.strip("/").split("/")
        status: int = 404
        answer: dict[str, Any] = {"detail": {"reason": "not_found", "message": "there is none"}}
        if kind == "task-instances" and parts[1:] == ["run"]:
            status, answer = 200, self._run_context()
        elif kind == "task-instances":
            if parts[1:] == ["state"]:
                self.outcome = json.loads(request.content)["state"]
            return self._httpx.Response(204)
        elif kind == "variables" and parts[0] in self._job["variables"]:
            status, answer = 200, {"key": parts[0], "value": self._job["variables"][parts[0]]}
        elif kind == "xcoms" and request.method == "POST":
            status, answer = 201, {"message": "set"}
        return self._httpx.Response(status, json=answer)

    def _run_context(self) -> dict[str, Any]:
        dates = ("logical_date", "data_interval_start", "data_interval_end", "run_after", "start_date")
        run: dict[str, Any] = {
            "dag_id": self._job["dag_id"],
            "run_id": "conformance",
            "run_type": "manual",
            "state": "running",
            "conf": {},
            "consumed_asset_events": [],
            "partition_key": None,
            "end_date": None,
            **dict.fromkeys(dates, EPOCH),
        }
        lists: dict[str, Any] = {"variables": [], "connections": [], "xcom_keys_to_clear": []}
        counts = {"task_reschedule_count": 0, "max_tries": 1, "should_retry": self._job["should_retry"]}
        return {**lists, **counts, "dag_run": run}


def run(job: dict[str, Any], home: Path) -> dict[str, Any]:
    """Run one task under ``supervise_task``."""
    from airflow.sdk.api import client as api_client
    from airflow.sdk.api.datamodels._generated import BundleInfo, TaskInstance
    from airflow.sdk.execution_time import supervisor

    # Airflow 3.4 brings a library of its own kin.
    httpx = getattr(api_client, "httpx2", None) or api_client.httpx
    what = TaskInstance(
        **{"id": uuid.uuid4(), "dag_version_id": uuid.uuid4(), "run_id": "conformance", "try_number": 1},
        **{"dag_id": job["dag_id"], "task_id": job["task_id"], "queue": QUEUE},
    )
    api, error, log = ScriptedApi(httpx, job), None, f"{what.id}.log"
    transport = httpx.MockTransport(api)
    with api_client.Client(base_url=None, dry_run=True, token="", transport=transport) as client:
        try:
            supervisor.supervise_task(
                ti=what,
                bundle_info=BundleInfo(name=DAG_BUNDLE, version=None),
                dag_rel_path="conformance.py",
                token="",
                client=client,
                log_path=log,
            )
        except Exception:
            error = traceback.format_exc()
    return {"outcome": api.outcome, "log": read_log(home / "logs" / log), "error": error}


def read_log(path: Path) -> list[Any]:
    """The task log's lines, as far as they are JSON."""
    records = []
    if path.exists():
        for line in path.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):
                records.append(json.loads(line))
    return records


def main() -> None:
    """Run one job. Airflow logs to stdout, so the answer keeps the real one for itself."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job = json.load(sys.stdin)
    with tempfile.TemporaryDirectory(prefix="airflow-home-") as folder:
        home = Path(folder)
        configure(home, Path(job["bundle"]).parent, job.get("haste", {}))
        with mock.patch.dict(os.environ):
            json.dump(run(job, home), answer, default=str)
    answer.close()


if __name__ == "__main__":
    main()
