"""Events of structlog become records, also when the author has configured structlog in a way of their own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.child import Child
from tests.runtime.test_task_runner import source

HEAD = "import logging, structlog\n"

BODY = """
def body():
    log = structlog.get_logger('author')
    log.debug('one')
    log.info('two', rows=[1])
    log.warning('three')
    try:
        1 / 0
    except ZeroDivisionError:
        log.exception('four')
    log.bind(user='u').info('five %s', 'times')
"""
WORDS = ["two", "three", "four", "five"]

CONFIGURATIONS = {
    "none": "",
    "processors": """structlog.configure(processors=[
        structlog.processors.add_log_level, structlog.processors.format_exc_info,
        structlog.processors.KeyValueRenderer(key_order=['event'])])""",
    "bytes": """structlog.configure(processors=[
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=lambda *a, **k: __import__('json').dumps(*a, **k).encode())])""",
    "a console's": """structlog.configure(processors=[
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)])""",
    "logging's arguments": """structlog.configure(
        processors=[structlog.stdlib.PositionalArgumentsFormatter(), structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger)""",
    "logging's loggers": """structlog.configure(
        processors=[structlog.stdlib.filter_by_level, structlog.stdlib.add_logger_name,
            structlog.stdlib.PositionalArgumentsFormatter(), structlog.stdlib.render_to_log_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger, logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True)""",
    "another factory": "structlog.configure(logger_factory=structlog.PrintLoggerFactory())",
}


def records(folder: Path, configuration: str) -> list[dict[str, object]]:
    with Child(folder, source(BODY, head=f"{HEAD}{configuration}\n")) as child:
        report = child.run()
    assert report.state == "success", child.records
    return child.said()


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_each_event_is_one_record_with_its_level(tmp_path: Path, name: str) -> None:
    said = records(tmp_path, CONFIGURATIONS[name])
    found = [(word, record["level"]) for record in said for word in WORDS if word in str(record["event"])]
    assert found == list(zip(WORDS, ["info", "warning", "error", "info"], strict=True))


@pytest.mark.parametrize("name", ["none", "logging's arguments", "logging's loggers", "another factory"])
def test_what_belongs_to_an_event_comes_with_it(tmp_path: Path, name: str) -> None:
    two, _, four, five = records(tmp_path, CONFIGURATIONS[name])
    assert two["rows"] == [1]
    assert four["exception"][0]["exc_type"] == "ZeroDivisionError"  # type: ignore[index]
    assert (five["event"], five["user"]) == ("five times", "u")


def test_an_author_who_sends_events_to_stdout_finds_each_once(tmp_path: Path) -> None:
    said = records(
        tmp_path,
        """structlog.configure(processors=[structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        logger_factory=structlog.PrintLoggerFactory())""",
    )
    assert [record["logger"] for record in said] == ["task.stdout"] * 5
    assert [sum(word in str(record["event"]) for record in said) for word in WORDS] == [1, 1, 1, 1]
