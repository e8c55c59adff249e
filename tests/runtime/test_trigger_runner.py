"""A trigger of the author's: its class, its first event, its cleanup, and each way in which there is no event."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from outboard.protocol import events, serde
from outboard.protocol import messages as m
from outboard.protocol.conversation import SUPERVISOR, Conversation
from tests.runtime.child import UUID, Child

TI = m.TaskInstance(id=UUID, task_id="waits", dag_id="example", run_id="r1", try_number=2, dag_version_id=UUID)

TRIGGERS = """
from datetime import datetime, timedelta, timezone
import anyio
from outboard import BaseTrigger, Connection, TriggerEvent, Variable
from outboard.sdk.triggers import TaskSkippedEvent

class Tide(BaseTrigger):
    def __init__(self, level, since=None):
        super().__init__()
        self.level, self.since = level, since
    def serialize(self):
        return "author.Tide", {"level": self.level, "since": self.since}
    async def run(self):
        print(f"watching for {self.task_instance.task_id}, try {self.task_instance.try_number}")
        yield TriggerEvent({"level": self.level, "until": self.since and self.since + timedelta(hours=1)})
        print("behind the event")
    async def cleanup(self):
        print("cleaned up")

class Asks(Tide):
    async def run(self):
        async with anyio.create_task_group():
            yield TriggerEvent([Variable.get("harbour"), Connection.get("tides").host])

class Silent(Tide):
    async def run(self):
        if False:
            yield

class Fails(Tide):
    async def run(self):
        self.inside()
        yield
    def inside(self):
        raise RuntimeError("no water")

class Skips(Tide):
    async def run(self):
        yield TaskSkippedEvent(xcoms={"why": ("low", 1)})

class Bare:
    __slots__ = ("n",)
    def __init__(self, n):
        self.n = n
    async def run(self):
        yield TriggerEvent(self.n)

class Odd(Tide):
    async def run(self):
        yield "high"

class Unsendable(Tide):
    async def run(self):
        yield TriggerEvent({"a": [object()]})

class DirtyCleanup(Tide):
    async def cleanup(self):
        raise OSError("no broom")

class Endless(Tide):
    async def run(self):
        for number in range(1_000_000):
            yield TriggerEvent(number)
            await anyio.sleep(3600)

class FailsLater(Tide):
    async def run(self):
        yield TriggerEvent(1)
        raise OSError("too late")

class Patient(Tide):
    async def run(self):
        print("waiting")
        try:
            await anyio.sleep_forever()
        finally:
            print("interrupted")
        yield
    async def cleanup(self):
        await anyio.sleep(0)
        print("cleaned up after that")

class Group:
    class Inner(Bare):
        pass

