"""Log records, one by one, to a peer that only drains: what a chatty task pays for each line.

The floor writes a line that is ready. Ours is all that stands between a record's parts and the wire: `make_record`, the
encoding, the channel. The producer's CPU is counted, since the drain runs beside it.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from outboard.comms.channel import Channel
from outboard.comms.interrupts import Interrupts
from outboard.comms.log_channel import LogChannel, line_sink
from outboard.protocol.conversation import SUPERVISOR, Conversation
from outboard.protocol.log_records import encode_line, make_record
from tests.benchmarks.measurement import Row, medians
from tests.benchmarks.plain_supervisor import greeting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ("BAR", "measure")

# The design's bar is a rate: at least 0.25 million records a second.
BAR = 4.0

BATCH = 5000
READ_SIZE = 1 << 20


def measure(rounds: int) -> list[Row]:
    """The rows, in microseconds of the producer's CPU a record."""
    with _drained(socket.socketpair) as (_, writing):
        log = LogChannel(Interrupts())
        log.connect(line_sink(writing))
        lines = _row("log record over a socket, as a line", rounds, writing, log)
    with _drained(_pipe_pair) as (reading, writing):
        channel = Channel(reading, writing)
        channel.greeting()
        log = LogChannel(channel.interrupts)
        log.connect(channel.log)
        frames = _row("log record over stdio, as a frame", rounds, writing, log)
    return [lines, frames]


def _row(what: str, rounds: int, fd: int, log: LogChannel) -> Row:
    ready = encode_line(_record())

    def floor() -> None:
        os.write(fd, ready)

    def ours() -> None:
        log.emit(_record())

    found = medians({"floor": _batch(floor), "ours": _batch(ours)}, rounds)
    return Row(what=what, unit="us", floor=found["floor"], ours=found["ours"], bar=BAR, absolute=True)


def _record() -> dict[str, object]:
    extra = {"row": 123456, "ok": True}
    return make_record("processed row 123456", "info", "author.rows", datetime.now(UTC), extra)


def _batch(once: Callable[[], None]) -> Callable[[], float]:
    def measured() -> float:
        started = time.process_time()
        for _ in range(BATCH):
            once()
        return (time.process_time() - started) / BATCH * 1e6

    return measured


@contextmanager
def _drained(pair: Callable[[], tuple[object, object]]) -> Iterator[tuple[int, int]]:
    """Our ends, to read from and to write to, of a connection to a process that greets and then reads all it gets."""
    mine, theirs = (_descriptors(end) for end in pair())
    pid = os.fork()
    if pid == 0:
        try:
            for fd in {*mine}:
                os.close(fd)
            os.write(theirs[1], Conversation(SUPERVISOR).send_greeting(greeting("hello", "greet")))
            while os.read(theirs[0], READ_SIZE):
                pass
        finally:
            os._exit(0)
    for fd in {*theirs}:
        os.close(fd)
    try:
        yield mine
    finally:
        for fd in {*mine}:
            os.close(fd)
        os.waitpid(pid, 0)


def _descriptors(end: object) -> tuple[int, int]:
    if isinstance(end, socket.socket):
        fd = end.detach()
        return fd, fd
    assert isinstance(end, tuple)
    return end


def _pipe_pair() -> tuple[tuple[int, int], tuple[int, int]]:
    (to_read, their_write), (their_read, to_write) = os.pipe(), os.pipe()
    return (to_read, to_write), (their_read, their_write)
