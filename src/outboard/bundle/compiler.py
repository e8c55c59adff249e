"""Source text to the target interpreter's code, the same bytes each time.

Knows the one thing that makes compiled code reproducible: a fresh process of the target, a fixed hash seed, nothing
imported, always the same order. (What marshal writes depends on which strings and objects the process already shares.)
Must not know what the files are for.
"""

from __future__ import annotations

import marshal
import os
import subprocess
from typing import TYPE_CHECKING, Any

import attrs

from outboard.errors import BundleError, LoadError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ("COMPILE_TIMEOUT", "Unit", "compile_library", "compile_units", "evaluate", "join_codes")

COMPILE_TIMEOUT = 600.0
"""Seconds for all files together; a thousand files take about ten, and a large environment has ten thousand."""

# The first line of the answer's error branch is all an author needs: which file, which line, what.
_COMPILER = """
import ast, sys, marshal

class Strip(ast.NodeTransformer):
    def visit_FunctionDef(self, node):
        node.returns = None
        arguments = node.args
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg]:
            if argument is not None:
                argument.annotation = None
        return self.generic_visit(node)
    visit_AsyncFunctionDef = visit_FunctionDef
    def visit_AnnAssign(self, node):
        if node.value is None:
            return ast.copy_location(ast.Pass(), node)
        return ast.copy_location(ast.Assign([node.target], self.visit(node.value)), node)
    def visit_If(self, node):
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return [self.visit(each) for each in node.orelse] or ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)
    def visit_ImportFrom(self, node):
        return ast.copy_location(ast.Pass(), node) if node.module == "__future__" else node

answer = []
for name, data, stripped in marshal.load(sys.stdin.buffer):
    try:
        if stripped:
            data = ast.fix_missing_locations(Strip().visit(ast.parse(data, name)))
        answer.append(marshal.dumps(compile(data, name, "exec", dont_inherit=True, optimize=2 if stripped else 0)))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        answer = {"file": name, "line": line or 0, "reason": getattr(error, "msg", None) or str(error)}
        break
sys.stdout.buffer.write(marshal.dumps(answer, 2))
"""


# Library files come with tests and templates that no Python compiles; nobody imports those. The flags say: not checked against
# the source, since the two travel together.
_LIBRARY_COMPILER = """
import sys, marshal
from importlib.util import MAGIC_NUMBER, source_hash
answer = {}
for name, data in marshal.load(sys.stdin.buffer):
    try:
        code = compile(data, name, "exec", dont_inherit=True, optimize=0)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        continue
    answer[name] = MAGIC_NUMBER + (1).to_bytes(4, "little") + source_hash(data) + marshal.dumps(code)
sys.stdout.buffer.write(marshal.dumps(answer, 2))
"""

# What is marshalled together shares its strings, and is read in two thirds of the time.
_JOINER = """
import sys, marshal
codes = {name: marshal.loads(code) for name, code in marshal.load(sys.stdin.buffer)}
sys.stdout.buffer.write(marshal.dumps(marshal.dumps(codes), 2))
"""


@attrs.frozen
class Unit:
    """One file to compile.

    Attributes:
        name: as tracebacks will show it.
        text: its bytes.
        stripped: whether docstrings, annotations, assertions and what only type checkers read are left out. A lean start
            is worth that in the child's own modules; an author's code is compiled as it is.
    """

    name: str
    text: bytes
    stripped: bool = False


def compile_units(executable: Path, units: Sequence[Unit]) -> list[bytes]:
    """Compile files with one interpreter.

    Returns:
        The marshalled code of each unit, in order.

    Raises:
        LoadError: a file has a syntax error; the text names file, line and reason.
        BundleError: the interpreter failed.
    """
    answer = evaluate(executable, _COMPILER, [(unit.name, unit.text, unit.stripped) for unit in units])
    if isinstance(answer, dict):
        where = f"{answer['file']}, line {answer['line']}" if answer["line"] else answer["file"]
        raise LoadError(f"{where}: {answer['reason']}")
    codes: list[bytes] = answer
    return codes


def join_codes(executable: Path, codes: Sequence[tuple[str, bytes]]) -> bytes:
    """Make one piece of several modules' code, for the interpreter that compiled it.

    Args:
        executable: the interpreter.
        codes: the name and the marshalled code of each module.

    Returns:
        A marshalled dict of the code objects by name, in the same order.

    Raises:
        BundleError: the interpreter failed.
    """
    answer: bytes = evaluate(executable, _JOINER, list(codes))
    return answer


def compile_library(executable: Path, sources: dict[str, bytes]) -> dict[str, bytes]:
    """Compile the files of installed packages with one interpreter.

    Args:
        executable: the interpreter.
        sources: the text of each file, by a name that stays the same wherever it is packed.

    Returns:
        The content of each file's ``.pyc``, by the same names. Files that do not compile are left out.

    Raises:
        BundleError: the interpreter failed.
    """
    answer: dict[str, bytes] = evaluate(executable, _LIBRARY_COMPILER, sorted(sources.items()))
    return answer


def evaluate(executable: Path, program: str, request: Any) -> Any:
    """Let an interpreter answer a request, with the standard library alone and the same way each time.

    Args:
        executable: the interpreter.
        program: reads the request from stdin and writes the answer to stdout, both as `marshal` has them.
        request: builtin types only.

    Raises:
        BundleError: the interpreter failed.
    """
    # -I would ignore the hash seed; -s -S -E… keep everything else out, and the bare environment does the rest.
    command = [str(executable), "-s", "-S", "-W", "ignore", "-c", program]
    environment = {"PYTHONHASHSEED": "0", "LC_ALL": "C.UTF-8"}
    try:
        done = subprocess.run(
            command,
            input=marshal.dumps(request, 2),
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
    return marshal.loads(done.stdout)
