"""`runtime.dag_serde` against what Airflow makes of the same files."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from outboard import DAG
from outboard.runtime.dag_serde import serialize_dag
from outboard.sdk.dag import take_registered
from outboard.sdk.registry import Declarations, collect
from tests import recorded

PARAMS: Any = recorded.load("sdk/params.json")
FILES: Any = [*recorded.load("sdk/dags.json"), *PARAMS["dags"]]

# Where we differ, and why. Anything else that differs is a mistake.
DAG_DIFFERENCES = {
    "default_args": "they are applied when the file is loaded; nothing reads them afterwards",
}
TASK_DIFFERENCES = {
    "_task_module": "the class is ours",
    "task_type": "the class is ours",
    "op_args": "arguments stay in the bundle, which alone can resolve them",
    "op_kwargs": "arguments stay in the bundle, which alone can resolve them",
    "template_fields": "arguments are not templates",
    "template_fields_renderers": "arguments are not templates",
    "ui_color": "the default of the schema, not that of Airflow's Python operator",
}


def declared(source: str) -> Declarations:
    """What a file declares when it imports our names in place of Airflow's."""
    take_registered()  # what other tests have left
    names: dict[str, Any] = {"__name__": "author_file", "__file__": "author_file.py"}
    text = source.replace("from airflow.sdk import", "from outboard import")
    exec(compile(text, "author_file.py", "exec", dont_inherit=True), names)
    return collect(names)


@pytest.mark.parametrize("entry", FILES, ids=[entry["name"] for entry in FILES])
def test_a_file_gives_the_dags_that_airflow_makes_of_it(entry: dict[str, Any]) -> None:
    dags = sorted(declared(entry["source"]).dags, key=lambda dag: dag.dag_id)
    ours = [serialize_dag(dag) for dag in dags]
    assert [comparable(dag) for dag in ours] == [comparable(dag) for dag in entry["dags"]]


def comparable(serialized: dict[str, Any]) -> dict[str, Any]:
    dag = {name: value for name, value in serialized["dag"].items() if name not in DAG_DIFFERENCES}
    dag["tasks"] = [
        {name: value for name, value in task["__var"].items() if name not in TASK_DIFFERENCES} for task in dag["tasks"]
    ]
    return {"version": serialized["__version"], **dag}


def test_every_allowed_difference_is_one() -> None:
    """A difference that no recording shows any more has no place in the list."""
    seen: set[str] = set()
    for entry in FILES:
        theirs = sorted(entry["dags"], key=lambda dag: dag["dag"]["dag_id"])
        ours = [serialize_dag(dag) for dag in sorted(declared(entry["source"]).dags, key=lambda dag: dag.dag_id)]
        for one, other in zip(theirs, ours, strict=True):
            seen |= differing(one["dag"], other["dag"])
            for task, its in zip(one["dag"]["tasks"], other["dag"]["tasks"], strict=True):
                seen |= differing(task["__var"], its["__var"])
    assert seen - {"tasks"} == set(DAG_DIFFERENCES) | set(TASK_DIFFERENCES)


def differing(one: dict[str, Any], other: dict[str, Any]) -> set[str]:
    return {name for name in {*one, *other} if one.get(name) != other.get(name)}


def test_the_same_dag_gives_the_same_text_each_time() -> None:
    source = FILES[1]["source"]
    first, second = (json.dumps([serialize_dag(dag) for dag in declared(source).dags]) for _ in range(2))
    assert first == second


@pytest.mark.parametrize(
    ("start", "zone"),
    [
        (None, "UTC"),
        (datetime(2026, 1, 1), "UTC"),  # noqa: DTZ001  # naive dates are UTC, as in Airflow
        (datetime(2026, 1, 1, tzinfo=UTC), "UTC"),
        (datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")), "Europe/Berlin"),
        (datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2))), 7200),
    ],
)
def test_the_zone_of_the_start_date_is_the_zone_of_the_dag_and_of_its_cron(
    start: datetime | None, zone: object
) -> None:
    data = serialize_dag(DAG("d", start_date=start, schedule="@daily"))["dag"]
    assert data["timezone"] == zone
    assert data["timetable"]["__var"]["timezone"] == zone


def test_the_data_is_plain_json() -> None:
    for entry in FILES:
        for dag in declared(entry["source"]).dags:
            data = serialize_dag(dag)
            assert json.loads(json.dumps(data, allow_nan=False)) == data
