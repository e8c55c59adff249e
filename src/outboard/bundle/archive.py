"""A zip whose directory is kept apart from its members, so that it may lie in another region of the file.

Python finds a zip by the end record near the file's end, and a member by the offset in the directory: members may lie
anywhere before it, with anything between them. The standard library's writer can't leave such gaps, and what it writes
depends on its version; this one writes the same bytes for the same members, always. Members are stored, not compressed:
`zipimport` would load zlib to read a compressed one. Must not know what the members mean.
"""

from __future__ import annotations

import struct
import zlib

import attrs

from outboard.errors import BundleError

__all__ = ("MAX_MEMBERS", "MAX_SIZE", "Archive")

MAX_MEMBERS = 65_535
"""What the end record can count without the 64-bit extension, which `zipimport` doesn't read before Python 3.14."""

MAX_SIZE = 2**32 - 1
"""The last offset that a directory entry can hold without that extension."""

_LOCAL = struct.Struct("<4s5H3I2H")
_ENTRY = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")

_VERSION = 20  # needed to extract: 2.0, the first with folders
_MADE_BY = (3 << 8) | _VERSION  # Unix: the attributes below are a file mode
_UTF8_NAMES = 1 << 11
_STORED = 0
_TIME, _DATE = 0, (1 << 5) | 1  # 1980-01-01, the epoch of the format: the day of packing is no part of a bundle
_MODE = 0o100644 << 16


@attrs.define
class Archive:
    """The directory of a zip that grows while its members are laid out by somebody else."""

    _entries: list[bytes] = attrs.field(factory=list, init=False)

    def member(self, name: str, data: bytes, offset: int) -> bytes:
        """Record a member and return its bytes, which belong at `offset` of the finished file."""
        if offset + len(data) > MAX_SIZE or len(self._entries) == MAX_MEMBERS:
            raise BundleError(f"{name}: the bundle is full: a zip holds {MAX_SIZE} bytes and {MAX_MEMBERS} members")
        encoded = name.encode()
        checksum, size = zlib.crc32(data), len(data)
        common = (_UTF8_NAMES, _STORED, _TIME, _DATE, checksum, size, size, len(encoded), 0)
        self._entries.append(_ENTRY.pack(b"PK\x01\x02", _MADE_BY, _VERSION, *common, 0, 0, 0, _MODE, offset) + encoded)
        return _LOCAL.pack(b"PK\x03\x04", _VERSION, *common) + encoded + data

    def directory(self, offset: int) -> bytes:
        """The directory and the end record, which belong at `offset` of the finished file, after every member."""
        body = b"".join(self._entries)
        count = len(self._entries)
        return body + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(body), offset, 0)
