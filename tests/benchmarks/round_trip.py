"""One request and its reply through our channel, against raw bytes of the same size over the same kind of connection.

On one core, with a peer that answers with ready bytes: what is measured is our side. Two cores would measure how fast
this machine wakes one of them.
"""

from __future__ import annotations

import os
import socket
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from outboard.comms.channel import Channel
from outboard.comms.sockets import dial
from outboard.protocol import messages as m
from outboard.protocol.conversation import SUPERVISOR, Conversation
from tests.benchmarks.measurement import Row, medians
from tests.benchmarks.plain_supervisor import greeting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ("BAR", "measure")

BAR = 1.25

# Enough for a batch to take milliseconds, which the clock resolves and a scheduler's tick doesn't distort.
BATCH = 500
WARM_UP_ROUNDS = 2

READ_SIZE = 64 * 1024


def measure(rounds: int) -> list[Row]:
    """The rows, in microseconds of wall time."""
    return [_row(kind, rounds) for kind in ("pipe", "TCP")]


def _row(kind: str, rounds: int) -> Row:
    trips = BATCH * (rounds + WARM_UP_ROUNDS)
    with _one_core(), _answering(kind, trips) as raw, _answering(kind, trips) as wire:
        channel = Channel(*wire)
        channel.greeting()
        os.read(raw[0], READ_SIZE)  # the same peer greets here too
        request = _request_bytes()

        def ours() -> None:
            channel.request(m.GetVariable(key="my_variable"))

        def floor() -> None:
            os.write(raw[1], request)
            os.read(raw[0], READ_SIZE)

        found = medians({"floor": _batch(floor), "ours": _batch(ours)}, rounds, warm_up=WARM_UP_ROUNDS)
    return Row(what=f"request over {kind}, one core", unit="us", floor=found["floor"], ours=found["ours"], bar=BAR)


def _batch(once: Callable[[], None]) -> Callable[[], float]:
    def measured() -> float:
        started = time.perf_counter()
        for _ in range(BATCH):
            once()
        return (time.perf_counter() - started) / BATCH * 1e6

    return measured


@contextmanager
def _one_core() -> Iterator[None]:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _answering(kind: str, trips: int) -> Iterator[tuple[int, int]]:
    """Our ends, to read from and to write to, of a connection to a process that greets and then answers ``trips`` times."""
    hello, replies = _peer_bytes(trips)
    mine, theirs = _pipes() if kind == "pipe" else _tcp()
    pid = os.fork()
    if pid == 0:
        try:
            for fd in {*mine}:
                os.close(fd)
            os.write(theirs[1], hello)
            for reply in replies:
                if not os.read(theirs[0], READ_SIZE):
                    break
                os.write(theirs[1], reply)
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


def _peer_bytes(trips: int) -> tuple[bytes, list[bytes]]:
    conversation = Conversation(SUPERVISOR)
    hello = conversation.send_greeting(greeting("hello", "greet"))
    value = m.VariableResult(key="my_variable", value="some value of the variable")
    return hello, [conversation.send_reply(number + 1, value) for number in range(trips)]


def _request_bytes() -> bytes:
    runtime, supervisor = Conversation("runtime"), Conversation(SUPERVISOR)
    runtime.receive_data(supervisor.send_greeting(greeting("hello", "greet")))
    return runtime.send_request(m.GetVariable(key="my_variable"))[1]


def _pipes() -> tuple[tuple[int, int], tuple[int, int]]:
    (to_read, their_write), (their_read, to_write) = os.pipe(), os.pipe()
    return (to_read, to_write), (their_read, their_write)


def _tcp() -> tuple[tuple[int, int], tuple[int, int]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        mine = dial(server.getsockname())
        connection, _ = server.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    theirs = connection.detach()
    return (mine, mine), (theirs, theirs)
