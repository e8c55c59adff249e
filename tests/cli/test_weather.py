"""The example on real data, in the environment that it asks for: that is fetched and built once, then kept."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from outboard.bundle.environment import CACHE_VARIABLE
from tests.cli.conftest import DAGS

ROOT = Path(__file__).parents[2]
ARCHIVE = ("--conn", "archive=local://vega/seattle-weather")


@pytest.mark.live
@pytest.mark.timeout(600)
def test_weather_succeeds_with_one_real_retry_where_nobody_else_has_pandas(
    outboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(ROOT / ".cache" / "outboard"))
    assert importlib.util.find_spec("pandas") is None, "this proves nothing where pandas is installed"
    done = outboard("run", DAGS / "weather.py", *ARCHIVE, "--json")
    assert done.code == 0, done.err
    tasks = {task["task_id"]: task for task in json.loads(done.out)["tasks"]}
    assert {task_id: task["tries"] for task_id, task in tasks.items()} == {
        "extract": 1,
        "check": 2,
        "by_month": 1,
        "by_year": 1,
        "report": 1,
    }
    found = {task_id: task["xcoms"]["return_value"] for task_id, task in tasks.items()}
    assert found["extract"] == {"dataset": "seattle-weather", "days": 1461, "years": [2012, 2013, 2014, 2015]}
    assert found["by_month"][5] == {"month": 6, "high": 22.4, "low": 12.2, "rain": 33.2}
    assert found["report"]["wettest_month"] == 11
    assert found["by_year"]["2015"] == {"day": "2015-03-15", "rain": 55.9}
    assert "seattle-weather is not released yet" in done.err


@pytest.mark.live
@pytest.mark.timeout(600)
def test_the_variable_decides_the_unit(outboard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(ROOT / ".cache" / "outboard"))
    done = outboard("run", DAGS / "weather.py", *ARCHIVE, "--var", "unit=fahrenheit", "--json")
    tasks = {task["task_id"]: task["xcoms"]["return_value"] for task in json.loads(done.out)["tasks"]}
    assert tasks["by_month"][6]["high"] == 78.8
