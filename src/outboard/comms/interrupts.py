"""Keeps a signal handler's exception from cutting a frame in two.

A handler that interrupts the task's body raises in the main thread, wherever that is: also between the two writes of one
frame. The channel shields such stretches: inside them `Interrupts.throw` only notes the exception, and leaving the
outermost shield raises it. Other threads never run handlers, so they pass through without effect.
"""

from __future__ import annotations

from _thread import get_ident

__all__ = ("Interrupts",)


class Interrupts:
    """Used as a context manager around a stretch that must not be interrupted; nests."""

    __slots__ = ("_depth", "_main", "_noted")

    def __init__(self) -> None:
        self._main = get_ident()
        self._depth = 0
        self._noted: BaseException | None = None

    def __enter__(self) -> None:
        if get_ident() == self._main:
            self._depth += 1

    def __exit__(self, *exc_info: object) -> None:
        if get_ident() == self._main:
            self._depth -= 1
            if self._noted is not None and not self._depth:
                noted, self._noted = self._noted, None
                raise noted

    def throw(self, error: BaseException) -> None:
        """Raise ``error`` now, or as soon as the main thread leaves its shielded stretch. For signal handlers."""
        if self._depth:
            self._noted = error
        else:
            raise error
