"""A whole Airflow, as small as it comes: sqlite, LocalExecutor, a scheduler, a Dag processor and an API server.

A triggerer is started for who asks for one, since it takes as long to start as the others do.

Knows how Airflow is configured and started, and how to be sure that nothing of it is left. What runs in it, and what its
REST API says, is the business of others (`rest_api`). It must not know outboard.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import attrs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    T = TypeVar("T")

__all__ = (
    "COORDINATOR",
    "DAG_BUNDLE",
    "HOST",
    "QUEUE",
    "Deployment",
    "free_ports",
    "started_components",
    "started_deployment",
    "without_airflow",
)

QUEUE = "outboard"
COORDINATOR = "outboard"
DAG_BUNDLE = "live-dags"
EXECUTABLES = "live-bundles"
LOCAL_DAG_BUNDLE = "airflow.dag_processing.bundles.local.LocalDagBundle"
EXECUTABLE_COORDINATOR = "airflow.sdk.coordinators.executable.ExecutableCoordinator"

# Measured: 4 to 10 s. A machine with other work to do takes its time.
MIGRATION_SECONDS = 120

# How often a question is asked again. An Airflow process that ends cuts the wait short.
POLL_SECONDS = 0.25

# A killed process needs no grace, but the kernel may need a moment to take it away.
ENDING_SECONDS = 30

LOG_TAIL_LINES = 60

# Waiting means asking, and the API server writes a line for each question.
OWN_QUESTIONS = "[http.access]"

HOST = "127.0.0.1"


@attrs.frozen(kw_only=True)
class Deployment:
    """A running Airflow.

    Attributes:
        address: of the API server, as an URL without a path.
        home: Airflow's home; the components' own logs are in it, and those of tasks.
        executables: the folder of the bundles, or None where somebody else has started Airflow.
    """

    address: str
    home: Path
    executables: Path | None = None
    _components: dict[str, subprocess.Popen[bytes]]
    _command: Callable[[str], tuple[list[str], dict[str, str]]] | None = None

    def start(self, name: str) -> None:
        """Start one more of Airflow's components, unless it runs already. It ends with the others."""
        assert self._command is not None, "this Airflow was started by somebody else"
        if name not in self._components:
            command, environment = self._command(name)
            self._components[name] = _start(command, environment, self.home / f"{name}.log")

    def wait_for(self, what: str, ask: Callable[[], T | None], seconds: float) -> T:
        """Ask until there is an answer.

        Args:
            what: is waited for, for the error.
            ask: returns None as long as there is none.
            seconds: how long to go on asking.

        Raises:
            RuntimeError: a component has ended, or the time is up. The components' logs are in its text.
        """
        deadline = time.monotonic() + seconds
        while (answer := ask()) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                raise RuntimeError(f"waited {seconds} s in vain for {what}\n{self.component_logs()}")
            if ended := self._ended_within(min(left, POLL_SECONDS)):
                raise RuntimeError(f"the {ended} has ended, and {what} is outstanding\n{self.component_logs()}")
        return answer

    def _ended_within(self, seconds: float) -> str | None:
        """Wait for the end of a component; its name, or None."""
        watched = {os.pidfd_open(process.pid): name for name, process in self._components.items()}
        try:
            ready, _, _ = select.select(list(watched), [], [], seconds)
            return watched[ready[0]] if ready else None
        finally:
            for descriptor in watched:
                os.close(descriptor)

    def component_logs(self) -> str:
        """The last lines of what each component has written."""
        return "\n".join(_tail(path) for path in sorted(self.home.glob("*.log")))


@contextmanager
def started_deployment(
    python: Path, version: str, home: Path, dags: Path, executables: Path, own: Mapping[str, Mapping[str, str]]
) -> Iterator[Deployment]:
    """Start everything, and end all of it.

    Args:
        python: the interpreter of an environment with Airflow.
        version: of that Airflow.
        home: an empty folder for all that Airflow keeps.
        dags: the folder of the Dags.
        executables: the folder of the bundles; what is put there later is found too.
        own: variables that only one component has, by its name: ``scheduler`` (whose children are the workers) and so on.
    """
    api_port, *log_ports = free_ports(3)
    address = f"http://{HOST}:{api_port}"
    settings = _settings(home, address, version, dags, executables, log_ports)
    environment = without_airflow(os.environ) | settings | {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}"}
    airflow = [str(python.with_name("airflow"))]
    options = {"api-server": ["--host", HOST, "--port", str(api_port), "--workers", "1"]}

    def command(name: str) -> tuple[list[str], dict[str, str]]:
        return [*airflow, name, *options.get(name, [])], {**environment, **own.get(name, {})}

    _migrate([*airflow, "db", "migrate"], environment, home)
    components = {name: command(name) for name in ("api-server", "scheduler", "dag-processor")}
    with started_components(components, home) as processes:
        yield Deployment(address=address, home=home, executables=executables, components=processes, command=command)


