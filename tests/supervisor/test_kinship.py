"""Which processes belong to a task, and whether a connection comes from one of them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from outboard.supervisor import kinship

SLEEP = "import time; time.sleep(3600)"
DIAL = """
import os, socket, sys, time
if len(sys.argv) > 2 and os.fork():
    time.sleep(3600)
connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
time.sleep(3600)
"""


@contextmanager
def started(code: str, *arguments: object) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-S", "-c", code, *map(str, arguments)], start_new_session=True)
    try:
        yield process
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def test_a_process_describes_itself() -> None:
    found = kinship.process(os.getpid())
    assert found is not None
    assert (found.parent, found.session, found.ended) == (os.getppid(), os.getsid(0), False)


def test_a_process_that_is_gone_is_none() -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", "pass"])
    process.wait()
    assert kinship.process(process.pid) is None
    assert kinship.start_time(process.pid) is None
    assert kinship.family(process.pid) == []


def test_a_process_beside_is_no_family() -> None:
    with started(SLEEP) as one, started(SLEEP) as other:
        assert kinship.family(one.pid) == []
        assert kinship.family(other.pid) == []


@pytest.mark.parametrize("extra", [(), ("from a child",)])
def test_a_connection_of_a_process_or_of_its_child_is_proven(extra: tuple[str, ...]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with started(DIAL, port, *extra) as process:
            connection, (_, peer_port) = listener.accept()
            with connection:
                owner = kinship.owner_of_connection(process.pid, peer_port, port)
                assert (owner == process.pid) is (not extra)
                assert owner is not None


def test_a_connection_of_somebody_else_is_not_proven() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, started(SLEEP) as process:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as ours:
            assert kinship.owner_of_connection(process.pid, ours.getsockname()[1], port) is None


def test_a_connection_that_does_not_exist_is_not_proven() -> None:
    with started(SLEEP) as process:
        assert kinship.owner_of_connection(process.pid, 1, 2) is None
