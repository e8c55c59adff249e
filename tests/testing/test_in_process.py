"""Where a body runs: in the caller's thread, under its debugger and its fixtures, and beside its event loop."""

from __future__ import annotations

import asyncio
import contextvars
import signal
import subprocess
import sys
import threading
import unittest
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis.errors import UnsatisfiedAssumption

from outboard import Variable, get_current_context, task
from outboard.errors import UsageError
from outboard.protocol import messages as m
from outboard.testing import in_memory_supervisor, run_task
from outboard.testing.in_process import MODULE

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE")


def here() -> str:
    return threading.current_thread().name


async def here_awaited() -> str:
    await anyio.lowlevel.checkpoint()
    return here()


# ── the caller's thread ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("body", [here, here_awaited])
def test_the_body_runs_in_the_callers_thread(body: Callable[[], Any]) -> None:
    assert run_task(body).value == threading.current_thread().name
    found = []
    thread = threading.Thread(target=lambda: found.append(run_task(body).value), name="another")
    thread.start()
    thread.join()
    assert found == ["another"]


def test_the_body_sees_what_fixtures_have_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AUTHOR", "set")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Variable, "get", lambda key: f"patched {key}")
    VARIABLE.set("of the test")

    def body() -> list[str]:
        import os

        return [os.environ["AUTHOR"], os.getcwd(), Variable.get("a"), VARIABLE.get()]

    assert run_task(body).value == ["set", str(tmp_path), "patched a", "of the test"]


def test_a_breakpoint_stops_in_the_body(monkeypatch: pytest.MonkeyPatch) -> None:
    stopped = []

    def hook(*_: Any, **__: Any) -> None:
        frame = sys._getframe(1)
        stopped.append((frame.f_code.co_name, list(frame.f_locals["rows"]), here()))

    def body() -> None:
        rows = [1, 2]
        breakpoint()
        rows.clear()

    monkeypatch.setattr(sys, "breakpointhook", hook)
    assert run_task(body).state == "success"
    assert stopped == [("body", [1, 2], threading.current_thread().name)]


DEBUGGED = """
from outboard.testing import run_task

def body():
    rows = [1, 2]
    breakpoint()
    print("rows are", rows)
    return len(rows)

def test_body():
    result = run_task(body)
    assert result.value == 2

if __name__ == "__main__":
    test_body()
"""


@pytest.mark.parametrize("how", [[], ["-m", "pytest", "-q", "-p", "no:cacheprovider"]], ids=["python", "pytest"])
def test_pdb_shows_the_bodys_variables_and_goes_on(tmp_path: Path, how: list[str]) -> None:
    file = tmp_path / "test_debugged.py"
    file.write_text(DEBUGGED)
    done = subprocess.run(
        [sys.executable, *how, file],
        input="p len(rows) * 21\nc\n", capture_output=True, text=True, timeout=60, check=False,
        cwd=tmp_path,
    )  # fmt: skip
    assert "(Pdb) 42" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0, done.stdout + done.stderr


# ── exceptions that are the test's ────────────────────────────────────────────────────────────────────────────────────


def test_a_body_can_fail_its_test() -> None:
    with pytest.raises(pytest.fail.Exception, match="must not be called"):
        run_task(lambda: pytest.fail("must not be called"))


def test_a_body_can_skip_its_test() -> None:
    with pytest.raises(pytest.skip.Exception):
        run_task(lambda: pytest.skip("not here"))
    with pytest.raises(unittest.SkipTest):
        run_task(lambda: unittest.TestCase().skipTest("not here"))


def test_an_interrupt_stops_the_test_and_no_policy_is_asked() -> None:
    asked: list[BaseException] = []

    class Policy:
        def evaluate(self, error: BaseException, *_: Any) -> Any:
            asked.append(error)

    def body() -> None:
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run_task(task(retries=1, retry_policy=Policy())(body))
    assert asked == []
    assert run_task(lambda: 3).value == 3


def test_a_failed_assertion_in_the_body_is_the_tasks_failure() -> None:
    def body() -> None:
        assert 1 + 1 == 3

    assert isinstance(run_task(body).exception, AssertionError)


def test_an_example_of_hypothesis_can_be_turned_down_in_the_body() -> None:
    def body() -> None:
        raise UnsatisfiedAssumption

    with pytest.raises(UnsatisfiedAssumption):
        run_task(body)


# ── one at a time ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_task_that_runs_a_task_is_told_why_it_cannot() -> None:
    result = run_task(lambda: run_task(lambda: 3).value)
    assert isinstance(result.exception, UsageError)
    assert "one at a time" in result.error
    assert run_task(lambda: 3).value == 3


