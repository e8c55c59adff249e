"""Runs whose tasks wait: for time, triggers, people and other runs. Each task and trigger is a process of a real bundle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Done

COMMAND = [sys.executable, "-c", "from outboard.cli import main; main()"]

DEFERS = """
from datetime import timedelta
import anyio
from outboard import BaseOperator, BaseTrigger, NamedTrigger, TimeDeltaTrigger, TriggerEvent, Variable, dag
from outboard.sdk.triggers import TaskSkippedEvent

class Tide(BaseTrigger):
    def __init__(self, level):
        super().__init__()
        self.level = level
    def serialize(self):
        return f"{__name__}.{type(self).__name__}", {"level": self.level}
    async def run(self):
        print("watching the", Variable.get("harbour"), "harbour")
        await anyio.sleep(0)
        yield TriggerEvent({"level": self.level})
    async def cleanup(self):
        print("cleaned up")

class Dry(Tide):
    async def run(self):
        yield TaskSkippedEvent(xcoms={"why": "dry"})

class Breaks(Tide):
    async def run(self):
        raise RuntimeError("the gauge is broken")
        yield

class Forever(Tide):
    async def run(self):
        await anyio.sleep_forever()
        yield

class Waits(BaseOperator):
    def __init__(self, *, trigger, timeout=None, **kwargs):
        super().__init__(**kwargs)
        self.trigger, self.timeout = trigger, timeout
    def execute(self, context):
        self.defer(trigger=self.trigger, method_name="go_on", kwargs={"rows": 3}, timeout=self.timeout)
    def go_on(self, context, rows, event):
        return [rows, str(event)]

@dag
def defers():
    Waits(task_id="hour", trigger=TimeDeltaTrigger(timedelta(hours=1)))
    Waits(task_id="ends", trigger=TimeDeltaTrigger(timedelta(hours=2), end_from_trigger=True))
    Waits(task_id="late", trigger=TimeDeltaTrigger(timedelta(hours=2)), timeout=timedelta(minutes=5))
    Waits(task_id="tide", trigger=Tide(4))
    Waits(task_id="dry", trigger=Dry(4))
    Waits(task_id="breaks", trigger=Breaks(4))
    Waits(task_id="forever", trigger=Forever(4), timeout=timedelta(seconds=1))
    Waits(task_id="http", trigger=NamedTrigger("airflow.providers.http.triggers.http.HttpTrigger", {"endpoint": "x"}))

defers()
"""

ASKS = """
from datetime import timedelta
from outboard import BaseOperator, dag
from outboard.protocol import messages as m
from outboard.sdk.client import current
from outboard.sdk.exceptions import TaskAwaitingInput

class Asks(BaseOperator):
    def __init__(self, *, timeout=None, defaults=None, assigned=(), **kwargs):
        super().__init__(**kwargs)
        self.timeout, self.defaults, self.assigned = timeout, defaults, assigned
    def execute(self, context):
        users = [m.HITLUser(id=user, name=user.title()) for user in self.assigned]
        current().tell(m.CreateHITLDetailPayload(
            ti_id=context["ti"].id, options=["yes", "no"], subject=f"Go on with {self.task_id}?", defaults=self.defaults,
            params={"note": "none"}, assigned_users=users))
        raise TaskAwaitingInput(method_name="go_on", timeout=self.timeout)
    def go_on(self, context, event):
        if "error" in event:
            raise ValueError(event["error_type"])
        return {**event, "responded_at": event["responded_at"].isoformat()}

@dag
def asks():
    Asks(task_id="plain")
    Asks(task_id="defaults", timeout=timedelta(days=1), defaults=["no"])
    Asks(task_id="nobody", timeout=timedelta(days=1))
    Asks(task_id="assigned", assigned=["bob"])

asks()
"""

CALLS = """
from datetime import timedelta
from outboard import Param, PythonSensor, TriggerDagRunOperator, Variable, dag, task

@dag
def calls():
    def call(task_id, child="child", **options):
        TriggerDagRunOperator(
            task_id=task_id, trigger_dag_id=child, trigger_run_id=f"of {task_id}", conf={"by": task_id},
            poke_interval=0.05, **options)
    call("polls", wait_for_completion=True, fail_when_dag_is_paused=True)
    call("defers", wait_for_completion=True, deferrable=True)
    call("leaves")
    call("unknown", child="nowhere")
    call("unfit", child="picky")

@dag
def child():
    @task(retries=1, retry_delay=timedelta(hours=1))
    def works(ti=None, dag_run=None):
        if ti.try_number == 1:
            raise ValueError(dag_run.conf["by"])
        return dag_run.conf
    works()

@dag(params={"by": Param(3, type="integer")})
def picky():
    @task
    def never():
        pass
    never()

