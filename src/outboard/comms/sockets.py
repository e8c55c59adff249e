"""The wire over loopback sockets that the supervisor listens on and the runtime dials.

On ``_socket``, since the module around it costs more than the rest of a connection.
"""

from __future__ import annotations

import _socket

__all__ = ("dial",)


def dial(address: tuple[str, int]) -> int:
    """Connect, and return the descriptor of the blocking stream socket; child processes do not inherit it.

    Raises:
        OSError: nobody listens there.
    """
    host, port = address
    family = _socket.AF_INET6 if ":" in host else _socket.AF_INET
    connection = _socket.socket(family, _socket.SOCK_STREAM)
    try:
        connection.connect((host, port))
        # A request is one small write that waits for its answer: it must not wait for company.
        connection.setsockopt(_socket.IPPROTO_TCP, _socket.TCP_NODELAY, 1)
    except OSError:
        connection.close()
        raise
    return connection.detach()
