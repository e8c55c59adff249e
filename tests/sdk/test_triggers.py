"""How triggers are written down, and what their constructors refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from outboard import BaseTrigger, DateTimeTrigger, NamedTrigger, TimeDeltaTrigger, TriggerEvent
from outboard.sdk.triggers import TaskFailedEvent, TaskSkippedEvent, TaskSuccessEvent

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
TEMPORAL = "airflow.providers.standard.triggers.temporal"


def test_a_moment_is_written_down_in_utc_as_airflows_own_class_takes_it() -> None:
    summer = NOON.astimezone(timezone(timedelta(hours=2)))
    classpath, kwargs = DateTimeTrigger(summer, end_from_trigger=True).serialize()
    assert (classpath, kwargs) == (f"{TEMPORAL}.DateTimeTrigger", {"moment": NOON, "end_from_trigger": True})
    assert kwargs["moment"].tzinfo is UTC


@pytest.mark.parametrize("given", [NOON, "2026-11-21T12:00:00+00:00"])
def test_a_target_time_stays_as_it_was_given(given: Any) -> None:
    trigger = DateTimeTrigger(target_time=given)
    assert trigger.serialize() == (f"{TEMPORAL}.DateTimeTrigger", {"target_time": given, "end_from_trigger": False})


def test_a_delay_is_written_down_as_airflows_own_class_takes_it() -> None:
    trigger = TimeDeltaTrigger(timedelta(hours=1))
    kwargs = {"delta": timedelta(hours=1), "end_from_trigger": False}
    assert trigger.serialize() == (f"{TEMPORAL}.TimeDeltaTrigger", kwargs)


def test_a_delay_that_starts_at_a_moment_is_a_moment() -> None:
    trigger = TimeDeltaTrigger(timedelta(hours=1), end_from_trigger=True).starting_at(NOON)
    assert trigger.serialize() == DateTimeTrigger(NOON + timedelta(hours=1), end_from_trigger=True).serialize()


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({}, TypeError, "either a moment or a target_time"),
        ({"moment": NOON, "target_time": NOON}, TypeError, "either a moment or a target_time"),
        ({"moment": "2026-11-21"}, TypeError, "is a datetime, not '2026-11-21'"),
        ({"moment": datetime(2026, 11, 21)}, ValueError, "2026-11-21 00:00:00 is naive; give it one"),  # noqa: DTZ001
        ({"target_time": datetime(2026, 11, 21)}, ValueError, "is naive"),  # noqa: DTZ001
    ],
)
def test_a_moment_that_is_none_is_refused_where_it_is_written(arguments: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        DateTimeTrigger(**arguments)


def test_a_delay_that_is_none_is_refused_where_it_is_written() -> None:
    with pytest.raises(TypeError, match="is a timedelta, not 60"):
        TimeDeltaTrigger(60)  # type: ignore[arg-type]


def test_any_class_can_be_named() -> None:
    kwargs = {"endpoint": "status"}
    trigger = NamedTrigger("airflow.providers.http.triggers.http.HttpTrigger", kwargs)
    assert trigger.serialize() == ("airflow.providers.http.triggers.http.HttpTrigger", {"endpoint": "status"})
    assert repr(trigger) == "<airflow.providers.http.triggers.http.HttpTrigger endpoint=status>"
    assert NamedTrigger("a.B").serialize() == ("a.B", {})
    with pytest.raises(ValueError, match=r"like 'package\.module\.Class', not 'HttpTrigger'"):
        NamedTrigger("HttpTrigger")


def test_what_runs_elsewhere_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"temporal\.DateTimeTrigger is run by Airflow's triggerer"):
        DateTimeTrigger(NOON).run()


def test_an_author_writes_serialize_and_run() -> None:
    class Half(BaseTrigger):
        def serialize(self) -> tuple[str, dict[str, Any]]:
            return "m.Half", {}

    with pytest.raises(TypeError, match="abstract"):
        Half()  # type: ignore[abstract]

    class Whole(Half):
        async def run(self) -> AsyncIterator[TriggerEvent]:
            yield TriggerEvent(1)

    assert Whole().task_instance is None


def test_events_compare_by_value_and_show_it() -> None:
    assert TriggerEvent([1]) == TriggerEvent([1])
    assert TriggerEvent([1]) != TriggerEvent([2])
    assert repr(TriggerEvent({"a": 1})) == "TriggerEvent<{'a': 1}>"


@pytest.mark.parametrize(
    ("kind", "state"), [(TaskSuccessEvent, "success"), (TaskFailedEvent, "failed"), (TaskSkippedEvent, "skipped")]
)
def test_an_event_can_end_the_task(kind: Any, state: str) -> None:
    event = kind(xcoms={"rows": 3})
    assert (event.payload, event.task_instance_state, event.xcoms) == (state, state, {"rows": 3})
    assert event != kind()
