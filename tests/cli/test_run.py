"""Real runs: each task is a process of a bundle that was packed for the environment of the tests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import DAGS

COMMAND = [sys.executable, "-c", "from outboard.cli import main; main()"]

TWO_DAGS = """
from outboard import DAG, task

for name in ("one", "two"):
    with DAG(name):
        @task
        def only():
            return name
        only()
"""

READS = """
from outboard import Connection, Variable, dag, get_current_context, task

@dag
def reads():
    @task
    def everything():
        return [
            Variable.get("unit"),
            Connection.get("db").host,
            get_current_context()["dag_run"].conf,
        ]
    everything()

reads()
"""


def body(*lines: str) -> str:
    """A file with one Dag of one task that does this."""
    text = "\n        ".join(lines)
    return (
        "import sys, time\nfrom outboard import dag, task\n\n"
        f"@dag\ndef single():\n    @task\n    def only():\n        {text}\n    only()\n\nsingle()\n"
    )


# ── success ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dag_runs_and_its_table_goes_to_stdout_and_all_else_to_stderr(outboard) -> None:
    done = outboard("run", DAGS / "hello.py")
    assert done.code == 0
    assert '"Hello, world!"' in done.out
    assert "hello manual__" in done.out
    assert "success in" in done.out
    assert done.err.splitlines() == [
        "greet = running",
        "greet = success",
        "shout = running",
        "shout | HELLO, WORLD!",
        "shout = success",
    ]


def test_json_is_one_document_on_stdout(outboard) -> None:
    done = outboard("run", DAGS / "hello.py", "--json")
    document = json.loads(done.out)
    assert (document["dag_id"], document["state"]) == ("hello", "success")
    assert [(task["task_id"], task["state"], task["tries"]) for task in document["tasks"]] == [
        ("greet", "success", 1),
        ("shout", "success", 1),
    ]
    assert document["tasks"][0]["xcoms"] == {"return_value": "Hello, world!"}
    assert all(task["duration"] > 0 and task["error"] is None for task in document["tasks"])
    assert "HELLO, WORLD!" in done.err


def test_one_task_runs_alone(outboard) -> None:
    document = json.loads(outboard("run", DAGS / "hello.py", "hello", "--task", "greet", "--json").out)
    assert [task["task_id"] for task in document["tasks"]] == ["greet"]


def test_variables_connections_and_conf_reach_the_task(outboard, author_file) -> None:
    done = outboard(
        "run", author_file(READS), "--var", "unit=kelvin", "--conn", "db=http://host/", "--conf", '{"day": 3}', "--json"
    )
    assert json.loads(done.out)["tasks"][0]["xcoms"]["return_value"] == ["kelvin", "host", {"day": 3}]


def test_a_handler_of_a_dag_that_lives_elsewhere_runs_by_its_task(outboard, author_file) -> None:
    source = author_file(
        "from outboard import TaskRegistry\nhandlers = TaskRegistry()\n"
        "handlers.register('sales', 'count', lambda: 3)\nhandlers.register('sales', 'load', lambda: 4)\n"
    )
    assert json.loads(outboard("run", source, "--task", "count", "--json").out)["tasks"][0]["xcoms"] == {
        "return_value": 3
    }
    done = outboard("run", source)
    assert done.code == 2
    assert "run one with --task: count, load" in done.err


def test_a_retry_is_told_with_its_delay_and_counted(outboard, author_file) -> None:
    source = author_file(
        "from datetime import timedelta\nfrom outboard import dag, task\n\n@dag\ndef flaky():\n"
        "    @task(retries=1, retry_delay=timedelta(0))\n    def only(ti):\n"
        "        if ti.try_number == 1:\n            raise OSError('not yet')\n        return ti.try_number\n"
        "    only()\n\nflaky()\n"
    )
    done = outboard("run", source, "--json")
    [task] = json.loads(done.out)["tasks"]
    assert (done.code, task["tries"], task["xcoms"]) == (0, 2, {"return_value": 2})
    assert "only = up_for_retry: again in 0 s" in done.err
    assert "only = running: try 2" in done.err


def test_nothing_is_left_in_the_cache(outboard, tmp_path: Path) -> None:
    outboard("run", DAGS / "hello.py")
    assert list((tmp_path / "cache" / "bundles").iterdir()) == []


# ── failure ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_failed_task_is_exit_code_1_with_its_traceback_and_one_line_at_the_end(outboard, author_file) -> None:
    done = outboard("run", author_file(body("raise OSError('no disk')")))
    assert done.code == 1
    lines = done.err.splitlines()
    assert lines[-1] == "outboard: only failed: OSError: no disk"
    assert 'only |   File "tasks.py", line 8, in only' in lines
    assert "only |     raise OSError('no disk')" in lines
    assert "failed in" in done.out


def test_a_result_that_no_xcom_can_carry_is_named_with_its_path(outboard, author_file) -> None:
    done = outboard("run", author_file(body("return {'rows': [1, object()]}")), "--json")
    assert done.code == 1
    last = done.err.splitlines()[-1]
    assert last.startswith("outboard: only failed: ")
    assert "return_value.rows[1]" in last
    assert "return_value.rows[1]" in json.loads(done.out)["tasks"][0]["error"]


def test_a_task_that_is_killed_is_failed_with_the_cause(outboard, author_file) -> None:
    done = outboard("run", author_file(body("import os, signal", "os.kill(os.getpid(), signal.SIGKILL)")))
    assert done.code == 1
    assert "killed by signal 9 (SIGKILL)" in done.err.splitlines()[-1]


# ── bad input: one line, and an exit code ─────────────────────────────────────────────────────────────────────────


def refused(done, code: int) -> str:
    assert (done.code, done.out) == (code, "")
    last = done.err.splitlines()[-1]
    assert last.startswith("outboard: ")
    return last.removeprefix("outboard: ")


def test_a_file_that_is_not_there(outboard) -> None:
    assert refused(outboard("run", "nothing.py"), 2) == "nothing.py cannot be read: No such file or directory"


def test_a_file_with_a_syntax_error(outboard, author_file) -> None:
    assert refused(outboard("run", author_file("x = 1\ndef f(:\n")), 2) == "tasks.py, line 2: invalid syntax"


def test_a_file_that_does_not_import(outboard, author_file) -> None:
    done = outboard("run", author_file("\nimport json.nothing_of_that_name\n"))
    assert refused(done, 2) == "tasks.py, line 2: ModuleNotFoundError: No module named 'json.nothing_of_that_name'"
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x = 1\nraise ValueError('two\\nlines')\n", "tasks.py, line 2: ValueError: two lines"),
        ("raise ValueError\n", "tasks.py, line 1: ValueError"),
        ("try:\n    {}['k']\nexcept KeyError as e:\n    raise OSError('no') from e\n", "tasks.py, line 4: OSError: no"),
    ],
    ids=["of several lines", "without a text", "with a cause"],
)
def test_a_file_that_raises_is_told_by_its_line_and_its_error(outboard, author_file, text: str, said: str) -> None:
    assert refused(outboard("run", author_file(text)), 2) == said


def test_a_file_that_imports_what_is_nowhere(outboard, author_file) -> None:
    done = outboard("run", author_file("\nimport nothing_of_that_name\n"))
    assert refused(done, 2).startswith("tasks.py, line 2: no module nothing_of_that_name in the standard library")
    assert done.err.count("\n") == 1


def test_a_file_that_ends_the_process_while_it_is_imported(outboard, author_file) -> None:
    assert "exited with 7" in refused(outboard("run", author_file("import os\nos._exit(7)\n")), 2)


def test_a_dag_with_a_cycle(outboard, author_file) -> None:
    text = (
        "from outboard import DAG, task\nwith DAG('loop'):\n    @task\n    def a(): ...\n    @task\n    def b(): ...\n"
        "    x, y = a(), b()\n    x >> y >> x\n"
    )
    line = refused(outboard("run", author_file(text)), 2)
    assert "'loop' has a cycle" in line
    assert {"a", "b"} <= set(line.split())


def test_a_file_without_dags(outboard, author_file) -> None:
    assert "no Dag" in refused(outboard("run", author_file("x = 1\n")), 2)


def test_several_dags_and_none_named(outboard, author_file) -> None:
    source = author_file(TWO_DAGS)
    assert refused(outboard("run", source), 2) == "tasks.py holds several Dags; name one of them: one, two"
    assert outboard("run", source, "two").code == 0


def test_an_unknown_dag_lists_the_known_ones(outboard, author_file) -> None:
    assert refused(outboard("run", author_file(TWO_DAGS), "three"), 2) == (
        "tasks.py has no Dag 'three'; it has: one, two"
    )


def test_an_unknown_task_lists_the_known_ones(outboard) -> None:
    line = refused(outboard("run", DAGS / "hello.py", "--task", "whisper"), 2)
    assert "no task 'whisper'" in line
    assert "greet, shout" in line


def test_bad_json_is_refused_before_anything_is_started(outboard) -> None:
    assert "--conf is not JSON" in refused(outboard("run", "nothing.py", "--conf", "{"), 2)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('requires-python = ">=3.99"', "requires Python >=3.99, and there is no such interpreter here"),
        ('dependencies = ["outboard-test-missing==1"]', "outboard-test-missing"),
        ('dependencies = ["msgpack==0.1"]', "clashes with what outboard itself requires, msgpack"),
    ],
    ids=["interpreter", "unresolvable", "clash"],
)
def test_an_environment_that_cannot_be_had(
    outboard, author_file, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, said: str
) -> None:
    from tests.bundle.test_environment import wheel

    wheels = tmp_path / "wheels"
    wheels.mkdir()
    wheel(wheels, "msgpack", "0.1")
    for name in ("anyio", "attrs", "msgpack", "structlog"):
        wheel(wheels, name, "99.0")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(wheels))
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    assert said in refused(outboard("run", author_file(f"# /// script\n# {line}\n# ///\n")), 3)


def test_a_cache_that_cannot_be_written(outboard, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    assert "cache/bundles cannot be written" in refused(outboard("run", DAGS / "hello.py"), 3)


def test_with_json_an_error_is_a_document_too(outboard) -> None:
    done = outboard("run", "nothing.py", "--json")
    assert json.loads(done.out) == {"error": "nothing.py cannot be read: No such file or directory", "exit_code": 2}
    assert done.code == 2


# ── the process ───────────────────────────────────────────────────────────────────────────────────────────────────


def running(folder: Path, source: Path, *options: str) -> tuple[subprocess.Popen[str], int]:
    """A run of a file whose task has printed its pid, and that pid."""
    environment = {**os.environ, "TMPDIR": str(folder / "temporary")}
    folder.joinpath("temporary").mkdir()
    process = subprocess.Popen(
        [*COMMAND, "run", source, *options],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": folder, "env": environment},
    )
    for line in process.stderr:
        if "| pid" in line:
            return process, int(line.split()[-1])
    raise AssertionError(process.wait(60))


def assert_nothing_is_left(folder: Path, task: int) -> None:
    with pytest.raises(ProcessLookupError):
        os.kill(task, 0)
    assert list(folder.joinpath("temporary").iterdir()) == []
    assert list(folder.joinpath("cache", "bundles").iterdir()) == []


PID = "print('pid', __import__('os').getpid(), flush=True)"


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=lambda value: str(value),
)
def test_an_interrupt_ends_the_task_and_leaves_nothing(author_file, tmp_path: Path, number: int, code: int) -> None:
    process, task = running(tmp_path, author_file(body(PID, "time.sleep(60)")))
    with process:
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert err.splitlines()[-1] == "outboard: interrupted"
    assert_nothing_is_left(tmp_path, task)


def test_an_interrupt_while_the_file_is_loaded_leaves_nothing(author_file, tmp_path: Path) -> None:
    process, parser = running(tmp_path, author_file(f"import time\n{PID}\ntime.sleep(60)\n"))
    with process:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)
    assert process.returncode == 143
    assert_nothing_is_left(tmp_path, parser)


def test_with_json_an_interrupt_is_a_document_too(author_file, tmp_path: Path) -> None:
    process, _ = running(tmp_path, author_file(body(PID, "time.sleep(60)")), "--json")
    with process:
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=60)
    assert json.loads(out) == {"error": "interrupted", "exit_code": 143}


def test_a_run_whose_words_nobody_reads_is_ended(author_file, tmp_path: Path) -> None:
    process, task = running(tmp_path, author_file(body(PID, "while True:", "    print('more')")))
    with process:
        process.stderr.close()
        assert process.wait(60) == 141
        assert process.stdout.read() == ""
    assert_nothing_is_left(tmp_path, task)


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_a_closed_stdout_is_no_reason_to_fail(author_file, tmp_path: Path, options: list[str]) -> None:
    command = [*map(str, COMMAND), "run", str(author_file(body("return 1"))), *options]
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *command], capture_output=True, text=True, cwd=tmp_path, timeout=60
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_a_stdout_that_is_full_is_told_in_one_line(author_file, tmp_path: Path, options: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "run", author_file(body("return 1")), *options],
            **{"stdout": full, "stderr": subprocess.PIPE, "text": True, "cwd": tmp_path, "timeout": 60},
        )
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "outboard: the output: No space left on device"
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("options", [[], ["--json"]], ids=["table", "json"])
def test_an_output_for_ascii_only_shows_the_rest_escaped(author_file, tmp_path: Path, options: list[str]) -> None:
    done = subprocess.run(
        [*COMMAND, "run", author_file(body("print('☃')", "return '☃'")), *options],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        **{"capture_output": True, "cwd": tmp_path, "timeout": 60},
    )
    assert done.returncode == 0
    assert rb"\u2603" in done.stdout
    assert rb"\u2603" in done.stderr
