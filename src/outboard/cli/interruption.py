"""How a command is ended from outside: ^C, SIGTERM, the end of its terminal or of whoever reads its output.

While files are built and packed, the signal raises `Interrupted` wherever the program is, and what it has begun is undone on
the way out. While processes are supervised, an exception in the middle of the event loop would leave them behind; there the
first signal cancels what runs, which ends the processes with their time of grace, and the second one takes that from them.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from types import FrameType
from typing import TypeVar

import anyio

__all__ = ("Interrupted", "interrupt", "listening", "run")

T = TypeVar("T")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# What a shell adds to the number of a signal that has ended a command.
_SHELL_OFFSET = 128


class Interrupted(KeyboardInterrupt):
    """The command was told to end.

    Attributes:
        number: of the signal; SIGPIPE where nobody reads the output any more.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by signal {number}")
        self.number = number

    @property
    def exit_code(self) -> int:
        """What a shell makes of the signal: 130 for ^C, 143 for SIGTERM, 141 for SIGPIPE."""
        return _SHELL_OFFSET + self.number


class _Listener:
    """The handler of all signals. Attributes: tell: what takes them while an event loop runs; None outside of one."""

    def __init__(self) -> None:
        self.tell: Callable[[int], None] | None = None

    def __call__(self, number: int, _: FrameType | None) -> None:
        if self.tell is None:
            raise Interrupted(number)
        self.tell(number)


_listener = _Listener()


@contextlib.contextmanager
def listening() -> Iterator[None]:
    """Take the signals for as long as a command runs. One that is ignored stays so, as under ``nohup``."""
    previous = {}
    if threading.current_thread() is threading.main_thread():
        taken = (number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN)
        previous = {number: signal.signal(number, _listener) for number in taken}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def interrupt(number: int) -> None:
    """Do what the signal of this number does: raise `Interrupted`, or let `run` end and raise it then."""
    _listener(number, None)


def run(function: Callable[[anyio.Event], Awaitable[T]]) -> T:
    """Run a coroutine function in an event loop to its end.

    Args:
        function: is called with an event that is set when somebody is too impatient for a time of grace.

    Raises:
        Interrupted: a signal came, and everything that had to end has ended.
    """
    received: list[int] = []

    async def main() -> T | None:
        loop = asyncio.get_running_loop()
        at_once = anyio.Event()
        with anyio.CancelScope() as scope:

            def tell(number: int) -> None:
                # The handler may run while the loop sleeps: this also wakes it.
                loop.call_soon_threadsafe(at_once.set if received else scope.cancel)
                received.append(number)

            _listener.tell = tell
            try:
                return await function(at_once)
            finally:
                _listener.tell = None
        return None

    result = anyio.run(main)
    if received:
        raise Interrupted(received[0])
    return result  # type: ignore[return-value]  # without a signal the scope is not cancelled, and has a result
