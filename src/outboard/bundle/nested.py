"""Zips inside a bundle: many files as one compressed member, which is unpacked once on each machine.

Knows how to write the same bytes for the same files, and how to read one in place. Must not know what the files are.
"""

from __future__ import annotations

import hashlib
import io
import os
import struct
import zipfile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

__all__ = ("compress", "open_nested", "sha256_of")

# The epoch of the format: the day of packing is no part of a bundle.
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3
_CHUNK = 1 << 20
_LOCAL_HEADER = struct.Struct("<26x2H")


def compress(members: Mapping[str, bytes], executable: Collection[str] = ()) -> bytes:
    """A zip of files by their paths; those named in ``executable`` keep their execute bit."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _DATE)
            info.external_attr = (0o100755 if name in executable else 0o100644) << 16
            info.create_system = _UNIX
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, members[name])
    return buffer.getvalue()


def open_nested(bundle: str, member: str) -> zipfile.ZipFile:
    """Open a zip that is a stored member of a bundle, without a copy of it.

    Raises:
        KeyError: there is no such member.
        zipfile.BadZipFile: the bundle, or the member, is no sound zip.
    """
    return _Nested(_part(bundle, member))


def sha256_of(bundle: str, member: str) -> str:
    """SHA-256 over a stored member of a bundle, in hexadecimal.

    Raises:
        KeyError: there is no such member.
        zipfile.BadZipFile: the bundle is no sound zip.
    """
    digest = hashlib.sha256()
    with _part(bundle, member) as part:
        while chunk := part.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _part(bundle: str, member: str) -> _Slice:
    with zipfile.ZipFile(bundle) as outer:
        info = outer.getinfo(member)
    stream = open(bundle, "rb")  # noqa: SIM115  # closed with the part
    stream.seek(info.header_offset)
    name_size, extra_size = _LOCAL_HEADER.unpack(stream.read(_LOCAL_HEADER.size))
    start = info.header_offset + _LOCAL_HEADER.size + name_size + extra_size
    return _Slice(stream, start, info.file_size)


class _Nested(zipfile.ZipFile):
    """Closes what it reads from, too."""

    def __init__(self, part: _Slice) -> None:
        self._part = part
        super().__init__(part)

    def close(self) -> None:
        super().close()
        self._part.close()


class _Slice(io.RawIOBase):
    """A part of a file as a file of its own, for reading."""

    def __init__(self, stream: Any, start: int, size: int) -> None:
        self._stream = stream
        self._start = start
        self._size = size
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = max(0, origin + offset)
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._size - self._position)
        self._stream.seek(self._start + self._position)
        data: bytes = self._stream.read(left if size is None or size < 0 else min(size, left))
        self._position += len(data)
        return data

    def close(self) -> None:
        self._stream.close()
        super().close()
