"""The environment that the live tests run Airflow in: built once from the pins, then kept.

Knows uv and the pins. It must not know Airflow: what runs in the environment is `airflow_launcher`'s business.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from outboard.bundle.uv import find_uv
from outboard.errors import EnvironmentBuildError

__all__ = ("BUILD_SECONDS", "built_environment")

# About 130 wheels to fetch, unpack and compile: one to two minutes on two cores.
BUILD_SECONDS = 900


def built_environment(pins: Path, cache: Path) -> Path:
    """Build the environment that ``pins`` describe, unless it is there; return its interpreter.

    Its folder is named after the pins and the interpreter, so a change of either builds anew. A build that was cut
    short leaves no marker and is started over; two test runs at once wait for one another.

    Raises:
        EnvironmentBuildError: there is no uv, or it could not build this; the text is its own.
    """
    digest = hashlib.sha256(f"{sys.version}\n{sys.base_prefix}\n".encode() + pins.read_bytes()).hexdigest()[:16]
    folder = cache / f"{pins.stem}-{digest}"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f"{folder.name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
            _uv("venv", "--no-project", "--python", sys.executable, str(folder))
            _uv(
                *("pip", "install", "--python", str(folder / "bin" / "python")),
                *("--require-hashes", "--compile-bytecode", "--requirements", str(pins)),
            )
            (folder / "complete").touch()
    return folder / "bin" / "python"


def _uv(*arguments: str) -> None:
    # An interpreter that uv fetched by itself would not be the one under test.
    environment = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    command = [find_uv(), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, env=environment, check=False)
    if done.returncode:
        said = f"`uv {' '.join(arguments[:2])}` failed ({done.returncode}): {done.stderr.strip()}"
        raise EnvironmentBuildError(said)
