"""uv, which finds interpreters and installs packages: where it is, how it is called, and what it says when it can't.

Whatever it says has lost its credentials by the time that somebody else sees it. Must not know what is being built.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from outboard.bundle.credentials import Credentials
from outboard.errors import EnvironmentBuildError

__all__ = ("Answer", "Uv", "find_uv")

_FULL = "No space left on device"
_UNSOLVABLE = "No solution found"
_HASH_MISMATCH = re.compile(r"Hash mismatch for `([^`]+)`")
_NOT_CACHED = re.compile(
    r"(?:Because |and )(\S+) (?:was not found in the cache|needs to be downloaded from a registry)"
    r"|Failed to (?:download|fetch|build)(?: and build)? `([^`]+)`"
)

# What uv draws below a piece of text.
_UNDERLINE = re.compile(r"\s*\^+\s*$")

# How the answers read does not depend on the terminal, and no interpreter is fetched from anywhere.
_SETTINGS = {"UV_PYTHON_DOWNLOADS": "never", "UV_NO_PROGRESS": "1", "NO_COLOR": "1"}


def find_uv() -> Path:
    """The uv that came with outboard's extra, or else the one on the path.

    Raises:
        EnvironmentBuildError: there is none.
    """
    beside = Path(sysconfig.get_path("scripts")) / "uv"
    if os.access(beside, os.X_OK):
        return beside
    found = shutil.which("uv")
    if found is None:
        raise EnvironmentBuildError("uv is missing, which builds the environments; run: pip install 'outboard[cli]'")
    return Path(found)


@attrs.frozen(kw_only=True)
class Answer:
    """What a call of uv came to.

    Attributes:
        succeeded: whether it did what it was asked.
        output: what it answers, in one line.
        complaint: all that it says besides.
    """

    succeeded: bool
    output: str
    complaint: str

    @property
    def is_unsolvable(self) -> bool:
        """Whether requirements contradict each other, or nobody offers what they ask for."""
        return _UNSOLVABLE in self.complaint

    @property
    def disk_is_full(self) -> bool:
        """Whether there was no space."""
        return _FULL in self.complaint

    @property
    def mismatched(self) -> str:
        """The package whose file is not the one that was locked; empty if none."""
        found = _HASH_MISMATCH.search(self.complaint)
        return found[1] if found else ""

    @property
    def not_cached(self) -> Sequence[str]:
        """The packages that only the network has."""
        return list(dict.fromkeys(one or other for one, other in _NOT_CACHED.findall(self.complaint)))

    @property
    def reason(self) -> str:
        """The innermost cause of what it complains about, in one line."""
        text = " ".join(_UNDERLINE.sub("", self.complaint).split())
        _, mark, cause = text.rpartition("cause: ")
        return cause if mark else text.removeprefix("error: ")


@attrs.frozen(kw_only=True)
class Uv:
    """How one build calls uv.

    Attributes:
        program: its path.
        credentials: what it may be using and nobody may see.
        offline: whether it keeps off the network.
    """

    program: Path
    credentials: Credentials
    offline: bool = False

    def run(self, *arguments: str, lines: Sequence[str] = (), environment: Mapping[str, str] | None = None) -> Answer:
        """Call it.

        Args:
            arguments: of the command line, which everybody on the machine can read.
            lines: what it reads as a file called ``-``.
            environment: instead of this process's.
        """
        network = {"UV_OFFLINE": "1"} if self.offline else {}
        done = subprocess.run(
            [str(self.program), *arguments],
            env={**(os.environ if environment is None else environment), **_SETTINGS, **network},
            input="".join(f"{' '.join(line.split())}\n" for line in lines),
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )
        return Answer(
            succeeded=done.returncode == 0,
            output=done.stdout.strip(),
            complaint=self.credentials.hidden(done.stderr),
        )
