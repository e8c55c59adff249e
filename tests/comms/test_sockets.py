"""Dialling a supervisor that listens on the loopback."""

from __future__ import annotations

import os
import socket

import pytest

from outboard.comms.sockets import dial


@pytest.fixture(params=["127.0.0.1", "::1"])
def listener(request: pytest.FixtureRequest) -> socket.socket:
    """A socket that listens on the loopback, in each family that this machine has."""
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    try:
        return socket.create_server((request.param, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {request.param}")


def test_a_dialled_connection_carries_bytes_without_delay_and_is_not_inherited(listener: socket.socket) -> None:
    with listener:
        fd = dial(listener.getsockname()[:2])
        connection, _ = listener.accept()
        with connection, socket.socket(fileno=fd) as dialled:
            dialled.sendall(b"there")
            assert connection.recv(9) == b"there"
            assert dialled.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert not os.get_inheritable(dialled.fileno())
            assert dialled.gettimeout() is None


def test_where_nobody_listens_dialling_fails_and_leaves_no_descriptor() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ConnectionRefusedError):
        dial(address)
    assert len(os.listdir("/proc/self/fd")) == before
