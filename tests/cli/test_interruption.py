"""Signals that end a command: what runs is cancelled, and nothing is torn out of the event loop."""

from __future__ import annotations

import signal

import anyio
import anyio.lowlevel
import pytest

from outboard.cli import interruption
from outboard.cli.interruption import Interrupted, interrupt, listening

SECONDS = 20

NUMBERS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("number", NUMBERS)
def test_outside_of_an_event_loop_a_signal_raises(number: int) -> None:
    with listening(), pytest.raises(Interrupted) as caught:
        signal.raise_signal(number)
    assert caught.value.exit_code == 128 + number


@pytest.mark.parametrize("number", NUMBERS)
def test_inside_one_it_cancels_what_runs_and_raises_when_that_has_ended(number: int) -> None:
    ended = []

    async def work(_: anyio.Event) -> None:
        with anyio.fail_after(SECONDS):
            try:
                signal.raise_signal(number)
                await anyio.sleep_forever()
            finally:
                with anyio.CancelScope(shield=True):
                    await anyio.lowlevel.checkpoint()
                    ended.append("all of it")

    with listening(), pytest.raises(Interrupted) as caught:
        interruption.run(work)
    assert caught.value.number == number
    assert ended == ["all of it"]


def test_the_second_signal_says_that_it_is_urgent() -> None:
    async def work(at_once: anyio.Event) -> None:
        with anyio.fail_after(SECONDS), anyio.CancelScope(shield=True):
            signal.raise_signal(signal.SIGTERM)
            await anyio.lowlevel.checkpoint()
            assert not at_once.is_set()
            signal.raise_signal(signal.SIGINT)
            await at_once.wait()

    with listening(), pytest.raises(Interrupted) as caught:
        interruption.run(work)
    assert caught.value.number == signal.SIGTERM


def test_without_a_signal_the_result_is_what_the_function_returns() -> None:
    async def work(at_once: anyio.Event) -> int:
        return 3

    with listening():
        assert interruption.run(work) == 3


def test_a_reader_that_goes_away_interrupts_as_a_signal_does() -> None:
    async def work(_: anyio.Event) -> None:
        with anyio.fail_after(SECONDS):
            interrupt(signal.SIGPIPE)
            await anyio.sleep_forever()

    with pytest.raises(Interrupted) as caught:
        interruption.run(work)
    assert caught.value.exit_code == 141


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with listening():
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, previous)


def test_afterwards_the_handlers_are_what_they_were() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with listening():
        assert [signal.getsignal(number) for number in NUMBERS] != before
    assert [signal.getsignal(number) for number in NUMBERS] == before
