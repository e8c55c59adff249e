"""How many tries may be under way at once. Who waits for a slot is no hand of the clock, and is one again with the slot."""

from __future__ import annotations

from collections import deque
from types import TracebackType

from outboard.supervisor.virtual_clock import Signal, VirtualClock

__all__ = ("Slots",)


class Slots:
    """A number of slots, given out in the order in which they were asked for. Use it as an async context manager.

    Args:
        count: how many there are.
        clock: the run's clock; whoever takes a slot counts as one of its hands.
    """

    def __init__(self, count: int, clock: VirtualClock) -> None:
        self._free = count
        self._clock = clock
        self._waiting: deque[Signal] = deque()

    async def __aenter__(self) -> None:
        if self._free:
            self._free -= 1
            return
        turn = self._clock.signal()
        self._waiting.append(turn)
        try:
            await self._clock.wait(turn)
        except BaseException:
            if turn.is_set:
                self._give()
            else:
                self._waiting.remove(turn)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._give()

    def _give(self) -> None:
        """Give a slot to whoever waits longest, if somebody does."""
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._free += 1
