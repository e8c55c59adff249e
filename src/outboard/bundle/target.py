"""The interpreter and the environment that a bundle will run in, looked at from outside.

Knows what the bundle's start needs of them: version, prefix, the import path, which of outboard's own libraries are
there. Asks the interpreter itself, in a process of its own. Must not know how the environment came to be.
"""

from __future__ import annotations

import marshal
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs

from outboard.errors import EnvironmentBuildError

__all__ = ("HARMLESS_PTH_FILES", "OLDEST_PYTHON", "PROBE_TIMEOUT", "Importable", "Target", "importable", "inspect")

OLDEST_PYTHON = (3, 10)
"""What a bundle can run on. Airflow 3.3 itself goes no lower."""

PROBE_TIMEOUT = 60.0
"""Seconds until an interpreter must have said what it is; a cold start from a slow network disk takes several."""

HARMLESS_PTH_FILES = frozenset({"_virtualenv.pth", "a1_coverage.pth", "distutils-precedence.pth"})
"""Files that only matter to whoever installs or measures: nothing in a task needs them, and each costs a start 5–25 ms."""

# These run in the target. They write marshal, which every Python reads, behind a mark, since a .pth file may print.
_MARK = b"\0outboard\0"
_PROBE = """
import sys, marshal
from importlib.util import find_spec
names = marshal.load(sys.stdin.buffer)
def has(name):
    try:
        return find_spec(name) is not None
    except Exception:
        return False
answer = {
    "implementation": sys.implementation.name, "version": list(sys.version_info[:3]), "hexversion": sys.hexversion,
    "prefix": sys.prefix, "path": [p for p in sys.path if isinstance(p, str)],
    "libraries": [name for name in names if has(name)],
    "standard": sorted(sys.stdlib_module_names),
}
sys.stdout.flush()
sys.stdout.buffer.write(b"\\0outboard\\0" + marshal.dumps(answer, 2))
"""

# To find a.b, Python imports a. A namespace package has nothing to execute, so what is below one can be looked for; what is
# below another package is for that package to decide.
_FINDER = """
import importlib, sys, marshal
from importlib.machinery import PathFinder
from importlib.util import find_spec
def kind(name):
    top, *below = name.split(".")
    try:
        spec = find_spec(top)
        for part in below:
            if spec is None or spec.origin is not None or spec.submodule_search_locations is None:
                break
            above = importlib.import_module(top)
            top += "." + part
            spec = PathFinder.find_spec(top, above.__path__)
    except Exception:
        return "module" if top in sys.modules else ""
    if spec is None:
        return ""
    return "namespace" if spec.origin is None and spec.submodule_search_locations is not None else "module"
answer = {name: kind(name) for name in marshal.load(sys.stdin.buffer)}
sys.stdout.flush()
sys.stdout.buffer.write(b"\\0outboard\\0" + marshal.dumps(answer, 2))
"""


@attrs.frozen(kw_only=True)
class Target:
    """What a bundle's start has to know of its interpreter and environment.

    Attributes:
        executable: the interpreter's absolute path, links not followed: a virtual environment is known by its link.
        version: major, minor and micro.
        tag: ``sys.hexversion >> 16``: equal for interpreters that read each other's compiled code.
        prefix: what `sys.prefix` is there.
        import_path: what the environment adds to the path of a bare start (``-I -S``), in order.
        start_files: the .pth files that run code which somebody may rely on, as (folder, file name).
        libraries: those of `outboard`'s own libraries that can be imported there.
        standard_modules: names of the standard library's modules.
    """

    executable: Path
    version: tuple[int, int, int]
    tag: int
    prefix: Path
    import_path: tuple[str, ...]
    start_files: tuple[tuple[str, str], ...]
    libraries: frozenset[str]
    standard_modules: frozenset[str]

    @property
    def python_version(self) -> str:
        """Such as ``"3.11"``."""
        return f"{self.version[0]}.{self.version[1]}"


@attrs.frozen(kw_only=True)
class Importable:
    """What of some dotted names an environment has.

    Attributes:
        modules: those that are a module or a package, or below a package that decides itself what it has.
        namespaces: those that are folders without an ``__init__.py``: other folders may have more of the same name.
    """

    modules: frozenset[str]
    namespaces: frozenset[str]


def inspect(environment: Path, *, libraries: tuple[str, ...] = ()) -> Target:
    """Ask an environment's interpreter what it is.

    Args:
        environment: a virtual environment's folder, a Python installation's, or the interpreter itself.
        libraries: import names to look for there.

    Raises:
        EnvironmentBuildError: no interpreter there, one that doesn't start, or one that is too old.
    """
    executable = _interpreter_of(environment)
    bare = _ask(executable, ("-I", "-S"), _PROBE, ())
    full = _ask(executable, ("-I",), _PROBE, libraries)
    version = tuple(full["version"])
    if full["implementation"] != "cpython" or version < OLDEST_PYTHON:
        raise EnvironmentBuildError(
            f"{executable} is {full['implementation']} {'.'.join(map(str, version))}; "
            f"a bundle needs CPython {'.'.join(map(str, OLDEST_PYTHON))} or newer"
        )
    added = tuple(dict.fromkeys(entry for entry in full["path"] if entry not in bare["path"]))
    return Target(
        executable=executable,
        version=version,
        tag=full["hexversion"] >> 16,
        prefix=Path(full["prefix"]),
        import_path=added,
        start_files=tuple(_start_files(added)),
        libraries=frozenset(full["libraries"]),
        standard_modules=frozenset(full["standard"]),
    )


def importable(executable: Path, names: Sequence[str]) -> Importable:
    """Ask an environment's interpreter which names it can import. None of them is executed.

    Args:
        executable: the interpreter.
        names: of modules, dotted.

    Raises:
        EnvironmentBuildError: the interpreter does not work.
    """
    kinds = _ask(executable, ("-I",), _FINDER, names)
    return Importable(
        modules=frozenset(name for name, kind in kinds.items() if kind == "module"),
        namespaces=frozenset(name for name, kind in kinds.items() if kind == "namespace"),
    )


def _interpreter_of(environment: Path) -> Path:
    """The interpreter's path, absolute, with links kept."""
    path = Path(os.path.abspath(environment))
    candidates = [path] if path.is_file() else [path / "bin" / "python", path / "bin" / "python3"]
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return candidate
    raise EnvironmentBuildError(f"no Python environment at {path}: {candidates[0]} is missing or cannot be executed")


def _ask(executable: Path, flags: tuple[str, ...], program: str, names: Sequence[str]) -> dict[str, Any]:
    command = [str(executable), *flags, "-c", program]
    request = marshal.dumps(list(names), 2)
    try:
        done = subprocess.run(command, input=request, capture_output=True, timeout=PROBE_TIMEOUT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvironmentBuildError(f"{executable} does not start: {error}") from error
    _, mark, answer = done.stdout.rpartition(_MARK)
    if done.returncode or not mark:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise EnvironmentBuildError(f"{executable} does not work: {said or f'it ended with status {done.returncode}'}")
    document: dict[str, Any] = marshal.loads(answer)
    return document


def _start_files(folders: tuple[str, ...]) -> list[tuple[str, str]]:
    """Those .pth files that do more than add folders, which the import path has already."""
    return [
        (folder, file.name)
        for folder in folders
        for file in sorted(Path(folder).glob("*.pth"))
        if file.name not in HARMLESS_PTH_FILES and _runs_code(file)
    ]


def _runs_code(file: Path) -> bool:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return any(line.startswith(("import ", "import\t")) for line in lines)
