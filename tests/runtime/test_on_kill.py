"""``on_kill`` in a real process: called once, whatever ends the task from outside, and whatever the body is doing."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from outboard.protocol import events
from outboard.protocol import messages as m
from outboard.runtime.signals import EXIT_PEER_LOST
from tests.runtime.child import Child, startup

OPERATOR = """
import os, signal, time
from datetime import timedelta
from pathlib import Path
from outboard import DAG, BaseAsyncOperator, BaseOperator, Connection, Variable

TRACE = Path(__file__).with_name("killed")

class Starts(BaseOperator):
    def execute(self, context):
        {body}
    def on_kill(self):
        with TRACE.open("a") as trace:
            trace.write(self.task_id + "\\n")
        {on_kill}

class Awaits(Starts, BaseAsyncOperator):
    async def aexecute(self, context):
        import anyio
        try:
            print("began")
            await anyio.sleep(600)
        finally:
            print("cleaned up")

with DAG("example"):
    {kind}(task_id="body", **{arguments})
"""
BUSY = """print("began")
        while True: pass"""
ASLEEP = "print('began'); time.sleep(600)"
ASKING = "print('began'); Variable.get('never answered')"
FORGIVING = """
        try:
            print("began")
            time.sleep(600)
        except BaseException as error:
            return type(error).__name__"""


def child(
    folder: Path, body: str = BUSY, on_kill: str = "pass", kind: str = "Starts", arguments: str = "{}", **options: str
) -> Child:
    source = OPERATOR.format(body=body, on_kill=on_kill, kind=kind, arguments=arguments)
    return Child(folder, source, **options)  # type: ignore[arg-type]


def begin(process: Child) -> None:
    """Wait until the body runs."""
    process.greet(startup("body", should_retry=True))
    assert process.next_record()["event"] == "began"


def killed(folder: Path) -> list[str]:
    trace = folder / "killed"
    return trace.read_text().split() if trace.exists() else []


# ── SIGTERM ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("kind", ["Starts", "Awaits"])
@pytest.mark.parametrize("body", [BUSY, ASLEEP])
def test_a_task_that_is_told_to_stop_ends_what_it_has_started_elsewhere(
    tmp_path: Path, body: str, kind: str, number: int
) -> None:
    with child(tmp_path, body, kind=kind) as process:
        begin(process)
        os.kill(process.process.pid, number)
        report = process.serve()
    assert killed(tmp_path) == ["body"]
    assert report.state == "up_for_retry"
    assert any("terminated" in event for event in process.logged("task"))
    assert ("cleaned up" in process.logged()) == (kind == "Awaits")


def test_it_is_called_before_the_body_is_interrupted(tmp_path: Path) -> None:
    with child(tmp_path, FORGIVING, "print('on_kill')") as process:
        begin(process)
        os.kill(process.process.pid, signal.SIGTERM)
        report = process.serve()
    assert report.state == "success"
    assert process.requests[0].value == "AirflowTaskTerminated"
    assert process.logged("task.stdout") == ["began", "on_kill"]


def test_it_may_ask_the_supervisor(tmp_path: Path) -> None:
    with child(tmp_path, BUSY, "print(Variable.get('job'))") as process:
        process.answers["GetVariable"] = lambda _: m.VariableResult(key="job", value="job 7")
        begin(process)
        os.kill(process.process.pid, signal.SIGTERM)
        report = process.serve()
    assert report.state == "up_for_retry"
    assert "job 7" in process.logged("task.stdout")


def test_it_may_ask_the_supervisor_while_the_body_waits_for_an_answer(tmp_path: Path) -> None:
    with child(tmp_path, ASKING, "print(Variable.get('job'))") as process:
        process.answers["GetVariable"] = lambda asked: m.VariableResult(key=asked.key, value="job 7")
        begin(process)
        unanswered = process.next_event()
        assert isinstance(unanswered, events.Request)
        os.kill(process.process.pid, signal.SIGTERM)
        report = process.serve()
    assert report.state == "up_for_retry"
    assert [request.key for request in process.requests if isinstance(request, m.GetVariable)] == ["job"]
    assert process.logged("task.stdout") == ["began", "job 7"]


def test_an_answer_that_comes_too_late_disturbs_nothing(tmp_path: Path) -> None:
    with child(tmp_path, ASKING, "print(Variable.get('job'))") as process:
        begin(process)
        unanswered = process.next_event()
        assert isinstance(unanswered, events.Request)
        os.kill(process.process.pid, signal.SIGTERM)
        asked = process.next_event()
        assert isinstance(asked, events.Request)
        for request, value in ((unanswered, "late"), (asked, "job 7")):
            process.write(process.conversation.send_reply(request.id, m.VariableResult(key="job", value=value)))
        report = process.serve()
    assert report.state == "up_for_retry"
    assert process.logged("task.stdout") == ["began", "job 7"]


def test_one_that_raises_is_told_in_the_log_and_changes_nothing(tmp_path: Path) -> None:
    with child(tmp_path, BUSY, "raise ValueError('no such job')") as process:
        begin(process)
        os.kill(process.process.pid, signal.SIGTERM)
        report = process.serve()
    assert report.state == "up_for_retry"
    assert killed(tmp_path) == ["body"]
    [record] = [record for record in process.records if record["event"] == "on_kill raised an exception"]
    assert record["exception"][0]["exc_value"] == "no such job"


def test_one_that_leaves_the_process_leaves_it_at_once(tmp_path: Path) -> None:
    with child(tmp_path, BUSY, "os._exit(3)") as process:
        begin(process)
        os.kill(process.process.pid, signal.SIGTERM)
        assert process.serve() is None
        assert process.process.wait(30) == 3


def test_a_second_sigterm_ends_one_that_takes_too_long(tmp_path: Path) -> None:
    with child(tmp_path, BUSY, "print('ending'); time.sleep(600)") as process:
        begin(process)
        os.kill(process.process.pid, signal.SIGTERM)
        assert process.next_record()["event"] == "ending"
        os.kill(process.process.pid, signal.SIGTERM)
        assert process.serve() is None
        assert process.process.wait(30) == 128 + signal.SIGTERM
    assert killed(tmp_path) == ["body"]


def test_a_body_that_has_ended_by_itself_is_not_killed(tmp_path: Path) -> None:
    with child(tmp_path, "return 1") as process:
        process.greet(startup("body"))
        pushing = process.next_event()
        assert isinstance(pushing, events.Request)
        os.kill(process.process.pid, signal.SIGTERM)
        assert process.serve().state == "failed"
    assert killed(tmp_path) == []


# ── too long, and nobody there ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("on_kill", ["pass", "raise ValueError('no such job')", "print(Variable.get('job'))"])
@pytest.mark.parametrize("kind", ["Starts", "Awaits"])
def test_a_task_that_takes_too_long_ends_what_it_has_started_elsewhere(tmp_path: Path, on_kill: str, kind: str) -> None:
    arguments = "{'execution_timeout': timedelta(seconds=0.1)}"
    with child(tmp_path, BUSY, on_kill, kind, arguments) as process:
        process.answers["GetVariable"] = lambda _: m.VariableResult(key="job", value="job 7")
        report = process.run(should_retry=True)
    assert report.state == "up_for_retry"
    assert killed(tmp_path) == ["body"]
    assert any("timed out" in event for event in process.logged("task"))


@pytest.mark.parametrize("body", [BUSY, ASLEEP, ASKING])
@pytest.mark.parametrize("on_kill", ["pass", "raise ValueError('no such job')", "Variable.get('job')"])
def test_a_task_that_loses_its_supervisor_ends_what_it_has_started_elsewhere(
    tmp_path: Path, body: str, on_kill: str
) -> None:
    with child(tmp_path, body, on_kill) as process:
        begin(process)
        if body is ASKING:
            assert isinstance(process.next_event(), events.Request)
        for stream in (process.process.stdin, process.process.stdout, process.process.stderr):
            assert stream is not None
            stream.close()
        assert process.process.wait(30) in (-signal.SIGKILL, EXIT_PEER_LOST)
    assert killed(tmp_path) == ["body"]


def test_a_body_whose_request_finds_nobody_there_ends_what_it_has_started_elsewhere(tmp_path: Path) -> None:
    with child(tmp_path, ASKING) as process:
        begin(process)
        assert isinstance(process.next_event(), events.Request)
        assert process.process.stdin is not None
        process.process.stdin.close()
        assert process.process.wait(30) == EXIT_PEER_LOST
    assert killed(tmp_path) == ["body"]


def test_a_task_that_goes_on_after_a_wait_can_be_killed_too(tmp_path: Path) -> None:
    source = OPERATOR.format(body="print('began')", on_kill="pass", kind="Starts", arguments="{}")
    source = source.replace(
        "class Awaits",
        "    def go_on(self, context, event=None):\n        self.execute(context)\n        time.sleep(600)\n\nclass Awaits",
    )
    with Child(tmp_path, source) as process:
        process.greet(startup("body", next_method="go_on", next_kwargs={"event": 1}))
        assert process.next_record()["event"] == "began"
        os.kill(process.process.pid, signal.SIGTERM)
        assert process.serve().state == "failed"
    assert killed(tmp_path) == ["body"]
