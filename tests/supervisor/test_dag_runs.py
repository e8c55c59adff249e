"""Runs that tasks trigger: made, told about, waited for by polling and by a trigger, and made again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest

from outboard.errors import UsageError
from outboard.protocol import messages as m
from outboard.protocol import serde
from outboard.protocol.serialized_dag import SerializedDag, read
from outboard.supervisor.dag_run import run_dag
from outboard.supervisor.dag_runs import DagRuns
from outboard.supervisor.handlers import Answer, answer
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.outcome import Outcome
from outboard.supervisor.ports import Ports, TaskKey
from outboard.supervisor.run_report import DagRunReport, RunRequest
from outboard.supervisor.triggers import DAG_STATE_TRIGGER, Triggers
from outboard.supervisor.virtual_clock import VirtualClock

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)
REQUEST = RunRequest(run_id="first", logical_date=START, bundle_name="b", file="d.py")


class Still:
    def now(self) -> datetime:
        return START

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("somebody really waits")


def conf_problems(serialized: Any, conf: Mapping[str, object]) -> str:
    return f"{serialized['dag']['dag_id']} takes no {conf['odd']}" if "odd" in conf else ""


def raw_dag(dag_id: str, **tasks: Mapping[str, Any]) -> dict[str, Any]:
    items = [{"__type": "operator", "__var": {"task_id": task_id, **fields}} for task_id, fields in tasks.items()]
    return {"__version": 3, "dag": {"dag_id": dag_id, "tasks": items, "tags": ["z", "a"]}}


RAW = {
    "parent": raw_dag("parent", calls={"retries": 1, "retry_delay": 60.0}),
    "child": raw_dag("child", works={"retries": 1, "retry_delay": 3600.0, "owner": "ada"}),
    "odd": raw_dag("odd", works={"trigger_rule": "half_done"}),
}
DAGS: dict[str, SerializedDag] = {dag_id: read(raw) for dag_id, raw in RAW.items()}


def ended(state: str, **fields: Any) -> Outcome:
    return Outcome(state=state, reason=f"said {state}", exit_code=0, started_at=START, ended_at=START, **fields)


@attrs.define
class World:
    """Tasks by what is written for them: coroutine functions of the world and the greeting, or states."""

    tasks: Mapping[str, Any]
    store: LocalStore = attrs.field(factory=LocalStore)
    clock: VirtualClock = attrs.field(factory=lambda: VirtualClock(Still(), leaps=True))
    greetings: list[m.StartupDetails] = attrs.field(factory=list)
    runs: DagRuns = attrs.field(init=False)
    ports: Ports = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.runs = DagRuns(DAGS, self.clock, RAW, conf_problems)
        self.ports = attrs.evolve(self.store.ports(), dag_runs=self.runs)

    async def ask(self, startup: m.StartupDetails, request: m.Message) -> Answer:
        return await answer(self.ports, key_of(startup), request, patience=30)

    async def execute(self, startup: m.StartupDetails) -> Outcome:
        self.greetings.append(startup)
        await anyio.lowlevel.checkpoint()
        written = self.tasks[startup.ti.task_id]
        if isinstance(written, list):
            written = written.pop(0)
        if callable(written):
            written = await written(self, startup)
        return written if isinstance(written, Outcome) else ended(written)

    async def run(self, dag_id: str = "parent", **options: Any) -> tuple[DagRunReport, tuple[DagRunReport, ...]]:
        make_run = partial(
            run_dag,
            execute=self.execute,
            store=self.store,
            clock=self.clock,
            triggers=Triggers(clock=self.clock, runs=self.runs),
        )
        with anyio.fail_after(20):
            return await self.runs.run(DAGS[dag_id], REQUEST, make_run, on_reset=self.store.forget_run, **options)


def key_of(startup: m.StartupDetails) -> TaskKey:
    ti = startup.ti
    return TaskKey(dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, try_number=ti.try_number)


def trigger(run_id: str = "called", **fields: Any) -> m.TriggerDagRun:
    return m.TriggerDagRun(**{"dag_id": "child", "run_id": run_id, **fields})


def waits_for(*run_ids: str, **fields: Any) -> Outcome:
    kwargs = {"dag_id": "child", "states": ["success", "failed"], "run_ids": list(run_ids), "poll_interval": 5.0}
    report = m.DeferTask(classpath=DAG_STATE_TRIGGER, trigger_kwargs=kwargs, next_method="go_on", **fields)
    return ended("deferred", terminal=report)


# ── making runs ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_task_triggers_a_run_which_is_made_and_reported_beside_its_own() -> None:
    async def calls(world: World, startup: m.StartupDetails) -> str:
        told = await world.ask(startup, trigger(conf={"size": 3}, note="by hand", logical_date=START))
        assert told == Answer(message=m.OKResponse(ok=True))
        return "success"

    world = World({"calls": calls, "works": "success"})
    first, [second] = await world.run()
    assert (first.dag_id, first.run_id, first.state) == ("parent", "first", "success")
    assert (second.dag_id, second.run_id, second.state) == ("child", "called", "success")
    run = world.greetings[1].ti_context.dag_run
    assert (run.run_type, run.conf, run.note, run.logical_date) == ("operator_triggered", {"size": 3}, "by hand", START)
    assert (world.greetings[1].dag_rel_path, world.greetings[1].bundle_info.name) == ("d.py", "b")
    assert world.greetings[0].ti_context.dag_run.run_type == "manual"


async def test_the_command_ends_when_the_last_run_has() -> None:
    """A run that nobody waits for is not cut off."""

    async def calls(world: World, startup: m.StartupDetails) -> str:
        await world.ask(startup, trigger())
        return "success"

    world = World({"calls": calls, "works": ["up_for_retry", "failed"]})
    first, [second] = await world.run()
    assert (first.state, second.state) == ("success", "failed")
    assert world.clock.now() == START + timedelta(hours=1)


async def test_a_run_that_is_there_already_is_told() -> None:
    told = []

    async def calls(world: World, startup: m.StartupDetails) -> str:
        told.extend([await world.ask(startup, trigger()) for _ in range(2)])
        told.append(await world.ask(startup, trigger(dag_id="parent", run_id="first")))
        return "success"

    _, runs = await World({"calls": calls, "works": "success"}).run()
    exists = Answer(message=m.ErrorResponse(error="DAGRUN_ALREADY_EXISTS"))
    assert told == [Answer(message=m.OKResponse(ok=True)), exists, exists]
    assert len(runs) == 1


@pytest.mark.parametrize(
    ("request_", "status", "why"),
    [
        (trigger(dag_id="x"), 404, "TriggerDagRun: there is no Dag 'x' here"),
        (trigger(run_id=""), 422, "TriggerDagRun: run_id must not be empty"),
        (
            trigger(dag_id="odd"),
            400,
            "TriggerDagRun: task 'works' of Dag 'odd' has the unknown trigger rule 'half_done'",
        ),
        (trigger(conf={"odd": 7}), 400, "TriggerDagRun: child takes no 7"),
        (
            trigger(dag_id="parent", run_id="first", reset_dag_run=True),
            400,
            "TriggerDagRun: the run 'first' of the Dag 'parent' cannot be reset by a task that is part of it",
        ),
    ],
)
async def test_what_cannot_be_run_is_refused_and_says_why(request_: m.TriggerDagRun, status: int, why: str) -> None:
    details = []

    async def calls(world: World, startup: m.StartupDetails) -> str:
        given = await world.ask(startup, request_)
        assert given.error is not None
        details.append(given.error.detail)
        return "success"

    _, runs = await World({"calls": calls}).run()
    [detail] = details
    assert (detail["status_code"], runs) == (status, ())
    assert detail["message"].startswith(why)


async def test_a_run_waits_for_its_date() -> None:
    async def calls(world: World, startup: m.StartupDetails) -> str:
        await world.ask(startup, trigger(run_after=START + timedelta(days=2)))
        told = (await world.ask(startup, m.GetDagRunState(dag_id="child", run_id="called"))).message
        assert told == m.DagRunStateResult(state="queued")
        return "success"

    world = World({"calls": calls, "works": "success"})
    _, [second] = await world.run()
    assert second.started_at == START + timedelta(days=2)
    assert world.greetings[1].ti_context.dag_run.run_after == START + timedelta(days=2)


async def test_only_one_task_of_the_first_dag_can_be_run_and_an_unknown_one_is_a_usage_error() -> None:
    first, _ = await World({"calls": "success"}).run(only_task="calls")
    assert first.state == "success"
    with pytest.raises(UsageError, match="has no task 'x'"):
        await World({}).run(only_task="x")


# ── waiting for runs ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_task_waits_for_a_run_by_a_trigger_though_only_one_try_may_be_under_way() -> None:
    async def calls(world: World, startup: m.StartupDetails) -> Outcome:
        await world.ask(startup, trigger())
        return waits_for("called")

    world = World({"calls": [calls, "success"], "works": ["up_for_retry", "success"]})
    first, [second] = await world.run()
    assert (first.state, second.state) == ("success", "success")
    resumed = world.greetings[-1].ti_context
    assert resumed.next_method == "go_on"
    classpath, told = serde.deserialize(resumed.next_kwargs)["event"]
    assert (classpath, told["called"], told["run_ids"]) == (DAG_STATE_TRIGGER, "success", ["called"])
    assert world.greetings[-1].start_date == START + timedelta(hours=1)


@pytest.mark.parametrize("state", ["success", "failed"])
async def test_whoever_waits_for_a_run_hears_of_its_end_before_the_clock_leaps_on(state: str) -> None:
    async def calls(world: World, startup: m.StartupDetails) -> Outcome:
        await world.ask(startup, trigger(run_id="quick"))
        # It waits for two days, which must not pass before the first run is heard of.
        await world.ask(startup, trigger(run_id="slow", run_after=START + timedelta(days=2)))
        return waits_for("quick")

    world = World({"calls": [calls, "success"], "works": ["up_for_retry", state, "success"]})
    _, [quick, slow] = await world.run()
    [resumed] = [greeting for greeting in world.greetings if greeting.ti_context.next_method]
    assert resumed.start_date == quick.ended_at == START + timedelta(hours=1)
    assert slow.started_at == START + timedelta(days=2)


async def test_a_run_without_anything_to_do_ends_at_once() -> None:
    async def calls(world: World, startup: m.StartupDetails) -> Outcome:
        child = TaskKey(dag_id="child", run_id="called", task_id="x")
        await world.store.task_instances.skip_downstream(child, [("works", -1)])
        await world.ask(startup, trigger())
        return waits_for("called")

    first, [second] = await World({"calls": [calls, "success"]}).run()
    assert (first.state, second.state, second.duration) == ("success", "success", 0)


async def test_a_run_that_takes_too_long_is_not_waited_for_any_longer() -> None:
    async def calls(world: World, startup: m.StartupDetails) -> Outcome:
        await world.ask(startup, trigger())
        return waits_for("called", trigger_timeout=timedelta(minutes=5))

    world = World({"calls": [calls, "failed"], "works": ["up_for_retry", "success"]})
    first, [second] = await world.run()
    assert (first.state, second.state) == ("failed", "success")
    resumed = next(g for g in world.greetings if g.ti_context.next_method)
    assert resumed.ti_context.next_kwargs == {"error": "Trigger timeout"}
    assert resumed.start_date == START + timedelta(minutes=5)


async def test_a_task_polls_until_a_run_has_ended_and_holds_up_no_clock_meanwhile() -> None:
    async def calls(world: World, startup: m.StartupDetails) -> str:
        await world.ask(startup, trigger())
        seen = []
        while not seen or seen[-1] not in ("success", "failed"):
            message = (await world.ask(startup, m.GetDagRunState(dag_id="child", run_id="called"))).message
            assert isinstance(message, m.DagRunStateResult)
            seen.append(message.state)
            await anyio.lowlevel.checkpoint()
        assert list(dict.fromkeys(seen)) == ["queued", "running", "success"]
        return "success"

    first, [second] = await World({"calls": calls, "works": ["up_for_retry", "success"]}).run()
    assert (first.state, second.duration) == ("success", 3600.0)


async def test_tasks_that_poll_hold_up_no_clock_though_others_wait_for_their_slots() -> None:
    async def calls(world: World, startup: m.StartupDetails) -> str:
        run_id = startup.ti.task_id
        await world.ask(startup, trigger(run_id))
        while True:
            message = (await world.ask(startup, m.GetDagRunState(dag_id="child", run_id=run_id))).message
            assert isinstance(message, m.DagRunStateResult)
            if message.state in ("success", "failed"):
                return message.state
            await anyio.lowlevel.checkpoint()

    works = ["up_for_retry", "success"]
    world = World({"one": calls, "two": calls, "other": "success", "works": [*works, *works]})
    dag = read(raw_dag("callers", one={}, two={}, other={}))
    make_run = partial(run_dag, execute=world.execute, store=world.store, clock=world.clock, parallelism=1)
    with anyio.fail_after(20):
        first, others = await world.runs.run(dag, REQUEST, make_run)
    assert (first.state, [run.state for run in others]) == ("success", ["success", "success"])
    assert first.duration == 2 * 3600.0


@pytest.mark.parametrize(
    ("dag_id", "run_id", "why"),
    [
        ("child", "other", "there is no run 'other' of a Dag 'child' here"),
        ("parent", "first", "the run 'first' of the Dag 'parent' cannot end before this task has"),
    ],
)
async def test_a_wait_that_could_never_end_fails_the_task(dag_id: str, run_id: str, why: str) -> None:
    kwargs = {"dag_id": dag_id, "states": ["success"], "run_ids": [run_id]}
    deferral = m.DeferTask(classpath=DAG_STATE_TRIGGER, trigger_kwargs=kwargs, next_method="go_on")
    first, _ = await World({"calls": ended("deferred", terminal=deferral)}).run()
    assert first.state == "failed"
    assert why in first.tasks[0].reason


async def test_a_run_that_has_ended_otherwise_than_wanted_ends_the_wait() -> None:
    async def calls(world: World, startup: m.StartupDetails) -> Outcome:
        await world.ask(startup, trigger())
        kwargs = {"dag_id": "child", "states": ["success"], "run_ids": ["called"]}
        return ended(
            "deferred", terminal=m.DeferTask(classpath=DAG_STATE_TRIGGER, trigger_kwargs=kwargs, next_method="go_on")
        )

    first, _ = await World({"calls": calls, "works": "failed"}).run()
    assert "which waits for success, but 'called' is failed" in first.tasks[0].reason


# ── what is told about them ─────────────────────────────────────────────────────────────────────────────────────


async def test_dags_and_runs_are_told_about() -> None:
    told: dict[str, Any] = {}

    async def calls(world: World, startup: m.StartupDetails) -> str:
        told["dag"] = (await world.ask(startup, m.GetDag(dag_id="child"))).message
        await world.ask(startup, trigger(logical_date=START))
        told["queued"] = (await world.ask(startup, m.GetDagRun(dag_id="child", run_id="called"))).message
        told["first"] = (await world.ask(startup, m.GetDagRun(dag_id="parent", run_id="first"))).message
        for name, selected in {
            "all": {},
            "by id": {"run_ids": ["called", "x"]},
            "by date": {"logical_dates": [START]},
            "by state": {"states": ["success"]},
        }.items():
            told[name] = (await world.ask(startup, m.GetDRCount(dag_id="child", **selected))).message
        return "success"

    await World({"calls": calls, "works": "success"}).run()
    assert told["dag"] == m.DagResult(
        dag_id="child", is_paused=False, bundle_name="b", bundle_version=None, relative_fileloc="d.py",
        owners="ada", tags=["a", "z"], next_dagrun=None,
    )  # fmt: skip
    queued, first = told["queued"], told["first"]
    assert isinstance(queued, m.DagRunResult)
    assert (queued.run_type, queued.state, queued.start_date) == ("operator_triggered", "queued", None)
    assert (first.run_type, first.state, first.start_date, first.end_date) == ("manual", "running", START, None)
    assert [told[name].count for name in ("all", "by id", "by date", "by state")] == [1, 1, 1, 0]


# ── again ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_run_that_has_ended_can_be_made_again() -> None:
    async def calls(world: World, startup: m.StartupDetails) -> Outcome:
        await world.ask(startup, trigger())
        return waits_for("called")

    async def calls_again(world: World, startup: m.StartupDetails) -> Outcome:
        assert (await world.ask(startup, trigger(reset_dag_run=True))).message == m.OKResponse(ok=True)
        return waits_for("called")

    world = World({"calls": [calls, calls_again, "success"], "works": ["failed", "success"]})
    world.tasks["works"][0] = "skipped"
    first, [second] = await world.run()
    assert (first.state, second.tasks[0].state) == ("success", "success")
    works = [g.ti_context.dag_run.clear_number for g in world.greetings if g.ti.task_id == "works"]
    assert works == [0, 1]


async def test_a_run_that_is_under_way_is_cut_off_and_made_again() -> None:
    under_way, cut_off = anyio.Event(), []

    async def calls(world: World, startup: m.StartupDetails) -> Outcome:
        await world.ask(startup, trigger())
        await under_way.wait()
        await world.ask(startup, trigger(reset_dag_run=True))
        return waits_for("called")

    async def works(world: World, startup: m.StartupDetails) -> str:
        under_way.set()
        try:
            await anyio.sleep_forever()
        finally:
            cut_off.append(startup.ti.run_id)

    world = World({"calls": [calls, "success"], "works": [works, "success"]})
    first, [second] = await world.run()
    assert (first.state, second.state, cut_off) == ("success", "success", ["called"])


async def test_a_task_that_was_to_be_skipped_runs_when_its_run_is_made_again() -> None:
    async def calls(world: World, startup: m.StartupDetails) -> Outcome:
        await world.ask(startup, trigger(run_after=START + timedelta(hours=1)))
        child = TaskKey(dag_id="child", run_id="called", task_id="x")
        await world.store.task_instances.skip_downstream(child, [("works", -1)])
        return waits_for("called")

    async def calls_again(world: World, startup: m.StartupDetails) -> Outcome:
        await world.ask(startup, trigger(reset_dag_run=True))
        return waits_for("called")

    world = World({"calls": [calls, calls_again, "success"], "works": "success"})
    _, [second] = await world.run()
    assert second.tasks[0].state == "success"
