"""Whom a worker's process runs as, and what that user may do with a file.

Knows Unix permissions. Must not know bundles.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path

import attrs

from outboard.errors import UsageError

__all__ = ("Worker", "worker")

_READ, _WRITE, _EXECUTE = os.R_OK, os.W_OK, os.X_OK


@attrs.frozen(kw_only=True)
class Worker:
    """A user.

    Attributes:
        name: for a person.
        uid: the user's number.
        groups: the numbers of all its groups.
        is_me: whether this process is that user; then the system itself is asked, which also knows access lists and mounts.
    """

    name: str
    uid: int
    groups: frozenset[int]
    is_me: bool

    def can_read(self, path: Path) -> bool:
        """Whether it may read a file, or list a folder."""
        return self._may(path, _READ)

    def can_execute(self, path: Path) -> bool:
        """Whether it may execute a file, or look into a folder."""
        return self._may(path, _EXECUTE)

    def can_chmod(self, path: Path) -> bool:
        """Whether it may change a file's mode."""
        return self.uid in (0, path.stat().st_uid)

    def _may(self, path: Path, right: int) -> bool:
        if self.is_me:
            return os.access(path, right, effective_ids=True)
        try:
            resolved = path.resolve(strict=True)
            return self._allows(resolved, right) and all(self._allows(folder, _EXECUTE) for folder in resolved.parents)
        except OSError:
            return False

    def _allows(self, path: Path, right: int) -> bool:
        """What the mode bits of one file say."""
        status = path.stat()
        mode = stat.S_IMODE(status.st_mode)
        if self.uid == 0:
            return right != _EXECUTE or stat.S_ISDIR(status.st_mode) or bool(mode & 0o111)
        if status.st_uid == self.uid:
            return bool(mode >> 6 & right)
        return bool((mode >> 3 if status.st_gid in self.groups else mode) & right)


def worker(user: str | None = None) -> Worker:
    """The user that workers run as.

    Args:
        user: a name or a number; None for whoever runs this.

    Raises:
        UsageError: there is no such user.
    """
    if user is None:
        uid = os.geteuid()
        groups = {os.getegid(), *os.getgroups()}
        return Worker(name=_name_of(uid), uid=uid, groups=frozenset(groups), is_me=True)
    entry = _entry(user)
    uid = entry.pw_uid if entry else int(user)
    # A number without an account: containers run such users, in group 0 or in one of their own number.
    groups = set(os.getgrouplist(entry.pw_name, entry.pw_gid)) if entry else {uid}
    return Worker(name=user, uid=uid, groups=frozenset(groups), is_me=uid == os.geteuid())


def _entry(user: str) -> pwd.struct_passwd | None:
    find: Callable[[], pwd.struct_passwd] = (
        (lambda: pwd.getpwuid(int(user))) if user.isdecimal() else (lambda: pwd.getpwnam(user))
    )
    try:
        return find()
    except (KeyError, OverflowError):
        if user.isdecimal():
            return None
        raise UsageError(f"--user {user}: there is no such user here; give its number") from None


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
