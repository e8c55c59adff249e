"""``kill -9``, at every phase, of the task's process, of a process below it, and of the supervisor above it.

The child is the real runtime with a real author's file. Each phase is reached when the author's file says so, never after
some time.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest

from outboard.errors import LoadError
from outboard.protocol import messages as m
from outboard.supervisor.coordinator import parse_dags, run_task
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.outcome import Outcome
from outboard.supervisor.ports import Ports, XComKey
from tests.runtime.child import STARTER
from tests.supervisor.conftest import QUICK, Records, is_alive, startup

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

HERE = Path(__file__).parent
KILLED = "killed by signal 9 (SIGKILL)"


def command(transport: str) -> list[str]:
    flags = ["--stdio"] if transport == "stdio" else []
    return [sys.executable, "-c", STARTER, str(HERE / "stopping"), *flags]


@attrs.define
class Silent:
    """Ports that never answer the two requests at which a task is to be caught."""

    store: LocalStore = attrs.field(factory=LocalStore)

    async def get(self, key: str) -> m.VariableResult | None:
        await anyio.sleep_forever()
        raise AssertionError

    async def set(self, key: XComKey, map_index: int, value: object, *, is_dag_result: bool = False) -> None:
        await anyio.sleep_forever()

    def ports(self, logs: Records) -> Ports:
        served = self.store.ports(logs)
        return attrs.evolve(served, variables=self, xcoms=self)


def marked(record: dict[str, Any], phase: str) -> int | None:
    """The pid that the author's file tells when it has come to a phase."""
    event = str(record["event"])
    return int(event.rpartition(" ")[2]) if event.startswith(f"at {phase} ") else None


@attrs.define
class Killer:
    """A log sink that kills whoever has come to a phase."""

    phase: str
    records: Records = attrs.field(factory=Records)
    victims: list[int] = attrs.field(factory=list)

    def __attrs_post_init__(self) -> None:
        self.records.on_record = self.look

    def look(self, record: dict[str, Any]) -> None:
        pid = marked(record, self.phase)
        if pid is not None:
            self.victims.append(pid)
            os.kill(pid, signal.SIGKILL)


async def run_and_kill(phase: str, transport: Any) -> tuple[Outcome, Killer]:
    killer = Killer(phase)
    with anyio.fail_after(40):
        outcome = await run_task(
            command(transport),
            startup(),
            ports=Silent().ports(killer.records),
            limits=QUICK,
            transport=transport,
            env={"PHASE": phase},
        )
    assert len(killer.victims) == 1
    assert not is_alive(killer.victims[0])
    return outcome, killer


TRANSPORTS = ("stdio", "sockets")


# ── of the child ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("phase", ["import", "body", "busy body", "request", "failure", "result"])
async def test_a_killed_process_is_a_failure_that_names_the_signal(phase: str, transport: Any) -> None:
    outcome, _ = await run_and_kill(phase, transport)
    assert (outcome.state, outcome.exit_code) == ("failed", -9)
    assert outcome.reason == f"{KILLED} while running"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_process_killed_after_its_report_has_reported(transport: Any) -> None:
    outcome, _ = await run_and_kill("exit", transport)
    assert (outcome.state, outcome.exit_code) == ("success", -9)
    assert outcome.reason == f"reported success; its process then was {KILLED}"


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_process_killed_before_it_has_said_anything_was_starting(transport: Any) -> None:
    die = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    outcome = await run_task(
        [sys.executable, "-S", "-c", die], startup(), ports=LocalStore().ports(), limits=QUICK, transport=transport
    )
    assert (outcome.state, outcome.reason) == ("failed", f"{KILLED} while starting")


async def test_a_killed_process_is_retried_where_a_retry_is_left() -> None:
    killer = Killer("body")
    outcome = await run_task(
        command("stdio"),
        startup(should_retry=True),
        ports=Silent().ports(killer.records),
        limits=QUICK,
        env={"PHASE": "body"},
    )
    assert (outcome.state, outcome.reason) == ("up_for_retry", f"{KILLED} while running")


async def test_a_process_killed_while_it_parses_is_an_error_that_names_the_signal() -> None:
    killer = Killer("import")
    request = m.DagFileParseRequest(file="author.py", bundle_path="/nowhere", bundle_name="b", callback_requests=[])
    with pytest.raises(
        LoadError,
        match=r"did not say what its Dags are: killed by signal 9 \(SIGKILL\) while running; it printed: at import",
    ):
        await parse_dags(
            command("stdio"),
            request,
            ports=Silent().ports(killer.records),
            limits=QUICK,
            env={"PHASE": "import"},
        )