@contextmanager
def started_components(
    components: Mapping[str, tuple[list[str], dict[str, str]]], home: Path
) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Start each of these commands in its environment, and end all that they have started, and what was added since.

    Args:
        components: command and environment, by name. Each writes to a log of that name in ``home``.
        home: Airflow's home; by it is known what belongs to them.
    """
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        for name, (command, environment) in components.items():
            processes[name] = _start(command, environment, home / f"{name}.log")
        yield processes
    finally:
        for process in processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(ENDING_SECONDS)
        _end_strays(home)


# ── how it is configured ──────────────────────────────────────────────────────────────────────────────────────────


def _settings(
    home: Path, address: str, version: str, dags: Path, executables: Path, log_ports: list[int]
) -> dict[str, str]:
    """Airflow's configuration, as variables. Secrets are new each time, and no secret to anyone."""
    worker_log_port, trigger_log_port = log_ports
    dag_bundles = [_dag_bundle(DAG_BUNDLE, dags)]
    if version.startswith("3.3."):
        where: dict[str, Any] = {"executables_root": [str(executables)]}
    else:
        dag_bundles.append(_dag_bundle(EXECUTABLES, executables))
        where = {"task_handler_bundle_name": EXECUTABLES}
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(dag_bundles),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
        # Left alone, the scheduler would listen on a port that somebody else may have.
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_log_port),
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_log_port),
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.2",
        # By default a wait that took too long is noticed within 15 seconds.
        "AIRFLOW__SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "1",
        "AIRFLOW__SDK__COORDINATORS": json.dumps({COORDINATOR: {"classpath": EXECUTABLE_COORDINATOR, "kwargs": where}}),
        "AIRFLOW__SDK__QUEUE_TO_COORDINATOR": json.dumps({QUEUE: COORDINATOR}),
    }


def _dag_bundle(name: str, folder: Path) -> dict[str, Any]:
    return {"name": name, "classpath": LOCAL_DAG_BUNDLE, "kwargs": {"path": str(folder), "refresh_interval": 5}}


def without_airflow(environment: Mapping[str, str]) -> dict[str, str]:
    """Whoever runs the tests may have an Airflow of their own, configured by variables."""
    return {name: value for name, value in environment.items() if "AIRFLOW" not in name}


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now: a process that is started next gets them, unless somebody is very quick."""
    held = [socket.create_server((HOST, 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


# ── its processes ─────────────────────────────────────────────────────────────────────────────────────────────────


def _migrate(command: list[str], environment: dict[str, str], home: Path) -> None:
    process = _start(command, environment, home / "migration.log")
    try:
        code = process.wait(MIGRATION_SECONDS)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    if code:
        raise RuntimeError(f"the database could not be made ({code})\n{_tail(home / 'migration.log')}")


def _start(command: list[str], environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own, so that its children can be ended with it."""
    with open(log, "wb") as sink:
        return subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, start_new_session=True
        )


def _end_strays(home: Path) -> None:
    """End what has left its group, as a running task does: whatever still has this home in its environment."""
    mark = f"AIRFLOW_HOME={home}".encode()
    deadline = time.monotonic() + ENDING_SECONDS
    while strays := [pid for pid in _processes() if mark in _environment(pid)]:
        if time.monotonic() > deadline:
            raise RuntimeError(f"these processes of Airflow cannot be ended: {strays}")
        for pid in strays:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _environment(pid: int) -> list[bytes]:
    """A process's variables; none of one that has ended or is somebody else's."""
    try:
        return Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def _tail(path: Path) -> str:
    text = path.read_text(errors="replace") if path.exists() else ""
    lines = [line for line in text.splitlines() if OWN_QUESTIONS not in line]
    return "\n".join([f"── the last lines of {path.name} ──", *lines[-LOG_TAIL_LINES:]])
