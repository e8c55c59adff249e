"""``real=True``: the same task in a process of its own, and the same result."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from outboard import DAG, TaskRegistry, task
from outboard.errors import LoadError, UsageError
from outboard.testing import RemoteTaskError, TaskResult, run_task
from tests.testing.conftest import AuthorModule

DAY = datetime(2026, 3, 4, 5, tzinfo=UTC)

STATES = """
import os
from datetime import UTC, datetime, timedelta

from outboard import (
    BaseOperator, Connection, DAG, RetryDecision, RetryPolicy, TriggerDagRunOperator, Variable, task,
)
from outboard.sdk.exceptions import (
    AirflowRescheduleException, AirflowSkipException, DownstreamTasksSkipped, TaskAwaitingInput,
)

class Trigger:
    def serialize(self):
        return "author.Trigger", {"path": "/in"}

class Policy(RetryPolicy):
    def evaluate(self, exception, *_, **__):
        return RetryDecision.retry(timedelta(minutes=3), reason="it is busy")

class Waits(BaseOperator):
    def execute(self, context):
        context["ti"].xcom_push("left", (1, 2))
        self.defer(trigger=Trigger(), method_name="go_on", kwargs={"since": datetime(2026, 3, 4, 5, tzinfo=UTC)}, timeout=60)

    def go_on(self, context, since, event):
        return [since, event, context["ti"].xcom_pull(key="left")]

with DAG("states") as states:
    Waits(task_id="deferred")

    @task(multiple_outputs=False)
    def success(rows, ds=None, dag_run=None, ti=None):
        print("rows are", rows)
        Variable.set("new", Connection.get("db").host)
        ti.xcom_push("ds", ds)
        return {"rows": tuple(rows), "conf": dag_run.conf, "try": ti.try_number, "old": Variable.get("old")}

    success(task(task_id="extract")(lambda: None)())

    @task
    def failed():
        raise ValueError("no rows")

    @task(retries=2, retry_policy=Policy())
    def up_for_retry():
        raise OSError("later")

    @task
    def skipped():
        raise AirflowSkipException("no rows today")

    @task
    def up_for_reschedule():
        raise AirflowRescheduleException(datetime(2026, 3, 4, 5, tzinfo=UTC))

    @task
    def awaiting_input():
        raise TaskAwaitingInput(method_name="answered", kwargs={"a": 1})

    @task
    def skips():
        raise DownstreamTasksSkipped(tasks=["failed", ("skipped", 1)])

    @task(on_failure_callback=lambda context: 1 / 0)
    def cannot_be_stored():
        return object()

    for declare in (failed, up_for_retry, skipped, up_for_reschedule, awaiting_input, skips, cannot_be_stored):
        declare()

    TriggerDagRunOperator(
        task_id="asks", trigger_dag_id="other", trigger_run_id="r1", conf={"a": 1}, wait_for_completion=True,
        logical_date="2026-03-04", poke_interval=0,
    )

    if "ONLY_IN_THE_TEST" in os.environ:
        task(task_id="removed")(lambda: 3)()
