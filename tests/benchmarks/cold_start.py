"""CPU of one task's process, from its start to its end: the price of running a task by itself.

Beside it, the steps of which the rest of the way consists, each as a packed file of its own: the interpreter alone, the
same started from a file with our head, and that with the C modules imported that every task needs.
"""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from tests.benchmarks.measurement import Row, medians
from tests.benchmarks.plain_supervisor import cpu_milliseconds, greeting, run_process, run_task

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.benchmarks.packed import PackedFile

__all__ = ("BAR", "measure")

# The second of the design's two bars.
BAR = 2.2

FLOOR = "floor"
OURS = "ours"
SHEBANG = "started from a file"
C_MODULES = "… and C modules imported"


def measure(bundle: PackedFile, folder: Path, rounds: int) -> list[Row]:
    """The rows, in CPU milliseconds. ``folder`` takes the files of the steps."""
    bare = [bundle.interpreter, "-I", "-S", "-c", "pass"]
    steps = {
        SHEBANG: _script(bundle, folder / "empty", ""),
        C_MODULES: _script(bundle, folder / "modules", "import _datetime, _json, fcntl, select"),
    }
    candidates: dict[str, Callable[[], float]] = {FLOOR: lambda: cpu_milliseconds(run_process(bare))}
    for name, path in steps.items():
        candidates[name] = lambda path=path: cpu_milliseconds(run_process([str(path)]))
    candidates[OURS] = lambda: _task(bundle)
    found = medians(candidates, rounds)
    floor = found[FLOOR]
    rows = [Row(what=f"   {name}", unit="ms", floor=floor, ours=found[name]) for name in steps]
    return [Row(what="cold start of a task, CPU", unit="ms", floor=floor, ours=found[OURS], bar=BAR), *rows]


def _task(bundle: PackedFile) -> float:
    run = run_task([str(bundle.path)], greeting("hello", "greet"))
    if run.terminal != "SucceedTask" or run.exit_code:
        raise RuntimeError(f"the task ended with {run.terminal!r} and {run.exit_code}: {run.records}")
    return cpu_milliseconds(run.usage)


def _script(bundle: PackedFile, path: Path, body: str) -> Path:
    """A file that starts as a bundle does, with the environment's import path, and runs ``body``."""
    ask = "import sysconfig; print(sysconfig.get_path('platlib'))"
    site = subprocess.run([bundle.interpreter, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()
    path.write_text(f"#!{bundle.interpreter} -IS\nimport sys\nsys.path.append({site!r})\n{body}\n")
    path.chmod(0o755)
    return path
