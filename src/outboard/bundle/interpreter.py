"""Which Python a file gets: what it asks for, what the command line asks for, and what there is on this machine.

Knows how uv looks for interpreters. Must not know what is built with them.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from outboard.bundle.target import OLDEST_PYTHON, inspect
from outboard.bundle.uv import Uv
from outboard.errors import EnvironmentBuildError, UsageError

__all__ = ("choose_interpreter",)

_BROKEN = re.compile(r"Failed to inspect Python interpreter from (?:first executable in the )?search path at `([^`]+)`")
_VERSION = re.compile(r"\d+(?:\.\d+){0,2}")
_WHOLE_VERSION_PARTS = 3


def choose_interpreter(uv: Uv, file: str, requires_python: str | None, python: str | None) -> Path:
    """The interpreter for a file: the one that is wished for, or that runs outboard if it fits, or another that does.

    Args:
        uv: which looks for it.
        file: the file's name, for errors.
        requires_python: the version specifier that it asks for.
        python: a version such as ``"3.12"``, or an interpreter's path or name.

    Raises:
        UsageError: `python` is none of these, or does not go with `requires_python`.
        EnvironmentBuildError: there is no such interpreter, or it does not work.
    """
    if python is not None and not _VERSION.fullmatch(python):
        return _named(uv, file, requires_python, python)
    if python is None and requires_python is None:
        return Path(sys.executable)
    # An active environment comes first in uv's search.
    environment = dict(os.environ) | {"VIRTUAL_ENV": sys.prefix}
    wanted = [*([requires_python] if requires_python else []), *([_specifier(python)] if python else [])]
    found, complaint = _find(uv, wanted, environment)
    if found is not None:
        return found
    if requires_python is not None and "executable name" in complaint:
        raise EnvironmentBuildError(_no_specifier(file, requires_python))
    if python is None:
        raise EnvironmentBuildError(
            f"{file} requires Python {requires_python}, and there is no such interpreter here; install one"
        )
    if requires_python is not None and _find(uv, wanted[1:], environment)[0] is not None:
        raise UsageError(_unfit(file, requires_python, python))
    raise EnvironmentBuildError(f"there is no Python {python} here; install it, or give the path of one to --python")


def _specifier(version: str) -> str:
    return f"=={version}" if version.count(".") + 1 == _WHOLE_VERSION_PARTS else f"=={version}.*"


def _find(uv: Uv, wanted: Sequence[str], environment: dict[str, str]) -> tuple[Path | None, str]:
    """The first interpreter on uv's way that fits all specifiers, or what uv says instead."""
    floor = f">={'.'.join(map(str, OLDEST_PYTHON))}"
    while True:
        answer = uv.run("python", "find", "--no-project", ",".join([floor, *wanted]), environment=environment)
        if answer.succeeded:
            return Path(answer.output), ""
        if not _drop_broken_folder(environment, answer.complaint):
            return None, answer.complaint


def _drop_broken_folder(environment: dict[str, str], complaint: str) -> bool:
    """Take a folder off the path whose interpreters don't start: a version manager's stand-ins.

    Those of pyenv start only where a version is chosen; the versions themselves are in a folder beside theirs.
    """
    broken = _BROKEN.search(complaint)
    if broken is None:
        return False
    dropped = os.path.dirname(os.path.abspath(broken[1]))  # what is below the current folder is told from there
    folders = environment.get("PATH", "").split(os.pathsep)
    kept = [folder for folder in folders if os.path.abspath(folder) != dropped]
    if len(kept) == len(folders):
        return False
    versions = Path(dropped).parent.glob("versions/*/bin")
    newest_first = sorted(versions, key=lambda folder: _numbers(folder.parent.name), reverse=True)
    environment["PATH"] = os.pathsep.join([*kept, *map(str, newest_first)])
    return True


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


def _named(uv: Uv, file: str, requires_python: str | None, python: str) -> Path:
    """An interpreter given by its path, its environment's, or its name on the path."""
    path = python if os.path.exists(python) else shutil.which(python)
    if path is None:
        raise UsageError(f"--python {python}: there is neither a file nor a command of that name, and no such version")
    executable = inspect(Path(path)).executable
    if requires_python is not None and not _fits(uv, file, requires_python, executable):
        raise UsageError(_unfit(file, requires_python, python))
    return executable


def _fits(uv: Uv, file: str, requires_python: str, executable: Path) -> bool:
    """Whether an interpreter fulfils a specifier, as uv judges it: where there is no other, it finds this one."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "python3").symlink_to(executable.resolve())
        wanted = [requires_python, "--system", "--python-preference", "only-system"]
        answer = uv.run("python", "find", "--no-project", *wanted, environment={"PATH": folder})
    if "executable name" in answer.complaint:
        raise EnvironmentBuildError(_no_specifier(file, requires_python))
    return answer.succeeded


def _no_specifier(file: str, requires_python: str) -> str:
    return f'{file}: requires-python is {requires_python!r}, which is no version specifier such as ">=3.11"'


def _unfit(file: str, requires_python: str, python: str) -> str:
    return f"{file} requires Python {requires_python}, which --python {python} is not"
