"""The environment that a file's inline metadata asks for: found in the cache, or built there with uv.

Knows what decides what an environment holds, the order of building it, and how uv's failures read to an author. Must not know
what a bundle is. Where environments are kept is the business of `outboard.bundle.environment_store`.
"""

from __future__ import annotations

import errno
import hashlib
import importlib.metadata
import json
import os
import re
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import attrs

from outboard.bundle.credentials import Credentials, without_credentials, without_user
from outboard.bundle.disk import refusal
from outboard.bundle.environment_store import ENVIRONMENTS, Note, Place, Tell
from outboard.bundle.inline_metadata import InlineMetadata
from outboard.bundle.interpreter import choose_interpreter
from outboard.bundle.lock import Lock, read_lock
from outboard.bundle.uv import Answer, Uv, find_uv
from outboard.errors import EnvironmentBuildError, OutboardError, UsageError

__all__ = ("CACHE_VARIABLE", "Tell", "cache_folder", "environment_for", "own_requirements")

CACHE_VARIABLE = "OUTBOARD_CACHE_DIR"
"""The environment variable that names another folder for the cache."""

_KEY_DIGITS = 16
_KEY_VERSION = 2  # raised when the same requirements must be built in another way

# The settings of uv that decide what it installs; the others say how.
_SETTINGS = re.compile(
    r"UV_(?:(?:DEFAULT_|EXTRA_)?INDEX(?:_URL|_STRATEGY)?|NO_INDEX|FIND_LINKS|CONSTRAINT|OVERRIDE|EXCLUDE|EXCLUDE_NEWER|PRERELEASE"
    r"|RESOLUTION|FORK_STRATEGY|NO_BINARY(?:_PACKAGE)?|ONLY_BINARY|NO_BUILD(?:_PACKAGE)?|NO_SOURCES|TORCH_BACKEND|CONFIG_FILE"
    r"|NO_CONFIG)"
)

_PROJECT = re.compile(r"[A-Za-z0-9._-]*")

# Nothing to look for packages in: what uv then accepts is installed already.
_NOWHERE = ("--dry-run", "--offline", "--no-index", "--no-cache", "--no-config")


