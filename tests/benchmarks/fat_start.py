"""A bundle that carries its dependencies against one that finds them where they are: CPU of a task's process.

Both have the same environment. What a thin bundle's start takes depends on the length of its interpreter's path, since the
system passes a long first line through a shell, so the bar is at one whose path is as long as those of most environments. A
fat one always goes through a shell, which looks for the interpreter; beside it stands what any program would take there.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.measurement import Row, medians
from tests.benchmarks.packed import HELLO, environment_with_msgpack, pack, pack_fat
from tests.benchmarks.plain_supervisor import ENVIRONMENT, cpu_milliseconds, greeting, run_process, run_task

if TYPE_CHECKING:
    from tests.benchmarks.packed import PackedFile

__all__ = ("BAR", "measure")

BAR = 1.0

# The difference to be seen is a thirtieth of the whole.
ROUNDS_FACTOR = 3

FIRST, LATER, THIN, DIRECT = "first start", "later start", "thin", "thin, without a shell"

# The program that does the least.
LEAST = "/bin/true"


def measure(thin: PackedFile, environment: Path, folder: Path, rounds: int) -> list[Row]:
    """The rows, in CPU milliseconds.

    Args:
        thin: a bundle for the environment.
        environment: what the fat one carries.
        folder: takes the fat bundle and its cache.
        rounds: how often each is run, at least.
    """
    fat = pack_fat(HELLO, folder / "fat", environment)
    cache = folder / "cache"
    with tempfile.TemporaryDirectory(prefix="ob-") as short:
        direct = pack(HELLO, folder / "direct", environment_with_msgpack(Path(short) / "e"))
        candidates = {
            THIN: lambda: _task(thin.path, cache),
            LATER: lambda: _task(fat, cache),
            DIRECT: lambda: _task(direct.path, cache),
            LEAST: lambda: cpu_milliseconds(run_process([LEAST])),
        }
        found = medians(candidates, ROUNDS_FACTOR * rounds)

    def first() -> float:
        shutil.rmtree(cache)
        return _task(fat, cache)

    found |= medians({FIRST: first}, rounds, warm_up=1)
    rows = [
        Row(what="fat against thin, from the second start on", unit="ms", floor=found[THIN], ours=found[LATER], bar=BAR)
    ]
    rows.append(Row(what=f"   against {DIRECT}", unit="ms", floor=found[DIRECT], ours=found[LATER]))
    shell = Row(
        what=f"   what the shell takes, against {LEAST}",
        unit="ms",
        floor=found[LEAST],
        ours=found[LATER] - found[DIRECT],
    )
    rows.append(shell)
    rows.append(Row(what="   at its first start, which unpacks", unit="ms", floor=found[THIN], ours=found[FIRST]))
    return rows


def _task(bundle: Path, cache: Path) -> float:
    run = run_task(
        [str(bundle)], greeting("hello", "greet"), environment={**ENVIRONMENT, "OUTBOARD_CACHE_DIR": str(cache)}
    )
    if run.terminal != "SucceedTask" or run.exit_code:
        raise RuntimeError(f"the task ended with {run.terminal!r} and {run.exit_code}: {run.records}")
    return cpu_milliseconds(run.usage)
