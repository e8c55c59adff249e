"""A disk that is soon full, for a process in name spaces of its own."""

from __future__ import annotations

import subprocess
from pathlib import Path

__all__ = ("MOUNT", "may_mount")

MOUNT = ("mount", "-t", "tmpfs", "-o", "size=64k", "none")


def may_mount(folder: Path) -> bool:
    """Whether this user may mount a disk of their own; some machines leave that to the administrator."""
    try:
        done = subprocess.run(["unshare", "-rm", *MOUNT, folder], capture_output=True, timeout=10, check=False)
    except OSError:
        return False
    return done.returncode == 0
