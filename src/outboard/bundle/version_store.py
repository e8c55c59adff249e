"""Beside a folder of bundles: its earlier versions, its journal, and the lock that lets one deployment in at a time.

Airflow walks the folder of bundles to its last leaf and takes whatever ends like a bundle. So nothing that is half-written or
out of date may ever lie in there, not for a moment: files are made here, next to it and in the same file system, and
appear over there by one rename. Must not know which version belongs where.

::

    /srv/bundles/weather                               what Airflow runs
    /srv/.bundles.outboard-history/
        journal.jsonl   lock   staging/
        versions/weather/<SHA-256 of the file>         what it ran before
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs

from outboard.bundle.journal import Journal
from outboard.bundle.reader import sha256_of
from outboard.errors import BundleError, UsageError

__all__ = ("LOCK_TIMEOUT", "VersionStore", "opened_store", "store_of")

LOCK_TIMEOUT = 120.0
"""Seconds to wait for another deployment to the same folder; copying the largest bundle takes a few."""

_LOCK_INTERVAL = 0.05
_JOURNAL = "journal.jsonl"
_LOCK = "lock"
_CHUNK = 1 << 20
_BUNDLE_MODE = 0o755


@attrs.frozen(kw_only=True)
class VersionStore:
    """What lies beside one folder of bundles. Only `opened_store` makes its folders and holds its lock.

    Attributes:
        root: the folder of bundles, links resolved.
        folder: the folder beside it.
    """

    root: Path
    folder: Path

    @property
    def journal(self) -> Journal:
        """What happened."""
        return Journal(self.folder / _JOURNAL)

    def kept(self, name: str) -> dict[str, Path]:
        """The earlier versions of one bundle: their files, by SHA-256."""
        try:
            return {path.name: path for path in (self.folder / "versions" / name).iterdir()}
        except (FileNotFoundError, NotADirectoryError):
            return {}

    def stage(self, source: Path, sha256: str) -> Path:
        """Copy a bundle next to where it will be, ready to take its place.

        Raises:
            BundleError: it changed since its SHA-256 was taken.
            OSError: it cannot be read, or not be written here.
        """
        handle, name = tempfile.mkstemp(dir=self.folder / "staging")
        staged = Path(name)
        with open(source, "rb") as original, os.fdopen(handle, "wb") as copy:
            found = hashlib.sha256()
            while chunk := original.read(_CHUNK):
                found.update(chunk)
                copy.write(chunk)
            copy.flush()
            os.fsync(copy.fileno())
        if found.hexdigest() != sha256:
            raise BundleError(f"{source} was changed while it was read; deploy it again once it is complete")
        staged.chmod(_BUNDLE_MODE)
        _share(staged, self.root)
        return staged

    def keep(self, path: Path, sha256: str) -> Path | None:
        """Keep the file that is about to be replaced, without copying it where the file system can do that.

        Returns:
            The kept version, or None where it was kept already.

        Raises:
            OSError: it cannot be kept.
        """
        folder = self.folder / "versions" / path.name
        _make(folder, self.root)
        version = folder / sha256
        if version.exists():
            if sha256_of(version) == sha256:
                return None
            version.unlink()
        try:
            os.link(path, version)
        except OSError as error:
            # Not every file system has links, and nobody may link another user's file.
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise
            self.stage(path, sha256).rename(version)
        return version

    def put_in_place(self, source: Path, path: Path) -> None:
        """Let a file appear in the folder of bundles, or take the place of one there: at once, and for good.

        Raises:
            OSError: nothing has changed.
        """
        source.rename(path)
        # It is there, whatever the disk says now: an error would have the caller believe that it isn't.
        with contextlib.suppress(OSError):
            _sync(path.parent)

    def prune(self, name: str, sparing: set[str]) -> None:
        """Remove the earlier versions of a bundle but for those to be spared.

        Raises:
            OSError: one cannot be removed.
        """
        for sha256, path in self.kept(name).items():
            if sha256 not in sparing:
                path.unlink()


def store_of(root: Path, folder: Path | None = None) -> VersionStore:
    """Where the earlier versions of a folder of bundles are; nothing is made or locked, and nothing need be there.

    Args:
        root: the folder of bundles.
        folder: another folder than the one beside it.

    Raises:
        UsageError: there is no such folder of bundles, or the other folder is inside it, where Airflow would look.
    """
    if not root.is_dir():
        raise UsageError(f"there is no folder {root} to deploy to; create it, and name it to Airflow")
    place = root.resolve()
    beside = folder.resolve() if folder else place.with_name(f".{place.name}.outboard-history")
    if beside.is_relative_to(place):
        raise UsageError(f"{beside} is inside {place}: Airflow would run the earlier versions kept there; name another")
    return VersionStore(root=place, folder=beside)


@contextlib.contextmanager
def opened_store(root: Path, folder: Path | None = None, *, timeout: float = LOCK_TIMEOUT) -> Iterator[VersionStore]:
    """Make and lock what lies beside a folder of bundles. The system releases the lock of a process that dies.

    Raises:
        UsageError: see `store_of`.
        BundleError: it cannot be made, is not to be trusted, is in another file system, or stays locked.
    """
    store = store_of(root, folder)
    try:
        _prepare(store)
        handle = os.open(store.folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError as error:
        raise BundleError(
            f"{store.folder}, where earlier versions are kept, cannot be written: {error.strerror or error}; "
            "make it writable, or name another folder with --history"
        ) from error
    try:
        _lock(handle, store, timeout)
        with _cleared(store.folder / "staging"):
            yield store
    finally:
        os.close(handle)


def _prepare(store: VersionStore) -> None:
    _make(store.folder, store.root)
    status = store.folder.lstat()
    owners = {os.geteuid(), 0, store.root.stat().st_uid}
    if not stat.S_ISDIR(status.st_mode) or status.st_uid not in owners:
        raise BundleError(f"{store.folder} belongs to somebody else, who could plant versions there; remove it")
    if status.st_dev != store.root.stat().st_dev:
        raise BundleError(
            f"{store.folder} is in another file system than {store.root}, so nothing could appear there at once; "
            "name a folder beside the bundles with --history, or keep the bundles in a folder below the mount point"
        )
    for name in ("staging", "versions"):
        _make(store.folder / name, store.root)
    for name in (_JOURNAL, _LOCK):
        _make_file(store.folder / name, store.root)


def _make(folder: Path, like: Path) -> None:
    """A folder that those may use who may use the folder of bundles, if it isn't there."""
    try:
        folder.mkdir()
    except FileExistsError:
        return
    folder.chmod(stat.S_IMODE(like.stat().st_mode) & 0o777)
    _share(folder, like)


def _make_file(path: Path, like: Path) -> None:
    """An empty file that those may write who may deploy, if it isn't there."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC)
    except FileExistsError:
        return
    os.fchmod(handle, stat.S_IMODE(like.stat().st_mode) & 0o666)
    os.close(handle)
    _share(path, like)


def _share(path: Path, like: Path) -> None:
    """Give a file the group of the folder of bundles, as far as this user may."""
    with contextlib.suppress(PermissionError):
        os.chown(path, -1, like.stat().st_gid)


def _lock(handle: int, store: VersionStore, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise BundleError(
                    f"another process has been deploying to {store.root} for {timeout:g} seconds; try again, "
                    f"or see who holds {store.folder / 'lock'}"
                ) from None
        time.sleep(_LOCK_INTERVAL)


@contextlib.contextmanager
def _cleared(staging: Path) -> Iterator[None]:
    """Whoever holds the lock owns the staging folder: what lies there is what somebody left who failed or died."""
    _clear(staging)
    try:
        yield
    finally:
        _clear(staging)


def _clear(staging: Path) -> None:
    for path in staging.iterdir():
        with contextlib.suppress(OSError):
            path.unlink()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
