"""The pair that other tests stand on."""

from __future__ import annotations

import pytest

from outboard.protocol import messages as m
from outboard.protocol import states
from outboard.protocol.conversation import RUNTIME, SUPERVISOR
from outboard.protocol.events import Greeting, PeerClosed, Request
from outboard.testing import ConnectionPair

PARSE = m.DagFileParseRequest(file="f", bundle_path="/", bundle_name="b")
GET = m.GetVariable(key="k")


def test_what_is_posted_waits_until_it_is_delivered() -> None:
    pair = ConnectionPair()
    data = pair.supervisor.send_greeting(PARSE)
    pair.post(RUNTIME, data)
    assert (pair.under_way(RUNTIME), pair.runtime.state) == (len(data), states.WAITING)
    assert pair.deliver(RUNTIME, len(data) - 1) == []
    assert pair.deliver(RUNTIME) == [Greeting(PARSE)]
    assert pair.under_way(RUNTIME) == 0


@pytest.mark.parametrize("chunk_size", [1, 3, None])
def test_the_chunk_size_changes_nothing_but_the_chunks(chunk_size: int | None) -> None:
    pair = ConnectionPair(chunk_size=chunk_size)
    assert pair.greet(PARSE) == [Greeting(PARSE)]
    assert pair.request(GET) == (1, [Request(1, GET)])


def test_the_end_comes_behind_what_is_under_way() -> None:
    pair = ConnectionPair()
    pair.post(RUNTIME, pair.supervisor.send_greeting(PARSE))
    pair.end(RUNTIME)
    assert pair.deliver(RUNTIME, 1) == []
    assert pair.deliver(RUNTIME) == [Greeting(PARSE), PeerClosed(states.PARSING, 0)]


def test_hanging_up_is_seen_by_the_other_side_only() -> None:
    pair = ConnectionPair()
    pair.greet(PARSE)
    assert pair.hang_up(SUPERVISOR) == [PeerClosed(states.PARSING, 0)]
    assert (pair.runtime.state, pair.supervisor.state) == (states.LOST, states.PARSING)
