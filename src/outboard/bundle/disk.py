"""What a folder that cannot be written to means for a person, in one sentence. Pure."""

from __future__ import annotations

import errno
from pathlib import Path

__all__ = ("refusal",)

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def refusal(path: Path, error: OSError, *, advice: str = "free some space") -> str:
    """Say why nothing could be written, and what to do about a full disk.

    Args:
        path: the file or folder that was to be written.
        error: what the system said.
        advice: what helps when the disk is full.
    """
    if error.errno in _FULL:
        return f"the disk that holds {path} is full; {advice}"
    return f"{path} cannot be written: {error.strerror or error}"
