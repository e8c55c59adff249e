"""A lock: a requirement file that pins every package and says which files it may come as.

Knows the form that uv and pip share, as ``uv pip compile --generate-hashes`` writes it. Must not know who installs it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import attrs

from outboard.bundle.credentials import without_user
from outboard.errors import UsageError

__all__ = ("Lock", "read_lock")

HASH_OPTION = "--hash="
_HOW = "uv pip compile --generate-hashes"

# Lines that pull in what no hash of this file speaks for.
_ELSEWHERE = ("-r", "--requirement", "-c", "--constraint", "-e", "--editable")

# A comment begins a line, or stands behind a blank: the # of an address does neither.
_COMMENT = re.compile(r"(?:^|\s)#.*$")


@attrs.frozen(kw_only=True)
class Lock:
    """A lock that was read.

    Attributes:
        path: where it is.
        text: all of it; may hold credentials.
        digest: SHA-256 in hexadecimal, of its text without credentials: of the file itself, where it has none.
    """

    path: Path
    text: str = attrs.field(repr=False)

    @property
    def digest(self) -> str:
        """Names what is locked, wherever the packages come from."""
        return hashlib.sha256(without_user(self.text).encode()).hexdigest()


def read_lock(path: Path) -> Lock:
    """Read a lock.

    Raises:
        UsageError: it cannot be read, locks nothing, or holds a line without a hash.
    """
    try:
        text = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise UsageError(f"the lock {path} cannot be read: {reason}") from error
    lines = list(_requirements(text, path))
    for line in lines:
        if HASH_OPTION not in line:
            raise UsageError(f"the lock {path} has no hash for {without_user(line)}; write it with: {_HOW}")
    if not lines:
        raise UsageError(f"the lock {path} locks nothing; write it with: {_HOW}")
    return Lock(path=path, text=text)


def _requirements(text: str, path: Path) -> Iterator[str]:
    """The lines that ask for a package, put together where they go on."""
    for line in re.sub(r"\\\r?\n", " ", text).splitlines():
        line = " ".join(_COMMENT.sub("", line).split())
        if line.startswith(_ELSEWHERE):
            raise UsageError(f"the lock {path} is not whole in itself: {without_user(line)}; write it with: {_HOW}")
        if line and not line.startswith("-"):
            yield line
