"""Questions about other runs and tasks under the real supervisor of an unmodified Airflow: asked as by its own task."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

SOURCE = Path(__file__).with_name("author_files") / "queries.py"
DATE = "2025-12-31T00:00:00Z"
DATES = dict.fromkeys(("start_date", "end_date", "data_interval_start", "data_interval_end"), DATE)
RUN = {
    **{"dag_id": "queries", "run_id": "before", "logical_date": DATE, "run_after": DATE, **DATES},
    **{"run_type": "manual", "state": "success", "consumed_asset_events": [], "partition_key": None},
}
ANSWERS = {
    "GET /dag-runs/previous": [200, RUN],
    "GET /task-instances/previous/*": [
        200,
        {"task_id": "asks", "dag_id": "queries", "run_id": "before", "try_number": 2, "map_index": -1},
    ],
    "GET /task-instances/*/previous-successful-dagrun": [200, DATES],
    "GET /task-instances/count": [200, 3],
    "GET /task-instances/states": [200, {"task_states": {"r1": {"a": "success"}}}],
    "GET /task-instances/breadcrumbs": [200, {"breadcrumbs": [{"task_id": "a", "state": "success"}]}],
    "GET /dag-runs/count": [200, 2],
    "GET /dag-runs/other/r1/state": [200, {"state": "running"}],
    "GET /dags/other": [
        200,
        {
            **{"dag_id": "other", "is_paused": True, "bundle_name": "b", "bundle_version": None, "tags": ["t"]},
            **{"relative_fileloc": "f.py", "owners": "me", "next_dagrun": None},
        },
    ],
}


def run(airflow: AirflowSupervisor, **options: Any) -> TaskReport:
    report = airflow.run("queries", "asks", answers=ANSWERS, **options)
    assert [state["state"] for state in report.states] == ["success"], report.log
    return report


def asked(report: TaskReport) -> list[tuple[str, Any]]:
    questions = [call for call in report.calls if call.method == "GET"]
    return sorted((call.path, call.params) for call in questions)


def test_what_is_asked_and_what_is_seen_are_those_of_airflows_own_task(airflow: AirflowSupervisor) -> None:
    file = airflow.dags / "native_queries.py"
    file.write_text(SOURCE.read_text().replace("from outboard import", "from airflow.sdk import"))
    ours, theirs = run(airflow), run(airflow, native=file.name, heartbeat_interval=0.5)
    assert asked(ours) == asked(theirs)
    assert len(asked(ours)) >= len(ANSWERS)
    place = "POST /xcoms/queries/live/asks/return_value"
    assert ours.bodies(place) == theirs.bodies(place)
    [[who, *_]] = ours.bodies(place)
    assert who == ["before", "before", 2]
