"""Slots: as many as there are, in order, and none lost to a cancellation."""

from __future__ import annotations

from datetime import UTC, datetime

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.supervisor.slots import Slots
from outboard.supervisor.virtual_clock import Hands, VirtualClock

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)


class Still:
    def now(self) -> datetime:
        return START

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("somebody really waits")


async def rest(times: int = 5) -> None:
    for _ in range(times):
        await anyio.lowlevel.checkpoint()


async def test_slots_are_given_out_in_the_order_in_which_they_were_asked_for() -> None:
    slots, order, at_once = Slots(2, VirtualClock()), [], []

    async def work(number: int) -> None:
        async with slots:
            order.append(number)
            at_once.append(number)
            assert len(at_once) <= 2
            await rest()
            at_once.remove(number)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for number in range(7):
                tasks.start_soon(work, number)
    assert order == list(range(7))


async def test_who_waits_for_a_slot_holds_up_no_clock_and_who_gets_one_does() -> None:
    clock = VirtualClock(Still(), leaps=True)
    slots, seen = Slots(1, clock), []

    async def holds(hands: Hands) -> None:
        async with slots:
            await clock.sleep(60)
            await rest()
        hands.end()

    async def waits(hands: Hands) -> None:
        async with slots:
            await rest(50)
            seen.append((clock.now() - START).total_seconds())
        hands.end()

    async def sleeps(hands: Hands) -> None:
        await clock.sleep(90)
        seen.append((clock.now() - START).total_seconds())
        hands.end()

    with anyio.fail_after(10), clock.hands() as hands:
        async with anyio.create_task_group() as tasks:
            for worker in (holds, waits, sleeps):
                hands.begin()
                tasks.start_soon(worker, hands)
    assert seen == [60, 90]


@pytest.mark.property
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=8), st.integers(1, 3))
def test_no_slot_is_lost_to_a_cancellation(plans: list[tuple[int, int]], count: int) -> None:
    """Each holds a slot for a while, and is cancelled after another one, at whatever point that is."""

    async def everything() -> None:
        slots = Slots(count, VirtualClock())

        async def work(holds: int, patience: int) -> None:
            with anyio.CancelScope() as scope:
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(cancel, scope, patience)
                    async with slots:
                        await rest(holds)
                    tasks.cancel_scope.cancel()

        async def cancel(scope: anyio.CancelScope, patience: int) -> None:
            await rest(patience)
            scope.cancel()

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                for plan in plans:
                    tasks.start_soon(work, *plan)
            # All of them can be taken again.
            for _ in range(count):
                await slots.__aenter__()

    anyio.run(everything)
