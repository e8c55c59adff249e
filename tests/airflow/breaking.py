"""Bundles that are really broken: copies of a packed one, changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from outboard.bundle.format import compose, parse

if TYPE_CHECKING:
    from collections.abc import Callable

DAGS = Path(__file__).parents[2] / "fixtures" / "dags"
OUTBOARD = Path(sys.executable).with_name("outboard")
PACK_SECONDS = 60


def pack(source: Path, output: Path, environment: Path | str = sys.prefix) -> Path:
    """Pack an author's file with our own command."""
    command = [OUTBOARD, "pack", source, "-o", output, "--thin", environment]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PACK_SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    return output


def put_copy(
    packed: Path,
    target: Path,
    *,
    metadata: bytes | None = None,
    change: Callable[[bytes], bytes] | None = None,
    mode: int = 0o755,
) -> Path:
    """Copy a bundle: with other metadata, but sealed, or with any change to its bytes."""
    shutil.copy(packed, target)
    data = target.read_bytes()
    if metadata is not None:
        layout = parse(data)
        data = compose(layout.executable, layout.sources, metadata)
    target.write_bytes(change(data) if change else data)
    target.chmod(mode)
    return target


def with_a_changed_byte(data: bytes) -> bytes:
    """One byte of the executable region is another."""
    return data[:5000] + bytes([data[5000] ^ 1]) + data[5001:]


def for_an_older_python(data: bytes) -> bytes:
    """The same bundle as if it had been packed for the Python before this one."""
    tag = sys.hexversion >> 16
    layout = parse(data)
    executable = layout.executable.replace(f">>16!={tag}".encode(), f">>16!={tag - 1}".encode())
    assert executable != layout.executable
    return compose(executable, layout.sources, layout.metadata)


def without_its_directory(data: bytes) -> bytes:
    """The end of the zip is gone, which lies in a region that no hash covers."""
    layout = parse(data)
    return compose(layout.executable, layout.sources[:-30] + bytes(30), layout.metadata)
