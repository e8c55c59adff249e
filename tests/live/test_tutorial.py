"""Every command of the tutorial about Airflow, in its order, as a reader would paste it. Only the installation is our own.

The tutorial's source marks what is done with each of its blocks, by a comment above it:

    file NAME       is saved as that file
    run             is run in the reader's terminal
    background      is run in another one, and goes on
    once DAG        is run when Airflow has that Dag
    after DAG RUN   is run when that run has ended
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.live.deployment import HOST, Deployment, free_ports, started_components, without_airflow
from tests.live.rest_api import RestApi

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial" / "under-airflow.md"
BLOCK = re.compile(r"^<!-- (?P<mark>[^\n]+) -->\n```\w+\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

COMMAND_SECONDS = 120
RUN_SECONDS = 90

# Prints what the next block has to know of this one: where it is, and its variables.
CARRY_ON = "\nprintf '\\0'; env -0"


class Reader:
    """Somebody who follows the tutorial.

    Attributes:
        folder: where the reader is.
        heard: what all commands of a block have printed, by the block's mark, or the number of the run.
    """

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.heard: list[str] = []

    def save(self, name: str, text: str) -> None:
        """Save a block as a file."""
        (self.folder / name).write_text(text)

    def run(self, text: str) -> str:
        """Run a block. What it exports, later ones have; what it prints is returned."""
        command = ["bash", "-ec", text + CARRY_ON]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, timeout=COMMAND_SECONDS, check=False
        )
        printed, _, variables = done.stdout.decode().partition("\0")
        assert done.returncode == 0, f"{text}\n{printed}\n{done.stderr.decode()}"
        self.environment = dict(pair.split("=", 1) for pair in variables.split("\0") if pair)
        return printed + done.stderr.decode()


def blocks() -> Iterator[tuple[list[str], str]]:
    for found in BLOCK.finditer(TUTORIAL.read_text()):
        yield found["mark"].split(), found["text"]


@pytest.fixture
def reader(airflow_python: Path, tmp_path: Path) -> Reader:
    """A reader who has installed both, and whose ports nobody else wants."""
    port, *log_ports = free_ports(3)
    path = os.pathsep.join([str(Path(sys.executable).parent), str(airflow_python.parent), os.environ["PATH"]])
    own = {
        "PATH": path,
        "OUTBOARD_CACHE_DIR": str(tmp_path / "cache"),
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__BASE_URL": f"http://{HOST}:{port}",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[0]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[1]),
        # For the test's own questions: the reader reads the password in the other terminal.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    }
    return Reader(tmp_path, {**without_airflow(os.environ), **own})


def test_every_command_does_what_the_tutorial_says(reader: Reader, airflow_version: str) -> None:
    if not airflow_version.startswith("3.3."):
        pytest.skip("the tutorial is about Airflow 3.3")
    steps = list(blocks())
    start = next(number for number, (mark, _) in enumerate(steps) if mark == ["background"])
    printed = [follow(reader, mark, text, None) for mark, text in steps[:start]]
    with another_terminal(reader, steps[start][1]) as api:
        printed += [follow(reader, mark, text, api) for mark, text in steps[start + 1 :]]
    told = "\n".join(printed)
    print(told)
    for each in (
        "prices is an outboard bundle",
        "the average of 3 prices is 12,333.33",
        "upstream_failed",
        "could not convert string to float: 'eleven'",
        "the average of 3 prices is 12.3 thousand",
        "the spread is 1.25",
    ):
        assert each in told


def follow(reader: Reader, mark: list[str], text: str, api: RestApi | None) -> str:
    """Do what a block's mark says; what it printed."""
    match mark:
        case ["file", name]:
            reader.save(name, text)
            return ""
        case ["once", dag_id] if api:
            api.wait_for_dag(dag_id)
        case ["after", dag_id, run_id] if api:
            api.wait_for_run(dag_id, run_id, RUN_SECONDS)
    return reader.run(text)


@contextmanager
def another_terminal(reader: Reader, text: str) -> Iterator[RestApi]:
    """Run a block that goes on, until the reader has no more to do."""
    home = reader.folder / "airflow"
    home.mkdir()
    command = ["bash", "-ec", f"cd {reader.folder}\n{text}"]
    with started_components({"standalone": (command, reader.environment)}, home) as processes:
        address = reader.environment["AIRFLOW__API__BASE_URL"]
        api = RestApi(Deployment(address=address, home=home, components=processes))
        api.wait_for_dag("prices")
        yield api
