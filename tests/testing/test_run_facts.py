"""What can be said about a run, and how wrong facts are told."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import pytest

from outboard import task
from outboard.errors import UsageError
from outboard.protocol.codec import encode_body
from outboard.testing import RunFacts, run_task
from outboard.testing.fact_checks import KNOWN_FACTS
from outboard.testing.run_facts import read_facts
from outboard.testing.task_under_test import task_under_test

DAY = datetime(2026, 3, 4, 5, tzinfo=UTC)
NAIVE = datetime(2026, 3, 4, 5)  # noqa: DTZ001


def body() -> None: ...


def test_type_checkers_see_the_facts_that_there_are() -> None:
    assert tuple(sorted(KNOWN_FACTS)) == tuple(KNOWN_FACTS) == tuple(RunFacts.__annotations__)


def test_an_unknown_fact_is_an_error_that_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=f"no fact 'try_numbr' about a run; there are: {', '.join(KNOWN_FACTS)}"):
        run_task(body, context={"try_numbr": 2})  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "logical_date",
            NAIVE,
            r"a datetime with a time zone, such as datetime\(2026, 1, 1, tzinfo=UTC\), or None, not",
        ),
        ("logical_date", "2026-01-01", "a datetime with a time zone"),
        ("now", None, "a datetime with a time zone"),
        ("run_after", NAIVE, "a datetime with a time zone"),
        ("data_interval_start", 3, ".*, or None, not 3"),
        ("data_interval_end", NAIVE, "a datetime with a time zone"),
        ("first_reschedule_date", NAIVE, "a datetime with a time zone"),
        ("try_number", 0, "a whole number from 1, not 0"),
        ("try_number", True, "a whole number from 1, not True"),
        ("try_number", "2", "a whole number from 1, not '2'"),
        ("max_tries", -1, "a whole number from 0, not -1"),
        ("task_reschedule_count", 1.5, "a whole number from 0, not 1.5"),
        ("map_index", -2, "a whole number from -1, not -2"),
        ("run_id", "", "a text that is not empty, not ''"),
        ("run_id", 3, "a text that is not empty, not 3"),
        ("next_method", None, "a text that is not empty, not None"),
        ("next_kwargs", [1], "a dict with names, not"),
        ("next_kwargs", {1: 2}, "a dict with names, not"),
        ("conf", [1], "a dict, not"),
        ("conf", {"at": DAY}, r"a dict that JSON can hold \(.*at"),
        ("conf", {"n": math.nan}, "a dict that JSON can hold"),
        ("params", {1: 2}, "a dict that JSON can hold"),
        ("run_type", "by hand", "one of 'backfill', 'scheduled', 'manual'"),
        ("triggered_run_state", "running", "one of 'success', 'failed', not 'running'"),
    ],
)
def test_a_fact_that_makes_no_sense_is_one_clear_error(name: str, value: Any, said: str) -> None:
    with pytest.raises(UsageError, match=f"context: {name} is {said}"):
        run_task(body, context={name: value})  # type: ignore[call-overload]


@pytest.mark.parametrize("facts", [{"event": 3}, {"next_kwargs": {}}])
def test_an_event_needs_the_method_that_gets_it(facts: Any) -> None:
    with pytest.raises(UsageError, match="name it: next_method"):
        run_task(body, context=facts)


def test_facts_are_a_dict() -> None:
    with pytest.raises(UsageError, match="context is a dict of facts about the run, not 'yesterday'"):
        run_task(body, context="yesterday")  # type: ignore[call-overload]


def test_all_that_can_be_said_makes_a_greeting_that_the_schema_accepts() -> None:
    facts: RunFacts = {
        "arguments": {}, "conf": {"a": 1}, "data_interval_end": DAY, "data_interval_start": DAY, "event": {"at": DAY},
        "first_reschedule_date": DAY, "logical_date": DAY, "map_index": 3, "max_tries": 2, "next_kwargs": {"since": DAY},
        "next_method": "go_on", "now": DAY, "params": {"b": 2}, "run_after": DAY, "run_id": "r1", "run_type": "backfill",
        "task_reschedule_count": 4, "triggered_run_state": "failed", "try_number": 2,
    }  # fmt: skip
    assert set(facts) == set(KNOWN_FACTS)
    read = read_facts(facts, task_under_test(task(retries=5)(body)))
    greeting = read.greeting(["key"])
    encode_body(greeting)
    context, run = greeting.ti_context, greeting.ti_context.dag_run
    assert (run.conf, run.run_id, run.run_type, run.logical_date) == ({"a": 1, "b": 2}, "r1", "backfill", DAY)
    assert (greeting.ti.try_number, greeting.ti.map_index) == (2, 3)
    assert (context.max_tries, context.should_retry, context.task_reschedule_count) == (2, True, 4)
    assert context.first_task_reschedule_start_date == DAY
    assert context.next_method == "go_on"
    assert set(context.next_kwargs) == {"since", "event"}  # type: ignore[arg-type]
    # It is resumed, so what it has left before is its own.
    assert context.xcom_keys_to_clear == []


def test_without_facts_it_is_the_first_of_the_tasks_tries() -> None:
    read = read_facts(None, task_under_test(task(retries=5)(body)))
    context = read.greeting(["key"]).ti_context
    assert (context.max_tries, context.should_retry, context.xcom_keys_to_clear) == (5, True, ["key"])
    assert (context.next_method, context.next_kwargs) == (None, None)
