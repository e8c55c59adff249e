"""An Airflow to run bundles under, and bundles to run under it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from outboard.errors import EnvironmentBuildError
from tests.live.deployment import Deployment, started_deployment
from tests.live.environment import BUILD_SECONDS, built_environment
from tests.live.supervisor import AirflowSupervisor, started_supervisor
from tests.live.version import AIRFLOW_VERSION

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

ROOT = Path(__file__).parents[2]

PINS = ROOT / ".ci" / "pins" / f"airflow-{AIRFLOW_VERSION}.txt"
AUTHOR_FILES = Path(__file__).with_name("author_files")

# The author's files whose bundles speak what the running version brought. The others speak what Airflow 3.3 did, everywhere.
UP_TO_DATE = ("around", "called", "discreet", "retries", "states")
DEPLOYED = Path(__file__).with_name("deployed")

# To load an author's file and to answer a parse request takes a fraction of a second.
PACK_SECONDS = 60

# The longest of these tests runs two hundred tasks.
TEST_SECONDS = 120


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whichever live test comes first on a new machine also waits for the environment."""
    for item in items:
        if item.path.parent == AUTHOR_FILES.parent:
            item.add_marker(pytest.mark.timeout(BUILD_SECONDS + TEST_SECONDS))


@pytest.fixture(scope="session")
def airflow_version() -> str:
    """The version of Airflow that all tests of this folder run under."""
    return AIRFLOW_VERSION


@pytest.fixture(scope="session")
def airflow_python(airflow_version: str) -> Path:
    """The interpreter of an environment with that Airflow. No test of this folder passes without it."""
    if not PINS.exists():
        pytest.fail(f"there are no pins for Airflow {airflow_version}: {PINS.relative_to(ROOT)}", pytrace=False)
    try:
        return built_environment(PINS, ROOT / ".cache")
    except EnvironmentBuildError as error:
        pytest.fail(f"no environment for the live tests: {error}", pytrace=False)


@pytest.fixture(scope="session")
def bare_airflow(airflow_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowSupervisor]:
    """Airflow's supervisor, with no bundle to run yet."""
    with started_supervisor(airflow_python, tmp_path_factory.mktemp("airflow")) as supervisor:
        yield supervisor


@pytest.fixture(scope="session")
def minor_version(airflow_version: str) -> str:
    """The version of Airflow as ``outboard pack`` takes it: 3.3 or 3.4."""
    return airflow_version[: len("3.3")]


@pytest.fixture(scope="session")
def airflow(bare_airflow: AirflowSupervisor, minor_version: str) -> AirflowSupervisor:
    """Airflow's supervisor with each author's file of this folder packed, under its own name, by our command."""
    for source in sorted(AUTHOR_FILES.glob("*.py")):
        spoken = minor_version if source.stem in UP_TO_DATE else "3.3"
        pack(source, bare_airflow.executables / source.stem, airflow=spoken)
    return bare_airflow


@pytest.fixture(scope="session")
def deployed_dags(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the whole Airflow takes its Dags from."""
    return tmp_path_factory.mktemp("dags")


@pytest.fixture(scope="session")
def deployment(
    airflow_python: Path, airflow_version: str, deployed_dags: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """A whole Airflow, with the handlers of the folder ``deployed`` packed by our command, each fat, and no Dag yet.

    Its workers and its API server each have a variable of their own, and the workers a folder of modules.
    """
    executables, home = tmp_path_factory.mktemp("bundles"), tmp_path_factory.mktemp("airflow-home")
    own = {
        "scheduler": {
            "AIRFLOW_VAR_OF_THE_WORKER": "worker",
            "PYTHONPATH": str(DEPLOYED / "on_the_workers_path"),
            "OUTBOARD_CACHE_DIR": str(tmp_path_factory.mktemp("cache")),
        },
        "api-server": {"AIRFLOW_VAR_OF_THE_SERVER": "server"},
    }
    for source in sorted(DEPLOYED.glob("*_handlers.py")):
        pack(source, executables / source.stem, fat=True)
    with started_deployment(airflow_python, airflow_version, home, deployed_dags, executables, own) as running:
        yield running


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what Airflow's components wrote where a test of theirs fails."""
    report = yield
    running = getattr(item, "funcargs", {}).get("deployment")
    if report.failed and isinstance(running, Deployment):
        report.sections.append(("Airflow's components", running.component_logs()))
    return report


def pack(source: Path, output: Path, *, fat: bool = False, airflow: str = "3.3") -> None:
    """Pack an author's file for the environment that runs the tests, which has no Airflow; or with one of its own."""
    where = [] if fat else ["--thin", sys.prefix]
    command = [Path(sys.executable).with_name("outboard"), "pack", source, "-o", output, "--airflow", airflow, *where]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PACK_SECONDS, check=False)
    if done.returncode:
        pytest.fail(f"outboard could not pack {source.name}: {done.stderr or done.stdout}", pytrace=False)
