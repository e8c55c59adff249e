"""The wire over fd 0 and fd 1.

The wire owns its descriptors: the runtime takes private duplicates and points the originals elsewhere, so that nothing a
task prints, reads, or hands to a child process can reach the wire. fd 0 then reads nothing, and fd 1 leads where fd 2
leads, which keeps the order of what C code and child processes write.
"""

from __future__ import annotations

import posix

__all__ = ("FIRST_PRIVATE", "claim", "read_nothing")

# 0, 1 and 2 mean something to every child process; the wire must be out of their way.
FIRST_PRIVATE = 3


def claim() -> tuple[int, int]:
    """Take the wire. Returns the descriptors to read from and to write to; neither is inherited by child processes.

    Raises:
        OSError: fd 0 or fd 1 is closed.
    """
    reading, writing = _private(0), _private(1)
    read_nothing()
    posix.dup2(2, 1)
    return reading, writing


def read_nothing() -> None:
    """Let fd 0 be empty: a task that asks its user a question is told at once that there is none."""
    nothing = posix.open("/dev/null", posix.O_RDONLY)
    if nothing == 0:
        posix.set_inheritable(0, True)
    else:
        posix.dup2(nothing, 0)
        posix.close(nothing)


def _private(fd: int) -> int:
    # posix.dup gives the lowest free number, which is below 3 when the parent closed a standard descriptor.
    low = []
    while (copy := posix.dup(fd)) < FIRST_PRIVATE:
        low.append(copy)
    for each in low:
        posix.close(each)
    return copy