def cache_folder() -> Path:
    """Where environments and the bundles of `outboard run` are kept; removing it costs nothing but time."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "outboard"


def environment_for(
    metadata: InlineMetadata,
    file: str,
    *,
    cache: Path,
    tell: Tell,
    python: str | None = None,
    lock: Path | None = None,
    locked: bool = False,
    offline: bool = False,
    libraries: Sequence[str] = (),
) -> Path:
    """The folder of an environment with all that a file asks for, and with outboard's own libraries.

    Until this process ends, nobody removes it from the cache.

    Args:
        metadata: what the file asks for.
        file: its name, for errors.
        cache: the folder to keep environments in.
        tell: is called before anything that takes long, and with warnings.
        python: the interpreter to take: a version, a path or a name on the path.
        lock: a requirement file with hashes: what it holds is installed as it says, and checked.
        locked: whether it is an error if the file asks for what the lock does not hold.
        offline: whether the network is to be left alone.
        libraries: projects that outboard takes for some files only, and for this one.

    Raises:
        UsageError: these wishes do not go together, or the file and the lock don't.
        EnvironmentBuildError: no uv, no interpreter that fits, requirements that cannot be met (also: not together with
            outboard's own), a file that is not the one that was locked, or a full disk.
    """
    if locked and lock is None:
        raise UsageError("--locked needs --lock FILE: the lock that the requirements must be in")
    request = _request(metadata, file, None if lock is None else read_lock(lock), tell, offline, libraries)
    interpreter = choose_interpreter(request.uv, file, metadata.requires_python, python)
    place = Place(cache / ENVIRONMENTS, _key(request, interpreter))
    try:
        if not place.hold():
            _make_room(place.parent)
            with place.locked(tell):
                if not place.hold():  # nobody else was faster
                    _build(request, interpreter, place, locked=locked)
                    place.hold()
    except OSError as error:
        raise _unwritable(place.parent, error) from error
    if place.note is not None and place.note.drift:
        _warn(request, place.note.drift, locked=locked)
    return place.home


def own_requirements(libraries: Sequence[str] = ()) -> tuple[str, ...]:
    """What outboard itself needs, as its installation declares it, and those of its extras that are named."""
    declared = importlib.metadata.requires("outboard") or []
    always = [requirement for requirement in declared if "extra ==" not in requirement]
    optional = {requirement.partition(";")[0].strip() for requirement in declared if "extra ==" in requirement}
    chosen = [requirement for requirement in optional if _PROJECT.match(requirement)[0] in libraries]  # type: ignore[index]
    return tuple(sorted([*always, *chosen]))


@attrs.frozen(kw_only=True)
class _Request:
    """What is to be built, and the tool to build it with."""

    uv: Uv
    file: str
    dependencies: tuple[str, ...]
    own: tuple[str, ...]
    libraries: tuple[str, ...]
    lock: Lock | None
    tell: Tell


def _request(
    metadata: InlineMetadata, file: str, lock: Lock | None, tell: Tell, offline: bool, libraries: Sequence[str]
) -> _Request:
    texts = [*metadata.dependencies, *([lock.text] if lock else [])]
    return _Request(
        uv=Uv(program=find_uv(), credentials=Credentials.collect(os.environ, texts), offline=offline),
        file=file,
        dependencies=metadata.dependencies,
        own=own_requirements(libraries),
        libraries=tuple(libraries),
        lock=lock,
        tell=tell,
    )


def _key(request: _Request, interpreter: Path) -> str:
    """One name for all that decides what gets built; who may fetch it is no part of that."""
    real = interpreter.resolve()
    stat = real.stat()  # tells an interpreter from the one that an upgrade puts in its place
    settings = sorted((name, value) for name, value in os.environ.items() if _SETTINGS.fullmatch(name))
    parts = [
        _KEY_VERSION,
        sorted(map(without_user, request.dependencies)),
        request.own,
        request.lock.digest if request.lock else "",
        [(name, without_user(value)) for name, value in settings],
        str(real),
        stat.st_size,
        stat.st_mtime_ns,
        sysconfig.get_platform(),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:_KEY_DIGITS]


# ── building ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _make_room(folder: Path) -> None:
    # The folder above holds unpacked bundles too, which are only trusted where nobody else can write.
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(exist_ok=True)


def _build(request: _Request, interpreter: Path, place: Place, *, locked: bool) -> None:
    with place.filling() as folder:
        wanted = ", ".join(map(without_credentials, request.dependencies)) or "no dependencies"
        wanted += f", with {' and '.join(request.libraries)}" if request.libraries else ""
        request.tell(f"building the environment of {request.file}: {wanted}")
        made = request.uv.run(
            "venv", "--no-project", "--relocatable", "--allow-existing", "--python", str(interpreter), str(folder)
        )
        if not made.succeeded:
            raise _cannot_install(request, made, folder)
        drift = _install_lock(request, request.lock, folder, locked=locked) if request.lock else ()
        _install_rest(request, folder, drift)
        place.write_note(
            Note(
                file=request.file,
                requirements=tuple(map(without_credentials, request.dependencies)),
                python=str(interpreter.resolve()),
                drift=tuple(map(without_credentials, drift)),
            )
        )


def _install_lock(request: _Request, lock: Lock, folder: Path, *, locked: bool) -> tuple[str, ...]:
    """Install what the lock holds, and say which of the file's requirements that does not meet."""
    installed = _install(request, folder, (), "--require-hashes", "-r", str(lock.path))
    if not installed.succeeded:
        raise _cannot_install(request, installed, folder, of_lock=True)
    drift: tuple[str, ...] = ()
    if request.dependencies and not _is_met(request, folder, request.dependencies):
        drift = tuple(each for each in request.dependencies if not _is_met(request, folder, (each,)))
    if drift and locked:
        _warn(request, drift, locked=True)
    return drift


def _install_rest(request: _Request, folder: Path, drift: tuple[str, ...]) -> None:
    """Install what is not locked: all that is asked for if there is no lock, and what outboard needs."""
    theirs = drift if request.lock else request.dependencies
    constraint = ("-c", str(request.lock.path)) if request.lock else ()
    installed = _install(request, folder, (*theirs, *request.own), *constraint)
    if installed.succeeded:
        return
    if not installed.is_unsolvable or (request.uv.offline and installed.not_cached):
        raise _cannot_install(request, installed, folder)
    alone = not theirs or _install(request, folder, theirs, "--dry-run", *constraint).succeeded
    raise _clash_with_us(request, installed) if alone else _cannot_install(request, installed, folder)


def _install(request: _Request, folder: Path, requirements: Sequence[str], *options: str) -> Answer:
    python = folder / "bin" / "python"
    given = ("-r", "-") if requirements else ()
    return request.uv.run(
        "pip", "install", "--python", str(python), "--compile-bytecode", *options, *given, lines=requirements
    )


def _is_met(request: _Request, folder: Path, requirements: Sequence[str]) -> bool:
    """Whether an environment holds what is required, with all that this requires in turn."""
    python = str(folder / "bin" / "python")
    others = {name: value for name, value in os.environ.items() if not name.startswith("UV_")}
    return request.uv.run(
        "pip", "install", "--python", python, *_NOWHERE, "-r", "-", lines=requirements, environment=others
    ).succeeded


def _warn(request: _Request, drift: Sequence[str], *, locked: bool) -> None:
    """Tell of requirements that the lock does not hold.

    Raises:
        UsageError: with `locked`.
    """
    path = request.lock.path if request.lock else ""
    missing = ", ".join(map(without_credentials, drift))
    text = f"{request.file} asks for what the lock {path} does not hold: {missing}"
    if locked:
        raise UsageError(f"{text}; lock it again, or leave out --locked")
    request.tell(f"warning: {text}; that comes without a check of its hash; lock it again")


# ── what went wrong ───────────────────────────────────────────────────────────────────────────────────────────────


def _unwritable(folder: Path, error: OSError) -> EnvironmentBuildError:
    advice = f"free some space, or name another folder in {CACHE_VARIABLE}"
    return EnvironmentBuildError(refusal(folder, error, advice=advice))


def _cannot_install(request: _Request, answer: Answer, folder: Path, *, of_lock: bool = False) -> OutboardError:
    if answer.disk_is_full:
        return _unwritable(folder.parent, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    subject = f"{request.file}: its requirements"
    if of_lock and request.lock:
        subject = f"{request.file}: its lock {request.lock.path}"
    if answer.mismatched:
        return EnvironmentBuildError(f"{subject}: {answer.mismatched} is not what was locked: {answer.reason}")
    if request.uv.offline and answer.not_cached:
        return EnvironmentBuildError(
            f"{subject} cannot be installed without a network: uv's cache has no {', '.join(answer.not_cached)}; "
            "leave out --offline once"
        )
    return EnvironmentBuildError(f"{subject} cannot be installed: {answer.reason}")


def _clash_with_us(request: _Request, answer: Answer) -> OutboardError:
    theirs = ", ".join(map(without_credentials, _mentioned(request.dependencies, answer.complaint)))
    theirs = f"has the lock {request.lock.path}" if request.lock else f"requires {theirs}"
    ours = ", ".join(_mentioned(request.own, answer.complaint))
    return EnvironmentBuildError(
        f"{request.file} {theirs}, which clashes with what outboard itself requires, {ours}: {answer.reason}"
    )


def _mentioned(requirements: Sequence[str], complaint: str) -> Sequence[str]:
    """Those requirements that uv's explanation speaks of; all of them where it names none."""
    names = {name: re.split(r"[^A-Za-z0-9._-]", name.strip(), maxsplit=1)[0] for name in requirements}
    found = [name for name, project in names.items() if re.search(rf"\b{re.escape(project)}\b", complaint, re.I)]
    return found or requirements
