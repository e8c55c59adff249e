"""The fixture `run_task`, as an author's tests find it: by outboard being installed, and in any order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from outboard.testing import run_task as function

AUTHORS_TESTS = """
import logging

import pytest
import structlog

from outboard import DAG, Variable, task

log = structlog.get_logger()
logger = logging.getLogger(__name__)

@task
def extract(path: str):
    print("reads", path)
    log.info("event", path=path)
    logger.info("logged %s", path)
    if path == "bad":
        raise ValueError("no such file")
    return Variable.get("unit")

def test_configures_structlog_and_uses_the_logger(run_task):
    structlog.configure(cache_logger_on_first_use=True, processors=[structlog.processors.JSONRenderer()])
    assert run_task(extract("a"), variables={"unit": "km"}).text.splitlines() == ["reads a", "event", "logged a"]

def test_configures_logging(run_task):
    logging.basicConfig(level="CRITICAL", force=True)
    assert run_task(extract("b"), variables={"unit": "km"}).value == "km"

@pytest.mark.parametrize("number", range(5))
def test_is_not_disturbed(run_task, capsys, caplog, number):
    result = run_task(extract("c"), variables={"unit": "km"})
    assert result.text.splitlines() == ["reads c", "event", "logged c"]
    assert "reads c" in capsys.readouterr().out
    assert "logged c" in caplog.messages or not logging.root.handlers

@pytest.mark.anyio
async def test_is_asynchronous(run_task):
    assert run_task(extract("d"), variables={"unit": "km"}).state == "success"
"""

FAILING = """
from outboard import task

@task
def extract():
    print("reads")
    raise ValueError("no such file")

def test_extract(run_task):
    assert run_task(extract).state == "success"
"""


def pytest_in(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_author.py").write_text(text)
    (folder / "conftest.py").write_text(
        "import pytest\n\n@pytest.fixture\ndef anyio_backend():\n    return 'asyncio'\n"
    )
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")},
    )


def test_the_fixture_gives_what_the_function_gives(run_task) -> None:  # type: ignore[no-untyped-def]
    assert run_task.__wrapped__ is function
    assert run_task(lambda ds: ds, context={"try_number": 2}).value == "2026-01-01"


REVERSING = "def pytest_collection_modifyitems(items):\n    items.reverse()\n"


@pytest.mark.parametrize(
    "arguments",
    [(), ("-p", "reversing"), ("-k", "not_disturbed and 3", "--capture=no"), ("-p", "no:logging")],
    ids=["as written", "reversed", "one alone", "without pytest's logging"],
)
def test_it_is_there_without_being_asked_for_and_works_in_any_order(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "reversing.py").write_text(REVERSING)
    text = AUTHORS_TESTS
    if "no:logging" in arguments:  # which brings caplog
        text = text.replace(", caplog", "")
        text = text.replace('    assert "logged c" in caplog.messages or not logging.root.handlers\n', "")
    done = pytest_in(tmp_path, text, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_test_that_fails_shows_why_the_task_did(tmp_path: Path) -> None:
    done = pytest_in(tmp_path, FAILING)
    assert done.returncode == 1
    assert "TaskResult(state='failed', error='ValueError: no such file')" in done.stdout
    shown = done.stdout.partition("log of run_task")[2]
    assert "info: reads" in shown
    assert 'raise ValueError("no such file")' in shown
    assert "test_author.py" in shown


LOADED = "import sys; print(*sorted(name for name in sys.modules if name.partition('.')[0] in NAMES))"


def loaded_by(statement: str, *names: str) -> list[str]:
    program = f"NAMES = {names!r}; {statement}; {LOADED}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


def test_pytest_starts_without_any_of_outboards_weight() -> None:
    found = loaded_by(
        "import outboard.testing.pytest_plugin", "outboard", "anyio", "asyncio", "attr", "structlog", "msgpack"
    )
    assert found == ["outboard", "outboard.testing", "outboard.testing.pytest_plugin"]


BARE = """
import sys
sys.modules.update(dict.fromkeys(["pytest", "_pytest", "cyclopts", "rich", "yaml", "uv"]))  # whose import fails now

from outboard.testing import run_task
from author_tasks import only

for real in (False, True):
    result = run_task(only, real=real)
    assert result.value == "elsewhere", result
print("done")
"""


def test_tasks_can_be_tested_without_pytest_and_without_the_extras(tmp_path: Path) -> None:
    (tmp_path / "author_tasks.py").write_text(
        "from outboard import TaskRegistry\nhandlers = TaskRegistry()\n"
        "@handlers.task('elsewhere')\ndef only(ti):\n    return ti.dag_id\n"
    )
    (tmp_path / "bare.py").write_text(BARE)
    done = subprocess.run(
        [sys.executable, tmp_path / "bare.py"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout == "done\n", done.stderr
