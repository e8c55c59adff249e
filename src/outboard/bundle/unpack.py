"""Unpacking a bundle's members into the cache, and keeping the cache in bounds.

Runs in the child at the first start of a bundle on a machine, after it has connected: whatever goes wrong can be told, and
however long it takes, nobody's start-up time runs out. Safe under concurrency (one process unpacks, the others wait for
it), against a full disk (nothing half-written is left, the next place is tried) and against planted files (everything is
made new in a folder of this user's own).
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from glob import escape, glob
from struct import error as StructError
from zipfile import BadZipFile

from outboard.bundle import cache
from outboard.bundle.nested import open_nested, sha256_of
from outboard.errors import BundleError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ("DEFAULT_CACHE_SIZE", "SIZE_VARIABLE", "Entry", "entries", "evict", "limit", "remove", "unpack")

# Bytes that all unpacked bundles may hold together, in OUTBOARD_CACHE_SIZE; the least recently used go first.
SIZE_VARIABLE = "OUTBOARD_CACHE_SIZE"
DEFAULT_CACHE_SIZE = 10 * 1024**3

ST_NOEXEC = 8  # of statvfs, on Linux

UNITS = {"K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


class Entry:
    """One unpacked bundle.

    Attributes:
        digest: its name in the cache.
        folder: where it is.
        size: bytes of its files.
        last_used: seconds since the epoch, to the hour.
    """

    __slots__ = ("digest", "folder", "last_used", "size")

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.digest = os.path.basename(folder)
        self.size = _size(folder)
        self.last_used = os.stat(folder).st_mtime


def unpack(
    bundle: str, member: str, digest: str, *, needs_execution: bool, environment: Mapping[str, str]
) -> tuple[str, bool]:
    """Unpack a zip that is a member of a bundle.

    Args:
        bundle: the file.
        member: such as ``"environment.zip"``.
        digest: SHA-256 of the member, in hexadecimal: the entry's name.
        needs_execution: whether there is native code in it, which a folder mounted ``noexec`` cannot load.
        environment: where the cache may be configured.

    Returns:
        The folder, and whether it is private to this process: then whoever called removes it at the end.

    Raises:
        BundleError: the member is not the one that was packed, or there is no place where it could be unpacked; the text
            says why each was of no use.
    """
    _check_content(bundle, member, digest)
    refusals = []
    for root in cache.roots(environment):
        try:
            return _unpack_into(root, bundle, member, digest, needs_execution, environment), False
        except (OSError, BundleError, BadZipFile) as error:
            refusals.append(f"{root}: {_reason(error)}")
    try:
        folder = tempfile.mkdtemp(prefix="outboard-")
        try:
            _check_execution(folder, needs_execution)
            _extract(bundle, member, folder)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except (OSError, BundleError, BadZipFile) as error:
        refusals.append(f"a temporary folder: {_reason(error)}")
        raise BundleError(
            f"there is no place to unpack the bundle: {'; '.join(refusals)}; "
            f"name a folder that can be written and executed in {cache.CACHE_VARIABLE}"
        ) from None
    return folder, True


def _check_content(bundle: str, member: str, digest: str) -> None:
    """Airflow proves the code that starts a bundle, and not what is unpacked from it."""
    try:
        if sha256_of(bundle, member) == digest:
            return
    except (OSError, KeyError, BadZipFile, StructError):
        pass
    raise BundleError(f"the bundle is damaged: its {member} is not the one that was packed; copy it again")


def _unpack_into(
    root: str, bundle: str, member: str, digest: str, needs_execution: bool, environment: Mapping[str, str]
) -> str:
    parent = f"{root}/{cache.UNPACKED}"
    os.makedirs(root, 0o700, exist_ok=True)
    _check_owner(root)  # before anything is made in it
    with suppress(FileExistsError):
        os.mkdir(parent, 0o700)
    _check_owner(parent)
    _check_execution(parent, needs_execution)
    with _locked(f"{parent}/.{digest}.lock"):
        found = cache.find(digest, {cache.CACHE_VARIABLE: root})
        if found is not None:
            return found  # somebody else was faster
        _remove_remains(parent, digest)
        temporary = tempfile.mkdtemp(prefix=f".{digest}-", dir=parent)
        try:
            _extract(bundle, member, temporary)
            os.rename(temporary, f"{parent}/{digest}")
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise
    unpacked = cache.find(digest, {cache.CACHE_VARIABLE: root})
    if unpacked is None:
        raise BundleError("what was unpacked there is gone")
    with suppress(OSError):
        evict(root, limit(environment))
    return unpacked


def _check_owner(folder: str) -> None:
    if not cache.is_trusted(os.lstat(folder)):
        raise BundleError("it belongs to somebody else, or others can write to it")


def _check_execution(folder: str, needs_execution: bool) -> None:
    if needs_execution and os.statvfs(folder).f_flag & ST_NOEXEC:
        raise BundleError("it is mounted noexec, and the bundle holds native code")


@contextmanager
def _locked(path: str) -> Iterator[None]:
    """The system releases the lock of a process that dies."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        flock(descriptor, LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _remove_remains(parent: str, digest: str) -> None:
    """What a process that was killed while it unpacked has left. Nobody else is at it: the lock is ours."""
    for name in os.listdir(parent):
        if name.startswith(f".{digest}-"):
            shutil.rmtree(f"{parent}/{name}", ignore_errors=True)


