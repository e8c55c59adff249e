"""What the supervisor's tests share: greetings, a sink that remembers, and a watch over what is left behind."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from outboard.protocol import messages as m
from outboard.supervisor import kinship
from outboard.supervisor.coordinator import run_task
from outboard.supervisor.limits import Limits
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.outcome import Outcome
from outboard.supervisor.ports import TaskKey

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UUID = "00000000-0000-0000-0000-000000000007"
PEER = Path(__file__).with_name("peer.py")

# Far above what any of these processes needs, far below the test's own time-out.
QUICK = Limits(startup=30, grace=20, overtime=30, drain=20)


def startup(*, should_retry: bool = False, task_id: str = "t", try_number: int = 1) -> m.StartupDetails:
    """The greeting for a try of task ``t`` of Dag ``d`` in run ``r``."""
    run = m.DagRun(
        dag_id="d", run_id="r", logical_date=NOW, data_interval_start=NOW, data_interval_end=NOW, run_after=NOW,
        start_date=NOW, end_date=None, run_type="manual", state="running", conf={}, consumed_asset_events=[],
        partition_key=None,
    )  # fmt: skip
    instance = m.TaskInstance(
        id=UUID, task_id=task_id, dag_id="d", run_id="r", try_number=try_number, dag_version_id=UUID
    )
    return m.StartupDetails(
        ti=instance,
        dag_rel_path="d.py",
        bundle_info=m.BundleInfo(name="tests"),
        start_date=NOW,
        ti_context=m.TIRunContext(dag_run=run, max_tries=1, should_retry=should_retry),
        sentry_integration="",
    )


def peer(scenario: str, *arguments: object) -> list[str]:
    """The command that starts a peer of that behaviour."""
    return [sys.executable, str(PEER), scenario, *map(str, arguments)]


@attrs.define
class Records:
    """A log sink that keeps everything, and calls back on each record."""

    kept: list[dict[str, Any]] = attrs.field(factory=list)
    on_record: Callable[[dict[str, Any]], object] = attrs.field(default=lambda record: None)

    def write(self, task: TaskKey, record: dict[str, object]) -> None:
        self.kept.append(record)
        self.on_record(record)

    def texts(self, logger: str | None = None) -> list[str]:
        return [record["event"] for record in self.kept if logger in (None, record["logger"])]


@attrs.define
class World:
    """A store, a sink, and how to run a peer against them."""

    store: LocalStore = attrs.field(factory=LocalStore)
    logs: Records = attrs.field(factory=Records)

    def run(self, scenario: str, *arguments: object, **options: Any) -> Awaitable[Outcome]:
        limits = options.pop("limits", QUICK)
        greeting = startup(should_retry=options.pop("should_retry", False))
        return run_task(
            peer(scenario, *arguments), greeting, ports=self.store.ports(self.logs), limits=limits, **options
        )

    async def xcom(self, key: str) -> Any:
        return self.store.run_xcoms("d", "r")["t"][key]


@pytest.fixture
def world() -> World:
    return World()


def descriptors() -> dict[str, str]:
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink(f"/proc/self/fd/{name}")
        except OSError:
            continue  # the one that lists the folder
    return found


def children() -> set[int]:
    """The pids of this process's children, zombies included."""
    found = map(kinship.process, map(int, filter(str.isdigit, os.listdir("/proc"))))
    return {kin.pid for kin in found if kin is not None and kin.parent == os.getpid()}


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """After every test: no process, no descriptor, no temporary directory more than before."""
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    descriptors_before, children_before = descriptors(), children()
    yield
    # The event loop's own descriptors are gone too by now: anyio's runner closed it before this teardown, or holds the
    # same ones for the next test.
    new = {name: link for name, link in descriptors().items() if name not in descriptors_before}
    assert not [link for link in new.values() if "pipe" in link or "socket" in link or "pidfd" in link]
    assert children() <= children_before
    assert list(scratch.iterdir()) == []
    assert processes_naming(str(scratch)) == []


def processes_naming(text: str) -> list[int]:
    """The processes whose environment holds a text."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            environment = Path(f"/proc/{name}/environ").read_bytes()
        except OSError:
            continue
        if text.encode() in environment and int(name) != os.getpid():
            found.append(int(name))
    return found


def is_alive(pid: int) -> bool:
    """Whether a process runs, zombies not counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


def is_there(path: str) -> bool:
    return Path(path).exists()
