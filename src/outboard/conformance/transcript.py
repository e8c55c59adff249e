"""What both sides sent, in order, as lines that a person can read. Knows frames; no message, no process."""

from __future__ import annotations

from collections.abc import Sequence

from outboard.protocol.frames import Frame

__all__ = ("Transcript", "show_bytes", "show_elements", "show_frame")

# Of one frame, and of raw bytes: enough to see what it is. A large XCom says nothing by being shown.
FRAME_WIDTH = 240
BYTES_SHOWN = 48

TO_PEER, FROM_PEER, NOTE = "──▶", "◀──", " · "


class Transcript:
    """The lines of one check; every process of it adds its own."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def sent(self, text: str) -> None:
        """The kit has sent something to its peer."""
        self._add(TO_PEER, text)

    def received(self, text: str) -> None:
        """The peer has sent something."""
        self._add(FROM_PEER, text)

    def note(self, text: str) -> None:
        """Something happened that is no frame: a start, a signal, an end."""
        self._add(NOTE, text)

    def _add(self, direction: str, text: str) -> None:
        self.lines.append(f"{direction} {cut(text)}")


def show_frame(frame: Frame) -> str:
    """A frame's elements, as many as say something."""
    elements: list[object] = [frame.id, frame.body, frame.third, *frame.extra]
    while len(elements) > 2 and elements[-1] is None:
        elements.pop()
    return show_elements(elements)


def show_elements(elements: Sequence[object]) -> str:
    """The elements of a frame, sound or not."""
    return cut(repr(list(elements)))


def show_bytes(data: bytes) -> str:
    """Raw bytes: how many, and the first of them."""
    more = "…" if len(data) > BYTES_SHOWN else ""
    return f"{len(data)} bytes: {data[:BYTES_SHOWN].hex(' ')}{more}"


def cut(text: str) -> str:
    """A text of at most one line's length."""
    return text if len(text) <= FRAME_WIDTH else f"{text[: FRAME_WIDTH - 1]}…"
