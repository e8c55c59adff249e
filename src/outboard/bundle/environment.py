"""The environment that a file's inline metadata asks for: found in the cache, or built there with uv.

Knows the cache's keys and its concurrency, and how uv's failures read to an author. Must not know what a bundle is.
A finished environment appears under its key by one rename, so whoever finds a key finds all of it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from outboard.bundle.disk import refusal
from outboard.bundle.inline_metadata import InlineMetadata
from outboard.bundle.target import OLDEST_PYTHON
from outboard.errors import EnvironmentBuildError

__all__ = ("CACHE_VARIABLE", "Tell", "cache_folder", "environment_for", "find_uv", "own_requirements")

CACHE_VARIABLE = "OUTBOARD_CACHE_DIR"
"""The environment variable that names another folder for the cache."""

Tell = Callable[[str], None]
"""Takes a line for a person who waits."""

_KEY_DIGITS = 16
_KEY_VERSION = 1  # raised when the same requirements must be built in another way
_FULL = "No space left on device"
_UNSOLVABLE = "No solution found"
_BROKEN_INTERPRETER = re.compile(r"Failed to inspect Python interpreter from search path at `([^`]+)`")


def cache_folder() -> Path:
    """Where environments and the bundles of `outboard run` are kept; removing it costs nothing but time."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "outboard"


def environment_for(metadata: InlineMetadata, file: str, *, cache: Path, tell: Tell) -> Path:
    """The folder of an environment with all that a file asks for, and with outboard's own libraries.

    Args:
        metadata: what the file asks for.
        file: its name, for errors.
        cache: the folder to keep environments in.
        tell: is called before anything that takes long.

    Raises:
        EnvironmentBuildError: no uv, no interpreter that fits, requirements that cannot be met (also: not together with
            outboard's own), or a full disk.
    """
    request = _Request(uv=find_uv(), file=file, dependencies=metadata.dependencies, own=own_requirements(), tell=tell)
    interpreter = _choose_interpreter(request, metadata.requires_python)
    home = cache / "environments" / _key(request, interpreter)
    if _is_whole(home):
        return home
    try:
        home.parent.mkdir(parents=True, exist_ok=True)
        with _locked(home, tell):
            if not _is_whole(home):
                _build(request, interpreter, home)
    except OSError as error:
        raise _unwritable(home.parent, error) from error
    return home


def own_requirements() -> tuple[str, ...]:
    """What outboard itself needs, as its installation declares it."""
    declared = importlib.metadata.requires("outboard") or []
    return tuple(sorted(requirement for requirement in declared if "extra ==" not in requirement))


def find_uv() -> Path:
    """The uv that came with outboard's extra, or else the one on the path.

    Raises:
        EnvironmentBuildError: there is none.
    """
    beside = Path(sysconfig.get_path("scripts")) / "uv"
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which("uv")
    if found is None:
        raise EnvironmentBuildError("uv is missing, which builds the environments; run: pip install 'outboard[cli]'")
    return Path(found)


