"""A trivial task under Airflow's own supervisor: as a native task, as a thin bundle and as a fat one, taken in turns.

One warm supervisor process runs them all, as a worker of the local executor does. What is measured is a call of its
`supervise_task`: the time until it returns, and the CPU that it and the task's process take. The Execution API is scripted, so
nothing waits for a network or a database. Airflow looks at every file of the folder on its way to the right one; so each bundle
is run as the only one, and as one of fifty: midway, which is what tasks of fifty bundles meet on average, and last.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from tests.benchmarks.measurement import Row
from tests.benchmarks.packed import environment_with_msgpack, pack, pack_fat
from tests.live.environment import built_environment
from tests.live.supervisor import started_supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.supervisor import AirflowSupervisor, TaskReport

__all__ = ("BAR", "CROWD", "LATE", "airflow_python", "measure")

ROOT = Path(__file__).parents[2]

# The bar on the ratio to a native task.
BAR = 0.65

# A supervisor that misses the end of a process notices it at its next heartbeat, so whatever took this long was late.
HEARTBEAT_SECONDS = 1.0
LATE = 0.9

CROWD = 50

# The first task of a supervisor waits for imports; the next few for caches to fill.
WARM_UP = 3

NATIVE = "native"

# Told without a bar: what Airflow takes for fifty files is nothing that a bundle could do anything about.
LAST = "last"

TASK = """
from {package} import dag, task


@dag
def {dag_id}():
    @task
    def greet():
        return "hello"

    greet()


{dag_id}()
"""


def airflow_python(version: str) -> Path:
    """The interpreter of an environment with that Airflow, as the live tests have it."""
    return built_environment(ROOT / ".ci" / "pins" / f"airflow-{version}.txt", ROOT / ".cache")


def measure(version: str, folder: Path, runs: int) -> list[Row]:
    """The rows: wall and CPU milliseconds beside those of a native task, and how many tasks ended late.

    Args:
        version: of Airflow.
        folder: an empty one.
        runs: how often each candidate is run.
    """
    bundles = _Bundles.packed(folder)
    with started_supervisor(airflow_python(version), folder) as airflow:
        (airflow.dags / "native.py").write_text(TASK.format(package="airflow.sdk", dag_id="native"))
        candidates = _candidates(airflow, bundles, {"OUTBOARD_CACHE_DIR": str(folder / "cache")})
        taken: dict[str, list[TaskReport]] = defaultdict(list)
        for number in range(WARM_UP + runs):
            for name, run in candidates.items():
                report = run()
                if number >= WARM_UP:
                    taken[name].append(report)
    return [*_walls(taken), *_cpu(taken), _late(taken)]


@attrs.frozen
class _Bundles:
    """Packed files, put away where Airflow does not look."""

    thin: Path
    fat: Path
    crowd: Path

    @classmethod
    def packed(cls, folder: Path) -> _Bundles:
        shelf = folder / "shelf"
        shelf.mkdir()
        environment = environment_with_msgpack(folder / "environment")
        for kind in ("thin", "fat", "last", "other"):
            (folder / f"{kind}.py").write_text(TASK.format(package="outboard", dag_id=kind))
        thin = pack(folder / "thin.py", shelf / "thin", environment).path
        other = pack(folder / "other.py", shelf / "other", environment).path
        fat = pack_fat(folder / "fat.py", shelf / "fat", environment)
        last = pack_fat(folder / "last.py", shelf / "last", environment)
        _fill(shelf / "crowd", other, {CROWD // 2 - 1: thin, CROWD // 2: fat, CROWD - 1: last})
        return cls(thin, fat, shelf / "crowd")


def _fill(crowd: Path, other: Path, places: dict[int, Path]) -> None:
    """Put many bundles into a folder, some of them at certain places of its listing, in whose order Airflow goes."""
    crowd.mkdir()
    for number in range(CROWD):
        shutil.copy(other, crowd / f"bundle{number}")
    names = os.listdir(crowd)
    for place, bundle in places.items():
        shutil.copyfile(bundle, crowd / names[place])  # which leaves the entry of the folder where it is


def _candidates(
    airflow: AirflowSupervisor, bundles: _Bundles, environment: dict[str, str]
) -> dict[str, Callable[[], TaskReport]]:
    def native() -> TaskReport:
        return _succeeded(airflow.run("native", "greet", native="native.py", heartbeat_interval=HEARTBEAT_SECONDS))

    def bundle(kind: str, among: Path) -> TaskReport:
        with _deployed(among, airflow.executables):
            return _succeeded(airflow.run(kind, "greet", heartbeat_interval=HEARTBEAT_SECONDS, environment=environment))

    return {
        NATIVE: native,
        "thin, alone": lambda: bundle("thin", bundles.thin),
        "fat, alone": lambda: bundle("fat", bundles.fat),
        f"thin, midway of {CROWD}": lambda: bundle("thin", bundles.crowd),
        f"fat, midway of {CROWD}": lambda: bundle("fat", bundles.crowd),
        f"fat, {LAST} of {CROWD}": lambda: bundle("last", bundles.crowd),
    }


@contextlib.contextmanager
def _deployed(bundles: Path, executables: Path) -> Iterator[None]:
    """Put a bundle, or a folder of them, where Airflow looks, for a while."""
    bundles.rename(executables / bundles.name)
    try:
        yield
    finally:
        (executables / bundles.name).rename(bundles)


def _succeeded(report: TaskReport) -> TaskReport:
    if report.raised or [state["state"] for state in report.states] != ["success"]:
        raise RuntimeError(f"the task did not succeed: {report.raised or report.log}")
    return report


def _walls(taken: dict[str, list[TaskReport]]) -> list[Row]:
    walls = {name: _wall(reports) for name, reports in taken.items()}
    return [
        Row(
            what=f"a task under Airflow: {name}",
            unit="ms",
            floor=walls[NATIVE],
            ours=wall,
            bar=None if LAST in name else BAR,
        )
        for name, wall in walls.items()
        if name != NATIVE
    ]


def _wall(reports: list[TaskReport]) -> float:
    # Late ends say nothing about what a task takes. Native tasks have many; leaving those out makes the bar harder.
    walls = [report.wall * 1000 for report in reports]
    return statistics.median([wall for wall in walls if wall <= LATE * 1000] or walls)


def _cpu(taken: dict[str, list[TaskReport]]) -> list[Row]:
    cpu = {name: statistics.median(report.cpu * 1000 for report in reports) for name, reports in taken.items()}
    return [
        Row(what=f"   its CPU, with the supervisor's: {name}", unit="ms", floor=cpu[NATIVE], ours=figure)
        for name, figure in cpu.items()
        if name != NATIVE
    ]


def _late(taken: dict[str, list[TaskReport]]) -> Row:
    late = {name: [report.wall > LATE for report in reports] for name, reports in taken.items()}
    ours = [each for name, reports in late.items() if name != NATIVE for each in reports]
    what = f"tasks that took more than {LATE} s, of {len(ours)} and {len(late[NATIVE])} native ones"
    return Row(what=what, unit="tasks", floor=sum(late[NATIVE]), ours=sum(ours), bar=0, absolute=True)
