"""Which processes belong to a task, and whether a connection comes from one of them. Linux: it reads ``/proc``.

A task's process leads a session of its own, so most of its kin is found by session and group. What left the session is
found as a descendant, and what was also orphaned (a daemon) by its environment, which names the task's private
directory. **Limit:** a process that left the session, lost its parents *and* cleared its environment is not found.

Where there is no ``/proc``, nothing is found and no connection can be proven; the process group is all there is.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import attrs

__all__ = ("Kin", "family", "owner_of_connection", "process", "start_time")

PROC = Path("/proc")

# States of `stat` in which a process has ended and only waits to be reaped.
_ENDED = frozenset({b"Z", b"X", b"x"})

# The fields behind the command's name in `stat` (proc_pid_stat(5) counts them from 3).
_STATE, _PARENT, _GROUP, _SESSION, _START = 0, 1, 2, 3, 19

# The size of `stat` is bounded by its number of fields; this is far above.
_STAT_SIZE = 4096


@attrs.frozen(kw_only=True)
class Kin:
    """One process, identified for good: a pid alone may be used again.

    Attributes:
        pid: its process id.
        parent: the pid of its parent.
        group: its process group.
        session: its session.
        started: when it began, in clock ticks since the machine's boot.
        ended: whether it is a zombie.
    """

    pid: int
    parent: int
    group: int
    session: int
    started: int
    ended: bool


def process(pid: int) -> Kin | None:
    """Describe one process, or return None if there is no such process (or no ``/proc``)."""
    try:
        descriptor = os.open(f"{PROC}/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = os.read(descriptor, _STAT_SIZE)
    except OSError:
        return None
    finally:
        os.close(descriptor)
    # The command's name stands in parentheses and may itself contain some, and spaces.
    fields = data[data.rindex(b")") + 2 :].split(None, _START + 1)
    return Kin(
        pid=pid,
        parent=int(fields[_PARENT]),
        group=int(fields[_GROUP]),
        session=int(fields[_SESSION]),
        started=int(fields[_START]),
        ended=fields[_STATE] in _ENDED,
    )


def start_time(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; None if it is gone."""
    found = process(pid)
    return None if found is None else found.started


def family(leader: int, *, marker: str | None = None) -> list[Kin]:
    """Find the living processes that belong to a leader, without the leader itself.

    The leader must not have been reaped yet: while it is at least a zombie, its pid means nobody else.

    Args:
        leader: the pid of a process that leads its session.
        marker: a text that only the environment of this family holds. Without it only proven descendants are found.
    """
    head = process(leader)
    if head is None:
        return []
    younger = [kin for kin in _processes() if kin.started >= head.started and kin.pid != leader]
    found = {kin.pid: kin for kin in younger if leader in (kin.group, kin.session)}
    if marker is not None:
        needle = os.fsencode(marker)
        others = [kin for kin in younger if kin.pid not in found and kin.pid != os.getpid()]
        found |= {kin.pid: kin for kin in others if needle in _environment(kin.pid)}
    _add_descendants({leader} | found.keys(), younger, found)
    return [kin for kin in found.values() if not kin.ended]


def _add_descendants(elders: set[int], younger: list[Kin], found: dict[int, Kin]) -> None:
    """Add to `found` every process whose line of parents leads to one of `elders`."""
    while elders:
        children = {kin.pid: kin for kin in younger if kin.parent in elders and kin.pid not in found}
        found |= children
        elders = set(children)


def _processes() -> Iterator[Kin]:
    try:
        names = os.listdir(PROC)
    except OSError:
        return
    for name in names:
        if name.isdigit() and (found := process(int(name))) is not None:
            yield found


def _environment(pid: int) -> bytes:
    # Another user's process, or one that has just ended, is none of ours to look at.
    with contextlib.suppress(OSError):
        return (PROC / str(pid) / "environ").read_bytes()
    return b""


def owner_of_connection(leader: int, peer_port: int, own_port: int) -> int | None:
    """Return the pid that holds the other end of a loopback connection, if it is the leader or a descendant of it.

    Args:
        leader: the pid of the process that was spawned.
        peer_port: the port that the connection comes from.
        own_port: the port that it was accepted on.
    """
    inode = _socket_inode(peer_port, own_port)
    if inode is None:
        return None
    link = f"socket:[{inode}]"
    candidates = [leader, *(kin.pid for kin in family(leader))]
    return next((pid for pid in candidates if _holds(pid, link)), None)


def _socket_inode(local_port: int, remote_port: int) -> str | None:
    """Find the socket that goes from one loopback port to another, in the kernel's tables of this network namespace."""
    for table in ("tcp", "tcp6"):
        with contextlib.suppress(OSError), (PROC / "net" / table).open() as rows:
            next(rows, None)
            for row in rows:
                fields = row.split()
                if _is_loopback(fields[1], local_port) and _is_loopback(fields[2], remote_port):
                    return fields[9] if fields[9] != "0" else None
    return None


def _is_loopback(field: str, port: int) -> bool:
    """Whether an address of the kernel's table is 127.0.0.0/8, or its IPv4-mapped form, with this port."""
    address, _, number = field.partition(":")
    # Each 32-bit word is printed in the machine's byte order, so the last octet pair of a little-endian word comes first.
    return int(number, 16) == port and address[-2:] == "7F" and address[:-8] in ("", "0" * 16 + "FFFF0000")


def _holds(pid: int, link: str) -> bool:
    folder = f"{PROC}/{pid}/fd"
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                if os.readlink(f"{folder}/{name}") == link:
                    return True
    return False
