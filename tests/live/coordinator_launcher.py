"""Asks Airflow's own coordinators which program they would start for a task, under one configuration after the other.

This file runs inside Airflow's environment, of 3.3 or 3.4. It must not know outboard.

A job is a line of JSON on stdin: environment (variables to set), queue, dag_id, user (a number to become, or null). Its answer
is a line on stdout: coordinator (its class), and command and schema_version, or error. Importing Airflow costs seconds, so
each job runs in a fork of one process that has done so, before it has read any configuration.
"""

from __future__ import annotations

import json
import os
import sys
import uuid
from typing import Any

os.environ.setdefault("AIRFLOW__CORE__LOAD_EXAMPLES", "False")

import structlog
from airflow.sdk.api.datamodels._generated import BundleInfo, TaskInstance
from airflow.sdk.coordinators.executable import ExecutableCoordinator
from airflow.sdk.execution_time.coordinator import get_coordinator_manager
from airflow.sdk.execution_time.schema import get_schema_version_migrator

DAGS_FOLDER = "dags-folder"


def answer(job: dict[str, Any]) -> dict[str, Any]:
    """What Airflow says of one job."""
    report: dict[str, Any] = {}
    try:
        coordinator = get_coordinator_manager().for_queue(job["queue"])
        report["coordinator"] = type(coordinator).__name__
        if isinstance(coordinator, ExecutableCoordinator):
            command, report["schema_version"] = command_of(coordinator, job["dag_id"])
            report["command"] = command
    except Exception as error:  # whatever it is, the test has to see it
        report["error"] = f"{type(error).__name__}: {error}"
    return report


def command_of(coordinator: Any, dag_id: str) -> tuple[list[str], str]:
    """The program for a task of that Dag, as `execute_task` finds it."""
    what = TaskInstance(
        **{"id": uuid.uuid4(), "dag_version_id": uuid.uuid4(), "run_id": "live", "try_number": 1},
        **{"dag_id": dag_id, "task_id": "any", "map_index": -1, "queue": "any"},
    )
    if not hasattr(coordinator, "_set_scan_roots"):  # 3.3, which has its folders
        return coordinator._build_execute_task_command(what=what)
    bundle = coordinator._resolve_artifact_bundle(BundleInfo(name=DAGS_FOLDER, version=None), structlog.get_logger())
    with coordinator._set_scan_roots([bundle.path]):
        return coordinator._build_execute_task_command(what=what)


def in_a_fork(job: dict[str, Any]) -> bytes:
    """The answer to a job, as a line."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.environ.update(job["environment"])
            if job["user"] is not None:
                os.setgroups([])
                os.setgid(job["user"])
                os.setuid(job["user"])
            os.write(writer, json.dumps(answer(job)).encode() + b"\n")
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        line = pipe.read()
    os.waitpid(child, 0)
    return line


def main() -> None:
    """Serve jobs until stdin ends. Airflow logs to stdout, so the answers keep the real one for themselves."""
    answers = os.dup(1)
    os.dup2(2, 1)
    get_schema_version_migrator()  # reads no configuration, and imports what another user may not be able to
    for line in sys.stdin:
        os.write(answers, in_a_fork(json.loads(line)))


if __name__ == "__main__":
    main()
