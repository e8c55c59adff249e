"""The transition table: complete, closed, and with the ends that it promises."""

from __future__ import annotations

import pytest

from outboard.protocol import states


def test_every_state_and_event_of_the_table_is_declared() -> None:
    for (state, event), following in states.TRANSITIONS.items():
        assert state in states.STATES
        assert event in states.EVENTS
        assert following in states.STATES


def reachable_from(state: str) -> set[str]:
    found = {state}
    while True:
        more = {following for (before, _), following in states.TRANSITIONS.items() if before in found} - found
        if not more:
            return found
        found |= more


def test_every_state_can_be_reached() -> None:
    assert reachable_from(states.WAITING) == set(states.STATES)


@pytest.mark.parametrize("state", [states.CLOSED, states.LOST, states.BROKEN])
def test_an_end_is_an_end(state: str) -> None:
    assert reachable_from(state) == {state}


@pytest.mark.parametrize("state", [states.WAITING, states.RUNNING, states.PARSING, states.TRIGGERING])
def test_an_early_end_of_stream_is_lost_and_never_closed(state: str) -> None:
    assert states.next_state(state, states.HANG_UP) == states.LOST


def test_only_a_report_makes_an_exchange_close() -> None:
    assert [state for state in states.STATES if states.next_state(state, states.HANG_UP) == states.CLOSED] == [
        states.REPORTED
    ]
    assert {state for state in states.STATES if states.next_state(state, states.REPORT)} == {states.RUNNING}
    assert {state for state in states.STATES if states.next_state(state, states.RESULT)} == {states.PARSING}
    assert {state for state in states.STATES if states.next_state(state, states.TRIGGER_END)} == {states.TRIGGERING}


def test_a_greeting_comes_once_and_first() -> None:
    for greeting in (states.GREET_TASK, states.GREET_PARSE, states.GREET_TRIGGER):
        assert {state for state in states.STATES if states.next_state(state, greeting)} == {states.WAITING}


def test_what_is_not_in_the_table_is_not_allowed() -> None:
    assert states.next_state(states.WAITING, states.REQUEST) is None
    assert states.next_state(states.RUNNING, states.RESULT) is None
    assert states.next_state("nowhere", states.REQUEST) is None
