"""How Airflow looks for the bundle of a Dag, step by step, for whoever wants to know why it did not find one.

Knows which files Airflow walks over and in which order, what it reads of each, and for which reasons it passes one over
without a word. Airflow parses the YAML of every bundle on its way, for each task; so what that costs is known here too. Must
not know how Airflow is configured.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any, BinaryIO

import attrs
import yaml

from outboard.airflow.worker import Worker
from outboard.bundle.format import TRAILER_SIZE, read_trailer
from outboard.errors import BundleError

__all__ = ("Cost", "Entry", "PassedOver", "cost", "read_metadata", "walk")

_CHUNK = 1 << 20

_REPETITIONS = 5
_ENOUGH_SECONDS = 1.0
"""When the repetitions have taken this long together, the best of those so far must do."""


class PassedOver(BundleError):
    """Airflow would pass this file over.

    Attributes:
        code: the kind of reason.
        what: the reason.
        remedy: what to do; empty where the reason says it already.
    """

    def __init__(self, code: str, what: str, remedy: str = "") -> None:
        super().__init__(f"{what}; {remedy}" if remedy else what)
        self.code = code
        self.what = what
        self.remedy = remedy


@attrs.frozen(kw_only=True)
class Entry:
    """Something that a walk came across.

    Attributes:
        path: where.
        problem: why it is no use, in a few words; None for a regular file.
    """

    path: Path
    problem: str | None = None


def walk(roots: Iterable[Path], worker: Worker) -> Iterator[Entry]:
    """All regular files below the roots, and what Airflow silently leaves aside, in the order in which Airflow looks.

    That order is the folder's own, as the file system gives it: no order to rely on.
    """
    seen: set[tuple[int, int]] = set()
    yield from _walk(roots, worker, seen)


def _walk(items: Iterable[Path], worker: Worker, seen: set[tuple[int, int]]) -> Iterator[Entry]:
    for item in items:
        try:
            status = item.stat()
        except OSError as error:
            what = "a link to nothing" if item.is_symlink() else f"cannot be looked at ({error.strerror})"
            yield Entry(path=item, problem=what)
            continue
        if stat.S_ISREG(status.st_mode):
            yield Entry(path=item)
        elif stat.S_ISDIR(status.st_mode) and (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            if not (worker.can_read(item) and worker.can_execute(item)):
                yield Entry(path=item, problem=f"a folder that {worker.name} may not look into")
            else:
                yield from _walk(list(item.iterdir()), worker, seen)


def read_metadata(path: Path, digests: MutableMapping[tuple[Any, ...], bytes] | None = None) -> dict[str, Any]:
    """What Airflow reads of a file to see which Dags it has tasks for.

    Args:
        path: a regular file.
        digests: what was hashed before; Airflow remembers that for as long as a process lives, and so does a caller who passes
            the same mapping again.

    Raises:
        PassedOver: it is no sound bundle; Airflow goes on with the next file.
    """
    try:
        with open(path, "rb") as file:
            return _read_metadata(file, path, {} if digests is None else digests)
    except OSError as error:
        raise PassedOver("unreadable", f"cannot be read: {error.strerror or error}", "let workers read it") from error


def _read_metadata(file: BinaryIO, path: Path, digests: MutableMapping[tuple[Any, ...], bytes]) -> dict[str, Any]:
    status = os.fstat(file.fileno())
    file.seek(max(0, status.st_size - TRAILER_SIZE))
    try:
        regions = read_trailer(file.read(TRAILER_SIZE), status.st_size, str(path))
    except BundleError as error:
        raise PassedOver("trailer", *_told(error)) from error
    key = (str(path), regions.source_start, status.st_ino, status.st_mtime_ns, status.st_size)
    if key not in digests:
        digests[key] = _digest(file, regions.source_start)
    if digests[key] != regions.digest:
        raise PassedOver(
            "hash",
            "its executable region is not the one that was packed (SHA-256 differs)",
            "something changed it on its way, such as strip or a transfer as text: deploy it again",
        )
    file.seek(regions.metadata_start)
    return _mapping(file.read(regions.trailer_start - regions.metadata_start))


def _told(error: BundleError) -> tuple[str, str]:
    """A reader's error without the file's name, which the finding states itself."""
    problem, advice = getattr(error, "problem", str(error)), getattr(error, "advice", "")
    return f"its trailer cannot be used: {problem}", advice


def _digest(file: BinaryIO, size: int) -> bytes:
    file.seek(0)
    digest = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(size, _CHUNK))):
        digest.update(chunk)
        size -= len(chunk)
    return digest.digest()


def _mapping(text: bytes) -> dict[str, Any]:
    again = "pack it again"
    try:
        document = yaml.safe_load(text.decode())
    except UnicodeDecodeError as error:
        raise PassedOver("yaml", "its metadata is not UTF-8", again) from error
    except yaml.YAMLError as error:
        raise PassedOver("yaml", f"its metadata is not YAML: {' '.join(str(error).split())}", again) from error
    if not isinstance(document, dict):
        raise PassedOver("yaml", f"its metadata is not a mapping but {type(document).__name__}", again)
    return document


# ── what it costs ─────────────────────────────────────────────────────────────────────────────────────────────────


@attrs.frozen(kw_only=True)
class Cost:
    """What one look-up takes when the bundle comes last, in seconds of CPU.

    Attributes:
        files: how many files Airflow opens.
        first: in a process that has looked for none yet, and hashes each.
        next: in one that has.
    """

    files: int
    first: float
    next: float


def cost(roots: Iterable[Path], worker: Worker, *, only_executable: bool) -> Cost:
    """Look for a Dag that no bundle has, as Airflow does, and measure it.

    Args:
        roots: the folders.
        worker: whoever looks.
        only_executable: whether files without an execute bit are left aside, as Airflow 3.3 does.
    """
    folders = tuple(roots)
    digests: dict[tuple[Any, ...], bytes] = {}
    files, first = _timed(folders, worker, digests, only_executable)
    times: list[float] = []
    while len(times) < _REPETITIONS and sum(times) < _ENOUGH_SECONDS:
        times.append(_timed(folders, worker, digests, only_executable)[1])
    return Cost(files=files, first=first, next=min(times))


def _timed(
    roots: tuple[Path, ...], worker: Worker, digests: dict[tuple[Any, ...], bytes], only_executable: bool
) -> tuple[int, float]:
    started = time.thread_time()
    files = 0
    for entry in walk(roots, worker):
        if entry.problem is None and (not only_executable or worker.can_execute(entry.path)):
            files += 1
            _try_to_read(entry.path, digests)
    return files, time.thread_time() - started


def _try_to_read(path: Path, digests: dict[tuple[Any, ...], bytes]) -> Mapping[str, Any] | None:
    try:
        return read_metadata(path, digests)
    except PassedOver:
        return None