NUMBER = 3
"""


def trigger(classpath: str, **kwargs: Any) -> m.RunTrigger:
    return m.RunTrigger(ti=TI, classpath=classpath, trigger_kwargs=serde.serialize(kwargs))


def run(folder: Path, classpath: str, source: str = TRIGGERS, **kwargs: Any) -> tuple[Any, Child]:
    with Child(folder, source) as child:
        child.answers = {
            "GetVariable": lambda asked: m.VariableResult(key=asked.key, value="north"),
            "GetConnection": lambda asked: m.ConnectionResult(
                conn_id=asked.conn_id, conn_type="http", host="tides.example", schema=None, login=None, password=None,
                port=None, extra=None,
            ),
        }  # fmt: skip
        child.greet(trigger(classpath, **kwargs))
        report = child.serve()
        assert child.process.wait(30) == 0
    return report, child


def test_the_first_event_is_the_report_and_the_trigger_cleans_up_before_it(tmp_path: Path) -> None:
    report, child = run(tmp_path, "author.Tide", level=3)
    assert report == m.TriggerFired(payload={"level": 3, "until": None})
    assert child.logged("task.stdout") == ["watching for waits, try 2", "behind the event", "cleaned up"]
    assert [type(request).__name__ for request in child.requests] == ["TriggerFired"]


def test_arguments_and_event_are_in_airflows_encoding(tmp_path: Path) -> None:
    from datetime import UTC, datetime, timedelta

    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    report, _ = run(tmp_path, "author.Tide", level=3, since=noon)
    assert serde.deserialize(report.payload) == {"level": 3, "until": noon + timedelta(hours=1)}
    assert report.payload["until"]["__classname__"] == "datetime.datetime"


def test_variables_and_connections_are_asked_for_as_in_a_task(tmp_path: Path) -> None:
    report, child = run(tmp_path, "author.Asks", level=3)
    assert report.payload == ["north", "tides.example"]
    assert [type(request).__name__ for request in child.requests] == ["GetVariable", "GetConnection", "TriggerFired"]


def test_an_event_that_ends_the_task_carries_its_state_and_xcoms(tmp_path: Path) -> None:
    report, _ = run(tmp_path, "author.Skips", level=3)
    assert (report.task_instance_state, serde.deserialize(report.xcoms)) == ("skipped", {"why": ("low", 1)})


@pytest.mark.parametrize("classpath", ["author.Bare", "author.Group.Inner"])
def test_a_class_needs_no_root_and_may_stand_inside_another(tmp_path: Path, classpath: str) -> None:
    report, _ = run(tmp_path, classpath, n=7)
    assert report.payload == 7


def test_a_trigger_that_ends_without_an_event_has_failed(tmp_path: Path) -> None:
    report, child = run(tmp_path, "author.Silent", level=3)
    assert report == m.TriggerFailed(
        error="the trigger 'author.Silent' ended without an event; it must yield a TriggerEvent", traceback=[]
    )
    assert child.logged("task.stdout") == ["cleaned up"]


def test_what_a_trigger_raises_is_told_with_the_authors_frames_only(tmp_path: Path) -> None:
    report, child = run(tmp_path, "author.Fails", level=3)
    assert report.error == "the trigger 'author.Fails' failed: RuntimeError: no water"
    assert report.traceback[-1] == "RuntimeError: no water"
    assert any("in inside" in line for line in report.traceback)
    assert not any("outboard/runtime" in line for line in report.traceback)
    assert child.logged("task.stdout") == ["cleaned up"]
    assert not report.is_missing


def test_a_cleanup_that_raises_is_logged_and_the_event_stands(tmp_path: Path) -> None:
    report, child = run(tmp_path, "author.DirtyCleanup", level=3)
    assert report.payload == {"level": 3, "until": None}
    [said] = [record for record in child.records if record["logger"] == "trigger"]
    assert (said["level"], said["exception"][0]["exc_value"]) == ("error", "no broom")


def test_only_the_first_event_counts_of_a_trigger_that_goes_on(tmp_path: Path) -> None:
    report, child = run(tmp_path, "author.Endless", level=3)
    assert report.payload == 0
    assert child.logged("task.stdout") == ["cleaned up"]


def test_what_is_raised_behind_the_event_is_logged_and_the_event_stands(tmp_path: Path) -> None:
    report, child = run(tmp_path, "author.FailsLater", level=3)
    assert report.payload == 1
    [said] = [record for record in child.records if record["logger"] == "trigger"]
    assert said["exception"][0]["exc_value"] == "too late"


@pytest.mark.parametrize(
    ("classpath", "why"),
    [
        ("airflow.providers.http.triggers.http.HttpTrigger", "there is no module 'airflow'"),
        ("author.Ebb", "the module 'author' has no 'Ebb'"),
        ("author.Group.Outer", "the module 'author' has no 'Group.Outer'"),
        ("Tide", "that is no path of a class"),
        ("author..Tide", "that is no path of a class"),
    ],
)
def test_a_class_that_the_bundle_lacks_is_named_with_what_to_do(tmp_path: Path, classpath: str, why: str) -> None:
    report, _ = run(tmp_path, classpath)
    assert report.is_missing
    assert report.error.startswith(f"the trigger {classpath!r} cannot be imported in the bundle's environment: {why}")
    assert "put its class into the file" in report.error


def test_a_module_that_is_there_and_needs_one_that_is_not_is_no_missing_class(tmp_path: Path) -> None:
    report, _ = run(tmp_path, "author.Tide", "import no_such_library\n")
    assert not report.is_missing
    assert report.error == "the trigger 'author.Tide' failed: ModuleNotFoundError: No module named 'no_such_library'"
    assert report.traceback[-1] == "ModuleNotFoundError: No module named 'no_such_library'"


@pytest.mark.parametrize(
    ("classpath", "kwargs", "error"),
    [
        ("author.Tide", {}, "TypeError: "),
        ("author.NUMBER", {}, "'author.NUMBER' is no class, but 3"),
        ("author.Odd", {"level": 1}, "the trigger 'author.Odd' yielded 'high', which is no TriggerEvent"),
        (
            "author.Unsendable",
            {"level": 1},
            "the event of the trigger 'author.Unsendable' cannot be sent: payload.a[0]",
        ),
        ("outboard.DateTimeTrigger", {"target_time": "2026"}, "NotImplementedError: airflow.providers.standard"),
    ],
)
def test_each_other_mistake_is_one_sentence(tmp_path: Path, classpath: str, kwargs: Any, error: str) -> None:
    report, _ = run(tmp_path, classpath, **kwargs)
    assert error in report.error


def test_a_sigterm_cancels_the_trigger_which_cleans_up_and_is_reported(tmp_path: Path) -> None:
    with Child(tmp_path, TRIGGERS) as child:
        child.greet(trigger("author.Patient", level=3))
        while child.next_record()["event"] != "waiting":
            pass
        os.kill(child.process.pid, signal.SIGTERM)
        report = child.serve()
        assert child.process.wait(30) == 0
    assert (
        report.error == f"the trigger 'author.Patient' was terminated: the supervisor sent signal {int(signal.SIGTERM)}"
    )
    assert child.logged("task.stdout") == ["waiting", "interrupted", "cleaned up after that"]


def test_over_sockets_a_trigger_is_refused_since_airflow_runs_triggers_elsewhere(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as comm, socket.create_server(("127.0.0.1", 0)) as logs:
        flags = (f"--comm=127.0.0.1:{comm.getsockname()[1]}", f"--logs=127.0.0.1:{logs.getsockname()[1]}")
        with Child(tmp_path, TRIGGERS, *flags) as child:
            lines, frames = logs.accept()[0], comm.accept()[0]
            conversation = Conversation(SUPERVISOR)
            frames.sendall(conversation.send_greeting(trigger("author.Tide", level=3)))
            assert frames.recv(1) == b""
            assert child.process.wait(30) == 70
            assert b"RunTrigger is for standard descriptors" in lines.makefile("rb").read()
            lines.close()
            frames.close()
    assert [type(event) for event in conversation.receive_eof()] == [events.PeerClosed]
