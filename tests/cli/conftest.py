"""The command line, run in this process as `main` would run it, with a cache of the test's own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest
import structlog

from outboard.bundle import packer, target
from outboard.bundle.contents import CHILD_LIBRARIES, collect
from outboard.bundle.environment import CACHE_VARIABLE
from outboard.cli.app import run_command_line

DAGS = Path(__file__).parents[2] / "fixtures" / "dags"


@attrs.frozen
class Done:
    """How a command ended: its exit code, and what it printed."""

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def _surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest Dag, packed for the environment that runs the tests."""
    output = tmp_path_factory.mktemp("packed") / "hello"
    here = target.inspect(Path(sys.prefix), libraries=CHILD_LIBRARIES)
    packer.pack(collect([DAGS / "hello.py"], [], here), output, here, lambda bundle: {"hello": ()})
    return output


@pytest.fixture
def outboard(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Run a command line."""

    def run(*arguments: str | Path) -> Done:
        code = run_command_line([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture
def author_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a file as an author would, in the current folder."""

    def write(text: str, name: str = "tasks.py") -> Path:
        path = tmp_path / name
        path.write_text(text)
        return Path(name)

    return write
