"""After `run_task` the process is what it was before, whatever the task has done to it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

from outboard import DAG, BaseOperator, Context, HITLOperator, Param, Variable, get_current_context, task
from outboard.sdk import client
from outboard.sdk.dag import take_registered
from outboard.testing import run_task

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="before")
LOGGER = logging.getLogger("author.of.surroundings")


class Everything(BaseOperator):
    """Uses all of the runtime that could leave something: signals, timers, requests, records, callbacks, a fork's hooks."""

    def execute(self, context: Context) -> str:
        print("out")
        print("err", file=sys.stderr)
        LOGGER.info("logged")
        structlog.get_logger().info("event")
        Variable.set("a", "b")
        return "done"

    def on_kill(self) -> None: ...


def everything() -> BaseOperator:
    return Everything(
        task_id="everything", execution_timeout=timedelta(hours=1), on_success_callback=lambda context: print("end")
    )


async def awaits() -> None:
    await asyncio.sleep(0)


def fails() -> None:
    raise ValueError


TASKS = [everything(), awaits, fails]


@contextmanager
def unchanged(look: Callable[[], Any]) -> Iterator[None]:
    before = look()
    yield
    assert look() == before


def descriptors() -> list[str]:
    """The descriptors of this process, and what they are."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that listed them
            found.append(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
    return sorted(found)


def loggers() -> dict[str, Any]:
    found = {"root": logging.root, **logging.root.manager.loggerDict}
    return {
        name: (each.level, each.handlers[:], each.filters[:], each.propagate, each.disabled)
        for name, each in found.items()
        if isinstance(each, logging.Logger)
    }


LOOKS: dict[str, Callable[[], Any]] = {
    "signal handlers": lambda: {number: signal.getsignal(number) for number in signal.valid_signals()},
    "functions of signal": lambda: (signal.signal, signal.getsignal, sys.modules["_signal"].signal),
    "whether a timer runs": lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 0,
    "streams": lambda: [id(stream) for stream in (sys.stdin, sys.stdout, sys.stderr)],
    "loggers": loggers,
    "logging's methods": lambda: (logging.Logger.callHandlers, logging.root.manager.disable),
    "structlog": lambda: (
        structlog.get_config(),
        list(structlog.get_config()["processors"]),
        structlog.is_configured(),
    ),
    "structlog's methods": lambda: structlog.BoundLoggerBase._proxy_to_logger,
    "the environment": lambda: dict(os.environ),
    "paths": lambda: (os.getcwd(), sys.path[:], sys.meta_path[:]),
    "threads": lambda: [thread.name for thread in threading.enumerate()],
    "descriptors": descriptors,
    "modules of the test's": lambda: [
        name for name in sys.modules if "under_test" in name and name.startswith("outboard_")
    ],
    "context variables": lambda: (VARIABLE.get(), dict(structlog.contextvars.get_contextvars())),
}


@pytest.fixture(autouse=True)
def warmed_up() -> None:
    """What is imported for the first time stays imported."""
    for each in TASKS:
        run_task(each)


@pytest.mark.parametrize("what", LOOKS)
@pytest.mark.parametrize("each", TASKS, ids=["an operator", "a coroutine", "a failure"])
def test_nothing_is_left_changed_by_running_a_task(each: Any, what: str) -> None:
    with unchanged(LOOKS[what]):
        run_task(each)


def test_no_context_is_left() -> None:
    run_task(everything())
    with pytest.raises(RuntimeError, match="no current context"):
        get_current_context()


def test_who_answered_for_tasks_before_does_so_again() -> None:
    class Answers:
        def get_variable(self, key: str) -> str:
            return "mine"

    client.use(Answers())  # type: ignore[arg-type]
    try:
        run_task(everything())
        assert Variable.get("a") == "mine"
    finally:
        client.use(None)


def test_dags_that_were_declared_before_are_still_to_be_collected() -> None:
    take_registered()
    with DAG("one") as one, DAG("two") as two:
        pass
    run_task(everything())
    assert take_registered() == [two, one]


def test_an_alarm_of_the_tests_outlives_the_tasks_own() -> None:
    rung = []
    before = signal.signal(signal.SIGALRM, lambda *_: rung.append(1))
    left, interval = signal.setitimer(signal.ITIMER_REAL, 3600)
    try:
        run_task(everything())
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    finally:
        signal.setitimer(signal.ITIMER_REAL, left, interval)
        signal.signal(signal.SIGALRM, before)
    assert rung == []


# ── what the body itself does ─────────────────────────────────────────────────────────────────────────────────────────


def handles_signals() -> None:
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def replaces_streams() -> None:
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115


def configures_logging() -> None:
    logging.basicConfig(level="DEBUG", force=True)
    logging.disable(logging.ERROR)
    LOGGER.addHandler(logging.NullHandler())
    LOGGER.propagate = False
    logging.getLogger("author.new").setLevel("ERROR")


def configures_structlog() -> None:
    structlog.configure(processors=[structlog.processors.JSONRenderer()], cache_logger_on_first_use=True)


def changes_structlogs_processors() -> None:
    structlog.get_config()["processors"].clear()


def sets_variables() -> None:
    os.environ["AUTHOR"] = "set"
    os.environ["PATH"] = ""
    os.environ.pop("HOME", None)


def goes_elsewhere() -> None:
    os.chdir("/")
    sys.path.insert(0, "/nowhere")


def binds_context() -> None:
    VARIABLE.set("after")
    structlog.contextvars.bind_contextvars(bound=True)


BODIES: list[Callable[[], None]] = [
    handles_signals, replaces_streams, configures_logging, configures_structlog, changes_structlogs_processors,
    sets_variables, goes_elsewhere, binds_context,
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_what_the_body_does_to_the_process_is_undone(body: Callable[[], None]) -> None:
    logging.getLogger("author.new")
    with unchanged(lambda: {what: LOOKS[what]() for what in LOOKS if what != "descriptors"}):
        assert run_task(body).state == "success"


def test_structlog_comes_back_as_it_had_been_configured() -> None:
    processors = [structlog.processors.KeyValueRenderer()]
    structlog.configure(processors=processors)
    try:
        with unchanged(LOOKS["structlog"]):
            run_task(configures_structlog)
            run_task(changes_structlogs_processors)
            run_task(structlog.reset_defaults)
        assert structlog.get_config()["processors"] is processors
    finally:
        structlog.reset_defaults()


def test_the_folder_may_have_been_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert run_task(lambda: 3).value == 3


def test_what_a_try_makes_of_its_operator_is_gone_in_the_next() -> None:
    class Counts(BaseOperator):
        seen = 0

        def execute(self, context: Context) -> int:
            self.seen += 1
            return self.seen

    with DAG("counting"):
        counts = Counts(task_id="counts")
    assert [run_task(counts).value for _ in range(2)] == [1, 1]
    assert counts.seen == 0


def test_an_answer_does_not_stay_in_the_form() -> None:
    asks = HITLOperator(
        task_id="asks", subject="How many?", options=["go on"], params={"rows": Param(None, type=["null", "integer"])}
    )
    answer = {"chosen_options": ["go on"], "params_input": {"rows": 3}}
    resumed = run_task(asks, context={"next_method": "execute_complete", "event": answer})
    assert resumed.value["params_input"] == {"rows": 3}
    asked = run_task(asks).human_input
    assert asked is not None
    assert asked.params["rows"]["value"] is None


def test_a_stream_that_somebody_has_kept_leads_to_the_callers(capfd: pytest.CaptureFixture[str]) -> None:
    kept: list[Any] = []
    result = run_task(lambda: kept.append(sys.stdout))
    print("later", file=kept[0], flush=True)
    assert result.log == ()
    assert capfd.readouterr() == ("later\n", "")


def test_the_methods_that_were_listened_at_are_their_libraries_own_again() -> None:
    run_task(everything())
    assert logging.Logger.callHandlers.__module__ == "logging"
    assert structlog.BoundLoggerBase._proxy_to_logger.__module__ == "structlog._base"


def test_a_task_that_was_only_decorated_is_in_no_dag_afterwards() -> None:
    @task
    def body() -> int:
        return 3

    called = body()
    run_task(called)
    assert called.operator.dag is None
