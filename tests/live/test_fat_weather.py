"""The example on real data as a bundle that carries pandas, under an Airflow whose environment has none.

Each task runs under Airflow's own supervisor; what one stores is what the next is given.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from outboard.protocol.versions import AIRFLOW
from tests.live.conftest import AIRFLOW_VERSION, ROOT
from tests.live.supervisor import started_supervisor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.live.supervisor import AirflowSupervisor, TaskReport

WEATHER = ROOT / "fixtures" / "dags" / "weather.py"

# To fetch pandas, and to compress all of it, on a machine that never did: half a minute.
PACK_SECONDS = 600

pytestmark = [pytest.mark.live, pytest.mark.timeout(PACK_SECONDS + 300)]

# The dates of the message schemas, by the version of Airflow that brought them, and which of these ours has.
DATES = {version: date for date, version in AIRFLOW.items()}
KNOWN = [version for version in DATES if tuple(version.split(".")) <= tuple(AIRFLOW_VERSION.split("."))]
NEWER = [version for version in DATES if version not in KNOWN]

ARCHIVE = {"archive": {"conn_type": "local", "host": "vega", "schema": "seattle-weather"}}
RELEASED = {"released_live": "seattle-weather"}
SUCCEEDED = (0, "success", ["success"])
RETRIED = (0, "up_for_retry", ["up_for_retry"])


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The Dag as our command packs it, stamped for each version of Airflow."""
    folder = tmp_path_factory.mktemp("packed")
    return {version: pack(folder / f"for-{number}", version) for number, version in enumerate(DATES)}


def pack(output: Path, version: str) -> Path:
    command = [Path(sys.executable).with_name("outboard"), "pack", WEATHER, "--airflow", version, "-o", output]
    environment = {**os.environ, "OUTBOARD_CACHE_DIR": str(ROOT / ".cache" / "outboard")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=PACK_SECONDS, check=False, env=environment)
    if done.returncode:
        pytest.fail(f"outboard could not pack the weather: {done.stderr or done.stdout}", pytrace=False)
    return output


@pytest.fixture(scope="module")
def own_airflow(airflow_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowSupervisor]:
    """Airflow's supervisor, with a folder of bundles of this module's own."""
    with started_supervisor(airflow_python, tmp_path_factory.mktemp("airflow")) as supervisor:
        yield supervisor


class Weather:
    """The Dag under Airflow, one run of it: its tasks are given what those before have stored."""

    def __init__(self, airflow: AirflowSupervisor, bundle: Path, cache: Path) -> None:
        self.airflow = airflow
        self.xcoms: dict[str, Any] = {}
        self._cache = cache
        shutil.copy(bundle, airflow.executables / "weather")

    def run(self, task_id: str, **api: Any) -> TaskReport:
        """Run one task, and keep what it stores."""
        report = self.airflow.run(
            "weather",
            task_id,
            environment={"OUTBOARD_CACHE_DIR": str(self._cache)},
            connections=ARCHIVE,
            xcoms=self.xcoms,
            **api,
        )
        for value in report.bodies(f"POST /xcoms/weather/live/{task_id}/return_value"):
            self.xcoms[f"{task_id}/return_value"] = value
        return report


@pytest.fixture(scope="module", params=KNOWN)
def weather(
    request: pytest.FixtureRequest,
    own_airflow: AirflowSupervisor,
    packed: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Weather:
    """The Dag as it is packed for each version of Airflow up to this one; nothing of it is unpacked yet."""
    return Weather(own_airflow, packed[request.param], tmp_path_factory.mktemp("cache") / "outboard")


def test_airflow_has_no_pandas_here(airflow_python: Path) -> None:
    """Otherwise what follows would prove nothing."""
    ask = "import sys; from importlib.util import find_spec; print([name for name in sys.argv[1:] if find_spec(name)])"
    command = [airflow_python, "-c", ask, "pandas", "numpy", "vega_datasets"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "[]\n"


def test_every_task_runs_and_hands_on_what_it_found(weather: Weather) -> None:
    assert weather.run("extract").outcome == SUCCEEDED
    asked = weather.run("check", context={"should_retry": True, "max_tries": 1})
    assert asked.outcome == RETRIED
    assert "seattle-weather is not released yet" in json.dumps(asked.log)
    [released] = asked.bodies("PUT /variables/released_live")
    checked = weather.run("check", variables={"released_live": released["val"]})
    assert checked.outcome == SUCCEEDED
    assert "DELETE /variables/released_live" in checked.told
    for task_id in ("by_month", "by_year", "report"):
        assert weather.run(task_id).outcome == SUCCEEDED
    found = {name.partition("/")[0]: value for name, value in weather.xcoms.items()}
    assert found["extract"] == {"dataset": "seattle-weather", "days": 1461, "years": [2012, 2013, 2014, 2015]}
    assert found["check"] == found["extract"]
    assert found["by_month"][5] == {"month": 6, "high": 22.4, "low": 12.2, "rain": 33.2}
    assert found["by_year"]["2015"] == {"day": "2015-03-15", "rain": 55.9}
    assert found["report"] == {
        "wettest_month": 11,
        "rain": found["by_month"][10]["rain"],
        "wettest_days": found["by_year"],
    }


def test_a_variable_of_airflow_decides_the_unit(weather: Weather) -> None:
    weather.xcoms["check/return_value"] = {"dataset": "seattle-weather", "years": [2012, 2013, 2014, 2015]}
    assert weather.run("by_month", variables={"unit": "fahrenheit"}).outcome == SUCCEEDED
    assert weather.xcoms["by_month/return_value"][6]["high"] == 78.8


def test_the_log_says_which_bundle_ran_and_what_it_took(weather: Weather) -> None:
    report = weather.run("extract")
    beginning = report.record(event="the task starts")
    assert beginning["bundle"] == "weather"
    assert beginning["python"] == sys.version.partition(" ")[0]
    assert report.record(event="the task ends")["requests"] > 0
    assert report.record(event="seattle-weather: 1461 days, from 2012-01-01 to 2015-12-31")["logger"] == "weather"


@pytest.mark.parametrize("version", KNOWN)
def test_airflow_finds_a_bundle_with_an_older_stamp_or_its_own(
    own_airflow: AirflowSupervisor, packed: dict[str, Path], version: str
) -> None:
    shutil.copy(packed[version], own_airflow.executables / "weather")
    assert own_airflow.find("weather")["schema_version"] == DATES[version]


@pytest.mark.parametrize("version", NEWER)
def test_airflow_refuses_a_bundle_with_a_newer_stamp(
    own_airflow: AirflowSupervisor, packed: dict[str, Path], version: str
) -> None:
    """Before any process is started, so the task's log stays empty; the reason is in the worker's own."""
    shutil.copy(packed[version], own_airflow.executables / "weather")
    report = own_airflow.run("weather", "extract", connections=ARCHIVE)
    assert report.raised is not None
    assert "FileNotFoundError: cannot find executable bundle with usable supervisor_schema_version" in report.raised
    assert f"Version '{DATES[version]}' not found" in report.raised
    assert (report.log, report.states) == ([], [])
