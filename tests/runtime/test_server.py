"""One run of a bundle, from its command line to its exit."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from outboard.protocol import events
from outboard.protocol import messages as m
from outboard.protocol.conversation import SUPERVISOR, Conversation
from outboard.runtime.server import EXIT_REFUSED
from tests.runtime.child import STARTER, Child, startup
from tests.runtime.test_task_runner import source

TWO_DAGS_AND_HANDLERS = """
from outboard import dag, task, TaskRegistry
@dag
def one():
    @task(retries=2)
    def first():
        raise SystemExit("a body ran")
    @task(trigger_rule="all_done")
    def second(value):
        pass
    second(first())
one()
handlers = TaskRegistry()
@handlers.task("stubs")
def load():
    pass
"""


def parse_request() -> m.DagFileParseRequest:
    return m.DagFileParseRequest(file="/bundles/author", bundle_path="/bundles", bundle_name="tests")


def invoke(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", STARTER, "/nowhere", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_without_flags_it_says_what_it_is_and_how_to_run_it() -> None:
    done = invoke()
    assert done.returncode == 2
    assert "author is an outboard bundle" in done.stderr
    assert "Dags: example" in done.stderr
    assert "outboard run author.py" in done.stderr


def test_a_usage_error_is_told_with_the_usage() -> None:
    done = invoke("--comm=127.0.0.1:1")
    assert done.returncode == 2
    assert done.stderr.startswith("author: --comm and --logs belong together: --logs is missing\nusage: author --stdio")


def test_the_manifest_is_printed() -> None:
    done = invoke("--metadata")
    assert (done.returncode, json.loads(done.stdout)) == (0, {})


def test_a_supervisor_that_is_not_there_is_named() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        done = invoke(f"--comm=127.0.0.1:{port}", f"--logs=127.0.0.1:{port}")
    assert done.returncode == 74
    assert f"cannot reach the supervisor at 127.0.0.1:{port}" in done.stderr


def test_the_dags_of_a_file_are_told_without_running_a_body(tmp_path: Path) -> None:
    with Child(tmp_path, TWO_DAGS_AND_HANDLERS) as child:
        child.greet(parse_request())
        result = child.serve()
        assert child.process.wait(30) == 0
    [dag] = result.serialized_dags
    tasks = {task["__var"]["task_id"]: task["__var"] for task in dag.data["dag"]["tasks"]}
    assert dag.data["dag"]["dag_id"] == "one"
    assert tasks["first"]["downstream_task_ids"] == ["second"]
    assert tasks["first"]["retries"] == 2
    assert tasks["second"]["trigger_rule"] == "all_done"
    assert result.import_errors is None


def test_what_a_module_holds_is_told_in_a_record_since_no_message_can(tmp_path: Path) -> None:
    with Child(tmp_path, TWO_DAGS_AND_HANDLERS) as child:
        child.greet(parse_request())
        child.serve()
    [told] = [r for r in child.records if r["logger"] == "outboard.contents"]
    assert (told["module"], told["dags"], told["handlers"]) == ("author", ["one"], {"stubs": ["load"]})


def test_a_file_that_does_not_import_is_an_import_error_with_the_authors_lines_only(tmp_path: Path) -> None:
    with Child(tmp_path, "def helper():\n    1 / 0\nhelper()\n") as child:
        child.greet(parse_request())
        result = child.serve()
    assert list(result.import_errors) == ["author"]
    assert "ZeroDivisionError" in result.import_errors["author"]
    assert "in helper" in result.import_errors["author"]
    assert "outboard/runtime" not in result.import_errors["author"]


@pytest.mark.parametrize(
    ("body", "should_retry", "reported", "code"),
    [
        ("pass", False, "SucceedTask", 0),
        ("raise ValueError", False, "TaskState", EXIT_REFUSED),
        ("raise ValueError", True, "RetryTask", EXIT_REFUSED),
    ],
)
def test_only_a_success_that_could_not_be_passed_on_leaves_no_doubt_in_the_exit_code(
    tmp_path: Path, body: str, should_retry: bool, reported: str, code: int
) -> None:
    with Child(tmp_path, source(f"def body():\n    {body}")) as child:
        child.greet(startup("body", should_retry=should_retry))
        event = child.next_event()
        assert isinstance(event, events.Request)
        assert type(event.message).__name__ == reported
        refusal = m.ErrorResponse(error="API_SERVER_ERROR", detail={"status_code": 409})
        child.write(child.conversation.send_reply(event.id, error=refusal))
        child.serve()
        assert child.process.wait(30) == code
    assert any("could not pass it on" in text for text in child.logged("outboard"))


def test_a_supervisor_that_goes_before_it_has_the_report_leaves_a_failure_behind(tmp_path: Path) -> None:
    with Child(tmp_path, source("def body():\n    pass"), env={"PATH": os.defpath}) as child:
        child.greet(startup("body"))
        assert isinstance(child.next_event(), events.Request)
        for stream in (child.process.stdin, child.process.stdout):
            assert stream is not None
            stream.close()
        assert child.process.wait(30) == 74


def test_over_sockets_frames_and_records_have_a_connection_each(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as comm, socket.create_server(("127.0.0.1", 0)) as logs:
        flags = (f"--comm=127.0.0.1:{comm.getsockname()[1]}", f"--logs=127.0.0.1:{logs.getsockname()[1]}")
        with Child(tmp_path, source("def body():\n    print('said')\n    return 7"), *flags) as child:
            lines, frames = logs.accept()[0], comm.accept()[0]
            conversation = Conversation(SUPERVISOR)
            frames.sendall(conversation.send_greeting(startup("body")))
            asked = []
            while data := frames.recv(65536):
                for event in conversation.receive_data(data):
                    assert isinstance(event, events.Request)
                    asked.append(type(event.message).__name__)
                    frames.sendall(conversation.send_reply(event.id))
            assert child.process.wait(30) == 0
            said = [json.loads(line) for line in lines.makefile("rb")]
            lines.close()
            frames.close()
            assert child.process.stderr is not None
            assert child.process.stderr.read() == b""
    assert asked == ["SetXCom", "SucceedTask"]
    assert [(r["event"], r["logger"], r["level"]) for r in said] == [
        ("the task starts", "outboard", "info"),
        ("said", "task.stdout", "info"),
        ("the task ends", "outboard", "info"),
    ]


@pytest.mark.parametrize(("imported", "is_loaded"), [("", False), ("import threading", True), ("import logging", True)])
def test_the_library_that_packs_long_values_is_loaded_before_there_are_threads(
    tmp_path: Path, imported: str, is_loaded: bool
) -> None:
    """A thread that loads it later waits for imports of other threads, which may wait for what it holds."""
    text = source("def body():\n    return 'msgpack' in sys.modules", head=f"import sys\n{imported}")
    with Child(tmp_path, text) as child:
        child.run()
    assert child.requests[-2].value is is_loaded


def test_a_task_with_threads_runs_where_that_library_is_broken(tmp_path: Path) -> None:
    (tmp_path / "msgpack.py").write_text("raise ImportError('broken')")
    with Child(tmp_path, source("def body():\n    return 'short'", head="import threading")) as child:
        report = child.run()
    assert type(report).__name__ == "SucceedTask"
    assert child.requests[-2].value == "short"
