"""The layout of a bundle file: bytes in, bytes out.

Knows the regions, the order they come in and the trailer that Airflow's executable coordinator reads. Must not know what
is inside the regions, and opens no file.

::

    ┌──────────────────────┬─────────┬──────────┬─────────┐
    │ executable           │ sources │ metadata │ trailer │
    └──────────────────────┴─────────┴──────────┴─────────┘
      what the trailer's       text    YAML      64 bytes
      SHA-256 covers
"""

from __future__ import annotations

import hashlib
import struct

import attrs

from outboard.errors import BundleError, DamagedBundleError

__all__ = (
    "COPY_AGAIN",
    "MAGIC",
    "MAX_TAIL_SIZE",
    "TRAILER_SIZE",
    "TRAILER_VERSION",
    "Layout",
    "Regions",
    "compose",
    "parse",
    "read_trailer",
)

MAGIC = b"AFBNDL01"
TRAILER_SIZE = 64
TRAILER_VERSION = 1

MAX_TAIL_SIZE = 65_535
"""Bytes that may follow the last byte of the sources: Python looks for a zip's end record no further from the end."""

_TRAILER = struct.Struct("<III32s12s8s")
_RESERVED = bytes(12)

COPY_AGAIN = "copy it again from where it was packed, or pack it again"
"""What helps against every kind of damage that a file takes on its way."""

_NO_MAGIC = "it is no bundle, was cut short, or something was appended to it; " + COPY_AGAIN
_NEWER = "install a newer outboard, or pack it again"


@attrs.frozen(kw_only=True)
class Layout:
    """The regions of one bundle file, as read from it.

    Attributes:
        executable: what the system runs; never empty.
        sources: the author's text, and whatever else the packer keeps beside it.
        metadata: what Airflow reads: UTF-8, YAML or JSON.
        digest: SHA-256 of the executable region, 32 bytes.
    """

    executable: bytes
    sources: bytes
    metadata: bytes
    digest: bytes


@attrs.frozen(kw_only=True)
class Regions:
    """Where the regions of one bundle file lie, as offsets in bytes; the first starts at 0.

    Attributes:
        source_start: where the executable region ends and the sources begin.
        metadata_start: where the sources end.
        trailer_start: where the metadata ends.
        digest: what SHA-256 of the executable region must be, 32 bytes.
    """

    source_start: int
    metadata_start: int
    trailer_start: int
    digest: bytes


def compose(executable: bytes, sources: bytes, metadata: bytes) -> bytes:
    """Join the regions and seal them with the trailer.

    Raises:
        BundleError: the executable region is empty, or the metadata is too long for Python to find the zip before it.
    """
    if not executable:
        raise BundleError("a bundle needs an executable region, and this one is empty")
    tail = len(metadata) + TRAILER_SIZE
    if tail > MAX_TAIL_SIZE:
        raise BundleError(
            f"the metadata takes {tail} bytes with its trailer, and Python reads a bundle only up to {MAX_TAIL_SIZE}; "
            "pack fewer Dags into one bundle"
        )
    digest = hashlib.sha256(executable).digest()
    trailer = _TRAILER.pack(len(sources), len(metadata), TRAILER_VERSION, digest, _RESERVED, MAGIC)
    return b"".join((executable, sources, metadata, trailer))


def read_trailer(trailer: bytes, file_size: int, file: str = "the file") -> Regions:
    """Read a bundle's last bytes.

    Args:
        trailer: the last `TRAILER_SIZE` bytes of the file, or all of a file that is shorter.
        file_size: the whole file's size in bytes.
        file: its name, for errors.

    Raises:
        DamagedBundleError: not a bundle, of another version, or cut short.
    """

    def damaged(problem: str, advice: str = COPY_AGAIN) -> DamagedBundleError:
        return DamagedBundleError(file, "trailer", problem, advice)

    if file_size < TRAILER_SIZE or len(trailer) < TRAILER_SIZE:
        raise damaged(f"the file has {file_size} bytes, and a trailer alone has {TRAILER_SIZE}")
    source_size, metadata_size, version, digest, reserved, magic = _TRAILER.unpack(trailer)
    if magic != MAGIC:
        raise damaged(f"the file ends with {magic!r}, a bundle ends with {MAGIC!r}", _NO_MAGIC)
    if version != TRAILER_VERSION:
        raise damaged(f"it is of layout {version}, and this outboard reads layout {TRAILER_VERSION}", _NEWER)
    if reserved != _RESERVED:
        raise damaged("its reserved bytes are not zero")
    metadata_start = file_size - TRAILER_SIZE - metadata_size
    source_start = metadata_start - source_size
    if source_start <= 0:
        declared = f"{source_size} bytes of sources and {metadata_size} of metadata"
        raise damaged(f"it declares {declared}, which leaves no executable in a file of {file_size}")
    return Regions(
        source_start=source_start,
        metadata_start=metadata_start,
        trailer_start=file_size - TRAILER_SIZE,
        digest=digest,
    )


def parse(data: bytes) -> Layout:
    """Take a bundle file apart, and prove that its executable region is the one that was sealed.

    Raises:
        DamagedBundleError: not a bundle, of another version, cut short, or changed since it was packed.
    """
    regions = read_trailer(data[-TRAILER_SIZE:], len(data))
    executable = data[: regions.source_start]
    if hashlib.sha256(executable).digest() != regions.digest:
        raise DamagedBundleError("the file", "executable region", "it is not the one that was packed", COPY_AGAIN)
    return Layout(
        executable=executable,
        sources=data[regions.source_start : regions.metadata_start],
        metadata=data[regions.metadata_start : regions.trailer_start],
        digest=regions.digest,
    )