@attrs.frozen(kw_only=True)
class _Request:
    """What is to be built, and the tool to build it with."""

    uv: Path
    file: str
    dependencies: tuple[str, ...]
    own: tuple[str, ...]
    tell: Tell

    def run_uv(self, *arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
        settings = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}
        return subprocess.run(
            [str(self.uv), *arguments],
            env=(os.environ if environment is None else environment) | settings,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


# ── the interpreter ───────────────────────────────────────────────────────────────────────────────────────────────


def _choose_interpreter(request: _Request, requires_python: str | None) -> Path:
    """The interpreter that runs outboard, unless the file asks for what it isn't."""
    if requires_python is None:
        return Path(sys.executable)
    wanted = f">={'.'.join(map(str, OLDEST_PYTHON))},{requires_python}"
    # An active environment comes first in uv's search.
    environment = dict(os.environ) | {"VIRTUAL_ENV": sys.prefix}
    while True:
        done = request.run_uv("python", "find", "--no-project", wanted, environment=environment)
        if done.returncode == 0:
            return Path(done.stdout.strip())
        if not _drop_broken_folder(environment, done.stderr):
            raise EnvironmentBuildError(_no_interpreter(request.file, requires_python, done.stderr))


def _drop_broken_folder(environment: dict[str, str], complaint: str) -> bool:
    """Take a folder off the path whose interpreters don't start: a version manager's stand-ins for absent versions."""
    broken = _BROKEN_INTERPRETER.search(complaint)
    if broken is None:
        return False
    folders = environment.get("PATH", "").split(os.pathsep)
    kept = [folder for folder in folders if os.path.normpath(folder) != os.path.dirname(broken[1])]
    environment["PATH"] = os.pathsep.join(kept)
    return len(kept) < len(folders)


def _no_interpreter(file: str, requires_python: str, complaint: str) -> str:
    if "executable name" in complaint:
        return f'{file}: requires-python is {requires_python!r}, which is no version specifier such as ">=3.11"'
    return f"{file} requires Python {requires_python}, and there is no such interpreter here; install one"


# ── the cache ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _key(request: _Request, interpreter: Path) -> str:
    """One name for all that decides what gets built."""
    real = interpreter.resolve()
    stat = real.stat()  # tells an interpreter from the one that an upgrade puts in its place
    parts = [
        _KEY_VERSION,
        sorted(request.dependencies),
        request.own,
        str(real),
        stat.st_size,
        stat.st_mtime_ns,
        sysconfig.get_platform(),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_KEY_DIGITS]


def _is_whole(home: Path) -> bool:
    """Whether the environment is there, and the interpreter it was made from still is."""
    return os.access(home / "bin" / "python", os.X_OK)


@contextlib.contextmanager
def _locked(home: Path, tell: Tell) -> Iterator[None]:
    """One builder per key. The system releases the lock of a builder that dies."""
    with open(home.with_suffix(".lock"), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tell("another process is building the same environment; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build(request: _Request, interpreter: Path, home: Path) -> None:
    for remains in (home, *home.parent.glob(f".{home.name}-*")):
        shutil.rmtree(remains, ignore_errors=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{home.name}-", dir=home.parent))
    try:
        _fill(request, interpreter, temporary)
        temporary.rename(home)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _fill(request: _Request, interpreter: Path, folder: Path) -> None:
    wanted = ", ".join(request.dependencies) or "no dependencies"
    request.tell(f"building the environment of {request.file}: {wanted}")
    made = request.run_uv(
        "venv", "--no-project", "--relocatable", "--allow-existing", "--python", str(interpreter), str(folder)
    )
    if made.returncode:
        raise _uv_error(request, made.stderr, folder)
    installed = _install(request, folder, (*request.dependencies, *request.own))
    if installed.returncode:
        raise _uv_error(request, installed.stderr, folder)


def _install(
    request: _Request, folder: Path, requirements: Sequence[str], *options: str
) -> subprocess.CompletedProcess[str]:
    python = folder / "bin" / "python"
    return request.run_uv(
        "pip", "install", "--python", str(python), "--compile-bytecode", *options, "--", *requirements
    )


# ── what went wrong ───────────────────────────────────────────────────────────────────────────────────────────────


def _unwritable(folder: Path, error: OSError) -> EnvironmentBuildError:
    advice = f"free some space, or name another folder in {CACHE_VARIABLE}"
    return EnvironmentBuildError(refusal(folder, error, advice=advice))


def _uv_error(request: _Request, complaint: str, folder: Path) -> EnvironmentBuildError:
    if _FULL in complaint:
        return _unwritable(folder.parent, OSError(errno.ENOSPC, _FULL))
    reason = _reason(complaint)
    if _UNSOLVABLE not in complaint or _install(request, folder, request.dependencies, "--dry-run").returncode:
        return EnvironmentBuildError(f"{request.file}: its requirements cannot be installed: {reason}")
    theirs = ", ".join(_mentioned(request.dependencies, complaint))
    ours = ", ".join(_mentioned(request.own, complaint))
    return EnvironmentBuildError(
        f"{request.file} requires {theirs}, which clashes with what outboard itself requires, {ours}: {reason}"
    )


def _mentioned(requirements: Sequence[str], complaint: str) -> Sequence[str]:
    """Those requirements that uv's explanation speaks of; all of them where it names none."""
    names = {name: re.split(r"[^A-Za-z0-9._-]", name.strip(), maxsplit=1)[0] for name in requirements}
    found = [name for name, project in names.items() if re.search(rf"\b{re.escape(project)}\b", complaint, re.I)]
    return found or requirements


def _reason(complaint: str) -> str:
    """The innermost cause of what uv says, in one line."""
    text = " ".join(complaint.split())
    _, mark, cause = text.rpartition("cause: ")
    return cause if mark else text.removeprefix("error: ")
