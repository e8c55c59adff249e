"""Triggers of ours as a stock triggerer takes them up: by the class's path, and with the arguments that it takes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from outboard import DateTimeTrigger, NamedTrigger, TimeDeltaTrigger
from outboard.protocol import serde
from tests.live.airflow_reader import AirflowReader, started_reader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.live

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DATE_TIME_TRIGGER = "airflow.providers.standard.triggers.temporal.DateTimeTrigger"


@pytest.fixture(scope="module")
def triggerer(airflow_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowReader]:
    with started_reader("trigger_reader.py", airflow_python, tmp_path_factory.mktemp("airflow")) as reader:
        yield reader


def taken_up(triggerer: AirflowReader, trigger: Any) -> dict[str, Any]:
    """What the trigger has become over there."""
    classpath, kwargs = trigger.serialize()
    return triggerer.ask(json.dumps({"classpath": classpath, "kwargs": serde.serialize(kwargs)}))


@pytest.mark.parametrize("end_from_trigger", [False, True])
def test_a_moment_is_the_same_moment_there(triggerer: AirflowReader, end_from_trigger: bool) -> None:
    became = taken_up(triggerer, DateTimeTrigger(NOON, end_from_trigger=end_from_trigger))
    assert (became["class"], became["classpath"]) == ("DateTimeTrigger", DATE_TIME_TRIGGER)
    assert datetime.fromisoformat(became["kwargs"]["moment"]) == NOON
    assert became["kwargs"]["end_from_trigger"] is end_from_trigger


def test_a_target_time_is_taken_as_it_is(triggerer: AirflowReader) -> None:
    became = taken_up(triggerer, DateTimeTrigger(target_time=NOON.isoformat()))
    assert became["kwargs"] == {"target_time": NOON.isoformat(), "end_from_trigger": False}


def test_a_delay_counts_from_when_it_is_taken_up(triggerer: AirflowReader) -> None:
    before = datetime.now(UTC)
    became = taken_up(triggerer, TimeDeltaTrigger(timedelta(days=3), end_from_trigger=True))
    moment = datetime.fromisoformat(became["kwargs"]["moment"])
    assert became["class"] == "TimeDeltaTrigger"
    assert before <= moment - timedelta(days=3) <= datetime.now(UTC)
    assert became["kwargs"]["end_from_trigger"] is True


def test_any_other_class_gets_the_arguments_that_were_named(triggerer: AirflowReader) -> None:
    arguments = {"dag_id": "d", "states": ["success"], "run_ids": ["r"], "poll_interval": 2.5, "execution_dates": None}
    trigger = NamedTrigger("airflow.providers.standard.triggers.external_task.DagStateTrigger", arguments)
    became = taken_up(triggerer, trigger)
    assert (became["class"], became["kwargs"]) == ("DagStateTrigger", arguments)
