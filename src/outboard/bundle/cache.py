"""Where fat bundles are unpacked, once for each digest: finding what is there.

The child asks this at every start, so it is small and imports nothing that the child does not need anyway; writing is in
`outboard.bundle.unpack`. An entry is a folder named by its digest. It appears by one rename, so an entry that is there is
whole. Its modification time says when it was last used, and whoever uses it holds a shared lock on it, which keeps it from
being evicted.

An entry is trusted only if this user or root owns it and nobody else can write to it; the same goes for the cache folder
around it, so that nobody can plant one in a world-writable place.
"""

from __future__ import annotations

import posix
import sys
from fcntl import LOCK_NB, LOCK_SH, flock
from time import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ("CACHE_VARIABLE", "UNPACKED", "find", "is_trusted", "roots", "variables")

# Names another folder for the cache, and then the only one.
CACHE_VARIABLE = "OUTBOARD_CACHE_DIR"

# The part of a cache folder that holds unpacked bundles.
UNPACKED = "unpacked"

# Seconds between two notes of an entry's use: finer ones cost a write at each start and tell eviction nothing new.
USE_INTERVAL = 3600

S_IFMT, S_IFDIR, S_IWOTHERS = 0o170000, 0o040000, 0o022


def roots(environment: Mapping[str, str]) -> list[str]:
    """The cache folders to try, in order: the chosen one alone, or the user's own and then this user's in shared places."""
    chosen = environment.get(CACHE_VARIABLE)
    if chosen:
        above = "" if chosen.startswith("/") else f"{posix.getcwd()}/"
        return [f"{above}{chosen}".rstrip("/") or "/"]
    found = []
    base, home = environment.get("XDG_CACHE_HOME", ""), environment.get("HOME", "")
    if base.startswith("/"):
        found.append(f"{base}/outboard")
    elif home.startswith("/") and home != "/":
        found.append(f"{home}/.cache/outboard")
    return [*found, f"/var/tmp/outboard-{posix.geteuid()}", f"/tmp/outboard-{posix.geteuid()}"]


def variables() -> dict[str, str]:
    """What this process's environment says about where the cache is. `os`, which has all of it as text, is not loaded here."""
    encoding = sys.getfilesystemencoding()
    found = {name: posix.environ.get(name.encode()) for name in (CACHE_VARIABLE, "XDG_CACHE_HOME", "HOME")}
    return {name: value.decode(encoding, "surrogateescape") for name, value in found.items() if value is not None}


def find(digest: str, environment: Mapping[str, str]) -> str | None:
    """The folder of an entry that can be trusted, from now on locked against eviction until this process ends."""
    for root in roots(environment):
        folder = f"{root}/{UNPACKED}/{digest}"
        try:
            # Kept open on purpose: the lock lives as long as the descriptor.
            entry = posix.open(folder, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_NOFOLLOW)
        except OSError:
            continue
        if _is_ours(entry, root, folder):
            return folder
        posix.close(entry)
    return None


def _is_ours(entry: int, root: str, folder: str) -> bool:
    """Whether an open entry can be trusted, and stays: it is locked, and was not moved away before that."""
    found = posix.fstat(entry)
    if not (is_trusted(found) and is_trusted(posix.lstat(root)) and is_trusted(posix.lstat(f"{root}/{UNPACKED}"))):
        return False
    try:
        flock(entry, LOCK_SH | LOCK_NB)
        if posix.lstat(folder).st_ino != found.st_ino:
            return False
        if time() - found.st_mtime > USE_INTERVAL:
            posix.utime(entry)
    except (BlockingIOError, FileNotFoundError):
        return False  # it is being evicted
    except OSError:
        return True  # a file system without locks, or a read-only one: nobody evicts there
    return True


def is_trusted(found: posix.stat_result) -> bool:
    """Whether it is a folder into which only this user, or root, can have put anything."""
    return found.st_mode & S_IFMT == S_IFDIR and found.st_uid in (posix.geteuid(), 0) and not found.st_mode & S_IWOTHERS