@dag
def looks():
    def third_look():
        Variable.set("looks", str(int(Variable.get("looks")) + 1))
        return Variable.get("looks") == "3"
    hourly = {"mode": "reschedule", "poke_interval": 3600}
    PythonSensor(task_id="found", python_callable=third_look, **hourly)
    PythonSensor(task_id="never", python_callable=lambda: False, timeout=3 * 3600, **hourly)

calls()
child()
picky()
looks()
"""

Outboard = Callable[..., Done]


def document(done: Done) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.out)
    return found


def tasks(found: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {task["task_id"]: task for task in found["tasks"]}


def states(task: dict[str, Any]) -> list[str]:
    return [change["state"] for change in task["states"] if change["state"] != "queued"]


def hours_into(found: dict[str, Any], change: dict[str, Any]) -> int:
    passed = datetime.fromisoformat(change["at"]) - datetime.fromisoformat(found["started_at"])
    return round(passed.total_seconds() / 3600)


# ── deferred ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_deferred_tasks_go_on_whatever_they_wait_for(outboard: Outboard, author_file: Callable[..., Path]) -> None:
    options = ["--var", "harbour=north", "--fast-forward", "--json", "--trigger-event", 'http={"status": 200}']
    done = outboard("run", author_file(DEFERS), *options)
    found = document(done)
    ran = tasks(found)
    went_on = ["running", "deferred", "running"]
    assert {task_id: states(task) for task_id, task in ran.items()} == {
        "hour": [*went_on, "success"],
        "ends": ["running", "deferred", "success"],
        "late": [*went_on, "failed"],
        "tide": [*went_on, "success"],
        "dry": ["running", "deferred", "skipped"],
        "breaks": [*went_on, "failed"],
        "forever": [*went_on, "failed"],
        "http": [*went_on, "success"],
    }
    assert done.code == 1
    assert ran["tide"]["xcoms"]["return_value"] == [3, "{'level': 4}"]
    assert ran["http"]["xcoms"]["return_value"] == [3, "{'status': 200}"]
    assert ran["dry"]["xcoms"] == {"why": "dry"}
    assert [hours_into(found, ran[task_id]["states"][-1]) for task_id in ("hour", "ends", "late")] == [1, 2, 0]
    assert ran["late"]["error"] == ran["forever"]["error"] == "TaskDeferralTimeout: Trigger timeout"
    assert ran["breaks"]["error"] == "TaskDeferralError: Trigger failure"
    assert "the gauge is broken" in done.err
    assert "tide    | watching the north harbour" in done.err
    assert done.err.count("tide    | cleaned up") == 1
    assert "hour    = deferred: waits for DateTimeTrigger until " in done.err


def test_a_trigger_that_is_not_here_is_named_with_what_to_do(
    outboard: Outboard, author_file: Callable[..., Path]
) -> None:
    done = outboard("run", author_file(DEFERS), "--task", "http")
    assert done.code == 1
    last = done.err.splitlines()[-1]
    assert last.startswith(
        "outboard: http failed: the trigger 'airflow.providers.http.triggers.http.HttpTrigger' cannot be imported in the "
        "bundle's environment: there is no module 'airflow'; "
    )
    assert last.endswith("or give the event that it would send: --trigger-event 'http=JSON'")


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--trigger-event", "ebb=1"], "--trigger-event ebb: no such task; there are: breaks, dry, ends, "),
        (["--answer", "ebb=1"], "--answer ebb: no such task; there are: breaks, dry, ends, "),
        (["--trigger-event", "{"], "--trigger-event {: write it as --trigger-event JSON or TASK_ID=JSON"),
        (["--as-user", "=Ada"], "--as-user =Ada: write it as --as-user ID or ID=NAME"),
    ],
)
def test_an_option_that_is_for_no_task_or_in_no_form_is_refused(
    outboard: Outboard, author_file: Callable[..., Path], option: list[str], said: str
) -> None:
    done = outboard("run", author_file(DEFERS), *option)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith(f"outboard: {said}")


# ── awaiting input ──────────────────────────────────────────────────────────────────────────────────────────────


def test_answers_come_from_the_command_line_or_from_the_defaults(
    outboard: Outboard, author_file: Callable[..., Path]
) -> None:
    note = 'assigned={"chosen_options": ["no"], "params_input": {"note": "late"}}'
    options = ["--answer", "plain=yes", "--answer", note, "--as-user", "bob=Bob", "--fast-forward", "--json"]
    found = document(outboard("run", author_file(ASKS), *options))
    ran = tasks(found)
    assert all(states(task)[:3] == ["running", "awaiting_input", "running"] for task in ran.values())
    told = {task_id: task["xcoms"].get("return_value") for task_id, task in ran.items()}
    bob = {"id": "bob", "name": "Bob"}
    for task_id, expected in {
        "plain": (["yes"], {}, bob, False),
        "assigned": (["no"], {"note": "late"}, bob, False),
        "defaults": (["no"], {"note": "none"}, None, True),
    }.items():
        event = told[task_id]
        keys = ("chosen_options", "params_input", "responded_by_user", "timedout")
        assert tuple(event[key] for key in keys) == expected
    assert (ran["nobody"]["state"], ran["nobody"]["error"]) == ("failed", "ValueError: timeout")
    assert hours_into(found, ran["nobody"]["states"][-1]) == 24
    assert ran["plain"]["states"][2]["reason"] == "Go on with plain?"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "awaits input that will not come: nobody is there to answer; give the answer: --answer 'plain=OPTION'"),
        (["--answer", "plain=maybe"], "'maybe' is not among the options: 'yes', 'no'"),
    ],
)
def test_a_question_without_an_answer_is_a_failure_that_says_what_to_do(
    outboard: Outboard, author_file: Callable[..., Path], options: list[str], said: str
) -> None:
    done = outboard("run", author_file(ASKS), "--task", "plain", *options)
    assert done.code == 1
    assert said in done.err.splitlines()[-1]


def test_who_is_not_assigned_is_refused(outboard: Outboard, author_file: Callable[..., Path]) -> None:
    options = ["--task", "assigned", "--answer", "assigned=yes", "--as-user", "ada=Ada"]
    done = outboard("run", author_file(ASKS), *options)
    assert done.code == 1
    assert "Ada (id ada) is not a respondent for the task, which is assigned to Bob (id bob)" in done.err


def test_a_person_at_the_terminal_is_asked(author_file: Callable[..., Path]) -> None:
    command = [*COMMAND, "run", str(author_file(ASKS)), "--task", "plain", "--as-user", "ada=Ada", "--json"]
    keys, end = os.openpty()
    try:
        with subprocess.Popen(command, stdin=end, stderr=end, stdout=subprocess.PIPE) as process:
            shown = b""
            for prompt, typed in ((b"a number or an option: ", b"2\n"), (b'note ["none"]: ', b"late\n")):
                while prompt not in shown:
                    shown += os.read(keys, 4096)
                os.write(keys, typed)
            # A terminal that nobody reads from is full at some time.
            os.set_blocking(keys, False)
            out, _ = process.communicate(timeout=60)
            assert process.returncode == 0
    finally:
        os.close(keys)
        os.close(end)
    assert b"plain asks: Go on with plain?" in shown
    event = json.loads(out)["tasks"][0]["xcoms"]["return_value"]
    assert (event["chosen_options"], event["params_input"]) == (["no"], {"note": "late"})
    assert event["responded_by_user"] == {"id": "ada", "name": "Ada"}


# ── put off, and other runs ─────────────────────────────────────────────────────────────────────────────────────


def test_sensors_look_again_and_time_out_on_a_clock_that_leaps(
    outboard: Outboard, author_file: Callable[..., Path]
) -> None:
    found = document(outboard("run", author_file(CALLS), "looks", "--var", "looks=0", "--fast-forward", "--json"))
    ran = tasks(found)
    looked = ["running", "up_for_reschedule"]
    assert states(ran["found"]) == [*looked, *looked, "running", "success"]
    assert states(ran["never"])[-2:] == ["running", "failed"]
    assert ran["never"]["error"].startswith("AirflowSensorTimeout: waited 10800")
    assert {task["tries"] for task in ran.values()} == {1}
    assert hours_into(found, ran["never"]["states"][-1]) == 3


def test_runs_of_other_dags_are_made_waited_for_and_reported(
    outboard: Outboard, author_file: Callable[..., Path]
) -> None:
    done = outboard("run", author_file(CALLS), "calls", "--fast-forward", "--json")
    found = document(done)
    ran = tasks(found)
    assert states(ran["defers"]) == ["running", "deferred", "running", "success"]
    assert [ran[task_id]["state"] for task_id in ("polls", "leaves", "unknown")] == ["success", "success", "failed"]
    assert "there is no Dag 'nowhere' here" in ran["unknown"]["error"]
    assert ran["unfit"]["state"] == "failed"
    assert "Dag 'picky'" in ran["unfit"]["error"]
    others = {run["run_id"]: run for run in found["triggered_runs"]}
    assert sorted(others) == ["of defers", "of leaves", "of polls"]
    for run_id, run in others.items():
        [works] = run["tasks"]
        assert (run["dag_id"], run["state"], works["tries"]) == ("child", "success", 2)
        assert works["xcoms"]["return_value"] == {"by": run_id.removeprefix("of ")}
        assert 3600 <= run["duration"] < 7200
    assert "child.works = up_for_retry: again in 3600 s" in done.err
