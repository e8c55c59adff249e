"""Source text to the target interpreter's code, the same bytes each time.

Knows the one thing that makes compiled code reproducible: a fresh process of the target, a fixed hash seed, nothing
imported, always the same order. (What marshal writes depends on which strings and objects the process already shares.)
Must not know what the files are for.
"""

from __future__ import annotations

import marshal
import os
import subprocess
from typing import TYPE_CHECKING

import attrs

from outboard.errors import BundleError, LoadError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ("COMPILE_TIMEOUT", "Unit", "compile_units")

COMPILE_TIMEOUT = 120.0
"""Seconds for all files together; a thousand files take about ten."""

# The first line of the answer's error branch is all an author needs: which file, which line, what.
_COMPILER = """
import sys, marshal
answer = []
for name, data in marshal.load(sys.stdin.buffer):
    try:
        answer.append(marshal.dumps(compile(data, name, "exec", dont_inherit=True, optimize=0)))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        answer = {"file": name, "line": line or 0, "reason": getattr(error, "msg", None) or str(error)}
        break
sys.stdout.buffer.write(marshal.dumps(answer, 2))
"""


@attrs.frozen
class Unit:
    """One file to compile. Attributes: name (as tracebacks will show it) and text (its bytes)."""

    name: str
    text: bytes


def compile_units(executable: Path, units: Sequence[Unit]) -> list[bytes]:
    """Compile files with one interpreter.

    Returns:
        The marshalled code of each unit, in order.

    Raises:
        LoadError: a file has a syntax error; the text names file, line and reason.
        BundleError: the interpreter failed.
    """
    # -I would ignore the hash seed; -s -S -E… keep everything else out, and the bare environment does the rest.
    command = [str(executable), "-s", "-S", "-W", "ignore", "-c", _COMPILER]
    environment = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    request = marshal.dumps([(unit.name, unit.text) for unit in units], 2)
    try:
        done = subprocess.run(
            command,
            input=request,
            capture_output=True,
            env=environment,
            cwd=os.sep,
            timeout=COMPILE_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BundleError(f"{executable} cannot compile the bundle: {error}") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise BundleError(f"{executable} cannot compile the bundle: {said}")
    answer = marshal.loads(done.stdout)
    if isinstance(answer, dict):
        where = f"{answer['file']}, line {answer['line']}" if answer["line"] else answer["file"]
        raise LoadError(f"{where}: {answer['reason']}")
    codes: list[bytes] = answer
    return codes