def _extract(bundle: str, member: str, folder: str) -> None:
    made = set()
    with open_nested(bundle, member) as archive:
        for file in archive.infolist():
            name = file.filename
            if name.startswith("/") or ".." in name.split("/"):
                raise BundleError(f"the bundle is damaged: it holds a file called {name!r}")
            target = f"{folder}/{name}"
            parent = os.path.dirname(target)
            if parent not in made:
                os.makedirs(parent, 0o755, exist_ok=True)
                made.add(parent)
            mode = 0o755 if file.external_attr >> 16 & 0o100 else 0o644
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
            with archive.open(file) as source, open(os.open(target, flags, mode), "wb") as output:
                shutil.copyfileobj(source, output, 1024 * 1024)
    os.chmod(folder, 0o755)


# ── keeping it in bounds ────────────────────────────────────────────────────────────────────────────────────────────


def limit(environment: Mapping[str, str]) -> int:
    """How many bytes the cache may hold: a number, or one with K, M, G or T behind it; the default for anything else."""
    text = environment.get(SIZE_VARIABLE, "").strip().upper().removesuffix("B")
    unit = UNITS.get(text[-1:], 1)
    digits = text if unit == 1 else text[:-1]
    return int(digits) * unit if digits.isdecimal() else DEFAULT_CACHE_SIZE


def entries(root: str) -> list[Entry]:
    """What is unpacked in a cache folder, the least recently used first."""
    parent = f"{root}/{cache.UNPACKED}"
    found = []
    with suppress(FileNotFoundError):
        for name in os.listdir(parent):
            if not name.startswith("."):
                with suppress(FileNotFoundError):
                    found.append(Entry(f"{parent}/{name}"))
    return sorted(found, key=lambda entry: (entry.last_used, entry.digest))


def evict(root: str, size: int) -> list[Entry]:
    """Remove the least recently used entries until the rest is within a size. What a running task uses stays.

    Returns:
        What was removed.
    """
    for remains in glob(f"{escape(root)}/{cache.UNPACKED}/.evicted-*"):
        shutil.rmtree(remains, ignore_errors=True)
    present = entries(root)
    total = sum(entry.size for entry in present)
    removed = []
    for entry in present:
        if total <= size:
            break
        if remove(entry):
            total -= entry.size
            removed.append(entry)
    return removed


def remove(entry: Entry) -> bool:
    """Remove an entry, unless a running task uses it. Returns whether that was done."""
    try:
        descriptor = os.open(entry.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
        # Out of sight first, at once: nobody may find half an entry.
        doomed = tempfile.mkdtemp(prefix=".evicted-", dir=os.path.dirname(entry.folder))
        os.rename(entry.folder, f"{doomed}/{entry.digest}")
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    shutil.rmtree(doomed, ignore_errors=True)
    return True


def _size(folder: str) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                total += os.lstat(f"{parent}/{name}").st_size
    return total


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return "the disk is full"
        return error.strerror or str(error)
    return str(error)
