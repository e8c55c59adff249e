"""Stores of small values under the real supervisor of an unmodified Airflow: told as its own task tells of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

SOURCE = Path(__file__).with_name("author_files") / "stores.py"
ABSENT = [404, {"detail": {"reason": "not_found", "message": "no such key"}}]
ANSWERS = {
    "GET /task-instances/*/validate-inlets-and-outlets": [200, {"inactive_assets": []}],
    "GET /store/*absent*": ABSENT,
    "GET /store/ti/*": [200, {"value": {"page": 2}}],
    "GET /store/asset/*value": [200, {"value": 7}],
    "GET /store/asset/*": [200, {"value": 7}],
    "PUT /store/*": [204, None],
    "DELETE /store/*": [204, None],
}


def run(airflow: AirflowSupervisor, task_id: str, **options: Any) -> TaskReport:
    report = airflow.run("stores", task_id, answers=ANSWERS, **options)
    assert [state["state"] for state in report.states] == ["success"], report.log
    return report


def natively(airflow: AirflowSupervisor, task_id: str) -> TaskReport:
    file = airflow.dags / "native_stores.py"
    file.write_text(SOURCE.read_text().replace("from outboard import", "from airflow.sdk import"))
    return run(airflow, task_id, native=file.name, heartbeat_interval=0.5)


def of_stores(report: TaskReport) -> list[tuple[Any, ...]]:
    calls = [call for call in report.calls if call.path.startswith("/store/")]
    return [(call.route, call.params, value_of(call.body), call.status) for call in calls]


def value_of(body: Any) -> Any:
    return body and body["value"]


@pytest.mark.parametrize("task_id", ["keeps", "keeps_of_assets"])
def test_what_is_kept_is_told_as_airflows_own_task_tells_it(airflow: AirflowSupervisor, task_id: str) -> None:
    ours, theirs = run(airflow, task_id), natively(airflow, task_id)
    assert of_stores(ours) == of_stores(theirs)
    assert of_stores(ours)
    returned = f"POST /xcoms/stores/live/{task_id}/return_value"
    assert ours.bodies(returned) == theirs.bodies(returned)


def test_a_value_of_a_task_says_when_it_expires(airflow: AirflowSupervisor, airflow_version: str) -> None:
    # Airflow 3.3 does not tell a bundle how long its configuration keeps values.
    days = 30 if airflow_version.startswith("3.3.") else 7
    configured = {"AIRFLOW__STATE_STORE__DEFAULT_RETENTION_DAYS": str(days)}
    report = run(airflow, "keeps", environment=configured)
    by_default, short, forever = (
        call.body["expires_at"] for call in report.calls if call.method == "PUT" and "/store/" in call.path
    )
    assert forever is None
    apart = datetime.fromisoformat(by_default) - datetime.fromisoformat(short)
    assert timedelta(days=days, hours=-7) < apart < timedelta(days=days, hours=-5)
