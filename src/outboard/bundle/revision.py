"""The revision of an author's files, as Git describes it.

Knows how to ask Git without disturbing anything. Must not know what the answer is for.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

__all__ = ("GIT_TIMEOUT", "revision_of")

GIT_TIMEOUT = 30.0
"""Seconds; a large checkout on a cold disk takes a few. Nobody waits longer for what nothing depends on."""

_DESCRIBE = ("describe", "--always", "--dirty", "--abbrev=12")


def revision_of(path: Path) -> str:
    """What Git calls the state of the checkout that a file or folder is in; empty where there is no Git or no checkout."""
    folder = path if path.is_dir() else path.absolute().parent
    # Inside a hook, Git's variables point to the repository of the hook.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    try:
        done = subprocess.run(
            ["git", "--no-optional-locks", "-C", str(folder), *_DESCRIBE],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_TIMEOUT,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else ""
