"""XComs under the real supervisor of an unmodified Airflow: what the Execution API was asked, and what the task saw of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

HERE = "/xcoms/xcoms/live"
SUCCEEDED = (0, "success", ["success"])
ABSENT = [404, {"detail": {"reason": "not_found", "message": "no such XCom"}}]

INNER = {"__classname__": "xcoms.Row", "__version__": 0, "__data__": {"number": 2, "inside": None}}
OUTER = {"__classname__": "xcoms.Row", "__version__": 0, "__data__": {"number": 1, "inside": INNER}}


def run(airflow: AirflowSupervisor, task_id: str, **script: Any) -> TaskReport:
    report = airflow.run("xcoms", task_id, **script)
    assert report.outcome == SUCCEEDED, report.log
    return report


def returned(report: TaskReport, task_id: str) -> Any:
    [value] = report.bodies(f"POST {HERE}/{task_id}/return_value")
    return value


def test_without_indexes_all_instances_of_a_mapped_task_are_asked_for_at_once(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "pulls_all", answers={"GET /xcoms/*/slice": [200, [1, 2, 3]]})
    assert report.told[0] == f"GET {HERE}/mapped/return_value/slice"
    assert returned(report, "pulls_all") == [1, 2, 3]


def test_indexes_are_asked_for_one_by_one_in_the_run_that_was_named(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "pulls_some", answers={"GET /xcoms/xcoms/earlier/*": [200, {"key": "k", "value": 7}]})
    asked = [call for call in report.calls if call.path == "/xcoms/xcoms/earlier/mapped/return_value"]
    assert [call.params["map_index"] for call in asked] == ["1", "2"]
    assert {call.params["include_prior_dates"].lower() for call in asked} == {"true"}
    assert returned(report, "pulls_some") == [7, 7]


def test_an_absent_index_has_the_default(airflow: AirflowSupervisor) -> None:
    assert returned(run(airflow, "pulls_some"), "pulls_some") == ["none", "none"]


def test_a_sequence_asks_for_its_length_its_items_and_its_slices(airflow: AirflowSupervisor) -> None:
    place = f"{HERE}/mapped/return_value"
    answers = {
        f"HEAD {place}": [200, None, {"Content-Range": "map_indexes 4"}],
        f"GET {place}/item/-1": [200, "last"],
        f"GET {place}/slice": [200, ["second", "third"]],
        f"GET {HERE}/mapped/few/item/0": [200, "only"],
        f"GET {HERE}/mapped/few/item/1": ABSENT,
    }
    report = run(airflow, "looks_at_a_sequence", answers=answers)
    assert returned(report, "looks_at_a_sequence") == [4, "last", ["second", "third"], ["ONLY"]]
    assert report.told[:-2] == list(answers)
    [cut] = [call for call in report.calls if call.path.endswith("/slice")]
    assert cut.params == {"start": "1", "stop": "3"}


def test_all_of_a_task_of_another_dag_are_got(airflow: AirflowSupervisor) -> None:
    answers = {"GET /xcoms/other/then/mapped/k/slice": [200, [1]], "GET /xcoms/*/none/slice": [200, []]}
    assert returned(run(airflow, "gets_all", answers=answers), "gets_all") == [[1], None]


def test_one_of_a_mapped_task_is_deleted(airflow: AirflowSupervisor) -> None:
    report = run(airflow, "deletes")
    [call] = [call for call in report.calls if call.method == "DELETE"]
    assert (call.path, call.params["map_index"]) == ("/xcoms/other/then/mapped/k", "2")


def test_values_of_an_authors_class_are_stored_and_made_again(airflow: AirflowSupervisor) -> None:
    assert returned(run(airflow, "pushes_rows"), "pushes_rows") == OUTER
    report = run(airflow, "pulls_rows", xcoms={"pushes_rows/return_value": OUTER})
    assert returned(report, "pulls_rows") == ["Row", 1, 2]


def test_the_length_of_what_is_mapped_over_is_told(airflow: AirflowSupervisor) -> None:
    report = airflow.run("mapped_over", "lists")
    [call] = [call for call in report.calls if call.method == "POST"]
    assert report.outcome == SUCCEEDED
    assert (call.body, call.params["mapped_length"]) == (["a", "b"], "2")
