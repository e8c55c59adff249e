"""Runs tasks under Airflow's own supervisor, with an Execution API that answers from a script. No database, no network.

This file runs inside Airflow's environment. Everything is the real thing (supervisor, coordinator, client, log
writer), but for the transport below the client, which is in memory. It must not know outboard.

One process runs many tasks, since importing Airflow costs seconds: a job is a line of JSON on stdin, its report a line
on stdout.

    job     do: "run"; dag_id, task_id, map_index, heartbeat_interval (seconds), environment, api: a `ScriptedApi`'s script;
            native: the file of a Dag that Airflow is to run by itself, or null for a bundle
    report  exit_code, final_state, raised, stalled, log (the task log's lines), calls (method, path, params, body, status),
            wall and cpu (seconds that the supervisor took; cpu is its own and the task's)

With do: "find", a job has only a dag_id, and the report says which file Airflow's own search finds for it. With do: "search",
it has a folder and dag_ids, and the report says what each search took, in seconds of CPU.
"""

from __future__ import annotations

import fnmatch
import gc
import json
import os
import resource
import sys
import time
import traceback
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

QUEUE = "outboard"
DAG_BUNDLE = "live-dags"
EXECUTABLES = "live-bundles"
EPOCH = "2026-01-01T00:00:00Z"


def configure(home: Path, executables: Path) -> None:
    """Point Airflow at a home of its own and at our bundles. Before the first import of airflow."""
    dag_bundles = [dag_bundle(DAG_BUNDLE, home)]
    if version("apache-airflow-task-sdk").startswith("1.3."):  # Airflow 3.3
        where: dict[str, Any] = {"executables_root": [str(executables)]}
    else:
        dag_bundles.append(dag_bundle(EXECUTABLES, executables))
        where = {"task_handler_bundle_name": EXECUTABLES}
    coordinator = {"classpath": "__main__.ObservedCoordinator", "kwargs": where}
    os.environ.update(
        AIRFLOW_HOME=str(home),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__LOGGING__BASE_LOG_FOLDER=str(home / "logs"),
        AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST=json.dumps(dag_bundles),
        AIRFLOW__SDK__COORDINATORS=json.dumps({"outboard": coordinator}),
        AIRFLOW__SDK__QUEUE_TO_COORDINATOR=json.dumps({QUEUE: "outboard"}),
        AIRFLOW__WORKERS__EXECUTION_API_RETRIES="1",
    )


def dag_bundle(name: str, folder: Path) -> dict[str, Any]:
    """One entry of Airflow's list of Dag bundles."""
    local = "airflow.dag_processing.bundles.local.LocalDagBundle"
    return {"name": name, "classpath": local, "kwargs": {"path": str(folder)}}


home, executables = Path(sys.argv[1]), Path(sys.argv[2])
configure(home, executables)

from airflow.sdk.api import client as api_client  # noqa: E402  (configured first)
from airflow.sdk.api.datamodels._generated import BundleInfo, TaskInstance  # noqa: E402
from airflow.sdk.coordinators.executable import ExecutableCoordinator  # noqa: E402
from airflow.sdk.coordinators.executable.coordinator import _Bundle  # noqa: E402
from airflow.sdk.execution_time import supervisor  # noqa: E402

# Airflow 3.4 brings a library of its own kin.
httpx = getattr(api_client, "httpx2", None) or api_client.httpx


class ObservedCoordinator(ExecutableCoordinator):
    """Airflow's coordinator, whose result is kept: `supervise_task` only logs the final state."""

    def execute_task(self, **kwargs: Any) -> Any:
        ObservedCoordinator.result = super().execute_task(**kwargs)
        return ObservedCoordinator.result


