"""One file as a given Airflow and a given user see it: whether it is a bundle that they find and can start.

Knows why Airflow passes a file over, and what keeps a found one from starting. Must not know how Airflow is configured.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from outboard.airflow.finding import Finding
from outboard.airflow.lookup import PassedOver, read_metadata
from outboard.airflow.worker import Worker
from outboard.bundle import reader
from outboard.bundle.entry import PYTHON_VARIABLE
from outboard.bundle.format import MAGIC
from outboard.errors import DamagedBundleError
from outboard.protocol.versions import AIRFLOW

__all__ = ("FoundBundle", "examine", "start_problem")

# How much of a file's start and end tells whether it was meant to be a bundle.
_HEAD, _TAIL = 4096, 4096
_MARK = b"outboard.bundle.bootstrap"  # the module that a bundle of ours starts with

_PROBE_SECONDS = 10.0


@attrs.frozen(kw_only=True)
class FoundBundle:
    """A bundle that Airflow finds.

    Attributes:
        path: the file.
        dag_ids: the Dags that it has tasks for.
    """

    path: Path
    dag_ids: tuple[str, ...]


def examine(path: Path, airflow: str, worker: Worker) -> FoundBundle | Finding | None:
    """What Airflow makes of a file: a bundle, none for a reason, or, as None, a file that was never meant to be one."""
    if not worker.can_read(path):
        return _finding(path, "unreadable", f"{worker.name} may not read it", "let workers read it: chmod a+r")
    try:
        metadata = read_metadata(path)
    except PassedOver as reason:
        if reason.code == "trailer" and not _looks_packed(path):
            return None
        return _finding(path, reason.code, f"{reason.what}, so Airflow passes it over", reason.remedy)
    return (
        _mode_problem(path, airflow, worker)
        or _metadata_problem(path, metadata, airflow)
        or _name_problem(path, airflow)
        or FoundBundle(path=path, dag_ids=tuple(metadata["dags"]))
    )


def _finding(path: Path, code: str, what: str, remedy: str) -> Finding:
    return Finding(code=code, where=str(path), what=what, remedy=remedy)


def _looks_packed(path: Path) -> bool:
    """Whether a file without a trailer was a bundle once, or part of one."""
    with open(path, "rb") as file:
        head = file.read(_HEAD)
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        return MAGIC in file.read() or (head.startswith(b"#!") and _MARK in head)


def _mode_problem(path: Path, airflow: str, worker: Worker) -> Finding | None:
    if worker.can_execute(path):
        return None
    if path.stat().st_mode & 0o111 and worker.is_me:
        what = "it has an execute bit and cannot be executed: its file system is mounted noexec, or an access list forbids it"
        return _finding(path, "execute-bit", what, "put the bundles on a file system that may execute")
    if airflow == "3.3":
        what = f"{worker.name} may not execute it, so Airflow passes it over"
        return _finding(path, "execute-bit", what, f"chmod a+x {path}, and copy bundles with their mode")
    if worker.can_chmod(path):
        return None  # 3.4 sets the bit itself
    what = f"{worker.name} may not execute it and does not own it, so that Airflow cannot set the execute bit"
    return _finding(path, "execute-bit", what, f"chmod a+x {path}")


def _metadata_problem(path: Path, metadata: Mapping[str, Any], airflow: str) -> Finding | None:
    dags = metadata.get("dags")
    if not isinstance(dags, dict) or not dags:
        return _finding(path, "dags", "its metadata names no Dag, so no task finds it", "pack it again")
    for dag_id in dags:
        if not isinstance(dag_id, str):
            what = f"its metadata has {dag_id!r} for a Dag's id, which is no text, so no task finds it"
            return _finding(path, "dags", what, "put quotes around it")
    sdk = metadata.get("sdk")
    date = sdk.get("supervisor_schema_version") if isinstance(sdk, dict) else None
    if not isinstance(date, str) or not date:
        what = "its metadata has no sdk.supervisor_schema_version that is text, so Airflow refuses it"
        return _finding(path, "schema-date", what, "pack it again")
    known = [known for known, version in AIRFLOW.items() if version <= airflow]
    if date not in known:
        newer = AIRFLOW.get(date)
        what = f"it is stamped {date}, and Airflow {airflow} refuses every date but {', '.join(known)}"
        return _finding(
            path,
            "schema-date",
            what,
            f"pack it with --airflow {airflow}" + (f", or run it under Airflow {newer}" if newer else ""),
        )
    return None


def _name_problem(path: Path, airflow: str) -> Finding | None:
    if airflow == "3.3" or not path.suffix:
        return None
    what = f"there is a dot in its name, and the Dag processor of Airflow {airflow} reads no Dags from such a file"
    return _finding(path, "name", what, f"call it {path.stem.replace('.', '-')}")


# ── starting ──────────────────────────────────────────────────────────────────────────────────────────────────────


def start_problem(
    bundle: FoundBundle, timeout: float, worker: Worker, environment: Mapping[str, str]
) -> Finding | None:
    """What keeps a bundle from starting, or is about to. No code of the author's runs.

    Args:
        bundle: a bundle that was found.
        timeout: seconds that Airflow gives it to connect.
        worker: whoever starts it.
        environment: the variables that it is started with.
    """
    program = _program(bundle.path)
    problem = None if program is None else _program_problem(bundle.path, program, worker)
    if problem is not None or not _is_ours(bundle.path):
        return problem  # another SDK's: how it says what it is, nobody promises
    try:
        interpreter = Path(reader.verify(bundle.path).manifest.interpreter)
    except DamagedBundleError as error:
        what = f"its {error.region} is damaged, which Airflow does not notice: {error.problem}"
        return _finding(bundle.path, "damaged", what, error.advice)
    if interpreter.is_absolute() and not _searches(bundle.path):
        problem = _program_problem(bundle.path, interpreter, worker)
    if problem is not None or not os.access(bundle.path, os.X_OK):
        return problem  # a bundle that waits for Airflow 3.4 to set its execute bit
    return _tried(bundle.path, timeout, environment)


def _program_problem(path: Path, program: Path, worker: Worker) -> Finding | None:
    if worker.can_execute(program):
        return None
    what = f"its interpreter {program} is gone" if not program.exists() else f"{worker.name} may not execute {program}"
    return _finding(
        path,
        "interpreter",
        f"{what}, so its tasks fail without a line in their log",
        "install that Python there, or pack the bundle again for one that workers have",
    )


def _program(path: Path) -> Path | None:
    """What the system starts for a file with a ``#!`` line."""
    line = _head(path).partition(b"\n")[0]
    words = line[2:].split() if line.startswith(b"#!") else []
    return Path(os.fsdecode(words[0])) if words else None