# ── event loops ───────────────────────────────────────────────────────────────────────────────────────────────────────


def starts_a_loop() -> str:
    return asyncio.run(here_awaited())


async def loops(body: Callable[[], Any]) -> Any:
    VARIABLE.set("of the loop")
    result = run_task(body, variables={"a": "b"})
    await anyio.lowlevel.checkpoint()
    return result


@pytest.mark.anyio
@pytest.mark.parametrize("body", [here, here_awaited, starts_a_loop])
async def test_beside_an_event_loop_the_body_runs_in_a_thread_of_its_own(body: Callable[[], Any]) -> None:
    result = await loops(body)
    assert (result.state, result.value) == ("success", "outboard-task"), result


def test_asyncios_own_runner_will_do_too() -> None:
    assert asyncio.run(loops(here_awaited)).value == "outboard-task"


@pytest.mark.anyio
async def test_beside_an_event_loop_everything_else_is_as_usual(capsys: pytest.CaptureFixture[str]) -> None:
    async def body(ti: Any) -> list[str]:
        print("printed")
        return [Variable.get("a"), VARIABLE.get(), get_current_context()["run_id"]]

    result = await loops(body)
    assert result.value == ["b", "of the loop", "manual__2026-01-01T00:00:00+00:00"]
    assert (result.text, capsys.readouterr().out) == ("printed", "printed\n")
    assert (await loops(lambda: 1 / 0)).error == "ZeroDivisionError: division by zero"
    with pytest.raises(pytest.fail.Exception):
        await loops(lambda: pytest.fail("must not be called"))


@pytest.fixture
async def of_a_loop() -> str:
    await anyio.lowlevel.checkpoint()
    return "made in a loop"


@pytest.mark.anyio
@pytest.mark.parametrize("number", [1, 2])
async def test_a_fixture_of_a_loop_can_be_used(of_a_loop: str, number: int) -> None:
    assert run_task(here_awaited).value == "outboard-task"


def test_an_interruption_of_the_caller_cancels_a_coroutine() -> None:
    ended = []

    async def body() -> None:
        try:
            # In the main thread, which waits for this one.
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            await anyio.sleep_forever()
        finally:
            ended.append(True)

    class Interruption(BaseException):
        pass

    def interrupt(*_: Any) -> None:
        raise Interruption

    async def test() -> None:
        with pytest.raises(Interruption):
            run_task(body)

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        asyncio.run(test())
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert ended == [True]
    assert run_task(lambda: 3).value == 3


# ── time limits ───────────────────────────────────────────────────────────────────────────────────────────────────────


@task(execution_timeout=timedelta(hours=1))
def limited() -> int:
    return 3


@pytest.mark.anyio
async def test_a_time_limit_beside_an_event_loop_is_refused() -> None:
    with pytest.raises(UsageError, match="beside the event loop of an async test; run it in a plain"):
        run_task(limited)


def test_a_time_limit_in_another_thread_is_refused() -> None:
    raised: list[BaseException] = []

    def run() -> None:
        try:
            run_task(limited)
        except UsageError as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "in another thread than the main one" in str(raised[0])


# ── the supervisor beside it ──────────────────────────────────────────────────────────────────────────────────────────


def test_a_supervisor_that_fails_is_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def answer(*_: Any, **__: Any) -> Any:
        raise LookupError("the store is gone")

    monkeypatch.setattr(in_memory_supervisor.handlers, "answer", answer)
    with pytest.raises(ExceptionGroup) as raised:
        run_task(lambda: Variable.get("a"))
    assert str(raised.value.exceptions[0]) == "the store is gone"
    assert MODULE not in sys.modules
    monkeypatch.undo()
    assert run_task(lambda: 3).value == 3


def test_many_threads_of_a_body_ask_at_once() -> None:
    def body() -> list[str]:
        found: list[str] = []
        threads = [threading.Thread(target=lambda: found.append(Variable.get("a"))) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    assert run_task(body, variables={"a": "b"}).value == ["b"] * 20


def test_values_larger_than_any_buffer_go_both_ways() -> None:
    large = "x" * 5_000_000

    def body(ti: Any) -> int:
        for number in range(200):
            print("y" * 10_000, number)
        return len(ti.xcom_pull("one"))

    result = run_task(body, xcoms={"one": large})
    assert (result.value, len(result.log)) == (5_000_000, 200)


def test_the_rest_of_the_catalogue_is_refused_by_name() -> None:
    def body() -> None:
        from outboard.errors import ServerError
        from outboard.sdk import client

        with pytest.raises(ServerError, match="GetAssetByName"):
            client.current()._channel.request(m.GetAssetByName(name="a"))  # type: ignore[attr-defined]

    assert run_task(body).state == "success"
