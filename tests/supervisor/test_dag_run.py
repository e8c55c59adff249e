"""The scheduling of one run: order, parallelism, trigger rules, retries. Tries are scripted, and time is a number."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.errors import UsageError
from outboard.protocol import messages as m
from outboard.protocol import serde
from outboard.protocol.codec import encode_body
from outboard.protocol.serialized_dag import SerializedDag, read
from outboard.sdk.triggers import DateTimeTrigger
from outboard.supervisor.coordinator import run_task
from outboard.supervisor.dag_run import run_dag
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.outcome import Outcome
from outboard.supervisor.ports import XComKey
from outboard.supervisor.run_report import DagRunReport, Progress, RunRequest
from outboard.supervisor.triggers import Triggers
from outboard.supervisor.virtual_clock import VirtualClock
from tests.strategies import instants
from tests.supervisor.conftest import QUICK, Records, peer

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = RunRequest(run_id="r", logical_date=START, conf={"size": 3}, bundle_name="b", file="d.py")


def make_dag(**tasks: Mapping[str, Any]) -> SerializedDag:
    """A Dag from the fields of its tasks; ``after`` names what a task waits for."""
    below: dict[str, list[str]] = {task_id: [] for task_id in tasks}
    for task_id, fields in tasks.items():
        for above in fields.get("after", ()):
            below[above].append(task_id)
    items = [
        {
            "__type": "operator",
            "__var": {
                "task_id": task_id,
                "downstream_task_ids": below[task_id],
                **{name: value for name, value in fields.items() if name != "after"},
            },
        }
        for task_id, fields in tasks.items()
    ]
    return read({"__version": 3, "dag": {"dag_id": "d", "tasks": items}})


@attrs.define
class Time:
    """A clock that moves only when somebody waits."""

    moment: datetime = START
    waits: list[float] = attrs.field(factory=list)

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.moment += timedelta(seconds=seconds)
        await anyio.lowlevel.checkpoint()


def ended(state: str, **fields: Any) -> Outcome:
    return Outcome(
        state=state,
        reason=f"said {state}",
        exit_code=0,
        started_at=START,
        ended_at=START + timedelta(seconds=2),
        **fields,
    )


@attrs.define
class Script:
    """Executes tries by what is written for each task: states, outcomes, or something to be done first."""

    states: Mapping[str, Any] = attrs.field(factory=dict)
    store: LocalStore = attrs.field(factory=LocalStore)
    clock: Time = attrs.field(factory=Time)
    greetings: list[m.StartupDetails] = attrs.field(factory=list)
    progress: list[Progress] = attrs.field(factory=list)
    under_way: set[str] = attrs.field(factory=set)
    most_at_once: int = 0

    async def execute(self, startup: m.StartupDetails) -> Outcome:
        encode_body(startup)
        task_id = startup.ti.task_id
        self.greetings.append(startup)
        self.under_way.add(task_id)
        self.most_at_once = max(self.most_at_once, len(self.under_way))
        await anyio.lowlevel.checkpoint()
        written = self.states.get(task_id, "success")
        if isinstance(written, list):
            written = written.pop(0)
        if callable(written):
            written = await written(startup)
        self.under_way.discard(task_id)
        return written if isinstance(written, Outcome) else ended(written)

    async def run(self, dag: SerializedDag, **options: Any) -> DagRunReport:
        with anyio.fail_after(10):
            return await run_dag(
                dag,
                self.execute,
                request=REQUEST,
                store=self.store,
                clock=self.clock,
                on_progress=self.progress.append,
                **options,
            )

    @property
    def order(self) -> list[str]:
        return [greeting.ti.task_id for greeting in self.greetings]


def states(report: DagRunReport) -> dict[str, str | None]:
    return {task.task_id: task.state for task in report.tasks}


DIAMOND = {"a": {}, "b": {"after": ["a"]}, "c": {"after": ["a"]}, "d": {"after": ["b", "c"]}}


# ── order ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_task_starts_when_what_it_waits_for_has_ended() -> None:
    script = Script()
    report = await script.run(make_dag(**DIAMOND))
    assert script.order == ["a", "b", "c", "d"]
    assert script.most_at_once == 2
    assert (report.state, states(report)) == ("success", dict.fromkeys("abcd", "success"))


async def test_no_more_tries_are_under_way_than_allowed() -> None:
    script = Script()
    await script.run(make_dag(**{f"t{number}": {} for number in range(9)}), parallelism=3)
    assert (script.most_at_once, len(script.order)) == (3, 9)


async def test_a_failure_gives_up_what_waits_for_it_and_nothing_else() -> None:
    script = Script({"b": "failed"})
    report = await script.run(make_dag(**DIAMOND, e={"after": ["d"]}, f={"after": ["c"]}))
    assert states(report) == {
        "a": "success",
        "b": "failed",
        "c": "success",
        "d": "upstream_failed",
        "e": "upstream_failed",
        "f": "success",
    }
    assert report.state == "failed"
    assert report.tasks[-2].reason == "said success" or report.tasks[-2].task_id == "e"


async def test_a_task_that_is_given_up_says_why() -> None:
    report = await Script({"a": "failed"}).run(make_dag(a={}, b={"after": ["a"]}))
    assert report.tasks[1].reason == "upstream_failed by its trigger rule all_success: a failed"


async def test_a_task_may_start_before_all_that_it_waits_for_has_ended() -> None:
    ends = anyio.Event()

    async def wait(startup: m.StartupDetails) -> str:
        await ends.wait()
        return "success"

    async def end(startup: m.StartupDetails) -> str:
        ends.set()
        return "success"

    script = Script({"slow": wait, "eager": end})
    dag = make_dag(quick={}, slow={}, eager={"after": ["quick", "slow"], "trigger_rule": "one_success"})
    assert (await script.run(dag)).state == "success"


async def test_a_failed_task_with_a_task_behind_it_that_succeeds_is_no_failed_run() -> None:
    """Airflow lets the last tasks decide."""
    report = await Script({"a": "failed"}).run(make_dag(a={}, b={"after": ["a"], "trigger_rule": "all_done"}))
    assert (states(report), report.state) == ({"a": "failed", "b": "success"}, "success")


async def test_a_skip_goes_on_to_what_waits_for_it_and_is_no_failure() -> None:
    report = await Script({"a": "skipped"}).run(make_dag(a={}, b={"after": ["a"]}))
    assert (states(report), report.state) == ({"a": "skipped", "b": "skipped"}, "success")


async def test_tasks_that_wait_for_what_cannot_happen_end_the_run_as_failed() -> None:
    report = await Script({"a": "removed"}).run(make_dag(a={}, b={"after": ["a"], "trigger_rule": "all_skipped"}))
    assert (states(report), report.state) == ({"a": "removed", "b": None}, "failed")
    assert report.tasks[1].reason == "waits for what cannot happen any more"


async def test_a_task_may_have_tasks_behind_it_skipped() -> None:
    script = Script()

    async def branch(startup: m.StartupDetails) -> str:
        key = await _key_of(startup)
        await script.store.task_instances.skip_downstream(key, [("left", -1)])
        return "success"

    script.states = {"branch": branch}
    report = await script.run(make_dag(branch={}, left={"after": ["branch"]}, right={"after": ["branch"]}))
    assert states(report) == {"branch": "success", "left": "skipped", "right": "success"}
    assert report.tasks[1].reason == "skipped by a task before it"


async def test_a_task_that_waits_for_a_slot_can_still_be_skipped() -> None:
    script = Script()

    async def branch(startup: m.StartupDetails) -> str:
        await script.store.task_instances.skip_downstream(await _key_of(startup), [("beside", -1)])
        return "success"

    script.states = {"branch": branch}
    report = await script.run(make_dag(branch={}, beside={}), parallelism=1)
    assert states(report) == {"branch": "success", "beside": "skipped"}


async def _key_of(startup: m.StartupDetails) -> Any:
    from outboard.supervisor.ports import TaskKey

    return TaskKey(dag_id=startup.ti.dag_id, run_id=startup.ti.run_id, task_id=startup.ti.task_id)


# ── retries ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_retry_waits_for_its_delay_and_counts_up() -> None:
    script = Script({"a": ["up_for_retry", "up_for_retry", "success"]})
    report = await script.run(make_dag(a={"retries": 2, "retry_delay": 60.0}))
    tries = [(g.ti.try_number, g.ti_context.max_tries, g.ti_context.should_retry) for g in script.greetings]
    assert tries == [(1, 2, True), (2, 2, True), (3, 2, False)]
    assert script.clock.waits == [60.0, 60.0]
    assert (report.tasks[0].try_number, report.tasks[0].duration) == (3, 6.0)
    assert len({greeting.ti.id for greeting in script.greetings}) == 3


async def test_a_task_without_retries_is_offered_none() -> None:
    script = Script()
    await script.run(make_dag(a={}))
    assert [greeting.ti_context.should_retry for greeting in script.greetings] == [False]


@pytest.mark.parametrize(
    ("asked", "waited"), [(7.5, 7.5), (0.0, 0.0), (-5.0, 0.0), (float("nan"), 60.0), (float("inf"), 60.0), (None, 60.0)]
)
async def test_a_task_may_choose_its_delay_within_reason(asked: float | None, waited: float) -> None:
    script = Script({"a": [ended("up_for_retry", retry_delay=asked), "success"]})
    await script.run(make_dag(a={"retries": 1, "retry_delay": 60.0}))
    assert script.clock.waits == [waited]


async def test_a_growing_delay_grows_with_the_tries() -> None:
    script = Script({"a": ["up_for_retry", "up_for_retry", "up_for_retry", "failed"]})
    fields = {"retries": 3, "retry_delay": 10.0, "retry_exponential_backoff": 2.0, "max_retry_delay": 30.0}
    assert (await script.run(make_dag(a=fields))).state == "failed"
    assert script.clock.waits == [10.0, 20.0, 30.0]


async def test_a_retry_is_told_which_xcoms_to_clear() -> None:
    script = Script()

    async def push(startup: m.StartupDetails) -> str:
        key = XComKey(dag_id="d", run_id="r", task_id="a", key="half")
        await script.store.xcoms.set(key, -1, 1)
        return "up_for_retry"

    script.states = {"a": [push, "success"]}
    await script.run(make_dag(a={"retries": 1}))
    assert [greeting.ti_context.xcom_keys_to_clear for greeting in script.greetings] == [[], ["half"]]


async def test_a_task_that_waits_for_its_retry_leaves_its_slot_to_others() -> None:
    class Slow(Time):
        async def sleep(self, seconds: float) -> None:
            with anyio.fail_after(10):
                await other_ran.wait()

    other_ran = anyio.Event()

    async def other(startup: m.StartupDetails) -> str:
        other_ran.set()
        return "success"

    script = Script({"a": ["up_for_retry", "success"], "b": other}, clock=Slow())
    assert (await script.run(make_dag(a={"retries": 1}, b={}), parallelism=1)).state == "success"


async def test_a_rescheduled_task_is_executed_again_in_the_same_try() -> None:
    later = ended(
        "up_for_reschedule",
        terminal=m.RescheduleTask(reschedule_date=START + timedelta(seconds=90), end_date=START),
    )
    script = Script({"a": [later, "success"]})
    report = await script.run(make_dag(a={}))
    found = [(g.ti.try_number, g.ti_context.task_reschedule_count) for g in script.greetings]
    assert found == [(1, 0), (1, 1)]
    assert (script.clock.waits, report.state) == ([90.0], "success")


@pytest.mark.parametrize("state", ["deferred", "awaiting_input", "up_for_reschedule"])
async def test_a_task_that_waits_without_having_said_for_what_has_failed(state: str) -> None:
    report = await Script({"a": state}).run(make_dag(a={}))
    assert (report.tasks[0].state, report.state) == ("failed", "failed")
    assert report.tasks[0].reason == f"said {state}, without saying what it waits for"


async def test_a_task_that_was_put_off_is_told_since_when() -> None:
    def later(seconds: float) -> Outcome:
        date = START + timedelta(seconds=seconds)
        return ended("up_for_reschedule", terminal=m.RescheduleTask(reschedule_date=date, end_date=START))

    script = Script({"a": [later(60), later(90), "up_for_retry", later(200), "success"]})
    await script.run(make_dag(a={"retries": 1, "retry_delay": 10.0}))
    told = [
        (g.ti.try_number, g.ti_context.task_reschedule_count, g.ti_context.first_task_reschedule_start_date)
        for g in script.greetings
    ]
    third = START + timedelta(seconds=100)
    assert told == [(1, 0, None), (1, 1, START), (1, 2, START), (2, 0, None), (2, 1, third)]
    ids = [greeting.ti.id for greeting in script.greetings]
    assert len({*ids[:3]}) == len({*ids[3:]}) == 1
    assert ids[0] != ids[3]


# ── deferred, and awaiting input ────────────────────────────────────────────────────────────────────────────────


def until(moment: datetime, **fields: Any) -> Outcome:
    """Deferred until a moment."""
    classpath, kwargs = DateTimeTrigger(moment).serialize()
    report = m.DeferTask(
        classpath=classpath,
        trigger_kwargs=serde.serialize(kwargs),
        next_method="go_on",
        next_kwargs={"rows": 3},
        **fields,
    )
    return ended("deferred", terminal=report)


HOUR = timedelta(hours=1)


async def test_a_deferred_task_is_resumed_in_the_same_try_with_the_event() -> None:
    script = Script({"a": [until(START + HOUR), "success"]})
    report = await script.run(make_dag(a={"retries": 1}))
    first, second = script.greetings
    assert (first.ti_context.next_method, first.ti_context.next_kwargs) == (None, None)
    assert (second.ti_context.next_method, second.ti.try_number, second.ti.id) == ("go_on", 1, first.ti.id)
    assert second.ti_context.next_kwargs == {"rows": 3, "event": serde.serialize(START + HOUR)}
    assert second.ti_context.start_date == START
    assert (script.clock.waits, report.state) == ([3600.0], "success")


async def test_what_a_task_left_before_it_deferred_itself_stays_its_own() -> None:
    script = Script()

    async def push(startup: m.StartupDetails) -> Outcome:
        await script.store.xcoms.set(XComKey(dag_id="d", run_id="r", task_id="a", key="half"), -1, 1)
        return until(START)

    script.states = {"a": [push, "up_for_retry", "success"]}
    await script.run(make_dag(a={"retries": 1}))
    assert [g.ti_context.xcom_keys_to_clear for g in script.greetings] == [[], [], ["half"]]
    assert [g.ti_context.next_method for g in script.greetings] == [None, "go_on", None]


async def test_a_task_that_defers_itself_too_long_is_resumed_to_fail() -> None:
    script = Script({"a": [until(START + HOUR, trigger_timeout=timedelta(minutes=1)), "failed"]})
    await script.run(make_dag(a={}))
    told = script.greetings[1].ti_context
    assert (told.next_method, told.next_kwargs) == ("__fail__", {"error": "Trigger timeout"})


async def test_a_task_that_is_put_off_after_it_was_resumed_begins_anew() -> None:
    put_off = ended("up_for_reschedule", terminal=m.RescheduleTask(reschedule_date=START, end_date=START))
    script = Script({"a": [until(START), put_off, "success"]})
    await script.run(make_dag(a={}))
    assert [g.ti_context.next_method for g in script.greetings] == [None, "go_on", None]


async def test_a_deferred_task_leaves_its_slot_to_others() -> None:
    class Slow(Time):
        async def sleep(self, seconds: float) -> None:
            with anyio.fail_after(10):
                await other_ran.wait()

    other_ran = anyio.Event()

    async def other(startup: m.StartupDetails) -> str:
        other_ran.set()
        return "success"

    script = Script({"a": [until(START + HOUR), "success"], "b": other}, clock=Slow())
    assert (await script.run(make_dag(a={}, b={}), parallelism=1)).state == "success"


def firing(report: Any) -> Any:
    async def run_trigger(request: m.RunTrigger) -> Any:
        return report

    return run_trigger


async def with_trigger(script: Script, report: Any, **fields: Any) -> DagRunReport:
    clock = VirtualClock(script.clock, leaps=True)
    triggers = Triggers(clock=clock, run_trigger=firing(report))
    with anyio.fail_after(10):
        return await run_dag(
            make_dag(a=fields),
            script.execute,
            request=REQUEST,
            store=script.store,
            clock=clock,
            triggers=triggers,
            on_progress=script.progress.append,
        )


DEFERRED = ended("deferred", terminal=m.DeferTask(classpath="author.Tide", trigger_kwargs={}, next_method="go_on"))


async def test_a_trigger_may_end_a_task_and_leave_xcoms() -> None:
    script = Script({"a": [DEFERRED]})
    fired = m.TriggerFired(payload="skipped", task_instance_state="skipped", xcoms={"why": "low"})
    report = await with_trigger(script, fired)
    assert (states(report), report.xcoms) == ({"a": "skipped"}, {"a": {"why": "low"}})
    assert len(script.greetings) == 1


async def test_a_trigger_that_ends_a_task_as_failed_leaves_it_its_retries() -> None:
    script = Script({"a": [DEFERRED, "success"]})
    fired = m.TriggerFired(payload="failed", task_instance_state="failed", xcoms={"why": "low"})
    report = await with_trigger(script, fired, retries=1)
    assert (states(report), report.xcoms) == ({"a": "success"}, {})
    assert [greeting.ti.try_number for greeting in script.greetings] == [1, 2]
    assert [p.state for p in script.progress if p.state != "queued"] == [
        "running", "deferred", "up_for_retry", "running", "success",
    ]  # fmt: skip


async def test_a_task_that_waits_can_be_skipped_by_another_and_waits_no_longer() -> None:
    script, deferred, cancelled = Script(), anyio.Event(), []

    async def run_trigger(request: m.RunTrigger) -> Any:
        deferred.set()
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(request.ti.task_id)

    async def branch(startup: m.StartupDetails) -> str:
        await deferred.wait()
        await script.store.task_instances.skip_downstream(await _key_of(startup), [("a", -1)])
        return "success"

    script.states = {"a": [DEFERRED], "branch": branch}
    clock = VirtualClock(script.clock)
    with anyio.fail_after(10):
        report = await run_dag(
            make_dag(a={}, b={"after": ["a"]}, branch={}),
            script.execute,
            request=REQUEST,
            store=script.store,
            clock=clock,
            triggers=Triggers(clock=clock, run_trigger=run_trigger),
        )
    assert states(report) == {"a": "skipped", "b": "skipped", "branch": "success"}
    assert cancelled == ["a"]


ASKS = ended("awaiting_input", terminal=m.AwaitInputTask(next_method="go_on", timeout=HOUR))


async def test_a_task_that_asks_is_resumed_with_the_answer() -> None:
    script = Script()

    async def asks(startup: m.StartupDetails) -> Outcome:
        payload = m.CreateHITLDetailPayload(ti_id=startup.ti.id, options=["yes", "no"], subject="Go?", defaults=["no"])
        await script.store.human_inputs.ask(await _key_of(startup), payload)
        return ASKS

    script.states = {"a": [asks, "success"]}
    await script.run(make_dag(a={}))
    told = script.greetings[1].ti_context
    event = serde.deserialize(told.next_kwargs)["event"]
    assert (told.next_method, event["chosen_options"], event["timedout"]) == ("go_on", ["no"], True)
    assert event["responded_at"] == START + HOUR
    waited = [p for p in script.progress if p.state == "awaiting_input"]
    assert [(p.reason, p.try_number) for p in waited] == [("Go?", 1)]


# ── on a clock that leaps ───────────────────────────────────────────────────────────────────────────────────────


async def test_every_wait_takes_no_time_while_the_clock_that_tasks_are_told_goes_on() -> None:
    class Still(Time):
        async def sleep(self, seconds: float) -> None:
            raise AssertionError("somebody really waits")

    put_off = ended(
        "up_for_reschedule",
        terminal=m.RescheduleTask(reschedule_date=START + 4 * HOUR, end_date=START),
    )
    script = Script({"a": ["up_for_retry", until(START + 2 * HOUR), put_off, ASKS, "success"]}, clock=Still())
    clock = VirtualClock(script.clock, leaps=True)
    with anyio.fail_after(10):
        report = await run_dag(
            make_dag(a={"retries": 1, "retry_delay": 3600.0}),
            script.execute,
            request=REQUEST,
            store=script.store,
            clock=clock,
        )
    assert [(greeting.start_date - START) / HOUR for greeting in script.greetings] == [0, 1, 2, 4, 5]
    assert (report.state, report.duration) == ("success", 5 * 3600.0)


async def test_a_sensor_that_is_put_off_does_not_overtake_the_task_that_it_waits_for() -> None:
    script = Script()
    clock = VirtualClock(script.clock, leaps=True)
    looks = []

    async def works(startup: m.StartupDetails) -> str:
        for _ in range(100):
            await anyio.lowlevel.checkpoint()
        looks.append("made")
        return "success"

    async def looks_for_it(startup: m.StartupDetails) -> Any:
        looks.append("looked")
        later = clock.now() + timedelta(minutes=5)
        return (
            "success"
            if "made" in looks
            else ended("up_for_reschedule", terminal=m.RescheduleTask(reschedule_date=later, end_date=START))
        )

    script.states = {"sensor": looks_for_it, "works": works}
    with anyio.fail_after(10):
        await run_dag(make_dag(sensor={}, works={}), script.execute, request=REQUEST, store=script.store, clock=clock)
    assert looks == ["looked", "made", "looked"]


# ── the greeting, the report, progress ──────────────────────────────────────────────────────────────────────────


async def test_a_task_is_told_about_its_run() -> None:
    script = Script()
    await script.run(make_dag(a={}))
    (greeting,) = script.greetings
    run = greeting.ti_context.dag_run
    assert (run.dag_id, run.run_id, run.logical_date, run.conf) == ("d", "r", START, {"size": 3})
    assert (run.data_interval_start, run.data_interval_end) == (START, START)
    assert (greeting.dag_rel_path, greeting.bundle_info.name) == ("d.py", "b")


async def test_a_run_without_a_logical_date_has_none() -> None:
    script = Script()
    with anyio.fail_after(10):
        await run_dag(
            make_dag(a={}), script.execute, request=RunRequest(run_id="r", logical_date=None), store=script.store
        )
    run = script.greetings[0].ti_context.dag_run
    assert (run.logical_date, run.data_interval_start) == (None, None)
    assert run.run_after is not None


async def test_the_report_holds_tries_durations_and_xcoms() -> None:
    script = Script({"a": ["up_for_retry", "success"]})
    await script.store.xcoms.set(XComKey(dag_id="d", run_id="r", task_id="a", key="return_value"), -1, 42)
    report = await script.run(make_dag(a={"retries": 1, "retry_delay": 60.0}))
    assert [one.outcome.state for one in report.tasks[0].tries] == ["up_for_retry", "success"]
    assert (report.dag_id, report.run_id, report.duration) == ("d", "r", 60.0)
    assert report.xcoms == {"a": {"return_value": 42}}


async def test_progress_tells_every_state() -> None:
    script = Script({"a": ["up_for_retry", "failed"]})
    report = await script.run(make_dag(a={"retries": 1, "retry_delay": 9.0}, b={"after": ["a"]}))
    told = [(p.task_id, p.state, p.try_number, p.delay) for p in script.progress]
    assert [(c.state, c.try_number) for task in report.tasks for c in task.changes] == [told_[1:3] for told_ in told]
    assert told == [
        ("a", "queued", 1, None),
        ("a", "running", 1, None),
        ("a", "up_for_retry", 1, 9.0),
        ("a", "queued", 2, None),
        ("a", "running", 2, None),
        ("a", "failed", 2, None),
        ("b", "upstream_failed", 0, None),
    ]


# ── one task, and wrong use ─────────────────────────────────────────────────────────────────────────────────────


async def test_one_task_can_be_run_alone_whatever_it_waits_for() -> None:
    script = Script()
    report = await script.run(make_dag(**DIAMOND), only_task="d")
    assert (script.order, states(report), report.state) == (["d"], {"d": "success"}, "success")


async def test_an_unknown_task_is_a_usage_error_that_names_the_others() -> None:
    with pytest.raises(UsageError, match="Dag 'd' has no task 'x'; it has: a, b, c, d"):
        await Script().run(make_dag(**DIAMOND), only_task="x")


async def test_an_unknown_trigger_rule_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="unknown trigger rule 'half_done'"):
        await Script().run(make_dag(a={"trigger_rule": "half_done"}))


async def test_no_parallelism_at_all_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="parallelism is 0"):
        await Script().run(make_dag(a={}), parallelism=0)


async def test_a_cancellation_reaches_the_tries() -> None:
    entered, cancelled = [], []

    async def hang(startup: m.StartupDetails) -> str:
        entered.append(startup.ti.task_id)
        try:
            await anyio.sleep_forever()
        finally:
            cancelled.append(startup.ti.task_id)

    script = Script({"a": hang, "b": hang})
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(script.run, make_dag(a={}, b={})))
            while len(entered) < 2:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
    assert sorted(cancelled) == ["a", "b"]


# ── properties ──────────────────────────────────────────────────────────────────────────────────────────────────

# Rules that have a verdict for any states above.
SETTLED_RULES = ("all_success", "all_done", "none_failed", "all_failed", "none_skipped", "always")


@st.composite
def scripted_dags(draw: st.DrawFn) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    count = draw(st.integers(1, 8))
    names = [f"t{number}" for number in range(count)]
    tasks = {
        name: {
            "after": draw(st.lists(st.sampled_from(names[:number]), unique=True)) if number else [],
            "trigger_rule": draw(st.sampled_from(SETTLED_RULES)),
        }
        for number, name in enumerate(names)
    }
    outcomes = {name: draw(st.sampled_from(("success", "failed", "skipped"))) for name in names}
    return tasks, outcomes


@pytest.mark.property
@given(scripted_dags(), st.integers(1, 4))
def test_any_dag_ends_with_the_states_that_its_rules_imply(
    scripted: tuple[dict[str, dict[str, Any]], dict[str, str]], parallelism: int
) -> None:
    tasks, outcomes = scripted
    script = Script(outcomes)
    report = anyio.run(partial(script.run, make_dag(**tasks), parallelism=parallelism))
    found = states(report)
    for name, fields in tasks.items():
        above = {found[other] for other in fields["after"]}
        assert found[name] in (implied(fields["trigger_rule"], above) or {outcomes[name]})
    assert script.most_at_once <= parallelism
    assert len(script.order) == len(set(script.order))


def implied(rule: str, above: set[str | None]) -> set[str]:
    """In which states a task may be given up, from a plain reading of its rule; empty if it has to run."""
    failure = {"upstream_failed"} if above & {"failed", "upstream_failed"} else set()
    skip = {"skipped"} if "skipped" in above else set()
    return {
        # With both above it, it depends on which of them ended first.
        "all_success": failure | skip,
        "none_failed": failure,
        "all_failed": {"skipped"} if above & {"success", "skipped"} else set(),
        "none_skipped": skip,
    }.get(rule, set())


def waits() -> st.SearchStrategy[Any]:
    """What a task may do before it ends, with dates and delays of every size."""
    delays = st.none() | st.floats() | st.floats(0, 1e6)
    return st.one_of(
        delays.map(lambda delay: ended("up_for_retry", retry_delay=delay)),
        instants().map(
            lambda date: ended("up_for_reschedule", terminal=m.RescheduleTask(reschedule_date=date, end_date=START))
        ),
        st.builds(lambda moment, limit: until(moment, trigger_timeout=limit), instants(), st.none() | st.timedeltas()),
        st.timedeltas().map(
            lambda limit: ended("awaiting_input", terminal=m.AwaitInputTask(next_method="go_on", timeout=limit))
        ),
    )


@pytest.mark.property
@given(st.lists(st.lists(waits(), max_size=4), min_size=1, max_size=3), st.integers(1, 2))
def test_whatever_tasks_wait_for_they_end_and_time_never_goes_back(plans: list[list[Any]], parallelism: int) -> None:
    script = Script({f"t{number}": [*plan, "success"] for number, plan in enumerate(plans)})
    dag = make_dag(**{task_id: {"retries": 4} for task_id in script.states})
    clock = VirtualClock(script.clock, leaps=True)

    async def run() -> DagRunReport:
        with anyio.fail_after(20):
            return await run_dag(
                dag,
                script.execute,
                request=REQUEST,
                store=script.store,
                clock=clock,
                parallelism=parallelism,
                on_progress=script.progress.append,
            )

    report = anyio.run(run)
    assert (report.state, set(states(report).values())) == ("success", {"success"})
    told = [greeting.start_date for greeting in script.greetings]
    assert told == sorted(told)
    assert [p.at for p in script.progress] == sorted(p.at for p in script.progress)
    for number, plan in enumerate(plans):
        executed = [greeting for greeting in script.greetings if greeting.ti.task_id == f"t{number}"]
        assert len(executed) == len(plan) + 1
        assert executed[-1].ti.try_number == 1 + sum(outcome.state == "up_for_retry" for outcome in plan)


# ── with real processes ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.timeout(60)
async def test_a_run_of_real_processes_shares_one_store() -> None:
    store, logs = LocalStore(variables={"k0": "v"}), Records()
    behaviour = {"a": ("pipeline",), "b": ("exit_silently", 3), "c": ("succeed",)}
    dag = make_dag(a={}, b={"after": ["a"], "retries": 1, "retry_delay": 0.0}, c={"after": ["b"]})

    def execute(startup: m.StartupDetails) -> Awaitable[Outcome]:
        command = peer(*behaviour[startup.ti.task_id])
        return run_task(command, startup, ports=store.ports(logs), limits=QUICK)

    report = await run_dag(dag, execute, request=REQUEST, store=store)
    assert states(report) == {"a": "success", "b": "failed", "c": "upstream_failed"}
    assert [one.outcome.state for one in report.tasks[1].tries] == ["up_for_retry", "failed"]
    assert len(report.xcoms["a"]) == 100
