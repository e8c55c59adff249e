"""Airflow's look-up, repeated: which files below a folder it takes for bundles, and which Dags they name.

Knows how Airflow 3.3 and 3.4 walk the folder and what they read of each file. Must not know what to do about it, and is no
proof of a bundle: nothing is hashed here. `outboard.bundle.reader` judges one file thoroughly.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import attrs

from outboard.bundle.format import MAGIC, TRAILER_SIZE, read_trailer
from outboard.bundle.metadata import Metadata, read_metadata
from outboard.errors import DamagedBundleError

__all__ = ("Candidate", "Unreadable", "files_below", "look_up", "read_candidate")


@attrs.frozen(kw_only=True)
class Candidate:
    """A file that ends like a bundle.

    Attributes:
        path: where the walk met it.
        executable: whether this process may execute it; Airflow 3.3 passes over a file that its own may not.
        metadata: what Airflow finds in it.
    """

    path: Path
    executable: bool
    metadata: Metadata


@attrs.frozen(kw_only=True)
class Unreadable:
    """A file that Airflow passes over though it means to be a bundle. Attributes: path, and error, which says why."""

    path: Path
    error: DamagedBundleError


def look_up(root: Path) -> Iterator[Candidate | Unreadable]:
    """Everything below a folder that is a bundle or means to be one, in Airflow's order: that of the directory."""
    for path in files_below(root):
        found = read_candidate(path)
        if found is not None:
            yield found


def files_below(root: Path) -> Iterator[Path]:
    """Every regular file below a folder, links followed, each folder once."""
    yield from _walk(root, set())


def read_candidate(path: Path) -> Candidate | Unreadable | None:
    """Read a file's trailer and metadata, or None for a file that is something else, or that cannot be read."""
    try:
        with open(path, "rb", buffering=0) as stream:
            size = os.fstat(stream.fileno()).st_size
            trailer = os.pread(stream.fileno(), TRAILER_SIZE, max(0, size - TRAILER_SIZE))
            try:
                regions = read_trailer(trailer, size, str(path))
            except DamagedBundleError as error:
                return Unreadable(path=path, error=error) if trailer.endswith(MAGIC) else None
            text = os.pread(stream.fileno(), regions.trailer_start - regions.metadata_start, regions.metadata_start)
    except OSError:
        return None
    try:
        metadata = read_metadata(text, str(path))
    except DamagedBundleError as error:
        return Unreadable(path=path, error=error)
    return Candidate(path=path, executable=os.access(path, os.X_OK), metadata=metadata)


def _walk(item: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        status = item.stat()
    except OSError:
        return
    if stat.S_ISREG(status.st_mode):
        yield item
    elif stat.S_ISDIR(status.st_mode) and (status.st_dev, status.st_ino) not in seen:
        seen.add((status.st_dev, status.st_ino))
        try:
            children = list(item.iterdir())
        except OSError:
            return
        for child in children:
            yield from _walk(child, seen)
