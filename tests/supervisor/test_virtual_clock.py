"""The clock of a run: where it leaps, and where it must not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.supervisor.virtual_clock import OFFSET_VARIABLE, Hands, VirtualClock

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = 3600.0


class Still:
    """A clock that stands still, and remembers who wanted to wait."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def now(self) -> datetime:
        return START

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


Work = Callable[[], Awaitable[object]]


async def together(clock: VirtualClock, *workers: Work) -> None:
    """Let each be a hand of one run, from its beginning to its end."""

    async def work(worker: Work, hands: Hands) -> None:
        try:
            await worker()
        finally:
            hands.end()

    with anyio.fail_after(20), clock.hands() as hands:
        async with anyio.create_task_group() as tasks:
            for worker in workers:
                hands.begin()
                tasks.start_soon(work, worker, hands)


def elapsed(clock: VirtualClock) -> float:
    return (clock.now() - START).total_seconds()


async def test_a_clock_that_does_not_leap_is_the_clock_below() -> None:
    below = Still()
    clock = VirtualClock(below)
    await together(clock, lambda: clock.sleep(HOUR))
    assert (below.waits, clock.now(), clock.environment()) == ([HOUR], START, {})


async def test_one_that_leaps_takes_no_time_and_tells_processes_how_far_it_is() -> None:
    clock = VirtualClock(Still(), leaps=True)
    assert clock.environment() == {OFFSET_VARIABLE: "0.0"}
    await together(clock, lambda: clock.sleep(HOUR))
    assert elapsed(clock) == HOUR
    assert clock.environment() == {OFFSET_VARIABLE: "3600.0"}


async def test_waits_end_in_the_order_of_their_dates() -> None:
    clock, woken = VirtualClock(Still(), leaps=True), []

    async def wait(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append((seconds, elapsed(clock)))

    await together(clock, lambda: wait(HOUR), lambda: wait(60), lambda: wait(600), lambda: wait(60))
    assert woken == [(60, 60), (60, 60), (600, 600), (HOUR, HOUR)]


async def test_nobody_leaps_over_somebody_who_works() -> None:
    clock, order = VirtualClock(Still(), leaps=True), []

    async def wait() -> None:
        await clock.sleep(HOUR)
        order.append("woken")

    async def work() -> None:
        for _ in range(50):
            await anyio.lowlevel.checkpoint()
        assert elapsed(clock) == 0
        order.append("worked")

    await together(clock, wait, work)
    assert order == ["worked", "woken"]


async def test_who_was_woken_works_before_the_clock_leaps_on() -> None:
    clock, order = VirtualClock(Still(), leaps=True), []

    async def wait_twice() -> None:
        await clock.sleep(60)
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        order.append(elapsed(clock))
        await clock.sleep(60)
        order.append(elapsed(clock))

    async def wait_long() -> None:
        await clock.sleep(90)
        order.append(elapsed(clock))

    await together(clock, wait_twice, wait_long)
    assert order == [60, 90, 120]


async def test_while_others_work_a_wait_takes_the_time_that_it_takes() -> None:
    clock = VirtualClock(leaps=True)
    done = anyio.Event()

    async def wait() -> None:
        await clock.sleep(0.01)
        done.set()

    await together(clock, wait, done.wait)
    assert done.is_set()


async def test_a_signal_comes_before_a_later_date() -> None:
    clock = VirtualClock(Still(), leaps=True)
    signal, found = clock.signal(), []

    async def wait() -> None:
        found.append(await clock.wait(signal, at_most=HOUR))

    async def give() -> None:
        await clock.sleep(60)
        signal.set()

    await together(clock, wait, give)
    assert (found, elapsed(clock)) == ([True], 60)


async def test_a_signal_that_does_not_come_is_waited_for_no_longer_than_asked() -> None:
    clock = VirtualClock(Still(), leaps=True)
    found = []

    async def wait() -> None:
        found.append(await clock.wait(clock.signal(), at_most=HOUR))

    await together(clock, wait)
    assert (found, elapsed(clock)) == ([False], HOUR)


async def test_a_signal_that_has_come_is_not_waited_for() -> None:
    clock = VirtualClock(Still(), leaps=True)
    signal = clock.signal()
    signal.set()
    assert await clock.wait(signal, at_most=0)
    assert await clock.wait(signal)


async def test_a_signal_is_waited_for_on_a_clock_that_does_not_leap_too() -> None:
    clock = VirtualClock(Still())
    signal, found = clock.signal(), []

    async def wait() -> None:
        found.append(await clock.wait(signal, at_most=HOUR))

    async def give() -> None:
        await anyio.lowlevel.checkpoint()
        signal.set()

    await together(clock, wait, give)
    assert found == [True]


async def test_who_waits_inside_of_his_own_process_holds_nobody_up() -> None:
    clock = VirtualClock(Still(), leaps=True)
    woken = anyio.Event()

    async def poll() -> None:
        clock.rest("me")
        clock.rest("me")
        await woken.wait()
        clock.work("me")
        clock.work("me")

    async def wait() -> None:
        await clock.sleep(HOUR)
        woken.set()

    await together(clock, poll, wait)
    assert elapsed(clock) == HOUR


async def test_a_run_that_is_cancelled_leaves_no_hand_behind() -> None:
    clock = VirtualClock(Still(), leaps=True)

    async def wait(hands: Hands) -> None:
        try:
            await clock.sleep(HOUR)
        finally:
            hands.end()

    with clock.hands() as hands:
        async with anyio.create_task_group() as tasks:
            hands.begin()
            tasks.start_soon(wait, hands)
            hands.begin()  # for somebody who never comes to work
            await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    assert elapsed(clock) == 0
    await together(clock, lambda: clock.sleep(60))
    assert elapsed(clock) == 60


async def test_a_wait_beyond_the_end_of_time_does_not_break_the_clock() -> None:
    clock = VirtualClock(Still(), leaps=True)
    signal = clock.signal()

    async def give() -> None:
        signal.set()

    await together(clock, lambda: clock.wait(signal, at_most=1e300), give)
    assert elapsed(clock) == 0


async def test_at_the_end_of_time_the_clock_stands_still() -> None:
    clock = VirtualClock(leaps=True)

    async def wait() -> None:
        await clock.sleep((datetime.max.replace(tzinfo=UTC) - clock.now()).total_seconds())
        await clock.sleep(1e300)
        await clock.sleep(HOUR)

    await together(clock, wait)
    assert clock.now() == datetime.max.replace(tzinfo=UTC)


@pytest.mark.property
@given(st.lists(st.lists(st.integers(0, 1000), min_size=1, max_size=4), min_size=1, max_size=5))
def test_everybody_wakes_exactly_when_he_wanted_to(plans: list[list[int]]) -> None:
    clock, dates = VirtualClock(Still(), leaps=True), []

    async def follow(plan: list[int]) -> None:
        at = 0
        for seconds in plan:
            await clock.sleep(seconds)
            at += seconds
            assert elapsed(clock) == at
            dates.append(clock.now())
            await anyio.lowlevel.checkpoint()

    async def all_of_them() -> None:
        await together(clock, *(lambda plan=plan: follow(plan) for plan in plans))  # type: ignore[misc]

    anyio.run(all_of_them)
    assert dates == sorted(dates)
    assert clock.now() == START + timedelta(seconds=max(map(sum, plans)))