# ── of a grandchild ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("phase", ["grandchild of the import", "grandchild of the body"])
async def test_a_killed_grandchild_is_the_tasks_own_affair(phase: str, transport: Any) -> None:
    outcome, killer = await run_and_kill(phase, transport)
    assert (outcome.state, outcome.exit_code, outcome.reason) == ("failed", 0, "reported failed")
    # The cause is in the log: it is an exception of the author's code.
    assert "it ended with -9" in str(killer.records.kept)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_process_killed_beside_its_grandchild_takes_it_along(transport: Any) -> None:
    records = Records()
    left: list[int] = []

    def kill_parent(record: dict[str, Any]) -> None:
        pid = marked(record, "busy body with a grandchild")
        if pid is not None:
            left.append(pid)
            os.kill(int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]), signal.SIGKILL)

    records.on_record = kill_parent
    outcome = await run_task(
        command(transport),
        startup(),
        ports=Silent().ports(records),
        limits=QUICK,
        transport=transport,
        env={"PHASE": "busy body with a grandchild"},
    )
    assert outcome.reason == f"{KILLED} while running"
    assert not is_alive(left[0])


# ── of the supervisor ───────────────────────────────────────────────────────────────────────────────────────────

SUPERVISE = """
import sys
import anyio
from outboard.supervisor.coordinator import run_task
from tests.runtime.child import STARTER
from tests.supervisor.conftest import Records, startup
from tests.supervisor.test_kills import Silent, command

def tell(record):
    print(record["event"], flush=True)

async def main(transport, phase):
    ports = Silent().ports(Records(on_record=tell))
    outcome = await run_task(command(transport), startup(), ports=ports, transport=transport, env={"PHASE": phase})
    print(outcome, flush=True)

anyio.run(main, *sys.argv[1:])
"""


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    "phase",
    [
        "import",
        "body",
        "busy body",
        "request",
        "result",
        "failure",
        "exit",
        "busy body with a grandchild",
        "grandchild of the import",
        "grandchild of the body",
    ],
)
async def test_a_killed_supervisor_takes_its_processes_along(phase: str, transport: str, tmp_path: Path) -> None:
    with start_supervisor(transport, phase, tmp_path) as supervisor:
        watched = watch_descendants(supervisor, phase)
        supervisor.kill()
    await all_end(watched)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_an_interrupted_supervisor_cleans_up_after_itself(transport: str, tmp_path: Path) -> None:
    """Ctrl-C reaches the supervisor alone, since its tasks lead sessions of their own."""
    folder = tmp_path / "of-the-supervisor"
    folder.mkdir()
    with start_supervisor(transport, "busy body with a grandchild", folder) as supervisor:
        watched = watch_descendants(supervisor, "busy body with a grandchild")
        assert os.listdir(folder) != []
        supervisor.send_signal(signal.SIGINT)
        assert supervisor.wait(20) in (1, -signal.SIGINT)
    await all_end(watched)
    assert os.listdir(folder) == []


def watch_descendants(supervisor: subprocess.Popen[str], phase: str) -> dict[int, int]:
    """Wait until the author's file is where it should be; returns a pidfd for each process below the supervisor."""
    assert supervisor.stdout is not None
    marks = (marked({"event": line.rstrip()}, phase) for line in supervisor.stdout)
    told = next(pid for pid in marks if pid is not None)
    below = descendants(supervisor.pid)
    assert told in below
    return {pid: os.pidfd_open(pid) for pid in below}


async def all_end(watched: dict[int, int]) -> None:
    try:
        with anyio.fail_after(20):
            for pidfd in watched.values():
                await anyio.wait_readable(pidfd)
    finally:
        for pid, pidfd in watched.items():
            if is_alive(pid):
                os.kill(pid, signal.SIGKILL)
            os.close(pidfd)


def start_supervisor(transport: str, phase: str, folder: Path) -> subprocess.Popen[str]:
    """Start a process that supervises a task, and prints what the task logs."""
    return subprocess.Popen(
        [sys.executable, "-c", SUPERVISE, transport, phase],
        cwd=HERE.parents[1],
        env={**os.environ, "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def descendants(pid: int) -> list[int]:
    found = [
        int(child)
        for thread in os.listdir(f"/proc/{pid}/task")
        for child in Path(f"/proc/{pid}/task/{thread}/children").read_text().split()
    ]
    return found + [below for child in found for below in descendants(child)]
