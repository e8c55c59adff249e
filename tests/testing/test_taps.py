"""What a body says reaches the result's log and the caller's own capture, once each, however the process is configured."""

from __future__ import annotations

import contextlib
import io
import logging
import logging.config
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from outboard.comms.interrupts import Interrupts
from outboard.comms.log_channel import LogChannel
from outboard.testing import run_task, surroundings
from outboard.testing.taps import TappedLogs

LOGGER = logging.getLogger("author.of.taps")


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    with surroundings.kept():
        yield
    structlog.reset_defaults()


def said(result: Any, *fields: str) -> list[tuple[Any, ...]]:
    return [tuple(record.get(field) for field in ("event", "level", "logger", *fields)) for record in result.log]


# ── streams ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_line_is_a_record_and_reaches_the_caller_as_it_was_written(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        print("one\ntwo")
        print("thr", end="", flush=True)
        print("ee")
        print("bad", file=sys.stderr)
        sys.stdout.writelines(["fo", "ur\n"])
        print("no end", end="")

    result = run_task(body)
    out, err = "task.stdout", "task.stderr"
    assert said(result) == [
        ("one", "info", out), ("two", "info", out), ("three", "info", out), ("bad", "error", err), ("four", "info", out),
        ("no end", "info", out),
    ]  # fmt: skip
    assert capsys.readouterr() == ("one\ntwo\nthree\nfour\nno end", "bad\n")


def test_a_line_without_an_end_comes_before_what_fails_after_it() -> None:
    def body() -> None:
        print("no end", end="")
        raise ValueError

    assert [record["event"] for record in run_task(body).log] == ["no end", "the task raised an exception"]


def test_bytes_are_lines_too(capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    def body() -> None:
        sys.stdout.buffer.write("ü".encode()[:1])
        sys.stdout.buffer.write("ü\n".encode()[1:])
        sys.stdout.flush()

    assert run_task(body).text == "ü"
    assert capsysbinary.readouterr().out == "ü\n".encode()


def test_a_stream_of_text_alone_takes_bytes_as_a_bundles_does() -> None:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream):
        result = run_task(lambda: sys.stdout.buffer.write(b"one\n"))
    assert (result.text, stream.getvalue()) == ("one", "one\n")


def test_a_stream_without_a_descriptor_has_that_of_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_task(lambda: [sys.stdout.fileno(), sys.stderr.fileno()]).value == [1, 2]


def test_a_stream_is_otherwise_the_callers() -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", errors="replace")
    with contextlib.redirect_stdout(stream):
        value = run_task(
            lambda: [sys.stdout.encoding, sys.stdout.errors, sys.stdout.isatty(), sys.stdout.writable()]
        ).value
        run_task(lambda: sys.stdout.close())
    assert value == ["latin-1", "replace", False, True]
    assert not stream.closed


def test_what_threads_print_is_recorded() -> None:
    def body() -> None:
        thread = threading.Thread(target=print, args=["from a thread"])
        thread.start()
        thread.join()

    assert run_task(body).text == "from a thread"


def test_what_child_processes_print_reaches_the_caller(capfd: pytest.CaptureFixture[str]) -> None:
    result = run_task(lambda: subprocess.run(["echo", "from a child"], check=True).returncode)
    assert (result.value, result.log) == (0, ())
    assert capfd.readouterr().out == "from a child\n"


# ── logging ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def logs() -> None:
    LOGGER.debug("one")
    LOGGER.info("two %s", 2, extra={"rows": 3})
    try:
        raise ValueError("why")
    except ValueError:
        LOGGER.exception("three")


LOGGED = [("two 2", "info", "author.of.taps", 3), ("three", "error", "author.of.taps", None)]


def quiet_root() -> None:
    logging.root.setLevel(logging.CRITICAL)


def no_handlers() -> None:
    logging.root.handlers.clear()


def own_handler() -> None:
    logging.root.handlers[:] = [logging.StreamHandler(sys.stderr)]


def no_propagation() -> None:
    LOGGER.propagate = False
    LOGGER.addHandler(logging.StreamHandler(sys.stderr))


def configured_by_dict() -> None:
    handler = {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"}
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {"stderr": handler},
            "root": {"level": "ERROR", "handlers": ["stderr"]},
        }
    )


def closed_stream() -> None:
    stream = io.StringIO()
    logging.root.addHandler(logging.StreamHandler(stream))
    stream.close()


