"""The folder in which environments are kept: one place for each key, with a note of what it is for.

A finished environment appears under its key by one rename, so whoever finds a key finds all of it. Whoever uses one holds a
shared lock on its folder, which keeps it from being removed; whoever builds or removes one holds the lock file of its key.
Knows places, locks and notes. Must not know what is in an environment, or why it is as it is.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs

from outboard.bundle.unpack import Entry, remove

__all__ = ("ENVIRONMENTS", "Note", "Place", "Tell", "is_in_use", "places")

Tell = Callable[[str], None]
"""Takes a line for a person who waits."""

ENVIRONMENTS = "environments"
"""The part of a cache folder that holds environments."""

USE_INTERVAL = 3600
"""Seconds between two notes of an environment's use."""

_NAME = re.compile(r"\.?([0-9a-f]{16})(?:[.-]|$)")

# The environments that this process uses, by folder: the descriptors of locked folders.
_held: dict[Path, int] = {}


@attrs.frozen(kw_only=True)
class Note:
    """What an environment is for. Holds no credentials.

    Attributes:
        file: the author's file that it was first built for.
        requirements: what that file asks for.
        python: the interpreter that it was made from.
        drift: those requirements that its lock does not hold.
    """

    file: str
    requirements: tuple[str, ...]
    python: str
    drift: tuple[str, ...] = ()


@attrs.frozen
class Place:
    """Where the environment of one key is, or will be."""

    parent: Path
    key: str

    @property
    def home(self) -> Path:
        """The environment's folder."""
        return self.parent / self.key

    @property
    def packed(self) -> Path:
        """The environment as it goes into bundles."""
        return self.parent / f"{self.key}.packed"

    @property
    def is_whole(self) -> bool:
        """Whether the environment is there, and the interpreter it was made from still is."""
        return os.access(self.home / "bin" / "python", os.X_OK)

    def hold(self) -> bool:
        """Use the environment: until `release`, or the end of this process, nobody removes it.

        Returns:
            Whether it is there.
        """
        if self.home in _held:
            if self._is_locked(_held[self.home]) and self.is_whole:
                return True
            self.release()
        try:
            folder = os.open(self.home, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            return False
        if not (self._is_locked(folder) and self.is_whole):
            os.close(folder)
            return False
        _held[self.home] = folder
        return True

    def release(self) -> None:
        """Let others remove it."""
        if (folder := _held.pop(self.home, None)) is not None:
            os.close(folder)

    def _is_locked(self, folder: int) -> bool:
        """Whether an open folder is locked now, and was not moved away before that."""
        try:
            fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
            found = os.fstat(folder)
            if not os.path.samestat(found, os.lstat(self.home)):
                return False
            if time.time() - found.st_mtime > USE_INTERVAL:
                os.utime(folder)
        except (BlockingIOError, FileNotFoundError):
            return False  # it is being removed
        except OSError:
            return True  # a file system without locks, or a read-only one: nobody removes anything there
        return True

    @contextlib.contextmanager
    def locked(self, tell: Tell) -> Iterator[None]:
        """Be the only one who builds or removes it. The system releases the lock of a process that dies."""
        lock = self._take_lock(fcntl.LOCK_EX | fcntl.LOCK_NB)
        if lock is None:
            tell("another process is building the same environment; waiting for it")
            lock = self._take_lock(fcntl.LOCK_EX)
        try:
            yield
        finally:
            if lock is not None:
                os.close(lock)

    def _take_lock(self, operation: int) -> int | None:
        """The lock file's descriptor, locked; None if that would mean to wait and was not to."""
        path = self._lock_file
        while True:
            lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, operation)
                if os.path.samestat(os.fstat(lock), os.stat(path)):
                    return lock
            except FileNotFoundError:
                pass
            except BlockingIOError:
                os.close(lock)
                return None
            except BaseException:
                os.close(lock)
                raise
            os.close(lock)  # whoever had it removed it: the next one gets a new file

    @contextlib.contextmanager
    def filling(self) -> Iterator[Path]:
        """Give a folder to build in, which becomes the environment at the end; to be called with the lock."""
        self._clear()
        temporary = Path(tempfile.mkdtemp(prefix=f".{self.key}-", dir=self.parent))
        try:
            yield temporary
            temporary.rename(self.home)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def write_note(self, note: Note) -> None:
        """Say what it is for."""
        self.write(self._note_file, json.dumps(attrs.asdict(note), ensure_ascii=False).encode())

    def write(self, file: Path, *parts: bytes) -> None:
        """Write one of its files: whole or not at all."""
        handle, name = tempfile.mkstemp(prefix=f".{self.key}-", dir=self.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.writelines(parts)
            os.replace(name, file)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name)
            raise

    @property
    def note(self) -> Note | None:
        """What it is for; None if nobody knows."""
        try:
            document: dict[str, Any] = json.loads(self._note_file.read_bytes())
            return Note(**document | {name: tuple(document[name]) for name in ("requirements", "drift")})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    @property
    def in_use(self) -> bool:
        """Whether somebody runs in it, builds it or removes it."""
        return is_in_use(self._lock_file) or is_in_use(self.home)

    def remove(self) -> bool:
        """Remove it and all that belongs to it, unless somebody uses it. Returns whether it is gone."""
        lock = self._take_lock(fcntl.LOCK_EX | fcntl.LOCK_NB)
        if lock is None:
            return False
        try:
            if self.home.exists() and not remove(Entry(str(self.home))):
                return False
            self._clear()
            self._lock_file.unlink(missing_ok=True)
        finally:
            os.close(lock)
        return True

    @property
    def _lock_file(self) -> Path:
        return self.parent / f"{self.key}.lock"

    @property
    def _note_file(self) -> Path:
        return self.parent / f"{self.key}.json"

    def _clear(self) -> None:
        """Remove what is there, and what a process has left that was killed while it built."""
        for remains in (self.home, *self.parent.glob(f".{self.key}-*")):
            shutil.rmtree(remains, ignore_errors=True)
        for file in (self.packed, self._note_file, *self.parent.glob(f".{self.key}-*")):
            file.unlink(missing_ok=True)


def places(cache: Path) -> list[Place]:
    """The places of a cache folder that hold an environment, or what is left of one."""
    parent = cache / ENVIRONMENTS
    try:
        names = os.listdir(parent)
    except OSError:
        return []
    keys = {found[1] for name in names if (found := _NAME.match(name)) is not None}
    return [Place(parent, key) for key in sorted(keys)]


def is_in_use(path: Path) -> bool:
    """Whether a process holds a folder of the cache, or has taken a lock file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False  # a file system without locks
    finally:
        os.close(descriptor)
    return False
