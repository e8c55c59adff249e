from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from outboard.bundle.compiler import Unit, compile_units
from outboard.bundle.entry import PORTABLE_FIRST_LINE, executable_head, fixed_start, searching_start

PYTHON = Path(sys.executable)
TAG = sys.hexversion >> 16

# Stands in for the real bootstrap, to see what it would get.
BOOTSTRAP = b"""
def prepare(file, payload, hot):
    import sys
    payload['file'].seek(payload['start'])
    code = payload['file'].read(len(b'hot and cold'))
    print(file, payload['words'], hot, code, sys.argv[2:])
    sys.exit(5)
"""


def head(interpreter: Path, *, first_line: int = PORTABLE_FIRST_LINE, tag: int = TAG) -> bytes:
    (bootstrap,) = compile_units(PYTHON, [Unit("bootstrap.py", BOOTSTRAP)])
    payload = {"bootstrap": bootstrap, "words": "the payload", "hot": 3}
    return executable_head(fixed_start(interpreter, first_line=first_line), tag, payload, b"hot and cold")


def run(path: Path, content: bytes, *arguments: str) -> subprocess.CompletedProcess[str]:
    path.write_bytes(content)
    path.chmod(0o755)
    return subprocess.run([path, *arguments], capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("first_line", [255, 0], ids=["the interpreter itself", "through the shell"])
def test_the_system_starts_it_with_its_own_path_the_payload_and_the_arguments(tmp_path: Path, first_line: int) -> None:
    bundle = tmp_path / "bundle"
    done = run(bundle, head(PYTHON, first_line=first_line) + b"\0more\0", "--stdio", "it's $HOME `x`")
    assert (done.returncode, done.stderr) == (5, "")
    assert done.stdout == f"""{bundle} the payload b'hot' b'hot and cold' ['--stdio', "it's $HOME `x`"]\n"""


def test_a_first_line_within_the_limit_names_the_interpreter_and_one_byte_less_takes_the_shell() -> None:
    line, _, _ = head(PYTHON, first_line=255).partition(b"\n")
    assert line.startswith(f"#!{PYTHON} -ISc".encode())
    assert head(PYTHON, first_line=len(line)).startswith(line)
    assert head(PYTHON, first_line=len(line) - 1).startswith(b"#!/bin/sh\nexec ")


@pytest.mark.parametrize("name", ["with a space", "tab\there", 'quote\'d "twice"', "$HOME", "ü" * 60, "x" * 120])
def test_an_interpreter_whose_path_no_first_line_can_carry_still_runs_it(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    interpreter = folder / "python"
    interpreter.symlink_to(PYTHON.resolve())
    done = run(tmp_path / "bundle", head(interpreter))
    assert (done.returncode, done.stderr) == (5, "")


def test_the_shell_is_replaced_so_that_signals_reach_the_task(tmp_path: Path) -> None:
    """Airflow signals the process that it started, and no group."""
    assert b'exec "$0"' not in head(PYTHON, first_line=0)
    assert head(PYTHON, first_line=0).splitlines()[1].startswith(b"exec ")


def test_another_python_in_the_place_of_the_right_one_is_told_apart_and_named(tmp_path: Path) -> None:
    done = run(tmp_path / "bundle", head(PYTHON, tag=0x0307))
    assert done.returncode == 1
    running = ".".join(map(str, sys.version_info[:3]))
    assert done.stderr.strip() == (
        f"this bundle was packed for Python 3.7; pack it again, or give it that: here is Python {running}"
    )


# ── looking for an interpreter ──────────────────────────────────────────────────────────────────────────────────────


VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


def searching(packed_with: Path, tag: int = TAG) -> bytes:
    (bootstrap,) = compile_units(PYTHON, [Unit("bootstrap.py", BOOTSTRAP)])
    payload = {"bootstrap": bootstrap, "words": "the payload", "hot": 3}
    return executable_head(searching_start(packed_with, VERSION, "weather"), tag, payload, b"hot and cold")


def search(bundle: Path, content: bytes, **environment: str) -> subprocess.CompletedProcess[str]:
    bundle.write_bytes(content)
    bundle.chmod(0o755)
    return subprocess.run([bundle, "one"], capture_output=True, text=True, timeout=30, check=False, env=environment)


def test_the_interpreter_that_it_was_packed_with_is_taken_where_it_is(tmp_path: Path) -> None:
    done = search(tmp_path / "bundle", searching(PYTHON) + b"\0more", PATH="/nowhere")
    assert (done.returncode, done.stderr) == (5, "")
    assert "the payload" in done.stdout


def test_one_of_the_same_version_on_the_path_is_taken_where_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / f"python{VERSION}").symlink_to(PYTHON)
    done = search(tmp_path / "bundle", searching(Path("/nowhere/python")), PATH=str(tmp_path))
    assert (done.returncode, done.stderr) == (5, "")


def test_the_one_that_the_environment_names_comes_first_and_is_the_only_one(tmp_path: Path) -> None:
    (tmp_path / "named").symlink_to(PYTHON)
    content = searching(PYTHON)
    assert search(tmp_path / "bundle", content, PATH="", OUTBOARD_PYTHON=str(tmp_path / "named")).returncode == 5
    done = search(tmp_path / "bundle", content, PATH="", OUTBOARD_PYTHON="/nowhere/python")
    assert done.returncode == 127
    assert "looked for it at /nowhere/python" in done.stderr


def test_a_machine_without_one_is_told_in_one_line(tmp_path: Path) -> None:
    # Two versions ahead, so that no machine has it in the usual folders.
    content = executable_head(searching_start(Path("/nowhere/it's python"), "3.99", "weather"), TAG, {}, b"")
    done = search(tmp_path / "bundle", content, PATH="/nowhere")
    assert done.returncode == 127
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(
        "weather: this bundle needs Python 3.99; looked for it at /nowhere/it's python python3.99"
    )
    assert "install it, or name one in OUTBOARD_PYTHON" in done.stderr


def test_an_interpreter_of_another_version_says_so(tmp_path: Path) -> None:
    done = search(tmp_path / "bundle", searching(PYTHON, tag=TAG + 1))
    assert done.returncode == 1
    assert "this bundle was packed for Python" in done.stderr


def loader_of(content: bytes) -> str:
    """The argument that the first lines of a file give to the interpreter."""
    return content.partition(b' -ISc "')[2].partition(b'"')[0].decode()


@pytest.mark.parametrize("name", ["python", "x" * 200])
def test_whoever_has_read_the_first_line_of_one_version_can_go_on_with_another(tmp_path: Path, name: str) -> None:
    """Between the two, the other one was deployed. Its interpreter's path has another length."""
    old = head(tmp_path / name, first_line=0)
    bundle = tmp_path / "bundle"
    bundle.write_bytes(head(PYTHON))
    command = [PYTHON, "-ISc", loader_of(old), bundle, "--stdio"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (5, "")


def test_an_interpreter_whose_path_is_longer_than_the_usual_start_still_runs_it(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["long" * 50] * 6)
    folder.mkdir(parents=True)
    interpreter = folder / "python"
    interpreter.symlink_to(PYTHON.resolve())
    assert len(os.fspath(interpreter)) > 1024
    assert run(tmp_path / "bundle", head(interpreter)).returncode == 5
