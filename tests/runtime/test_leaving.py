"""The end of a process that has done its work: nothing that the author is owed is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.runtime.child import Child
from tests.runtime.test_task_runner import source

IMPORT_PATH = f"import sys; sys.path += {sys.path!r}\n"
LEAVE = "from outboard.runtime.leaving import leave\nleave(0, holds_stderr=True)"


def ended(text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", f"from outboard.runtime.leaving import leave\n{text}"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_exit_code_is_what_was_asked_for() -> None:
    assert ended("leave(75)").returncode == 75


def test_threads_are_joined_and_exit_functions_called_in_this_order() -> None:
    done = ended(
        "import atexit, threading\n"
        "gate = threading.Event()\n"
        "threading.Thread(target=lambda: (gate.wait(30), print('a thread'))).start()\n"
        "atexit.register(print, 'an exit function')\n"
        "gate.set()\n"
        "leave(0)\n"
    )
    assert done.stdout.splitlines() == ["a thread", "an exit function"]


@pytest.mark.parametrize("trouble", ["raise ValueError", "raise SystemExit(3)", "sys.stdout.close()"])
def test_an_exit_function_in_trouble_takes_nothing_from_the_others(trouble: str) -> None:
    done = ended(
        "import atexit, sys\n"
        f"def trouble():\n    {trouble}\n"
        "atexit.register(lambda: print('also called', file=sys.stderr))\n"
        "atexit.register(trouble)\n"
        "leave(0)\n"
    )
    assert (done.returncode, "also called" in done.stderr) == (0, True)


def test_what_c_code_has_printed_is_not_lost() -> None:
    done = ended("import ctypes\nctypes.CDLL(None).printf(b'from C')\nleave(0)")
    assert done.stdout == "from C"


def test_ctypes_is_not_loaded_where_no_foreign_code_is() -> None:
    done = ended(
        "import json, posix, sys, msgpack, outboard.runtime.leaving\n"
        "exit = posix._exit\n"
        "posix._exit = lambda code: (print('ctypes' in sys.modules, flush=True), exit(code))\n"
        "leave(0)\n"
    )
    assert done.stdout == "False\n"


@pytest.mark.parametrize("system", ["here", "where the end of a process cannot be watched"])
def test_stderr_ends_when_the_process_can_be_reaped(system: str) -> None:
    """What Airflow's supervisor relies on; otherwise it sleeps through a heartbeat."""
    without = (
        "import posix\ndef refuse(pid):\n    raise OSError\nposix.pidfd_open = refuse\n" if system != "here" else ""
    )
    late = 0
    for _ in range(50):
        process = subprocess.Popen(
            [sys.executable, "-ISc", f"{IMPORT_PATH}{without}{LEAVE}"], stderr=subprocess.PIPE, env={}
        )
        assert process.stderr is not None
        with process.stderr as stderr:
            assert stderr.read() == b""
        late += os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None
        assert process.wait(30) == 0
    # The second way is a matter of milliseconds, which no test may rely on.
    assert system != "here" or late == 0


def test_an_exit_functions_last_words_are_records_too(tmp_path: Path) -> None:
    body = "def body():\n    import atexit\n    atexit.register(print, 'no end of line', end='')"
    with Child(tmp_path, source(body)) as child:
        child.run()
    assert child.logged("task.stdout") == ["no end of line"]
