"""Runs tasks under Airflow's own supervisor, with an Execution API that answers from a script. No database, no network.

This file runs inside Airflow's environment. Everything is the real thing (supervisor, coordinator, client, log
writer), but for the transport below the client, which is in memory. It must not know outboard.

One process runs many tasks, since importing Airflow costs seconds: a job is a line of JSON on stdin, its report a line
on stdout.

    job     do: "run"; dag_id, task_id, map_index, try_number, environment; heartbeat_interval, and cleanup_time that a task
            has when it is stopped from outside, or null for Airflow's own (seconds); api: a `ScriptedApi`'s script;
            native: the file of a Dag that Airflow is to run by itself, or null for a bundle
    report  exit_code, final_state, raised, stalled, log (the task log's lines), calls (method, path, params, body, status),
            wall and cpu (seconds that the supervisor took; cpu is its own and the task's)

With do: "resume", a job has what `airflow_waiting.resume` takes, and the report is its answer.

With do: "redact", a job has a text, and the report is what Airflow would log of it by now.

With do: "find", a job has only a dag_id, and the report says which file Airflow's own search finds for it. With do: "search",
it has a folder and dag_ids, and the report says what each search took, in seconds of CPU.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
import traceback
import uuid
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

# These lie beside this file.
from airflow_waiting import resume
from scripted_api import ScriptedApi

QUEUE = "outboard"
DAG_BUNDLE = "live-dags"
EXECUTABLES = "live-bundles"


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

from airflow.sdk._shared import secrets_masker  # noqa: E402
from airflow.sdk.api import client as api_client  # noqa: E402  (configured first)
from airflow.sdk.api.datamodels._generated import BundleInfo, TaskInstance  # noqa: E402
from airflow.sdk.coordinators.executable import ExecutableCoordinator  # noqa: E402
from airflow.sdk.coordinators.executable.coordinator import _Bundle  # noqa: E402
from airflow.sdk.execution_time import supervisor  # noqa: E402
from airflow_models import refusal  # noqa: E402  (it lies beside this file)

CLEANUP_TIME = getattr(supervisor, "KILLED_TASK_CLEANUP_TIME", None)

# Airflow 3.4 brings a library of its own kin.
httpx = getattr(api_client, "httpx2", None) or api_client.httpx


class ObservedCoordinator(ExecutableCoordinator):
    """Airflow's coordinator, whose result is kept: `supervise_task` only logs the final state."""

    def execute_task(self, **kwargs: Any) -> Any:
        ObservedCoordinator.result = super().execute_task(**kwargs)
        return ObservedCoordinator.result


class Transport(httpx.MockTransport):
    """Lets the client's requests be answered by the script."""

    def __init__(self, api: ScriptedApi) -> None:
        super().__init__(self._handle)
        self.api = api

    def _handle(self, request: Any) -> Any:
        body = json.loads(request.content) if request.content else None
        path = "/" + request.url.path.strip("/")
        status, answer = self.api.answer(request.method, path, parameters(request.url.params), body)
        if status == HTTPStatus.NO_CONTENT:
            return httpx.Response(status)
        # By hand: the library takes null, which is what there is to say of a date that is not set, for no body at all.
        headers = {"content-type": "application/json", **self.api.headers}
        return httpx.Response(status, content=json.dumps(answer), headers=headers)


def parameters(given: Any) -> dict[str, Any]:
    """The parameters of a request; what is given more than once is a list."""
    return {key: values[0] if len(values := given.get_list(key)) == 1 else values for key in given}


def run(job: dict[str, Any]) -> dict[str, Any]:
    """Run one task to its end; what happened, as JSON can carry it."""
    what = TaskInstance(
        **{"id": uuid.uuid4(), "dag_version_id": uuid.uuid4(), "run_id": "live", "try_number": job["try_number"]},
        **{"dag_id": job["dag_id"], "task_id": job["task_id"], "map_index": job["map_index"]},
        queue="default" if job["native"] else QUEUE,
    )
    api = ScriptedApi(job["api"], what, refusal)
    supervisor.MIN_HEARTBEAT_INTERVAL = interval = job["heartbeat_interval"]
    cleanup_time = CLEANUP_TIME if job["cleanup_time"] is None else job["cleanup_time"]
    ObservedCoordinator.result = raised = None
    log_path = f"{what.id}.log"
    stopwatch = Stopwatch()
    try:
        with (
            mock.patch.dict(os.environ, job["environment"]),
            mock.patch.object(supervisor, "KILLED_TASK_CLEANUP_TIME", cleanup_time, create=True),
            api_client.Client(base_url=None, dry_run=True, token="", transport=Transport(api)) as client,
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


def redact(job: dict[str, Any]) -> str:
    """What the masker of the supervisor's process makes of a text: it has learnt from all tasks so far."""
    return secrets_masker.redact(job["text"])


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
        report = {"find": find, "search": search, "run": run, "resume": resume, "redact": redact}[job["do"]](job)
        reports.write(json.dumps(report, default=str) + "\n")
        reports.flush()


if __name__ == "__main__":
    main()