class ScriptedApi:
    """An Execution API for one task instance, as a transport's handler.

    A script has ``variables`` {key: value}, ``connections`` {id: fields}, ``xcoms`` {"task_id/key": value}, ``context``
    (overrides of the run context), ``answers`` {"METHOD /glob": [status, body]}, which come first, and
    ``terminate_after``: once this "METHOD /path" was called, heartbeats are told that the task must not run any more.
    """

    def __init__(self, script: dict[str, Any], what: TaskInstance) -> None:
        self.what = what
        self.variables = dict(script.get("variables", {}))
        self.connections = script.get("connections", {})
        self.xcoms = dict(script.get("xcoms", {}))
        self.context = script.get("context", {})
        self.answers = script.get("answers", {})
        self.terminate_after = script.get("terminate_after")
        self.calls: list[tuple[str, str, dict[str, str], Any, int]] = []

    def __call__(self, request: Any) -> Any:
        method, path = request.method, "/" + request.url.path.strip("/")
        body = json.loads(request.content) if request.content else None
        status, answer = self._answer(method, path, body)
        generic = path.replace(str(self.what.id), "{id}")
        self.calls.append((method, generic, dict(request.url.params), body, status))
        return httpx.Response(status) if answer is None else httpx.Response(status, json=answer)

    def _answer(self, method: str, path: str, body: Any) -> tuple[int, Any]:
        for pattern, (status, answer) in self.answers.items():
            if fnmatch.fnmatch(f"{method} {path}", pattern):
                return status, answer
        kind, *parts = path.strip("/").split("/")
        route = getattr(self, "_" + kind.replace("-", "_"), None)
        return route(method, parts, body) if route else _not_found(path)

    def _task_instances(self, method: str, parts: list[str], body: Any) -> tuple[int, Any]:
        match parts[1:]:
            case ["run"]:
                return 200, self._run_context()
            case ["heartbeat"] if any(f"{call[0]} {call[1]}" == self.terminate_after for call in self.calls):
                return 409, {"detail": {"reason": "not_running", "message": "the script wants it gone"}}
            case ["heartbeat" | "state" | "skip-downstream"]:
                return 204, None
            case ["rtif" | "rendered-map-index"]:
                return 201, {"message": "ok"}
        return _not_found("/".join(parts))

    def _variables(self, method: str, parts: list[str], body: Any) -> tuple[int, Any]:
        key = "/".join(parts)
        match method:
            case "GET" if key == "keys":
                return 200, {"keys": sorted(self.variables), "total_entries": len(self.variables)}
            case "GET" if key in self.variables:
                return 200, {"key": key, "value": self.variables[key]}
            case "PUT":
                self.variables[key] = body["val"]
                return 201, {"message": "set"}
            case "DELETE":
                self.variables.pop(key, None)
                return 204, None
        return _not_found(key)

    def _connections(self, method: str, parts: list[str], body: Any) -> tuple[int, Any]:
        if parts[0] not in self.connections:
            return _not_found(parts[0])
        absent = dict.fromkeys(("host", "schema", "login", "password", "port", "extra"))
        return 200, {"conn_id": parts[0], **absent, **self.connections[parts[0]]}

    def _xcoms(self, method: str, parts: list[str], body: Any) -> tuple[int, Any]:
        _dag_id, _run_id, task_id, key = parts[:4]
        name = f"{task_id}/{key}"
        match method:
            case "POST":
                self.xcoms[name] = body
                return 201, {"message": "set"}
            case "DELETE":
                self.xcoms.pop(name, None)
                return 200, {"message": "deleted"}
            case "GET" if name in self.xcoms:
                return 200, {"key": key, "value": self.xcoms[name]}
        return _not_found(name)

    def _run_context(self) -> dict[str, Any]:
        dates = ("logical_date", "data_interval_start", "data_interval_end", "run_after", "start_date")
        dag_run = {
            **{"dag_id": self.what.dag_id, "run_id": self.what.run_id, "run_type": "manual", "state": "running"},
            **{"conf": {}, "consumed_asset_events": [], "partition_key": None, "end_date": None},
            **dict.fromkeys(dates, EPOCH),
            **self.context.get("dag_run", {}),
        }
        lists = {"variables": [], "connections": [], "xcom_keys_to_clear": []}
        counts = {"task_reschedule_count": 0, "max_tries": 0, "should_retry": False}
        return {**lists, **counts, **self.context, "dag_run": dag_run}


def _not_found(what: str) -> tuple[int, Any]:
    return 404, {"detail": {"reason": "not_found", "message": f"{what} not found"}}


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run one task to its end; what happened, as JSON can carry it."""
    what = TaskInstance(
        **{"id": uuid.uuid4(), "dag_version_id": uuid.uuid4(), "run_id": "live", "try_number": 1},
        **{"dag_id": job["dag_id"], "task_id": job["task_id"], "map_index": job["map_index"]},
        queue="default" if job["native"] else QUEUE,
    )
    api = ScriptedApi(job["api"], what)
    supervisor.MIN_HEARTBEAT_INTERVAL = interval = job["heartbeat_interval"]
    ObservedCoordinator.result = raised = None
    log_path = f"{what.id}.log"
    stopwatch = Stopwatch()
    try:
        transport = httpx.MockTransport(api)
        with (
            mock.patch.dict(os.environ, job["environment"]),
            api_client.Client(base_url=None, dry_run=True, token="", transport=transport) as client,
            stopwatch,
        ):
            supervisor.supervise_task(
                ti=what,
                bundle_info=BundleInfo(name=DAG_BUNDLE, version=None),
                dag_rel_path=job["native"] or "stub.py",
                token="",
                client=client,
                log_path=log_path,
            )
    except Exception:  # whatever it is, the test has to see it
        raised = traceback.format_exc()
    result = ObservedCoordinator.result
    return {
        "exit_code": result and result.exit_code,
        "final_state": result and str(getattr(result.final_state, "value", result.final_state)),
        "raised": raised,
        # Airflow polls for the end of a process whose sockets it missed the end of only this often.
        "stalled": stopwatch.wall >= interval,
        "wall": stopwatch.wall,
        "cpu": stopwatch.cpu,
        "calls": api.calls,
        "log": read_log(home / "logs" / log_path),
    }


class Stopwatch:
    """What goes by within a block: time, and CPU of this process and of those of its children that have ended."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> None:
        self._wall, self._cpu = time.monotonic(), cpu_seconds()

    def __exit__(self, *_: object) -> None:
        self.wall, self.cpu = time.monotonic() - self._wall, cpu_seconds() - self._cpu


def cpu_seconds() -> float:
    """CPU of this process and of its children, so far."""
    taken = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in taken)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The task log's lines. Raises ValueError for a line that is no JSON: Airflow writes no such line."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def find(job: dict[str, Any]) -> dict[str, Any]:
    """What the coordinator's own search says of a Dag id."""
    try:
        found = _Bundle.find([executables], job["dag_id"])
    except FileNotFoundError as error:
        return {"error": str(error)}
    return {"path": str(found.path), "schema_version": found.schema_version}


def search(job: dict[str, Any]) -> list[float]:
    """What the coordinator's own search takes for each Dag id, in seconds of CPU. A look at all of memory is not its fault."""
    taken = []
    gc.disable()
    for dag_id in job["dag_ids"]:
        started = time.process_time()
        _Bundle.find([Path(job["folder"])], dag_id)
        taken.append(time.process_time() - started)
    gc.enable()
    return taken


def main() -> None:
    """Serve jobs until stdin ends. Airflow logs to stdout, so the reports keep the real one for themselves."""
    reports = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        job = json.loads(line)
        report = {"find": find, "search": search, "run": run}[job["do"]](job)
        reports.write(json.dumps(report, default=str) + "\n")
        reports.flush()


if __name__ == "__main__":
    main()
