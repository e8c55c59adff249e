"""The house rules that a machine can check: lint, format, types, import direction, generated files, the public surface."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = Path(sys.executable).parent


def run(*command: str | Path) -> None:
    done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_has_nothing_to_say() -> None:
    run(TOOLS / "ruff", "check", "--no-cache", ".")


def test_every_file_is_formatted() -> None:
    run(TOOLS / "ruff", "format", "--no-cache", "--check", ".")


@pytest.mark.timeout(300)
def test_the_types_hold_strictly() -> None:
    run(TOOLS / "mypy")


def test_every_import_points_down() -> None:
    run(TOOLS / "lint-imports", "--no-cache")


GENERATORS = sorted(path.stem for path in (ROOT / "src" / "outboard" / "_tools").glob("gen_*.py"))


@pytest.mark.parametrize("generator", GENERATORS)
def test_generated_files_are_current(generator: str) -> None:
    run(sys.executable, "-m", f"outboard._tools.{generator}", "--check")


def test_nothing_committed_names_a_machine_or_an_index() -> None:
    # The names are put together here, so that this file does not hold them.
    forbidden = ["/" + "root/", "files.python" + "hosted.org", "py" + "pi.org/simple", "/" + "work/"]
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue
        text = path.read_bytes()
        for word in forbidden:
            assert word.encode() not in text, f"{name} holds {word!r}"