"""

FIELDS = (
    "state", "reason", "value", "error", "xcoms", "variables", "skipped", "deferral", "human_input", "reschedule_date",
    "retry_delay", "retry_reason", "triggered_runs", "rendered_fields",
)  # fmt: skip


def told(result: TaskResult[Any]) -> dict[str, Any]:
    log = [(record["event"], record["level"], record["logger"]) for record in result.log]
    return {**{name: getattr(result, name) for name in FIELDS}, "log": log}


GIVEN: dict[str, dict[str, Any]] = {
    "success": {
        "variables": {"old": "o"},
        "connections": {"db": "postgres://db.example"},
        "xcoms": {"extract": [1, 2]},
        "context": {"logical_date": DAY, "try_number": 2, "max_tries": 2, "conf": {"a": 1}},
    },
}


@pytest.mark.parametrize(
    "task_id",
    [
        "success",
        "failed",
        "up_for_retry",
        "skipped",
        "deferred",
        "up_for_reschedule",
        "awaiting_input",
        "skips",
        "asks",
    ],
)
def test_a_task_gives_the_same_result_in_both_ways(author_module: AuthorModule, task_id: str) -> None:
    operator = author_module(STATES).states.get_task(task_id)
    given = GIVEN.get(task_id, {})
    here, there = run_task(operator, **given), run_task(operator, real=True, **given)
    assert told(there) == told(here)
    assert there.state == ("success" if task_id in ("skips", "asks") else task_id)
    assert (there.retry_reason is not None) == (task_id == "up_for_retry")
    assert len(there.triggered_runs) == (task_id == "asks")
    if here.exception is not None:
        assert isinstance(there.exception, RemoteTaskError)
        assert there.exception.type_name == type(here.exception).__name__
        assert there.exception.chain[0]["frames"][-1]["name"] == task_id


def test_a_deferred_task_is_resumed(author_module: AuthorModule) -> None:
    operator = author_module(STATES).states.get_task("deferred")
    given: dict[str, Any] = {
        "xcoms": {("deferred", "left"): (1, 2)},
        "context": {"next_method": "go_on", "next_kwargs": {"since": DAY}, "event": {"at": DAY}},
    }
    result = run_task(operator, real=True, **given)
    assert result.value == [DAY, {"at": DAY}, (1, 2)]
    assert told(result) == told(run_task(operator, **given))


def test_a_task_that_the_file_does_not_declare_in_its_own_process_is_removed(
    author_module: AuthorModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONLY_IN_THE_TEST", "yes")
    operator = author_module(STATES).states.get_task("removed")
    assert run_task(operator).state == "success"
    result = run_task(operator, real=True)
    assert result.state == "removed"


def test_a_failure_without_a_traceback_and_with_a_callback_that_fails_is_told(author_module: AuthorModule) -> None:
    result = run_task(author_module(STATES).states.get_task("cannot_be_stored"), real=True)
    assert result.state == "failed"
    assert "cannot be stored" in result.text


OTHERS = """
import logging
import os
import subprocess
import sys

import structlog

from outboard import TaskRegistry, dag, task
from outboard.sdk.client import current

handlers = TaskRegistry()

@handlers.task("elsewhere", "load-rows")
def load(ti):
    return f"{ti.dag_id} {ti.task_id}"

@dag(dag_id="speaks-up")
def factory():
    @task
    def speaks():
        print("printed")
        logging.getLogger("author").warning("logged")
        structlog.get_logger().info("event", rows=3)
        subprocess.run(["echo", "from a child"], check=True)
        return [os.getpid(), sys.flags.isolated, "pytest" in sys.modules]

    @task
    def tells_the_time():
        return current().now()

    @task
    def dies():
        os.kill(os.getpid(), 9)

    speaks()
    tells_the_time()
    dies()

