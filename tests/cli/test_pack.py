from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from outboard.bundle.format import parse
from tests.cli.conftest import DAGS

HERE = sys.prefix


def test_a_packed_file_knows_its_dags_and_says_so(outboard, tmp_path: Path) -> None:
    done = outboard("pack", DAGS / "hello.py", "-o", "hello", "--thin", HERE)
    assert (done.code, done.out, done.err) == (0, "", "hello: hello\n")
    told = subprocess.run([tmp_path / "hello", "--metadata"], capture_output=True, timeout=60, check=True)
    assert json.loads(told.stdout)["dag_ids"] == ["hello"]


def test_the_dags_of_registered_handlers_count_too(outboard, author_file) -> None:
    """Airflow finds a bundle by the ids of the Dags whose stub tasks it handles."""
    source = author_file(
        "from outboard import TaskRegistry, dag, task\n"
        "handlers = TaskRegistry()\n"
        "handlers.register('elsewhere', 'one', lambda: 1)\n"
        "handlers.register('elsewhere', 'two', lambda: 2)\n"
        "@dag\ndef here():\n    @task\n    def only(): ...\n    only()\nhere()\n"
    )
    assert outboard("pack", source, "-o", "both", "--thin", HERE).err == "both: here, elsewhere\n"
    assert json.loads(parse(Path("both").read_bytes()).metadata)["dags"].keys() == {"here", "elsewhere"}


def test_packing_twice_gives_the_same_bytes(outboard) -> None:
    for name in ("one", "two"):
        assert outboard("pack", DAGS / "hello.py", "-o", name, "--thin", HERE).code == 0
    assert Path("one").read_bytes() == Path("two").read_bytes()


def test_a_file_that_does_not_import_is_one_line_with_its_place(outboard, author_file) -> None:
    source = author_file("x = 1\n\ndef fails():\n    return x / 0\n\nfails()\n")
    done = outboard("pack", source, "-o", "bundle", "--thin", HERE)
    assert (done.code, done.err) == (2, "outboard: tasks.py, line 4: ZeroDivisionError: division by zero\n")
    assert not Path("bundle").exists()


def test_verbose_shows_the_traceback_above_that_line(outboard, author_file) -> None:
    source = author_file("def fails():\n    return 1 / 0\n\nfails()\n")
    done = outboard("pack", source, "-o", "bundle", "--thin", HERE, "--verbose")
    lines = done.err.splitlines()
    assert lines[-1] == "outboard: tasks.py, line 2: ZeroDivisionError: division by zero"
    assert '  File "tasks.py", line 4, in <module>' in lines


def test_a_folder_that_is_no_environment_is_exit_code_3(outboard, tmp_path: Path) -> None:
    done = outboard("pack", DAGS / "hello.py", "-o", "hello", "--thin", tmp_path)
    assert done.code == 3
    assert done.err.startswith(f"outboard: no Python environment at {tmp_path}")


def test_a_name_with_a_dot_is_refused_before_anything_is_done(outboard) -> None:
    done = outboard("pack", "missing.py", "-o", "weather.bin", "--thin", "/missing")
    assert done.code == 2
    assert "Airflow 3.4 takes only files without a suffix" in done.err
