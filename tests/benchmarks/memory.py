"""Memory of one task's process while its body's result is on the way: what many tasks at once cost."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks.measurement import Row, medians
from tests.benchmarks.plain_supervisor import greeting, run_task, spawn

if TYPE_CHECKING:
    from outboard.protocol import messages as m
    from tests.benchmarks.packed import PackedFile

__all__ = ("BAR", "measure")

# The design's is 1.35; this is what has been reached since, and some room.
BAR = 1.3

KINDS = ("Rss", "Pss", "Private")

# Builtin modules only, so that the floor stays one.
_WAIT = "import posix; posix.write(1, b'.'); posix.read(0, 1)"


def measure(bundle: PackedFile, rounds: int) -> list[Row]:
    """The rows, in megabytes: resident, proportional, and private memory."""
    taken: dict[str, list[dict[str, float]]] = {"floor": [], "ours": []}

    def floor() -> float:
        taken["floor"].append(_bare(bundle))
        return 0.0

    def ours() -> float:
        taken["ours"].append(_task(bundle))
        return 0.0

    medians({"floor": floor, "ours": ours}, rounds, warm_up=0)
    rows = []
    for kind, bar in zip(KINDS, (BAR, None, None), strict=True):
        middle = {who: sorted(sample[kind] for sample in samples)[len(samples) // 2] for who, samples in taken.items()}
        what = {"Rss": "resident memory of a task", "Pss": "   proportional share", "Private": "   private"}[kind]
        rows.append(Row(what=what, unit="MB", floor=middle["floor"], ours=middle["ours"], bar=bar))
    return rows


def _bare(bundle: PackedFile) -> dict[str, float]:
    pid, reading, writing = spawn([bundle.interpreter, "-I", "-S", "-c", _WAIT])
    os.read(reading, 1)
    found = _memory(pid)
    os.close(writing)
    os.close(reading)
    os.waitpid(pid, 0)
    return found


def _task(bundle: PackedFile) -> dict[str, float]:
    found: dict[str, float] = {}

    def look(pid: int, message: m.Message) -> None:
        if type(message).__name__ == "SetXCom":
            found.update(_memory(pid))

    run_task([str(bundle.path)], greeting("hello", "greet"), answer=look)
    return found


def _memory(pid: int) -> dict[str, float]:
    """Rss, Pss and Private of a process, in megabytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(rest.split()[0]) for name, rest in (line.split(":") for line in lines)}
    private = kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
    return {"Rss": kilobytes["Rss"] / 1024, "Pss": kilobytes["Pss"] / 1024, "Private": private / 1024}