declared = [factory()]
"""


def test_a_handler_is_run_for_the_task_that_it_handles(author_module: AuthorModule) -> None:
    module = author_module(OTHERS)
    assert run_task(module.load, real=True).value == "elsewhere load-rows"
    assert run_task(module.handlers.handlers[0], real=True).value == "elsewhere load-rows"


def test_a_task_of_a_dag_that_no_name_holds_has_a_process_and_a_log_of_its_own(
    author_module: AuthorModule, capfd: pytest.CaptureFixture[str]
) -> None:
    result = run_task(author_module(OTHERS).declared[0].get_task("speaks"), real=True)
    pid, isolated, has_pytest = result.value
    assert (pid == os.getpid(), isolated, has_pytest) == (False, 1, False)
    assert sorted((record["event"], record["logger"]) for record in result.log) == [
        ("event", "task"), ("from a child", "task.output"), ("logged", "author"), ("printed", "task.stdout"),
    ]  # fmt: skip
    # Neither the task nor the supervisor says anything here.
    assert capfd.readouterr() == ("", "")


def test_the_clock_can_be_set(author_module: AuthorModule) -> None:
    operator = author_module(OTHERS).declared[0].get_task("tells_the_time")
    shown = run_task(operator, real=True, context={"now": DAY}).value
    assert DAY <= shown < DAY + timedelta(days=1)


def test_a_process_that_dies_is_a_failure_that_says_how(author_module: AuthorModule) -> None:
    result = run_task(author_module(OTHERS).declared[0].get_task("dies"), real=True)
    assert (result.state, result.exception) == ("failed", None)
    assert "killed by signal 9 (SIGKILL)" in result.reason


def test_it_can_be_used_beside_an_event_loop_and_beside_itself(author_module: AuthorModule) -> None:
    load = author_module(OTHERS).load

    async def test() -> list[Any]:
        runs = [asyncio.to_thread(run_task, load, real=True) for _ in range(2)]
        return [run_task(load, real=True), *await asyncio.gather(*runs)]

    assert [result.value for result in asyncio.run(test())] == ["elsewhere load-rows"] * 3


def test_nothing_is_left_of_it(author_module: AuthorModule, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOARD_CACHE_DIR", str(tmp_path / "cache"))
    load = author_module(OTHERS).load

    def look() -> Any:
        descriptors = len(os.listdir("/proc/self/fd"))
        method = structlog.BoundLoggerBase._proxy_to_logger
        return descriptors, [thread.name for thread in threading.enumerate()], method, logging.root.handlers[:]

    run_task(load, real=True)
    before = look()
    run_task(load, real=True)
    assert look() == before
    assert list((tmp_path / "cache" / "bundles").iterdir()) == []


def test_a_module_that_only_imports_the_dag_is_not_the_one_that_is_packed(author_module: AuthorModule) -> None:
    author_module(OTHERS)
    # As a test does, and as a test that is named like none.
    importer = author_module("import pytest\nfrom author_tasks import load, handlers\n", name="test_author_tasks")
    assert run_task(importer.load, real=True).value == "elsewhere load-rows"


# ── what has no file ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_task_in_no_dag_has_no_file() -> None:
    for given in (lambda: 3, task(task_id="one")(lambda: 3), task(task_id="one")(lambda: 3)()):
        with pytest.raises(UsageError, match=r"and it is in no Dag; give run_task a task of a file's Dag"):
            run_task(given, real=True)


def test_a_dag_that_was_made_in_a_function_has_no_file() -> None:
    with DAG("inner") as inner:
        task(task_id="one")(lambda: 3)()
    registry = TaskRegistry()
    registry.register("elsewhere", "one", lambda: 3)
    for given in (inner.get_task("one"), registry.handlers[0]):
        with pytest.raises(UsageError, match=r"but none does: .* declare it at the top of a file of its own"):
            run_task(given, real=True)


def test_a_dag_of_the_prompt_has_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    with DAG("typed") as typed:
        task(task_id="one")(lambda: 3)()
    monkeypatch.setattr(sys.modules["__main__"], "typed", typed, raising=False)
    monkeypatch.delattr(sys.modules["__main__"], "__file__")
    with pytest.raises(UsageError, match=r"but none does"):
        run_task(typed.get_task("one"), real=True)


with DAG("of_a_test") as of_a_test:
    task(task_id="one")(lambda: 3)()


def test_a_file_of_tests_is_not_packed() -> None:
    with pytest.raises(UsageError, match=r"test_in_bundle.py is a file of tests, which no bundle holds"):
        run_task(of_a_test.get_task("one"), real=True)


def test_a_file_that_cannot_be_packed_is_an_error_of_its_own(author_module: AuthorModule) -> None:
    module = author_module(OTHERS)
    Path(module.__file__).write_text("import nowhere_to_be_found\n" + OTHERS)
    with pytest.raises(UsageError, match="nowhere_to_be_found"):
        run_task(module.load, real=True)
    Path(module.__file__).write_text("def\n")
    with pytest.raises(LoadError, match=r"author_tasks\.py"):
        run_task(module.load, real=True)
