"""Assets under the real supervisor of an unmodified Airflow: a bundle tells the API what Airflow's own task tells it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

SOURCE = Path(__file__).with_name("author_files") / "stock.py"
NAMED = {"name": "named", "uri": "x-own://named", "group": "asset", "extra": {"kind": "own"}}
EVENT: dict[str, Any] = {
    **{"id": 7, "timestamp": "2026-01-05T00:00:00Z", "extra": {"rows": 3}, "created_dagruns": []},
    "asset": {"name": "orders", "uri": "s3://bucket/orders", "group": "asset", "extra": {}},
    **{"source_task_id": "t", "source_dag_id": "d", "source_run_id": "r", "source_map_index": -1},
}
ANSWERS = {
    "GET /task-instances/*/validate-inlets-and-outlets": [200, {"inactive_assets": []}],
    "GET /assets/by-alias": [200, [NAMED]],
    "GET /assets/by-*": [200, NAMED],
    "GET /asset-events/by-asset": [200, {"asset_events": [EVENT, {**EVENT, "extra": {"rows": 4}}]}],
    "GET /asset-events/by-asset-alias": [200, {"asset_events": [EVENT]}],
}
CONSUMED = {
    "asset": {"name": "orders", "uri": "s3://bucket/orders", "extra": {}},
    **{"extra": {"rows": 3}, "source_task_id": "t", "source_dag_id": "d", "source_run_id": "r", "source_map_index": -1},
    **{"source_aliases": [{"name": "daily"}], "timestamp": "2026-01-05T00:00:00Z", "partition_key": None},
}

TELLING = [
    *("tells_nothing", "tells_by_accessor", "tells_by_reference", "tells_of_partitions"),
    *("tells_through_an_alias", "yields_metadata"),
]


def run(airflow: AirflowSupervisor, task_id: str, **options: Any) -> TaskReport:
    return airflow.run("stock", task_id, answers={**ANSWERS, **options.pop("answers", {})}, **options)


def natively(airflow: AirflowSupervisor, task_id: str, **options: Any) -> TaskReport:
    """The same with Airflow's own runner."""
    file = airflow.dags / "native_stock.py"
    file.write_text(SOURCE.read_text().replace("from outboard import", "from airflow.sdk import"))
    # Airflow's supervisor notices only by polling that its own runner has ended.
    return run(airflow, task_id, native=file.name, heartbeat_interval=0.5, **options)


def told_of_assets(report: TaskReport) -> dict[str, Any]:
    assert [state["state"] for state in report.states] == ["success"], report.log
    return {name: report.states[0][name] for name in ("task_outlets", "outlet_events")}


def returned(report: TaskReport, task_id: str) -> Any:
    assert [state["state"] for state in report.states] == ["success"], report.log
    [value] = report.bodies(f"POST /xcoms/stock/live/{task_id}/return_value")
    return value


@pytest.mark.parametrize("task_id", TELLING)
def test_what_is_told_of_outlets_is_what_airflows_own_task_tells(airflow: AirflowSupervisor, task_id: str) -> None:
    ours, theirs = run(airflow, task_id), natively(airflow, task_id)
    assert told_of_assets(ours) == told_of_assets(theirs)
    assert told_of_assets(ours)["task_outlets"]
    assert bool(told_of_assets(ours)["outlet_events"]) == (task_id != "tells_nothing")
    assert ours.told == [route for route in theirs.told if not route.endswith("/rtif")]


@pytest.mark.parametrize("task_id", ["reads_events", "was_triggered"])
def test_what_is_seen_of_events_is_what_airflows_own_task_sees(airflow: AirflowSupervisor, task_id: str) -> None:
    context = {"dag_run": {"consumed_asset_events": [CONSUMED], "run_type": "asset_triggered"}}
    ours, theirs = run(airflow, task_id, context=context), natively(airflow, task_id, context=context)
    assert returned(ours, task_id) == returned(theirs, task_id)
    assert asked(ours) == asked(theirs)


def asked(report: TaskReport) -> list[tuple[str, dict[str, str]]]:
    return [(call.path, call.params) for call in report.calls if call.path.startswith("/asset-events")]


def test_events_are_filtered_by_the_server(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "reads_events")
    path, params = asked(report)[0]
    assert path == "/asset-events/by-asset"
    assert (params["name"], params["limit"], params["ascending"].lower()) == ("orders", "2", "false")
    assert params["after"].startswith("2026-01-01")
    assert params["before"].startswith("2026-02-01")


def test_a_bundle_for_the_older_airflow_says_that_it_cannot_filter_by_partition(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "reads_events_of_a_partition")
    assert report.outcome == (0, "failed", ["failed"])
    assert "pack it with --airflow 3.4" in str(report.record(level="error"))


def test_the_events_that_have_started_a_run_are_known_by_asset_and_by_alias(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "was_triggered", context={"dag_run": {"consumed_asset_events": [CONSUMED]}})
    events = [[{"rows": 3}, "t"]]
    assert returned(report, "was_triggered") == [["orders", events], ["daily", events]]


@pytest.mark.parametrize(("should_retry", "state"), [(False, "failed"), (True, "up_for_retry")])
def test_inactive_assets_fail_the_task_before_its_body_and_a_retry_may_follow(
    airflow: AirflowSupervisor, should_retry: bool, state: str
) -> None:
    inactive = {"inactive_assets": [{"name": "orders", "uri": "s3://bucket/orders", "type": "Asset"}]}
    answers = {"GET /task-instances/*/validate-inlets-and-outlets": [200, inactive]}
    report = run(airflow, "yields_metadata", answers=answers, context={"should_retry": should_retry})
    assert report.outcome == (0, state, [state])
    assert "name='orders', uri='s3://bucket/orders'" in str(report.record(level="error"))
    assert report.told == ["GET /task-instances/{id}/validate-inlets-and-outlets", "PATCH /task-instances/{id}/state"]


def test_an_extra_that_is_no_json_fails_the_task_and_says_where(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "tells_what_is_no_json")
    assert report.outcome == (0, "failed", ["failed"])
    assert "the extra of Asset(name='orders', uri='s3://bucket/orders').when.a" in report.record(level="error")["event"]
