"""The reference page says what the code does, where it can be compared."""

from __future__ import annotations

import pytest

from outboard._tools import gen_protocol_tables, gen_state_diagram, generated_block
from outboard.protocol import messages as m
from outboard.protocol import states
from outboard.protocol.log_records import MAX_TEXT, RESERVED_NAMES
from outboard.runtime import server, signals
from tests.recorded import load

PAGE = generated_block.PROTOCOL_PAGE.read_text()


@pytest.mark.parametrize("generator", [gen_protocol_tables, gen_state_diagram], ids=["tables", "diagram"])
def test_the_generated_blocks_are_current(generator: object) -> None:
    assert generator.main(["--check"]) == 0  # type: ignore[attr-defined]


def test_a_block_is_replaced_and_nothing_else() -> None:
    page = "before\n<!-- generated: x -->\nold\n<!-- end of x -->\nafter\n"
    once = generated_block.replaced(page, "x", "new")
    assert once == "before\n<!-- generated: x -->\n\nnew\n\n<!-- end of x -->\nafter\n"
    assert generated_block.replaced(once, "x", "new") == once
    with pytest.raises(ValueError, match="no block between"):
        generated_block.replaced(page, "y", "new")


def test_every_message_is_in_the_catalogue_once() -> None:
    listed = [
        *gen_protocol_tables.GREETINGS,
        *gen_protocol_tables.REPLIES,
        *gen_protocol_tables.REPORTS,
        *gen_protocol_tables.replies(),
        *gen_protocol_tables.structures(),
    ]
    assert sorted(listed) == sorted(m.DEFINED)
    assert sorted(gen_protocol_tables.own()) == sorted(m.OWN)


def test_each_message_is_listed_in_the_direction_in_which_airflow_sends_it() -> None:
    recorded = [entry for date in m.SCHEMA_DATES for entry in load(f"wire/{date}/messages.json")]
    to_supervisor = {entry["type"] for entry in recorded if entry["direction"] == "to supervisor"}
    to_runtime = {entry["type"] for entry in recorded if entry["direction"] == "to runtime"}
    assert {*gen_protocol_tables.REPLIES, *gen_protocol_tables.REPORTS} == to_supervisor
    assert {*gen_protocol_tables.GREETINGS, *gen_protocol_tables.replies()} == to_runtime - to_supervisor


def test_each_reply_is_a_message() -> None:
    names = {
        word.strip(";:,")
        for reply in gen_protocol_tables.REPLIES.values()
        for word in reply.split()
        if word[0].isupper() and word.strip(";:,") not in ("XCom", "Unix")
    }
    assert names <= m.MESSAGES


def test_the_diagram_has_every_state_and_event() -> None:
    drawn = gen_state_diagram.diagram()
    assert all(state in drawn for state in states.STATES)
    assert all(event in drawn for event in states.EVENTS)


def test_the_page_names_every_exit_code_of_the_runtime() -> None:
    for code in (0, server.EXIT_INTERNAL, server.EXIT_USAGE, server.EXIT_PROTOCOL, server.EXIT_REFUSED):
        assert f"\n| {code} | " in PAGE
    assert f"\n| {signals.EXIT_PEER_LOST} | " in PAGE


def test_the_page_names_every_extra_that_does_harm() -> None:
    fields = {"event", "level", "logger", "timestamp", "type", "exception"}
    assert all(f"`{name}`" in PAGE for name in RESERVED_NAMES - fields)
    assert f"{MAX_TEXT:,}" in PAGE
