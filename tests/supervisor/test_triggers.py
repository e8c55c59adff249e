"""What deferred tasks wait for: time on the run's clock, Dag runs, the author's triggers, and events that were given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.protocol import messages as m
from outboard.protocol import serde
from outboard.protocol.codec import check_json
from outboard.sdk.triggers import DateTimeTrigger, TimeDeltaTrigger
from outboard.supervisor.resumption import End, Resume, Resumption
from outboard.supervisor.triggers import DAG_STATE_TRIGGER, GivenEvents, Triggers
from outboard.supervisor.virtual_clock import VirtualClock
from tests.strategies import instants, json_values, messages, zoned_datetimes

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
UUID = "00000000-0000-0000-0000-000000000007"
INSTANCE = m.TaskInstance(id=UUID, task_id="waits", dag_id="d", run_id="r", try_number=2, dag_version_id=UUID)


class Still:
    def now(self) -> datetime:
        return START

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("the clock below is not asked to wait")


def deferral(classpath: str, kwargs: Any, **fields: Any) -> m.DeferTask:
    return m.DeferTask(
        classpath=classpath, trigger_kwargs=kwargs, next_method="go_on", next_kwargs={"rows": 3}, **fields
    )


def deferred_to(trigger: Any, **fields: Any) -> m.DeferTask:
    classpath, kwargs = trigger.serialize()
    return deferral(classpath, serde.serialize(kwargs), **fields)


@attrs.define
class World:
    clock: VirtualClock = attrs.field(factory=lambda: VirtualClock(Still(), leaps=True))
    run_trigger: Callable[[m.RunTrigger], Awaitable[Any]] | None = None
    events: GivenEvents = attrs.field(factory=GivenEvents)
    runs: Any = None

    async def resumption(self, asked: m.DeferTask) -> Resumption:
        triggers = Triggers(clock=self.clock, run_trigger=self.run_trigger, events=self.events, runs=self.runs)
        with anyio.fail_after(20), self.clock.hands() as hands:
            hands.begin()
            return await triggers.resumption(INSTANCE, asked)

    @property
    def elapsed(self) -> timedelta:
        return self.clock.now() - START


def event_of(found: Resumption) -> Any:
    assert isinstance(found, Resume)
    assert (found.next_method, found.next_kwargs["rows"]) == ("go_on", 3)
    return serde.deserialize(found.next_kwargs["event"])


def error_of(found: Resumption) -> Any:
    assert isinstance(found, Resume)
    assert found.next_method == "__fail__"
    return found.next_kwargs


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "trigger",
    [
        DateTimeTrigger(START + HOUR),
        DateTimeTrigger(target_time=START + HOUR),
        DateTimeTrigger(target_time="2026-01-01T02:00:00+01:00"),
        DateTimeTrigger(target_time="2026-01-01T01:00:00"),
        TimeDeltaTrigger(HOUR),
    ],
    ids=["moment", "target time", "text", "text without a zone", "delay"],
)
async def test_a_time_is_waited_for_on_the_runs_clock_and_is_the_event(trigger: Any) -> None:
    world = World()
    assert event_of(await world.resumption(deferred_to(trigger))) == START + HOUR
    assert world.elapsed == HOUR


async def test_a_moment_that_has_passed_fires_at_once() -> None:
    world = World()
    assert event_of(await world.resumption(deferred_to(DateTimeTrigger(START - HOUR)))) == START - HOUR
    assert world.elapsed == timedelta()


@pytest.mark.parametrize(
    "trigger", [DateTimeTrigger(START + HOUR, end_from_trigger=True), TimeDeltaTrigger(HOUR, end_from_trigger=True)]
)
async def test_a_trigger_may_end_its_task(trigger: Any) -> None:
    world = World()
    assert await world.resumption(deferred_to(trigger)) == End(
        state="success", reason="ended by its trigger at 2026-01-01 01:00:00+00:00"
    )
    assert world.elapsed == HOUR


async def test_who_waits_longer_than_he_may_has_timed_out() -> None:
    world = World()
    found = await world.resumption(deferred_to(TimeDeltaTrigger(HOUR), trigger_timeout=timedelta(minutes=5)))
    assert error_of(found) == {"error": "Trigger timeout"}
    assert world.elapsed == timedelta(minutes=5)


async def test_a_trigger_that_fires_just_in_time_has_fired() -> None:
    found = await World().resumption(deferred_to(TimeDeltaTrigger(HOUR), trigger_timeout=HOUR))
    assert event_of(found) == START + HOUR


@pytest.mark.parametrize(
    ("classpath", "kwargs", "why"),
    [
        ("DateTimeTrigger", {"moment": 7}, "its moment is 7, not a time with a zone"),
        ("DateTimeTrigger", {}, "its moment is None, not a time with a zone"),
        ("DateTimeTrigger", {"target_time": "noon"}, "its moment is 'noon', not a time with a zone"),
        ("TimeDeltaTrigger", {"delta": 3600}, "its delta is 3600: unsupported operand"),
        ("TimeDeltaTrigger", {"delta": serde.serialize(timedelta.max)}, "its delta is "),
        ("DateTimeTrigger", "gAAAAABm", "its arguments cannot be read: they are encrypted, or no mapping"),
        ("DateTimeTrigger", "{", "its arguments are no JSON"),
    ],
)
async def test_arguments_that_make_no_sense_fail_the_task_as_a_trigger_would(
    classpath: str, kwargs: Any, why: str
) -> None:
    asked = deferral(f"airflow.providers.standard.triggers.temporal.{classpath}", kwargs)
    found = error_of(await World().resumption(asked))
    assert found["error"] == "Trigger failure"
    assert why in found["traceback"][0]
    assert classpath in found["traceback"][0]
    assert Triggers(clock=VirtualClock()).describe(asked) == f"waits for {classpath}"


@pytest.mark.parametrize(
    "kwargs",
    [
        '{"moment": {"__classname__": "datetime.datetime", "__version__": 2, '
        '"__data__": {"timestamp": 1767229200.0, "tz": null}}}',
        '{"target_time": "2026-01-01T01:00:00Z"}',
    ],
)
async def test_arguments_may_come_as_json_text(kwargs: str) -> None:
    asked = deferral("airflow.providers.standard.triggers.temporal.DateTimeTrigger", kwargs)
    found = await World().resumption(asked)
    # A time without a zone is none that both sides agree on.
    assert ("tz" in kwargs) == (isinstance(found, Resume) and found.next_method == "__fail__")


async def test_arguments_in_airflows_older_encoding_are_read() -> None:
    old = {"__type": "dict", "__var": {"moment": {"__type": "datetime", "__var": START.timestamp()}}}
    found = await World().resumption(deferral("airflow.providers.standard.triggers.temporal.DateTimeTrigger", old))
    assert event_of(found) == START


def test_what_a_task_waits_for_is_said_in_a_few_words() -> None:
    triggers = Triggers(clock=VirtualClock(Still()))
    assert triggers.describe(deferred_to(TimeDeltaTrigger(HOUR))) == (
        "waits for TimeDeltaTrigger until 2026-01-01 01:00:00+00:00"
    )
    assert triggers.describe(deferral("author.Tide", {})) == "waits for Tide"


# ── the author's own ────────────────────────────────────────────────────────────────────────────────────────────


def reporting(report: Any, asked: list[m.RunTrigger] | None = None) -> Callable[[m.RunTrigger], Awaitable[Any]]:
    async def run_trigger(request: m.RunTrigger) -> Any:
        if asked is not None:
            asked.append(request)
        return report

    return run_trigger


async def test_any_other_class_is_run_by_whoever_runs_triggers() -> None:
    asked: list[m.RunTrigger] = []
    world = World(run_trigger=reporting(m.TriggerFired(payload={"level": 3}), asked))
    assert event_of(await world.resumption(deferral("author.Tide", {"level": 3}))) == {"level": 3}
    assert asked == [m.RunTrigger(ti=INSTANCE, classpath="author.Tide", trigger_kwargs={"level": 3})]


async def test_an_event_may_end_the_task() -> None:
    fired = m.TriggerFired(payload="skipped", task_instance_state="skipped", xcoms={"why": "low"})
    found = await World(run_trigger=reporting(fired)).resumption(deferral("author.Tide", {}))
    assert found == End(
        state="skipped", reason="ended by its trigger 'author.Tide'", may_retry=True, xcoms={"why": "low"}
    )


async def test_a_trigger_that_fails_fails_the_task_with_its_traceback() -> None:
    failed = m.TriggerFailed(error="the trigger failed", traceback=["Traceback", "KeyError"])
    found = await World(run_trigger=reporting(failed)).resumption(deferral("author.Tide", {}))
    assert error_of(found) == {"error": "Trigger failure", "traceback": ["Traceback", "KeyError"]}


async def test_without_a_traceback_the_error_stands_in_its_place() -> None:
    failed = m.TriggerFailed(error="the trigger ended without an event", traceback=[])
    found = await World(run_trigger=reporting(failed)).resumption(deferral("author.Tide", {}))
    assert error_of(found)["traceback"] == ["the trigger ended without an event"]


async def test_a_trigger_that_takes_too_long_is_cancelled() -> None:
    cancelled = []

    async def run_trigger(request: m.RunTrigger) -> Any:
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(request.classpath)

    asked = deferral("author.Tide", {}, trigger_timeout=timedelta(milliseconds=10))
    found = await World(run_trigger=run_trigger).resumption(asked)
    assert error_of(found) == {"error": "Trigger timeout"}
    assert cancelled == ["author.Tide"]


MISSING = m.TriggerFailed(error="the trigger 'http.Poll' cannot be imported", traceback=[], is_missing=True)


async def test_the_event_of_a_class_that_is_not_here_is_the_one_that_was_given() -> None:
    world = World(run_trigger=reporting(MISSING), events=GivenEvents(for_all=[{"status": 200}]))
    assert event_of(await world.resumption(deferral("http.Poll", {}))) == {"status": 200}


async def test_without_a_given_event_the_task_fails_and_says_what_to_do() -> None:
    found = await World(run_trigger=reporting(MISSING)).resumption(deferral("http.Poll", {}))
    assert isinstance(found, End)
    assert (found.state, found.may_retry) == ("failed", False)
    assert found.reason == (
        "the trigger 'http.Poll' cannot be imported; or give the event that it would send: --trigger-event 'waits=JSON'"
    )


async def test_a_trigger_that_is_here_is_run_though_an_event_was_given() -> None:
    world = World(run_trigger=reporting(m.TriggerFired(payload=1)), events=GivenEvents(for_all=[2]))
    assert event_of(await world.resumption(deferral("author.Tide", {}))) == 1


def test_given_events_are_used_in_turn_and_the_last_one_again() -> None:
    events = GivenEvents({"a": [1, 2]}, for_all=[3, None])
    assert [events.next_for("a") for _ in range(3)] == [(1,), (2,), (2,)]
    assert [events.next_for("b") for _ in range(3)] == [(3,), (None,), (None,)]
    assert events.next_for("c") == (3,)
    assert GivenEvents({"a": [1]}).next_for("b") is None


# ── the state of Dag runs ───────────────────────────────────────────────────────────────────────────────────────


@attrs.define
class Runs:
    """Runs of which each ends after a while."""

    clock: VirtualClock
    ends: dict[str, tuple[float, str]]
    hurdle: str | None = None

    def obstacle(self, instance: m.TaskInstance, dag_id: str, run_ids: Sequence[str]) -> str | None:
        return self.hurdle

    async def reach(self, dag_id: str, run_ids: Sequence[str], states: Sequence[str], at_most: float | None) -> bool:
        seconds = max(self.ends[run_id][0] for run_id in run_ids)
        await self.clock.sleep(seconds if at_most is None else min(seconds, at_most))
        return (at_most is None or seconds <= at_most) and all(self.ends[run_id][1] in states for run_id in run_ids)

    def state_of(self, dag_id: str, run_id: str) -> str | None:
        return self.ends[run_id][1]


def waits_for_runs(*run_ids: str, **fields: Any) -> m.DeferTask:
    kwargs = {"dag_id": "other", "states": ["success"], "run_ids": list(run_ids), "execution_dates": [None]}
    return deferral(DAG_STATE_TRIGGER, serde.serialize(kwargs), **fields)


def with_runs(hurdle: str | None = None, **ends: tuple[float, str]) -> World:
    world = World()
    world.runs = Runs(world.clock, ends, hurdle)
    return world


async def test_a_run_that_ends_as_wanted_is_told_as_airflows_own_trigger_tells_it() -> None:
    world = with_runs(one=(60, "success"))
    classpath, told = event_of(await world.resumption(waits_for_runs("one")))
    assert classpath == DAG_STATE_TRIGGER
    assert told == {
        "dag_id": "other", "states": ["success"], "run_ids": ["one"], "execution_dates": [None],
        "poll_interval": 5.0, "one": "success",
    }  # fmt: skip
    assert world.elapsed == timedelta(seconds=60)


async def test_a_run_that_takes_too_long_times_out() -> None:
    world = with_runs(one=(60, "success"))
    found = await world.resumption(waits_for_runs("one", trigger_timeout=timedelta(seconds=5)))
    assert error_of(found) == {"error": "Trigger timeout"}
    assert world.elapsed == timedelta(seconds=5)


@pytest.mark.parametrize(
    ("world", "run_ids", "why"),
    [
        (with_runs(one=(1, "failed")), ["one"], "which waits for success, but 'one' is failed"),
        (with_runs("there is no run 'one' of a Dag 'other' here"), ["one"], "there is no run 'one'"),
        (with_runs(), [], "it names no Dag run"),
        (World(), ["one"], "no Dag runs are known here"),
    ],
)
async def test_a_wait_that_cannot_end_fails_the_task(world: World, run_ids: list[str], why: str) -> None:
    found = await world.resumption(waits_for_runs(*run_ids))
    assert isinstance(found, End)
    assert found.state == "failed"
    assert why in found.reason
    world.events = GivenEvents(for_all=[["x", {}]])
    assert event_of(await world.resumption(waits_for_runs(*run_ids))) == ["x", {}]


async def test_run_ids_that_are_no_list_fail_the_task_as_a_trigger_would() -> None:
    found = error_of(await with_runs().resumption(deferral(DAG_STATE_TRIGGER, {"run_ids": "one"})))
    assert found["traceback"] == [f"{DAG_STATE_TRIGGER}: its run_ids are 'one', not a list"]


# ── whatever a peer may send ────────────────────────────────────────────────────────────────────────────────────

TIMES = ("airflow.providers.standard.triggers.temporal.DateTimeTrigger", "author.Tide", DAG_STATE_TRIGGER)
DELAYS = ("airflow.providers.standard.triggers.temporal.TimeDeltaTrigger",)


def nearly_right() -> st.SearchStrategy[dict[str, Any]]:
    """Arguments of the names that are looked at, with values of the right kind and others."""
    values = json_values(5) | (instants() | zoned_datetimes() | st.timedeltas()).map(serde.serialize)
    names = ("moment", "target_time", "delta", "end_from_trigger", "dag_id", "run_ids", "states")
    return st.dictionaries(st.sampled_from(names), values, max_size=4)


@pytest.mark.property
@given(messages("DeferTask"), st.sampled_from((*TIMES, *DELAYS)), nearly_right() | json_values(5))
def test_whatever_a_task_defers_itself_to_it_goes_on(asked: m.DeferTask, classpath: str, kwargs: Any) -> None:
    asked.classpath = classpath
    if isinstance(kwargs, (dict, str)):
        asked.trigger_kwargs = kwargs
    world = World(run_trigger=reporting(m.TriggerFired(payload=None)))
    found = anyio.run(world.resumption, asked)
    assert isinstance(found, (Resume, End))
    assert Triggers(clock=world.clock).describe(asked).startswith("waits for ")
    if isinstance(found, Resume):
        check_json(found.next_kwargs)