@pytest.mark.parametrize(
    "configure",
    [lambda: None, quiet_root, no_handlers, own_handler, no_propagation, configured_by_dict, closed_stream],
    ids=lambda configure: configure.__name__.strip("<>"),
)
def test_each_call_of_logging_is_one_record_however_it_is_configured(
    configure: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", False)
    configure()
    result = run_task(logs)
    assert said(result, "rows") == LOGGED
    assert result.log[-1]["exception"][0]["exc_value"] == "why"


@pytest.mark.parametrize("configure", [configured_by_dict, no_handlers, lambda: logging.basicConfig(force=True)])
def test_a_body_that_configures_logging_loses_nothing(configure: Callable[[], None]) -> None:
    def body() -> None:
        configure()
        LOGGER.setLevel("INFO")
        logs()

    assert said(run_task(body), "rows") == LOGGED


def test_calls_of_logging_reach_caplog_once(caplog: pytest.LogCaptureFixture) -> None:
    run_task(logs)
    assert caplog.messages == ["two 2", "three"]
    caplog.clear()
    with caplog.at_level("DEBUG"):
        assert run_task(logs).text == "one\ntwo 2\nthree"
    assert caplog.messages == ["one", "two 2", "three"]


def test_a_level_that_is_set_for_one_logger_counts(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", logger=LOGGER.name):
        assert run_task(logs).text == "one\ntwo 2\nthree"
    with caplog.at_level("ERROR", logger=LOGGER.name):
        assert run_task(logs).text == "three"


def test_a_handler_of_the_callers_prints_once_where_the_caller_reads(capsys: pytest.CaptureFixture[str]) -> None:
    logging.root.handlers[:] = [logging.StreamHandler(sys.stdout)]
    assert said(run_task(lambda: LOGGER.warning("once"))) == [("once", "warning", LOGGER.name)]
    assert capsys.readouterr().out == "once\n"


def test_without_any_handler_a_warning_still_reaches_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    no_handlers()
    assert run_task(lambda: LOGGER.warning("once")).text == "once"
    assert capsys.readouterr().err == "once\n"


def test_an_operators_own_logger_is_one_of_them() -> None:
    from outboard import BaseOperator

    class Load(BaseOperator):
        def execute(self, context: Any) -> None:
            self.log.warning("from the operator")

    assert run_task(Load(task_id="load")).text == "from the operator"


# ── structlog ─────────────────────────────────────────────────────────────────────────────────────────────────────────

STDLIB = structlog.stdlib
PRINTS: Callable[..., Any] = structlog.PrintLoggerFactory


def unconfigured() -> None:
    structlog.reset_defaults()


def json_to_stdout() -> None:
    structlog.configure(processors=[structlog.processors.add_log_level, structlog.processors.JSONRenderer()])


def to_stderr() -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


def written() -> None:
    structlog.configure(logger_factory=structlog.WriteLoggerFactory())


def through_logging() -> None:
    structlog.configure(
        processors=[
            STDLIB.filter_by_level,
            STDLIB.add_logger_name,
            STDLIB.PositionalArgumentsFormatter(),
            STDLIB.render_to_log_kwargs,
        ],
        wrapper_class=STDLIB.BoundLogger,
        logger_factory=STDLIB.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def generic() -> None:
    structlog.configure(wrapper_class=structlog.BoundLogger, processors=[structlog.processors.KeyValueRenderer()])


def captured() -> None:
    structlog.configure(processors=[structlog.testing.LogCapture()])


def returned() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())


CONFIGURATIONS = [unconfigured, json_to_stdout, to_stderr, written, through_logging, generic, captured, returned]


def events(log: Any) -> Callable[[], None]:
    def body() -> None:
        log.info("one", rows=[1])
        log.bind(user="u").warning("two %s", "times")
        try:
            raise ValueError("why")
        except ValueError:
            log.exception("three")

    return body


def check_events(result: Any) -> None:
    assert result.state == "success", result
    assert [(each["event"], each["level"]) for each in result.log] == [
        ("one", "info"), ("two times", "warning"), ("three", "error"),
    ]  # fmt: skip
    one, two, three = result.log
    assert (one["rows"], two["user"], three["exception"][0]["exc_value"]) == ([1], "u", "why")


@pytest.mark.parametrize("configure", CONFIGURATIONS, ids=lambda configure: configure.__name__)
def test_each_event_of_structlog_is_one_record_however_it_is_configured(configure: Callable[[], None]) -> None:
    configure()
    body = events(structlog.get_logger())
    if configure is generic:  # which has no place for arguments of the text

        def body() -> None:
            log = structlog.get_logger()
            log.info("one", rows=[1])
            log.warning("two times", user="u")
            log.error("three", exc_info=ValueError("why"))

    check_events(run_task(body))


@pytest.mark.parametrize("later", CONFIGURATIONS, ids=lambda configure: configure.__name__)
@pytest.mark.parametrize(
    "first", [json_to_stdout, through_logging, to_stderr], ids=lambda configure: configure.__name__
)
def test_a_logger_that_was_cached_under_another_configuration_loses_nothing(
    first: Callable[[], None], later: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        first()
        structlog.configure(cache_logger_on_first_use=True)
        log = structlog.get_logger()
        log.info("used under a capture that has ended")
    stream.close()
    later()
    check_events(run_task(events(log)))
    check_events(run_task(events(log)))


def test_an_event_that_structlog_prints_reaches_the_caller_once(capsys: pytest.CaptureFixture[str]) -> None:
    json_to_stdout()
    result = run_task(lambda: structlog.get_logger().warning("once", rows=3))
    assert said(result, "rows") == [("once", "warning", "task", 3)]
    assert capsys.readouterr().out == '{"rows": 3, "event": "once", "level": "warning"}\n'


def test_an_event_that_structlog_hands_to_logging_reaches_caplog_once(caplog: pytest.LogCaptureFixture) -> None:
    through_logging()
    result = run_task(lambda: structlog.get_logger("author").warning("once %s", "more", rows=3))
    assert said(result, "rows") == [("once more", "warning", "author", 3)]
    assert caplog.messages == ["once more"]


def test_an_event_reaches_structlogs_own_capture_once() -> None:
    with structlog.testing.capture_logs() as found:
        result = run_task(lambda: structlog.get_logger().warning("once"))
    assert (result.text, found) == ("once", [{"event": "once", "log_level": "warning"}])


def test_a_level_that_is_configured_for_structlog_counts() -> None:
    def body() -> None:
        structlog.get_logger().info("low")
        structlog.get_logger().warning("high")

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    assert run_task(body).text == "high"


def test_what_is_below_info_is_recorded_where_the_root_logger_asks_for_it(caplog: pytest.LogCaptureFixture) -> None:
    def body() -> None:
        structlog.get_logger().debug("low")

    assert run_task(body).text == ""
    with caplog.at_level("DEBUG"):
        assert run_task(body).text == "low"


def test_context_of_structlog_comes_with_an_event() -> None:
    def body() -> None:
        structlog.contextvars.bind_contextvars(here=2, user="nobody")
        structlog.get_logger().bind(user="u").info("one")

    structlog.contextvars.bind_contextvars(outside=1)
    try:
        (record,) = run_task(body).log
    finally:
        structlog.contextvars.clear_contextvars()
    assert (record["outside"], record["here"], record["user"]) == (1, 2, "u")


def test_events_that_are_awaited_are_recorded() -> None:
    async def body() -> None:
        await structlog.get_logger().awarning("awaited", rows=1)

    assert said(run_task(body), "rows") == [("awaited", "warning", "task", 1)]


def test_a_processor_of_the_callers_that_fails_fails_the_body() -> None:
    def refuse(*_: Any) -> Any:
        raise ValueError("not like this")

    structlog.configure(processors=[refuse])
    assert run_task(lambda: structlog.get_logger().info("one")).error == "ValueError: not like this"


# ── the order, and secrets ────────────────────────────────────────────────────────────────────────────────────────────


def test_all_ways_come_in_one_order() -> None:
    def body() -> None:
        for number in range(3):
            print("print", number)
            LOGGER.info("logging %d", number)
            structlog.get_logger().info("structlog", number=number)
            print("stderr", number, file=sys.stderr)

    assert run_task(body).text.splitlines() == [
        line for n in range(3) for line in (f"print {n}", f"logging {n}", "structlog", f"stderr {n}")
    ]


def test_secrets_are_hidden_in_the_log_alone(capsys: pytest.CaptureFixture[str]) -> None:
    def body() -> None:
        from outboard import Variable

        secret = Variable.get("api_key")
        print("printed", secret)
        LOGGER.info("logged %s", secret)
        structlog.get_logger().info("event", key=secret)

    result = run_task(body, variables={"api_key": "open sesame"})
    assert said(result, "key") == [
        ("printed ***", "info", "task.stdout", None),
        ("logged ***", "info", LOGGER.name, None),
        ("event", "info", "task", "***"),
    ]
    assert "printed open sesame" in capsys.readouterr().out


def test_taps_leave_logging_as_they_found_it() -> None:
    logs = TappedLogs(LogChannel(Interrupts()))
    before = logging.root.level
    with logs.tapped(()):
        assert logging.root.level == logging.INFO < before
    assert logging.root.level == before
