"""``execution_timeout`` in a real process: how a body ends that takes too long, and who is told of the limit."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from outboard.protocol import events
from outboard.protocol import messages as m
from outboard.protocol.versions import DEFAULT_SCHEMA, LATEST_SCHEMA
from tests.runtime.child import Child, startup
from tests.runtime.test_task_runner import run, source

BUSY = "def body():\n    while True:\n        pass"
ASLEEP = "def body():\n    import time\n    time.sleep(600)"
ASKING = "def body():\n    Variable.get('never answered')"
AWAITING = "async def body():\n    import anyio\n    await anyio.sleep(600)"
# Whose alarm goes off where the test wants it.
RINGING_COROUTINE = """
async def body():
    import anyio, signal
    try:
        signal.raise_signal(signal.SIGALRM)
        await anyio.sleep(600)
    finally:
        print('cleaned up')
"""
FORGIVING = """
def body():
    import signal
    from outboard.sdk.exceptions import AirflowTaskTimeout
    try:
        while True:
            try:
                signal.raise_signal(signal.SIGALRM)
            except Exception:
                pass
    except AirflowTaskTimeout as error:
        return str(error)
"""


def limited(body: str, seconds: float) -> str:
    return source(body, decorator=f"@task(execution_timeout=timedelta(seconds={seconds}))")


@pytest.mark.parametrize("body", [BUSY, ASLEEP, AWAITING])
@pytest.mark.parametrize(("should_retry", "state"), [(True, "up_for_retry"), (False, "failed")])
def test_a_body_that_takes_too_long_is_interrupted_and_the_retry_decision_follows(
    tmp_path: Path, body: str, should_retry: bool, state: str
) -> None:
    report, child = run(tmp_path, limited(body, 0.1), should_retry=should_retry)
    assert report.state == state
    [said] = child.logged("task")
    assert said == "timed out: the task ran for longer than its execution timeout, 0.1 seconds"
    [record] = [record for record in child.records if "exception" in record]
    assert record["exception"][0]["exc_type"] == "AirflowTaskTimeout"


def test_a_request_that_is_under_way_is_given_up(tmp_path: Path) -> None:
    with Child(tmp_path, limited(ASKING, 600)) as child:
        child.greet(startup("body"))
        assert isinstance(child.next_event(), events.Request)  # and no answer
        os.kill(child.process.pid, signal.SIGALRM)  # as the alarm does, at a moment that no clock chooses
        assert child.serve().state == "failed"
    assert any("timed out" in event for event in child.logged("task"))


def test_a_coroutine_cleans_up_when_its_time_is_up(tmp_path: Path) -> None:
    report, child = run(tmp_path, limited(RINGING_COROUTINE, 600))
    assert report.state == "failed"
    assert "cleaned up" in child.logged("task.stdout")
    assert any("timed out" in event for event in child.logged("task"))


def test_ordinary_error_handling_lets_a_timeout_pass_and_its_own_may_go_on(tmp_path: Path) -> None:
    report, child = run(tmp_path, limited(FORGIVING, 600))
    assert report.state == "success"
    assert child.requests[0].value == "the task ran for longer than its execution timeout, 600 seconds"


def test_a_body_that_ends_in_time_leaves_no_alarm_behind(tmp_path: Path) -> None:
    body = """
def body():
    import atexit, signal
    atexit.register(lambda: print(signal.getitimer(signal.ITIMER_REAL), signal.getsignal(signal.SIGALRM)))
    return 'in time'
"""
    report, child = run(tmp_path, limited(body, 600))
    assert report.state == "success"
    assert child.logged("task.stdout") == ["(0.0, 0.0) 0"]


@pytest.mark.parametrize("seconds", [0, -5])
def test_no_time_at_all_is_too_little_before_the_body_begins(tmp_path: Path, seconds: float) -> None:
    report, child = run(tmp_path, limited("def body():\n    print('began')", seconds))
    assert report.state == "failed"
    assert "began" not in child.logged()
    assert f"the execution timeout is {seconds} seconds, so there was no time at all" in repr(child.said())


@pytest.mark.parametrize(("schema", "told"), [(DEFAULT_SCHEMA, []), (LATEST_SCHEMA, [600.0])])
def test_a_supervisor_that_has_a_message_for_it_is_told_of_the_limit(
    tmp_path: Path, schema: str, told: list[float]
) -> None:
    with Child(tmp_path, limited("def body():\n    pass", 600), schema=schema) as child:
        assert child.run().state == "success"
    assert [each.timeout_seconds for each in child.requests if isinstance(each, m.SetExecutionTimeout)] == told


def test_a_supervisor_that_cannot_take_the_limit_leaves_it_to_the_task(tmp_path: Path) -> None:
    with Child(tmp_path, limited(BUSY, 0.1), schema=LATEST_SCHEMA) as child:
        child.answers["SetExecutionTimeout"] = lambda _: m.ErrorResponse(error="API_SERVER_ERROR")
        report = child.run(should_retry=True)
    assert report.state == "up_for_retry"
    assert any("timed out" in event for event in child.logged("task"))
    assert any("only the task itself enforces" in event for event in child.logged("outboard"))


def test_a_method_that_goes_on_after_a_wait_is_limited_too(tmp_path: Path) -> None:
    text = """
from datetime import timedelta
from outboard import DAG, BaseOperator

class Waits(BaseOperator):
    def go_on(self, context, event=None):
        while True:
            pass

with DAG("example"):
    Waits(task_id="body", execution_timeout=timedelta(seconds=0.1))
"""
    report, child = run(tmp_path, text, next_method="go_on", next_kwargs={"event": None}, should_retry=True)
    assert report.state == "up_for_retry"
    assert any("timed out" in event for event in child.logged("task"))
