"""A zip whose directory is kept apart from its members, so that it may lie in another region of the file.

Python finds a zip by the end record near the file's end, and a member by the offset in the directory: members may lie
anywhere before it, with anything between them. The standard library's writer can't leave such gaps, and what it writes
depends on its version; this one writes the same bytes for the same members, always. Members are stored, not compressed:
`zipimport` would load zlib to read a compressed one. The reader takes only what this writer writes: a directory is sound if
the members that it names would give it again. Must not know what the members mean.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable

import attrs

from outboard.errors import BundleError

__all__ = ("MAX_MEMBERS", "MAX_SIZE", "Archive", "ArchiveError", "Member", "Read", "read_directory")

Read = Callable[[int, int], bytes]
"""Given an offset and a size, so many bytes of a file, or fewer where it ends."""

MAX_MEMBERS = 65_535
"""What the end record can count without the 64-bit extension, which `zipimport` doesn't read before Python 3.14."""

MAX_SIZE = 2**32 - 1
"""The last offset that a directory entry can hold without that extension."""

_CHUNK = 1 << 20

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
        return self.header(name, zlib.crc32(data), len(data), offset) + data

    def header(self, name: str, checksum: int, size: int, offset: int) -> bytes:
        """Record a member and return what stands before its content: for one that nobody wants in memory."""
        if offset + size > MAX_SIZE or len(self._entries) == MAX_MEMBERS:
            raise BundleError(f"{name}: the bundle is full: a zip holds {MAX_SIZE} bytes and {MAX_MEMBERS} members")
        encoded = name.encode()
        common = (_UTF8_NAMES, _STORED, _TIME, _DATE, checksum, size, size, len(encoded), 0)
        self._entries.append(_ENTRY.pack(b"PK\x01\x02", _MADE_BY, _VERSION, *common, 0, 0, 0, _MODE, offset) + encoded)
        return _LOCAL.pack(b"PK\x03\x04", _VERSION, *common) + encoded

    def directory(self, offset: int) -> bytes:
        """The directory and the end record, which belong at `offset` of the finished file, after every member."""
        body = b"".join(self._entries)
        count = len(self._entries)
        return body + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(body), offset, 0)


class ArchiveError(ValueError):
    """A zip that this writer did not write. Its text says where and what."""


@attrs.frozen(kw_only=True)
class Member:
    """One file inside the zip.

    Attributes:
        name: its path there.
        offset: where its bytes start in the whole file, header included.
        end: where they end.
        size: of its content, in bytes.
    """

    name: str
    offset: int
    end: int
    size: int


def read_directory(read: Read, end: int) -> tuple[list[Member], int]:
    """Read and prove the zip whose end record ends at `end`: its directory, each header, each content.

    Returns:
        The members in the directory's order, and where the directory starts.

    Raises:
        ArchiveError: it is not, byte for byte, what `Archive` writes for the members that it names.
    """
    start, count, body = _directory_bytes(read, end)
    again = Archive()
    members = []
    position = 0
    while position < len(body):
        member, position = _entry(body, position)
        _prove(read, member, again)
        members.append(member)
    if len(members) != count:
        raise ArchiveError(f"its end record counts {count} members, and it lists {len(members)}")
    if len({member.name for member in members}) != count:
        raise ArchiveError("it lists a member twice")
    if again.directory(start) != read(start, end - start):
        raise ArchiveError("an entry was changed")
    return members, start


def _directory_bytes(read: Read, end: int) -> tuple[int, int, bytes]:
    """Where the directory starts, how many entries it has, and its bytes without the end record."""
    record = read(end - _END.size, _END.size) if end >= _END.size else b""
    if not record.startswith(b"PK\x05\x06") or len(record) < _END.size:
        raise ArchiveError("its end record is not where it belongs")
    _, _, _, _, count, size, start, _ = _END.unpack(record)
    if start + size + _END.size != end:
        raise ArchiveError(f"it should be {size} bytes from offset {start}, and does not end at its end record")
    return start, count, read(start, size)


def _entry(body: bytes, position: int) -> tuple[Member, int]:
    """One entry of the directory, and where the next begins."""
    fields = body[position : position + _ENTRY.size]
    if not fields.startswith(b"PK\x01\x02") or len(fields) < _ENTRY.size:
        raise ArchiveError(f"at its byte {position} there is no entry")
    unpacked = _ENTRY.unpack(fields)
    size, name_size, offset = unpacked[9], unpacked[10], unpacked[-1]
    start = position + _ENTRY.size
    try:
        name = body[start : start + name_size].decode()
    except UnicodeDecodeError as error:
        raise ArchiveError(f"at its byte {start} there is no name in UTF-8") from error
    end = offset + _LOCAL.size + name_size + size
    return Member(name=name, offset=offset, end=end, size=size), start + name_size


def _prove(read: Read, member: Member, again: Archive) -> None:
    """Write a member's header again from its content and compare."""
    start = member.end - member.size
    checksum, position = 0, start
    while position < member.end:
        chunk = read(position, min(_CHUNK, member.end - position))
        if not chunk:
            raise ArchiveError(f"member {member.name}: it ends behind the file's end")
        checksum = zlib.crc32(chunk, checksum)
        position += len(chunk)
    if again.header(member.name, checksum, member.size, member.offset) != read(member.offset, start - member.offset):
        raise ArchiveError(f"member {member.name}: its header or its checksum does not fit its content")
