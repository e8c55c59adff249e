"""Where a task's process spends its time: what it imports beyond a bare start of the interpreter, module by module."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
from collections import defaultdict
from typing import TYPE_CHECKING

import attrs

from tests.benchmarks.plain_supervisor import ENVIRONMENT, greeting, run_task

if TYPE_CHECKING:
    from tests.benchmarks.packed import PackedFile

# What is executed in one go is imported by nobody, so the interpreter's stopwatch does not see it. Put before the bundle's
# loader, this one does, and writes the same lines.
_STOPWATCH = """
import builtins, sys, time
def timed(code, names=None, execute=exec, clock=time.perf_counter_ns, caller=sys._getframe):
    began = clock()
    execute(code, caller(1).f_globals if names is None else names)
    if names and names.get('__name__', '').startswith('outboard.'):
        took = (clock() - began) // 1000
        print('import time:', took, '|', took, '|', names['__name__'], file=sys.stderr)
builtins.exec = timed
"""

__all__ = ("ImportCost", "imported_modules", "profile", "profile_table")

# What `-X importtime` writes for each module, when its import has ended.
_LINE = re.compile(r"^import time:\s+(?P<own>\d+) \|\s+(?P<total>\d+) \|(?P<indent> +)(?P<name>\S+)$", re.MULTILINE)


@attrs.frozen(kw_only=True)
class ImportCost:
    """One module's import, in microseconds: by itself, and with all that it imported."""

    name: str
    own: int
    total: int


def profile(bundle: PackedFile, rounds: int) -> list[ImportCost]:
    """What one task imports that a bare start does not: medians of ``rounds`` processes, the dearest first.

    Of what is executed in one go, the time includes the imports of modules that are not outboard's. A stopwatch makes imports
    slower; the shares are right, the sum is not.
    """
    bare = imported_modules(_bare_start(bundle.interpreter))
    taken: dict[str, list[ImportCost]] = defaultdict(list)
    for _ in range(rounds):
        for cost in _import_costs(_task(bundle)):
            if cost.name not in bare:
                taken[cost.name].append(cost)
    middle = [sorted(costs, key=lambda cost: cost.own)[len(costs) // 2] for costs in taken.values()]
    return sorted(middle, key=lambda cost: cost.own, reverse=True)


def profile_table(costs: list[ImportCost]) -> str:
    """The costs as text."""
    lines = [f"{cost.own:>9}  {cost.total:>10}  {cost.name}" for cost in costs]
    total = sum(cost.own for cost in costs)
    return "\n".join(["  own, us  with its own  module", *lines, f"{total:>9}  {'':>10}  together"])


def imported_modules(stopwatch: str) -> frozenset[str]:
    """The names in what ``-X importtime`` wrote."""
    return frozenset(cost.name for cost in _import_costs(stopwatch))


def _import_costs(stopwatch: str) -> list[ImportCost]:
    return [
        ImportCost(name=found["name"], own=int(found["own"]), total=int(found["total"]))
        for found in _LINE.finditer(stopwatch)
    ]


def _bare_start(interpreter: str) -> str:
    command = [interpreter, "-I", "-S", "-X", "importtime", "-c", "pass"]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT).stderr


def _task(bundle: PackedFile) -> str:
    with tempfile.TemporaryFile() as stderr:
        timed = attrs.evolve(bundle, loader=_STOPWATCH + bundle.loader)
        run = run_task(timed.with_option("-X", "importtime"), greeting("hello", "greet"), stderr=stderr.fileno())
        os.lseek(stderr.fileno(), 0, os.SEEK_SET)
        text = stderr.read().decode(errors="replace")
    if run.terminal != "SucceedTask":
        raise RuntimeError(f"the task ended with {run.terminal!r} and {run.exit_code}: {run.records} {text[-2000:]}")
    return text
