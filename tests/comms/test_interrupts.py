"""An exception of a signal handler waits until it can do no harm."""

from __future__ import annotations

import threading

import pytest

from outboard.comms.interrupts import Interrupts


class Stop(BaseException):
    """What a handler throws."""


def test_outside_of_a_shield_it_is_raised_at_once() -> None:
    with pytest.raises(Stop):
        Interrupts().throw(Stop())


def test_inside_a_shield_it_waits_for_its_end() -> None:
    interrupts, reached = Interrupts(), []
    with pytest.raises(Stop):  # noqa: PT012, SIM117  # that the block goes on is the point
        with interrupts:
            interrupts.throw(Stop())
            reached.append("the end of the shield")
    assert reached


def test_the_outermost_shield_counts() -> None:
    interrupts, reached = Interrupts(), []
    with pytest.raises(Stop), interrupts:  # noqa: PT012
        with interrupts:
            interrupts.throw(Stop())
        reached.append("the end of the inner one")
    assert reached


def test_it_is_raised_once() -> None:
    interrupts = Interrupts()
    with pytest.raises(Stop), interrupts:
        interrupts.throw(Stop())
    with interrupts:
        pass


def test_another_threads_shield_holds_nothing_back() -> None:
    interrupts = Interrupts()
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        with interrupts:
            inside.set()
            leave.wait(20)

    thread = threading.Thread(target=stay)
    thread.start()
    try:
        assert inside.wait(20)
        with pytest.raises(Stop):
            interrupts.throw(Stop())
    finally:
        leave.set()
        thread.join(20)
