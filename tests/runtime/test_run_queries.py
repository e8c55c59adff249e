"""Questions about other runs and tasks in a real process: which requests are made, and what the body sees of the answers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from outboard.protocol import messages as m
from tests.runtime.child import NOW, UUID, Child, startup
from tests.runtime.test_task_runner import run, source

EARLIER = datetime(2025, 12, 31, tzinfo=UTC)

ANSWERS: dict[str, Any] = {
    "GetPrevSuccessfulDagRun": lambda r: m.PrevSuccessfulDagRunResult(start_date=EARLIER),
    "GetPreviousDagRun": lambda r: m.PreviousDagRunResult(dag_run=None),
    "GetPreviousTI": lambda r: m.PreviousTIResult(
        task_instance=m.PreviousTIResponse(task_id="body", dag_id="example", run_id="r0", try_number=2)
    ),
    "GetTICount": lambda r: m.TICount(count=3),
    "GetTaskStates": lambda r: m.TaskStatesResult(task_states={"r1": {"a": "success"}}),
    "GetTaskBreadcrumbs": lambda r: m.TaskBreadcrumbsResult(breadcrumbs=[{"task_id": "a"}]),
    "GetDRCount": lambda r: m.DRCount(count=2),
    "GetDagRunState": lambda r: m.DagRunStateResult(state="running"),
    "GetDag": lambda r: m.DagResult(
        dag_id=r.dag_id, is_paused=True, bundle_name=None, bundle_version=None, relative_fileloc=None, owners=None,
        tags=[], next_dagrun=None,
    ),
}  # fmt: skip


def returned(folder: Path, body: str) -> tuple[Any, list[Any]]:
    _, child = run(folder, source(body), ANSWERS)
    assert type(child.requests[-1]).__name__ == "SucceedTask", child.records
    return child.requests[-2].value, child.requests[:-2]


def test_each_question_is_one_request(tmp_path: Path) -> None:
    body = """
def body(ti):
    return [
        ti.get_previous_dagrun(state="success"),
        ti.get_previous_ti().run_id,
        ti.get_ti_count("other", task_ids=["a"], states=["success"]),
        ti.get_task_states("other", run_ids=["r1"]),
        ti.get_task_breadcrumbs("other", "r1"),
        ti.get_dr_count("other", logical_dates=[datetime(2026, 1, 1, tzinfo=timezone.utc)]),
        ti.get_dagrun_state("other", "r1"),
        ti.get_dag("other").is_paused,
    ]
"""
    value, requests = returned(tmp_path, body)
    assert value == [None, "r0", 3, {"r1": {"a": "success"}}, [{"task_id": "a"}], 2, "running", True]
    assert [type(request).__name__ for request in requests] == list(ANSWERS)[1:]
    previous_run, previous_ti, counted, states, breadcrumbs, runs, state, dag = requests
    assert (previous_run.dag_id, previous_run.logical_date, previous_run.state) == ("example", NOW, "success")
    assert (previous_ti.task_id, previous_ti.logical_date, previous_ti.map_index) == ("body", NOW, -1)
    assert (counted.dag_id, counted.task_ids, counted.states, counted.run_ids) == ("other", ["a"], ["success"], None)
    assert (states.run_ids, breadcrumbs.run_id, state.run_id, dag.dag_id) == (["r1"], "r1", "r1", "other")
    assert runs.logical_dates == [NOW]


def test_the_last_success_is_asked_for_when_it_is_used_and_once(tmp_path: Path) -> None:
    body = """
def body(prev_end_date_success, **context):
    start = context["prev_start_date_success"]
    return [prev_end_date_success, start.year, str(get_current_context()["prev_data_interval_end_success"])]
"""
    value, requests = returned(tmp_path, body)
    assert value == [None, 2025, "None"]
    [request] = requests
    assert request.ti_id == UUID


def test_a_context_that_nobody_looks_into_asks_nothing(tmp_path: Path) -> None:
    value, requests = returned(tmp_path, "def body(**context):\n    return sorted(context)")
    assert {"prev_start_date_success", "task_state_store", "outlet_events", "var"} <= set(value)
    assert requests == []


def test_a_note_needs_the_newer_airflow_and_says_so(tmp_path: Path) -> None:
    with Child(tmp_path, source("def body(ti):\n    ti.update_dagrun_note('x')")) as child:
        report = child.run()
    assert report.state == "failed"
    assert "pack it with --airflow 3.4" in str(child.records)


def test_a_note_is_set_for_the_run_of_the_task(tmp_path: Path) -> None:
    with Child(tmp_path, source("def body(ti):\n    ti.update_dagrun_note('x')"), schema="2026-10-30") as child:
        child.answers = {"UpdateDagRunNote": lambda r: m.OKResponse(ok=True)}
        report = child.run()
    assert report.state == "success"
    assert (child.requests[0].ti_id, child.requests[0].note) == (UUID, "x")


@pytest.mark.parametrize("index", [0, 2])
def test_a_task_in_a_loop_sees_where_it_stands(tmp_path: Path, index: int) -> None:
    body = "def body(loop):\n    return [loop.index, loop.max_iterations, loop.previous, loop.result]"
    text = source(body)
    with Child(tmp_path, text, schema="2026-10-30") as child:
        child.answers = {
            "GetXCom": lambda r: m.XComResult(key=r.key, value=["before" if r.previous_iteration else "now"])
        }
        greeting = startup("body")
        greeting.ti_context.loop = m.LoopContext(
            node_id="loop", index=index, max_iterations=3, terminal_task_id="last", terminal_is_mapped=False
        )
        child.greet(greeting)
        child.serve()
    pushed = next(request.value for request in child.requests if type(request).__name__ == "SetXCom")
    assert pushed == [index, 3, ["before"] if index else None, ["now"]]
    assert {request.task_id for request in child.requests if type(request).__name__ == "GetXCom"} == {"last"}
