"""Exceptions, log calls and forks that nobody writes on purpose: the supervisor is told how the task ended all the same."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.child import Child
from tests.runtime.test_task_runner import source

UNSHOWABLE = """
class Unshowable(Exception):
    def __str__(self):
        raise RuntimeError("no words")
    __repr__ = __str__
"""


def run(folder: Path, body: str, head: str = "") -> tuple[Any, Child]:
    indented = "\n".join(f"    {line}" for line in body.strip().splitlines())
    with Child(folder, source(f"def body():\n{indented}", head=f"import logging\n{head}")) as child:
        report = child.run()
    return report, child


def the_record(child: Child, logger: str) -> dict[str, Any]:
    [record] = [record for record in child.records if record["logger"] == logger]
    return record


# ── exceptions ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_exception_that_cannot_be_shown_is_a_failure_like_any_other(tmp_path: Path) -> None:
    report, child = run(tmp_path, "raise Unshowable", UNSHOWABLE)
    assert (report.state, child.process.returncode) == ("failed", 0)
    [link] = the_record(child, "task")["exception"]
    assert (link["exc_type"], link["exc_value"]) == ("Unshowable", "<Unshowable whose str raised RuntimeError>")


def test_a_file_that_fails_with_such_an_exception_cannot_be_loaded(tmp_path: Path) -> None:
    report, child = run(tmp_path, "pass", f"{UNSHOWABLE}\nraise Unshowable")
    assert report.state == "failed"
    assert "cannot be loaded: Unshowable" in the_record(child, "task")["event"]


def test_a_skip_that_cannot_be_shown_is_a_skip(tmp_path: Path) -> None:
    head = f"from outboard.sdk.exceptions import AirflowSkipException{UNSHOWABLE}"
    report, _ = run(tmp_path, "raise type('Skip', (Unshowable, AirflowSkipException), {})", head)
    assert report.state == "skipped"


def test_notes_that_are_no_list_are_left_out(tmp_path: Path) -> None:
    report, child = run(tmp_path, "error = ValueError('x')\nerror.__notes__ = 7\nraise error")
    assert report.state == "failed"
    assert the_record(child, "task")["exception"][0]["exc_notes"] == []


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with Python 3.11")
def test_each_member_of_a_group_is_in_the_record_with_its_own_cause(tmp_path: Path) -> None:
    body = """
def fail(number):
    try:
        try:
            [][number]
        except IndexError as error:
            raise LookupError(number) from error
    except LookupError as error:
        return error
raise ExceptionGroup("both", [fail(1), fail(2)])
"""
    report, child = run(tmp_path, body)
    assert report.state == "failed"
    group, *members = the_record(child, "task")["exception"]
    assert (group["exc_type"], group["is_group"]) == ("ExceptionGroup", True)
    assert [link["exc_type"] for link in members] == ["LookupError", "IndexError"] * 2
    assert [link["exc_notes"] for link in members[::2]] == [
        ["exception 1 of 2 in the group above"],
        ["exception 2 of 2 in the group above"],
    ]
    assert members[0]["frames"][-1]["name"] == "fail"


def test_an_attribute_of_the_same_name_makes_no_group(tmp_path: Path) -> None:
    _, child = run(tmp_path, "error = ValueError('x')\nerror.exceptions = ('a', 'b')\nraise error")
    [link] = the_record(child, "task")["exception"]
    assert link["is_group"] is False


@pytest.mark.skipif(sys.version_info < (3, 11), reason="groups came with Python 3.11")
def test_a_large_group_is_cut(tmp_path: Path) -> None:
    _, child = run(tmp_path, "raise ExceptionGroup('many', [ValueError(number) for number in range(1000)])")
    _, *members = the_record(child, "task")["exception"]
    assert len(members) == 10
    assert members[-1]["exc_notes"] == ["exception 10 of 1000 in the group above"]


# ── log calls ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("call", "event"),
    [
        ("log.info('%d rows', 'x')", "%d rows ('x',) (the arguments do not fit the message: "),
        ("log.info('%s and %s', 1)", "%s and %s (1,) (the arguments do not fit the message: "),
        ("log.info(Unshowable())", "<Unshowable> (it cannot be shown: no words)"),
        ("log.info('%s', Unshowable())", "%s <arguments> (the arguments do not fit the message: no words)"),
    ],
)
def test_a_message_that_cannot_be_made_costs_the_author_nothing_but_itself(
    tmp_path: Path, call: str, event: str
) -> None:
    report, child = run(tmp_path, f"log = logging.getLogger('author')\n{call}\nlog.info('on')", UNSHOWABLE)
    first, second = child.logged("author")
    assert report.state == "success"
    assert first.startswith(event)
    assert second == "on"


@pytest.mark.parametrize(
    ("number", "level"), [(20, "info"), (25, "info"), (30, "warning"), (35, "warning"), (45, "error"), (99, "critical")]
)
def test_a_level_of_the_authors_own_is_the_one_that_it_reaches(tmp_path: Path, number: int, level: str) -> None:
    body = f"logging.addLevelName({number}, 'LOUD')\nlogging.getLogger('author').log({number}, 'x')"
    _, child = run(tmp_path, body)
    record = the_record(child, "author")
    assert (record["level"], record["level_name"]) == (level, "LOUD")


def test_a_level_of_the_authors_own_below_the_configured_one_is_not_logged(tmp_path: Path) -> None:
    _, child = run(tmp_path, "logging.getLogger('author').log(15, 'x')")
    assert child.logged("author") == []


# ── forks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("end", ["return", "return 7", "raise SystemExit(0)", "raise ValueError"])
def test_a_forked_copy_that_comes_back_leaves_the_task_alone(tmp_path: Path, end: str) -> None:
    body = f"""
import os
copy = os.fork()
if copy == 0:
    {end}
_, status = os.waitpid(copy, 0)
return os.waitstatus_to_exitcode(status)
"""
    report, child = run(tmp_path, body)
    assert (report.state, child.process.returncode) == ("success", 0)
    assert [request.value for request in child.requests if type(request).__name__ == "SetXCom"] == [1]


def test_copies_of_a_process_whose_threads_are_printing_can_print(tmp_path: Path) -> None:
    """A thread that holds a lock at the moment of the fork is not in the copy to release it."""
    body = """
import os, threading
over = threading.Event()
def chatter():
    while not over.is_set():
        print('x' * 10_000)
for _ in range(3):
    threading.Thread(target=chatter).start()
ends = []
for _ in range(60):
    copy = os.fork()
    if copy == 0:
        print('from the copy')
        os._exit(7)
    ends.append(os.waitstatus_to_exitcode(os.waitpid(copy, 0)[1]))
over.set()
return ends
"""
    report, child = run(tmp_path, body)
    assert report.state == "success"
    assert [request.value for request in child.requests if type(request).__name__ == "SetXCom"] == [[7] * 60]
