"""Airflow's supervisor as the live tests see it: give it a task, get back what everybody was told.

Knows the jobs and reports of `airflow_launcher`. It must not know outboard: what runs is a packed file.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("AirflowSupervisor", "Call", "TaskReport", "started_supervisor")

LAUNCHER = Path(__file__).with_name("airflow_launcher.py")

# A task of these tests takes 0.1 s; importing Airflow, which the first one waits for, takes seconds.
JOB_SECONDS = 90

# Airflow notices some ends only by polling, this often (its default: 5 s). Long, so that such an end can't be mistaken
# for a slow machine.
HEARTBEAT_SECONDS = 20


@attrs.frozen(kw_only=True)
class Call:
    """One request that Airflow's supervisor made to the Execution API, and the status it got."""

    method: str
    path: str
    params: dict[str, Any]
    body: Any
    status: int

    @property
    def route(self) -> str:
        """The method and path, as a script names them."""
        return f"{self.method} {self.path}"


@attrs.frozen(kw_only=True)
class TaskReport:
    """What came of one task, and what it took.

    Attributes:
        raised: the traceback of a supervisor that failed itself, or None.
        wall: seconds from the call of the supervisor to its return.
        cpu: seconds of CPU that the supervisor and the task's process took together.
    """

    exit_code: int | None
    final_state: str | None
    raised: str | None
    stalled: bool
    wall: float
    cpu: float
    calls: list[Call]
    log: list[dict[str, Any]]

    @property
    def told(self) -> list[str]:
        """The routes of what the API was told or asked by this task, in order: no heartbeats, no start."""
        routes = [call.route for call in self.calls]
        return [route for route in routes if not route.endswith(("/heartbeat", "/run"))]

    @property
    def states(self) -> list[dict[str, Any]]:
        """The bodies of all state changes that the API was told, in order."""
        return [call.body for call in self.calls if call.route == "PATCH /task-instances/{id}/state"]

    @property
    def state(self) -> dict[str, Any]:
        """The body of the one state change that the API was told."""
        assert len(self.states) == 1, self.states
        return self.states[0]

    @property
    def skipped(self) -> list[Any]:
        """The tasks downstream that the API was told to skip: ids, or pairs of an id and a map index."""
        return [task for body in self.bodies("PATCH /task-instances/{id}/skip-downstream") for task in body["tasks"]]

    @property
    def asked(self) -> dict[str, Any] | None:
        """The question to a human that the API was given, without the ids of the task; None if there was none."""
        questions = self.bodies("POST /hitlDetails/{id}")
        assert len(questions) <= 1, questions
        return {key: questions[0][key] for key in questions[0] if key not in ("type", "ti_id")} if questions else None

    @property
    def pushed(self) -> dict[str, Any]:
        """The XComs that the API was given, by key."""
        return {call.path.rpartition("/")[2]: call.body for call in self.calls if call.route.startswith("POST /xcoms/")}

    @property
    def outcome(self) -> tuple[int | None, str | None, list[str]]:
        """The exit code, the supervisor's final state, and the states that the API was told."""
        assert self.raised is None, self.raised
        return self.exit_code, self.final_state, [state["state"] for state in self.states]

    def bodies(self, route: str) -> list[Any]:
        """The bodies of the calls of one route, in order."""
        return [call.body for call in self.calls if call.route == route]

    def records(self, **fields: Any) -> list[dict[str, Any]]:
        """The task log's records that have these fields, in order."""
        return [record for record in self.log if fields.items() <= record.items()]

    def record(self, **fields: Any) -> dict[str, Any]:
        """The one record that has these fields."""
        [record] = self.records(**fields) or [None]
        assert record is not None, f"no record with {fields} in {json.dumps(self.log, indent=1)}"
        return record


class AirflowSupervisor:
    """A process that has Airflow imported and runs one task after the other.

    Attributes:
        executables: the folder that it finds bundles in; a file put there later is found too.
        dags: the folder of the Dags that it runs by itself.
    """

    def __init__(self, process: subprocess.Popen[bytes], executables: Path, dags: Path, errors: Path) -> None:
        self.executables = executables
        self.dags = dags
        self._process = process
        self._errors = errors

    def run(
        self,
        dag_id: str,
        task_id: str,
        *,
        map_index: int = -1,
        try_number: int = 1,
        heartbeat_interval: float = HEARTBEAT_SECONDS,
        cleanup_time: float | None = None,
        environment: dict[str, str] | None = None,
        native: str | None = None,
        **api: Any,
    ) -> TaskReport:
        """Run one task under ``supervise_task``: of a bundle, or of a Dag's file (``native``) in the folder `dags`.

        ``api`` is the script of `scripted_api.ScriptedApi`.
        """
        job = {"dag_id": dag_id, "task_id": task_id, "map_index": map_index, "try_number": try_number}
        job |= {"environment": environment or {}, "native": native, "cleanup_time": cleanup_time}
        report = self._ask({"do": "run", "api": api, "heartbeat_interval": heartbeat_interval, **job})
        keys = [field.name for field in attrs.fields(Call)]
        calls = [Call(**dict(zip(keys, call, strict=True))) for call in report.pop("calls")]
        for record in report["log"]:
            print(dag_id, task_id, record)  # pytest shows it where a test fails
        return TaskReport(calls=calls, **report)

    def resumption(self, waiting: TaskReport, **by: Any) -> dict[str, Any]:
        """What the run context of this task holds once it goes on, as this version of Airflow would have it.

        ``by`` says what makes it go on, as for `airflow_waiting.resume`: ``trigger=True``, ``event=…``, ``answer=…`` or
        ``timeout=True``.
        """
        assert "next_method" in waiting.state, waiting.state
        return self._ask({"do": "resume", "state": waiting.state, **by})

    def redacted(self, text: str) -> str:
        """What Airflow's process would log of a text, with all the secrets that it has learnt by now."""
        return self._ask({"do": "redact", "text": text})

    def find(self, dag_id: str) -> dict[str, str]:
        """What Airflow's own search for the Dag's bundle says: path and schema_version, or error."""
        return self._ask({"do": "find", "dag_id": dag_id})

    def search(self, folder: Path, dag_ids: list[str]) -> list[float]:
        """What Airflow's own search in a folder takes for each Dag, one after the other, in seconds of CPU."""
        return self._ask({"do": "search", "folder": str(folder), "dag_ids": dag_ids})

    def _ask(self, job: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(job).encode() + b"\n")
        self._process.stdin.flush()
        return json.loads(self._read_line())

    def _read_line(self) -> bytes:
        assert self._process.stdout is not None
        source, line = self._process.stdout.fileno(), b""
        deadline = time.monotonic() + JOB_SECONDS
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([source], [], [], max(0, deadline - time.monotonic()))
            chunk = os.read(source, 1 << 16) if ready else b""
            if not chunk:
                trouble = "ended" if ready else f"said nothing for {JOB_SECONDS} s"
                raise RuntimeError(f"the Airflow process {trouble}; it wrote: {self._errors.read_text()[-4000:]}")
            line += chunk
        return line


@contextmanager
def started_supervisor(python: Path, folder: Path) -> Iterator[AirflowSupervisor]:
    """Start the launcher in Airflow's environment, with an Airflow home and a bundle folder under ``folder``."""
    home, executables, errors = folder / "home", folder / "bundles", folder / "airflow.log"
    home.mkdir()
    executables.mkdir()
    with open(errors, "wb") as sink:
        process = subprocess.Popen(
            [python, LAUNCHER, home, executables], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=sink
        )
    try:
        yield AirflowSupervisor(process, executables, home, errors)
    finally:
        process.kill()
        process.communicate()