def _is_ours(path: Path) -> bool:
    head = _head(path)
    return head.startswith(b"#!") and _MARK in head


def _searches(path: Path) -> bool:
    """Whether a bundle looks for its interpreter itself, and says so when it finds none."""
    return PYTHON_VARIABLE.encode() in _head(path)


def _head(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(_HEAD)


def _tried(path: Path, timeout: float, environment: Mapping[str, str]) -> Finding | None:
    """Start it and let it say what it is, which it does before it would connect."""
    limit = max(timeout, _PROBE_SECONDS)
    started = time.monotonic()
    try:
        done = subprocess.run(
            [str(path.absolute()), "--metadata"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=limit,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return _slow(path, f"it did not start within {limit:g} seconds", timeout)
    except OSError as error:
        what = f"it cannot be started ({error.strerror}), so its tasks fail without a line in their log"
        return _finding(path, "interpreter", what, "pack it again for an interpreter of this machine")
    seconds = time.monotonic() - started
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().rpartition("\n")[2] or f"exit status {done.returncode}"
        what = f"it does not start, so its tasks fail without a line in their log; it says: {said}"
        return _finding(path, "interpreter", what, "pack it again for an interpreter of this machine")
    if seconds > timeout:
        return _slow(path, f"it took {seconds:.1f} seconds to start", timeout)
    return None


def _slow(path: Path, what: str, timeout: float) -> Finding:
    return _finding(
        path,
        "startup-timeout",
        f"{what}, and Airflow gives it {timeout:g}",
        "raise task_startup_timeout in the coordinator's kwargs, or put the bundle and its interpreter on a faster disk",
    )
