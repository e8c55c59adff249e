"""What a signal handler or a finalizer does waits until it can do no harm."""

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


def test_what_was_postponed_is_done_in_order_at_the_end_of_the_shield() -> None:
    interrupts, done = Interrupts(), []
    with interrupts:
        assert interrupts.postpone(done.append, 1)
        assert interrupts.postpone(done.append, 2)
        assert interrupts.is_shielded
        assert done == []
    assert done == [1, 2]
    assert not interrupts.is_shielded


def test_outside_of_a_shield_nothing_is_postponed() -> None:
    interrupts, done = Interrupts(), []
    assert not interrupts.postpone(done.append, 1)
    with interrupts:
        pass
    assert done == []


def test_what_is_postponed_while_others_catch_up_is_done_too() -> None:
    interrupts, done = Interrupts(), []

    def log_within_a_shield() -> None:
        with interrupts:
            interrupts.postpone(done.append, "inner")
        done.append("outer")

    with interrupts:
        interrupts.postpone(log_within_a_shield)
    assert done == ["inner", "outer"]


def test_what_comes_after_one_that_raises_is_done_at_the_next_opportunity() -> None:
    interrupts, done = Interrupts(), []
    with pytest.raises(Stop), interrupts:  # noqa: PT012
        interrupts.throw(Stop())
        interrupts.postpone(done.append, 1)
    assert done == []
    with interrupts:
        pass
    assert done == [1]


def test_a_wait_with_the_shield_lifted_is_interrupted_and_the_shield_is_back_behind_it() -> None:
    interrupts = Interrupts()

    def wait() -> None:
        interrupts.throw(Stop())

    with interrupts, interrupts:
        with pytest.raises(Stop):
            interrupts.lifted(wait)
        assert interrupts.is_shielded
    assert not interrupts.is_shielded


def test_before_the_wait_begins_what_was_postponed_is_done() -> None:
    interrupts, done = Interrupts(), []
    with interrupts:
        interrupts.postpone(done.append, 1)
        assert interrupts.lifted(done.copy) == [1]


def test_a_call_for_the_end_cuts_a_wait_and_is_made_outside_of_the_shield() -> None:
    interrupts, shielded = Interrupts(), []

    def wait() -> None:
        interrupts.call_at_end(Stop(), lambda: shielded.append(interrupts.is_shielded))

    with pytest.raises(Stop), interrupts, interrupts:
        interrupts.lifted(wait)
    assert shielded == [False]


def test_a_call_for_the_end_lets_no_wait_begin() -> None:
    interrupts, done = Interrupts(), []
    with pytest.raises(Stop), interrupts:  # noqa: PT012
        assert interrupts.call_at_end(Stop(), lambda: done.append("call"))
        assert done == []
        interrupts.lifted(done.append, "wait")
    assert done == ["call"]


def test_a_call_for_the_end_is_made_once_where_nothing_waits() -> None:
    interrupts, done = Interrupts(), []
    with interrupts, interrupts:
        assert interrupts.call_at_end(Stop(), lambda: done.append(1))
    with interrupts:
        interrupts.lifted(int)
    assert done == [1]


def test_outside_of_a_shield_nothing_is_noted_for_its_end() -> None:
    interrupts, done = Interrupts(), []
    assert not interrupts.call_at_end(Stop(), lambda: done.append(1))
    with interrupts:
        interrupts.lifted(int)
    assert not interrupts.call_at_end(Stop(), lambda: done.append(1))
    assert done == []
