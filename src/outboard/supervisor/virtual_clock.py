"""The clock of a run: the machine's, or one that leaps over the time in which everybody only waits.

A leap must not overtake work: a sensor that asks once an hour would otherwise time out while the task that it waits for
still computes. So whoever has something to do counts as a hand, and only when no hand is left the clock goes to the next
date that somebody waits for. Whoever is woken is counted before anybody else is asked, so that no gap looks like rest.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import anyio
import attrs

from outboard.supervisor.ports import Clock, SystemClock

__all__ = ("OFFSET_VARIABLE", "Hands", "Signal", "VirtualClock")

# In the environment of each process: how many seconds the run's clock is ahead of the machine's.
OFFSET_VARIABLE = "OUTBOARD_CLOCK_OFFSET"

# A task may ask to be put off until then, and nothing lies beyond.
_LAST = datetime.max.replace(tzinfo=UTC)


@attrs.define(eq=False)
class Signal:
    """Something that comes about once. Made by `VirtualClock.signal`."""

    _clock: VirtualClock
    is_set: bool = attrs.field(default=False, init=False)

    def set(self) -> None:
        """Say that it has come about."""
        if not self.is_set:
            self.is_set = True
            self._clock._wake_due()


@attrs.define(eq=False)
class _Waiter:
    """Somebody who waits for a date, for a signal, or for whichever comes first."""

    due: datetime | None
    signal: Signal | None
    news: anyio.Event = attrs.field(factory=anyio.Event)
    is_counted: bool = False

    def is_due(self, now: datetime) -> bool:
        return (self.signal is not None and self.signal.is_set) or (self.due is not None and self.due <= now)


class VirtualClock:
    """Time, as `outboard.supervisor.ports.Clock` has it, and who is at work in it.

    Args:
        clock: the clock below it, which never leaps.
        leaps: whether to leap over waits. If not, this is the clock below.
    """

    def __init__(self, clock: Clock | None = None, *, leaps: bool = False) -> None:
        self.leaps = leaps
        self._clock = clock or SystemClock()
        self._offset = timedelta()
        self._hands = 0
        self._resting: set[Hashable] = set()
        self._waiters: list[_Waiter] = []

    def now(self) -> datetime:
        """Return the current time of the run, aware, in UTC; it stands still at the end of the year 9999."""
        return _later(self._clock.now(), self._offset)

    def environment(self) -> dict[str, str]:
        """Return what tells a process how far this clock is ahead; nothing for a clock that does not leap."""
        return {OFFSET_VARIABLE: repr(self._offset.total_seconds())} if self.leaps else {}

    # ── waiting ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def sleep(self, seconds: float) -> None:
        """Wait; to be called by a hand, which is none meanwhile."""
        if not self.leaps:
            await self._clock.sleep(seconds)
        elif seconds > 0:
            await self._wait(_Waiter(self._after(seconds), None))

    async def wait(self, signal: Signal, at_most: float | None = None) -> bool:
        """Wait for a signal, at most so many seconds; returns whether it has come. To be called by a hand, as `sleep`."""
        if not signal.is_set:
            await self._wait(_Waiter(None if at_most is None else self._after(at_most), signal))
        return signal.is_set

    def signal(self) -> Signal:
        """Make a signal to wait for on this clock."""
        return Signal(self)

    def _after(self, seconds: float) -> datetime:
        try:
            return _later(self.now(), timedelta(seconds=seconds))
        except OverflowError:
            return _LAST

    async def _wait(self, waiter: _Waiter) -> None:
        self._waiters.append(waiter)
        self._hands -= 1
        self._leap()
        try:
            while not waiter.is_due(self.now()):
                patience = None if waiter.due is None else (waiter.due - self.now()).total_seconds()
                waiter.news = anyio.Event()
                with anyio.move_on_after(patience):
                    await waiter.news.wait()
        finally:
            self._waiters.remove(waiter)
            if not waiter.is_counted:
                self._hands += 1

    # ── leaping ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _leap(self) -> None:
        """Go to the next date that somebody waits for, if nobody is at work."""
        dates = [waiter.due for waiter in self._waiters if waiter.due is not None]
        if self.leaps and self._hands <= 0 and dates:
            self._offset += max(timedelta(), min(dates) - self.now())
            self._wake_due()

    def _wake_due(self) -> None:
        """Wake those whose time has come, each as a hand from now on; and the others, whose time has come nearer."""
        now = self.now()
        for waiter in self._waiters:
            if not waiter.is_counted and waiter.is_due(now):
                waiter.is_counted = True
                self._hands += 1
            waiter.news.set()

    # ── working ───────────────────────────────────────────────────────────────────────────────────────────────────

    @contextmanager
    def hands(self) -> Iterator[Hands]:
        """Count the hands of one run. On leaving, those that have never come to work are no hands any more."""
        hands = Hands(self)
        try:
            yield hands
        finally:
            self._count(-hands.count)

    def rest(self, who: Hashable) -> None:
        """Count one hand as resting, which waits inside of its own process."""
        if who not in self._resting:
            self._resting.add(who)
            self._count(-1)

    def work(self, who: Hashable) -> None:
        """Count a hand that rested as working again; nothing changes for one that did."""
        if who in self._resting:
            self._resting.remove(who)
            self._count(1)

    def _count(self, change: int) -> None:
        self._hands += change
        self._leap()


def _later(moment: datetime, by: timedelta) -> datetime:
    try:
        return moment + by
    except OverflowError:
        return _LAST


@attrs.define(eq=False)
class Hands:
    """Those of one run that have something to do."""

    _clock: VirtualClock
    count: int = attrs.field(default=0, init=False)

    def begin(self) -> None:
        """Somebody will begin to work: to be called before that one is started, so that there is no gap."""
        self.count += 1
        self._clock._count(1)

    def end(self) -> None:
        """Somebody has ended his work."""
        self.count -= 1
        self._clock._count(-1)
