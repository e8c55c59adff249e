"""A task that asks a human, in real processes: one that asks and leaves, and one that goes on with the answer."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from outboard.protocol import messages as m
from tests.recorded import FIXTURES
from tests.runtime.child import Child
from tests.runtime.test_task_runner import run

SOURCE = """
from datetime import timedelta
from outboard import DAG, ApprovalOperator, HITLBranchOperator, HITLEntryOperator, HITLOperator, HITLUser, Param, task

def tells(context):
    print("asked", context["ti"].task_id, context["params"])

with DAG("example", params={{"day": "today"}}):
    @task
    def left():
        pass
    @task
    def right():
        pass
    {kind}(task_id="body", subject="Go on?", **{arguments}) >> [left(), right()]
"""
OPTIONS = "{'options': ['Yes', 'No'], %s}"


def asking(kind: str = "HITLOperator", arguments: str = OPTIONS % "") -> str:
    return SOURCE.format(kind=kind, arguments=arguments)


def asked(child: Child) -> list[Any]:
    return [request for request in child.requests if not isinstance(request, m.SetRenderedFields)]


def told(version: str, case: str, **event: Any) -> dict[str, Any]:
    recorded: dict[str, Any] = json.loads((FIXTURES / "sdk" / f"resumptions-{version}.json").read_text())[case]
    recorded["next_kwargs"]["event"].update(event)
    return {**recorded, "next_method": "execute_complete"}


def test_a_question_is_put_and_the_process_ends(tmp_path: Path) -> None:
    more = "'response_timeout': timedelta(hours=1), 'assigned_users': HITLUser(id='7', name='Ada'), 'notifiers': tells"
    report, child = run(tmp_path, asking(arguments=OPTIONS % more))
    question, last = asked(child)
    assert (question.options, question.subject, question.defaults) == (["Yes", "No"], "Go on?", None)
    assert [(user.id, user.name) for user in question.assigned_users] == [("7", "Ada")]
    assert last is report
    assert (report.state, report.next_method, report.timeout) == (
        "awaiting_input",
        "execute_complete",
        timedelta(hours=1),
    )
    assert child.logged("task.stdout") == ["asked body {'day': 'today'}"]


def test_a_field_of_the_form_may_have_no_value_before_somebody_fills_it(tmp_path: Path) -> None:
    arguments = "{'params': {'rows': Param(type='integer'), 'name': 'x'}, 'notifiers': tells}"
    report, child = run(tmp_path, asking("HITLEntryOperator", arguments))
    assert report.state == "awaiting_input"
    assert {name: field["value"] for name, field in asked(child)[0].params.items()} == {"rows": None, "name": "x"}
    assert child.logged("task.stdout") == ["asked body {'day': 'today', 'name': 'x'}"]


def test_a_question_that_cannot_be_put_fails_the_task(tmp_path: Path) -> None:
    answers = {
        "CreateHITLDetailPayload": lambda _: m.ErrorResponse(error="API_SERVER_ERROR", detail={"status_code": 409})
    }
    report, child = run(tmp_path, asking(), answers, should_retry=True)
    assert report.state == "up_for_retry"
    assert "409" in repr(child.said())


@pytest.mark.parametrize("version", ["3.3", "3.4"])
@pytest.mark.parametrize(("case", "who"), [("an answer", {"id": "7", "name": "Ada"}), ("a default", None)])
def test_the_answer_is_pushed_as_the_result(tmp_path: Path, version: str, case: str, who: Any) -> None:
    text = asking(arguments=OPTIONS % "'params': {'rows': Param(1, type='integer')}")
    report, child = run(tmp_path, text, **told(version, case))
    [pushed] = [request.value for request in child.requests if isinstance(request, m.SetXCom)]
    assert report.state == "success"
    assert (pushed["chosen_options"], pushed["params_input"], pushed["responded_by_user"]) == (
        ["Yes"],
        {"rows": 3},
        who,
    )
    assert pushed["responded_at"]["__classname__"] == "datetime.datetime"


@pytest.mark.parametrize("version", ["3.3", "3.4"])
def test_no_answer_in_time_leads_to_the_retry_decision(tmp_path: Path, version: str) -> None:
    report, child = run(tmp_path, asking(), **told(version, "no answer"), should_retry=True)
    assert report.state == "up_for_retry"
    assert "HITLTimeoutError" in repr(child.said())


def test_an_answer_that_does_not_fit_fails_the_task(tmp_path: Path) -> None:
    text = asking(arguments=OPTIONS % "'params': {'rows': Param(1, type='string')}")
    report, child = run(tmp_path, text, **told("3.4", "an answer"))
    assert report.state == "failed"
    assert "ParamValidationError" in repr(child.said())


@pytest.mark.parametrize(
    ("kind", "arguments", "chosen", "state", "skipped"),
    [
        ("ApprovalOperator", "{}", "Approve", "success", None),
        ("ApprovalOperator", "{}", "Reject", "success", ["left", "right"]),
        ("ApprovalOperator", "{'fail_on_reject': True}", "Reject", "failed", None),
        ("HITLBranchOperator", "{'options': ['left', 'right']}", "left", "success", [("right", -1)]),
        ("HITLBranchOperator", OPTIONS % "'options_mapping': {'No': 'right'}", "No", "success", [("left", -1)]),
        ("HITLEntryOperator", "{}", "OK", "success", None),
    ],
)
def test_the_answer_decides_what_is_gone_on_with(
    tmp_path: Path, kind: str, arguments: str, chosen: str, state: str, skipped: list[Any] | None
) -> None:
    greeting = told("3.3", "an answer", chosen_options=[chosen], params_input={})
    report, child = run(tmp_path, asking(kind, arguments), **greeting)
    found = [request.tasks for request in child.requests if isinstance(request, m.SkipDownstreamTasks)]
    assert report.state == state
    assert [[tuple(each) if isinstance(each, list) else each for each in tasks] for tasks in found] == (
        [] if skipped is None else [skipped]
    )
