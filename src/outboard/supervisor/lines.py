"""Cuts what a process prints into lines, with a bound on memory.

Pure: bytes in, lines out. It does not know where the bytes come from, nor what becomes of a line.
"""

from __future__ import annotations

from collections.abc import Iterator

import attrs

__all__ = ("Line", "LineSplitter")


@attrs.frozen(kw_only=True)
class Line:
    """One line, without its end.

    Attributes:
        data: the bytes that were kept.
        size: how many bytes the line had; more than `data` holds if it was cut.
    """

    data: bytes
    size: int

    @property
    def was_cut(self) -> bool:
        """Whether the line was longer than the limit."""
        return self.size > len(self.data)

    @property
    def text(self) -> str:
        r"""The line for a reader: what is no UTF-8 shows as ``\xff``, and a cut line says how long it was."""
        text = self.data.decode("utf-8", "backslashreplace")
        return f"{text} … (cut: {len(self.data)} of {self.size} bytes)" if self.was_cut else text


@attrs.define
class LineSplitter:
    """Takes chunks, gives complete lines. Of a line above the limit the rest is counted and forgotten.

    A carriage return before the end of a line belongs to the end; one inside (a progress bar) belongs to the text.
    """

    limit: int
    _kept: bytearray = attrs.field(factory=bytearray, init=False)
    _size: int = attrs.field(default=0, init=False)

    def feed(self, chunk: bytes) -> Iterator[Line]:
        """Take the bytes that arrived, yield each line that they complete."""
        start = 0
        while (end := chunk.find(b"\n", start)) >= 0:
            self._keep(chunk, start, end)
            yield self._take()
            start = end + 1
        self._keep(chunk, start, len(chunk))

    def flush(self) -> Iterator[Line]:
        """Yield what stood behind the last line's end, if anything: the stream is over."""
        if self._size:
            yield self._take()

    def _keep(self, chunk: bytes, start: int, end: int) -> None:
        room = self.limit - len(self._kept)
        self._kept += chunk[start : min(end, start + room)]
        self._size += end - start

    def _take(self) -> Line:
        data = bytes(self._kept)
        size = self._size
        self._kept.clear()
        self._size = 0
        if size == len(data) and data.endswith(b"\r"):
            return Line(data=data[:-1], size=size - 1)
        return Line(data=data, size=size)
