"""What Airflow's search for a Dag's bundle takes, in CPU: the real one, in a folder where two hundred Dags are deployed.

For each task, Airflow opens every file on its way to the right one and reads its metadata; a hash over the rest it computes
once in a process. How long the way is depends on how the Dags are spread over bundles, and on where the right one lies.
"""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from outboard.bundle import contents, packer, target
from outboard.bundle.dependencies import pack_environment
from tests.benchmarks.measurement import Row
from tests.benchmarks.packed import HELLO, environment_with_msgpack
from tests.benchmarks.under_airflow import airflow_python
from tests.live.supervisor import started_supervisor

if TYPE_CHECKING:
    from pathlib import Path

    from tests.live.supervisor import AirflowSupervisor

__all__ = ("BAR", "DAGS", "SPREADS", "measure")

# The bar, in milliseconds.
BAR = 10.0

DAGS = 200

# Over how many bundles the Dags are spread.
SPREADS = (1, 10, 200)

# How often each Dag is looked up.
ROUNDS = 5


def measure(version: str, folder: Path) -> list[Row]:
    """The rows, in CPU milliseconds beside the search in a folder that holds nothing else.

    The mean over all Dags is what tasks pay that are spread over them evenly.
    """
    sketch = _sketch(folder)
    dag_ids = [f"team_{number // 10:02}.pipeline_{number:03}" for number in range(DAGS)]
    _deploy(sketch, folder / "one", [["alone"]])
    for bundles in SPREADS:
        _deploy(sketch, folder / f"in-{bundles}", [dag_ids[start::bundles] for start in range(bundles)])
    with started_supervisor(airflow_python(version), folder) as airflow:
        _costs(airflow, folder / "one", ["alone"])
        floor = _costs(airflow, folder / "one", ["alone"])[0]
        rows = []
        for bundles in SPREADS:
            where = folder / f"in-{bundles}"
            first = sum(airflow.search(where, dag_ids)) * 1000
            found = _costs(airflow, where, dag_ids)
            what = f"look-up of one of {DAGS} Dags in {bundles} bundle{'s' * (bundles > 1)}, CPU"
            rows.append(Row(what=what, unit="ms", floor=floor, ours=statistics.mean(found), bar=BAR, absolute=True))
            rows.append(Row(what="   of the one that is found last", unit="ms", floor=floor, ours=max(found)))
            hashing = first - sum(found)
            rows.append(
                Row(what="   and for the first time in its process", unit="ms", floor=floor, ours=max(found) + hashing)
            )
    return rows


def _sketch(folder: Path) -> packer.Draft:
    environment = target.inspect(environment_with_msgpack(folder / "environment"), libraries=contents.CHILD_LIBRARIES)
    author = contents.collect([HELLO], [], environment)
    return packer.draft(author, environment, carried=pack_environment(environment))


def _deploy(sketch: packer.Draft, folder: Path, groups: list[list[str]]) -> None:
    """Bundles that say that they have these Dags; nobody runs them."""
    folder.mkdir()
    for number, dag_ids in enumerate(groups):
        packer.write(sketch, folder / f"bundle{number}", dict.fromkeys(dag_ids, ()))


def _costs(airflow: AirflowSupervisor, folder: Path, dag_ids: list[str]) -> list[float]:
    """The median of each Dag's searches, in milliseconds."""
    rounds = [airflow.search(folder, dag_ids) for _ in range(ROUNDS)]
    return [statistics.median(costs) * 1000 for costs in zip(*rounds, strict=True)]
