from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import DAGS


def test_help_names_every_command_and_option(outboard) -> None:
    assert {"pack", "run", "cache"} <= set(outboard("--help").out.split())
    assert {"--task", "--conf", "--var", "--conn", "--json"} <= set(outboard("run", "--help").out.split())
    told = set(outboard("pack", "--help").out.split())
    assert {"--output", "-o", "--thin", "--python", "--with", "--lock", "--locked", "--offline"} <= told
    assert {"--include", "--airflow", "--revision"} <= told
    assert {"list", "prune", "dir"} <= set(outboard("cache", "--help").out.split())
    assert {"--all", "--older-than"} <= set(outboard("cache", "prune", "--help").out.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ["frobnicate"],
        ["run"],
        ["run", "a.py", "--nope"],
        ["run", "a.py", "--task"],
        ["pack", "a.py", "-o", "a"],
        ["pack", "a.py", "--thin", "/env"],
    ],
    ids=" ".join,
)
def test_a_wrong_command_line_is_one_line_and_exit_code_2(outboard, arguments: list[str]) -> None:
    done = outboard(*arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("outboard: ")
    assert done.err.count("\n") == 1


@pytest.mark.parametrize("missing", ["cyclopts", "rich"])
def test_without_the_extra_one_line_says_how_to_get_it(missing: str) -> None:
    program = f"""
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {missing!r}:
            raise ModuleNotFoundError("gone", name=name)
sys.meta_path.insert(0, Missing())
sys.argv[1:] = ["run", "a.py"]
from outboard.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3
    assert done.stderr == f"outboard: the command line needs {missing}; run: pip install 'outboard[cli]'\n"


def test_the_version_is_the_distributions(outboard) -> None:
    import importlib.metadata

    assert outboard("--version").out.strip() == importlib.metadata.version("outboard")


def test_output_that_nobody_reads_ends_the_command_without_a_traceback(tmp_path: Path) -> None:
    outboard = Path(sys.executable).with_name("outboard")
    environment = {**os.environ, "OUTBOARD_CACHE_DIR": str(tmp_path)}
    with subprocess.Popen(
        [outboard, "run", DAGS / "hello.py", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        running.stdout.close()
        said = running.stderr.read().decode()
        assert running.wait(60) == 141
    assert "Traceback" not in said
    assert "BrokenPipe" not in said
