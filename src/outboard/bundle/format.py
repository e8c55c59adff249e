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

from outboard.errors import BundleError

__all__ = ("MAGIC", "MAX_TAIL_SIZE", "TRAILER_SIZE", "TRAILER_VERSION", "Layout", "compose", "parse")

MAGIC = b"AFBNDL01"
TRAILER_SIZE = 64
TRAILER_VERSION = 1

MAX_TAIL_SIZE = 65_535
"""Bytes that may follow the last byte of the sources: Python looks for a zip's end record no further from the end."""

_TRAILER = struct.Struct("<III32s12s8s")
_RESERVED = bytes(12)


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


def parse(data: bytes) -> Layout:
    """Take a bundle file apart, and prove that its executable region is the one that was sealed.

    Raises:
        BundleError: not a bundle, of another version, cut short, or changed since it was packed.
    """
    if len(data) < TRAILER_SIZE or not data.endswith(MAGIC):
        raise BundleError(f"not a bundle: the last {len(MAGIC)} bytes are not {MAGIC.decode()}")
    source_size, metadata_size, version, digest, reserved, _ = _TRAILER.unpack_from(data, len(data) - TRAILER_SIZE)
    if version != TRAILER_VERSION:
        raise BundleError(f"a bundle of layout {version}; this version of outboard reads layout {TRAILER_VERSION}")
    if reserved != _RESERVED:
        raise BundleError("a damaged bundle: the trailer's reserved bytes are not zero")
    metadata_start = len(data) - TRAILER_SIZE - metadata_size
    source_start = metadata_start - source_size
    if source_start <= 0:
        raise BundleError("a damaged bundle: its regions are longer than the file")
    executable = data[:source_start]
    if hashlib.sha256(executable).digest() != digest:
        raise BundleError("a damaged bundle: the executable region is not the one that was packed")
    return Layout(
        executable=executable,
        sources=data[source_start:metadata_start],
        metadata=data[metadata_start : len(data) - TRAILER_SIZE],
        digest=digest,
    )
