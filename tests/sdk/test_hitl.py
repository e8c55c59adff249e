"""Tasks that ask a human: what is asked, and what is made of the answer."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outboard import (
    DAG,
    ApprovalOperator,
    BaseNotifier,
    BaseOperator,
    Context,
    HITLBranchOperator,
    HITLEntryOperator,
    HITLOperator,
    HITLUser,
    Param,
    TaskInstance,
    task,
)
from outboard.protocol import serde
from outboard.sdk.exceptions import AirflowException, DownstreamTasksSkipped, ParamValidationError, TaskAwaitingInput
from outboard.sdk.hitl import HITLRejectException, HITLTimeoutError, HITLTriggerEventError
from tests.recorded import FIXTURES
from tests.sdk.conftest import World

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ADA = HITLUser(id="7", name="Ada")


def operator(kind: type[HITLOperator] = HITLOperator, **arguments: Any) -> Any:
    own = {"options": ["Yes", "No"]} if kind in (HITLOperator, HITLBranchOperator) else {}
    return kind(task_id="ask", **{"subject": "Go on?", **own, **arguments})


def context(asking: BaseOperator) -> Context:
    ti = TaskInstance(id="i", dag_id="d", task_id="ask", run_id="manual__2026+00:00", try_number=1, task=asking)
    return Context(ti=ti, task=asking)


def answer(*chosen: str, **more: Any) -> dict[str, Any]:
    return {
        "chosen_options": list(chosen),
        "params_input": {},
        "responded_at": NOON,
        "responded_by_user": dict(ADA),
        "timedout": False,
        **more,
    }


# ── asking ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_question_is_put_before_the_task_leaves(world: World) -> None:
    asking = operator(
        body="*really*", defaults="No", multiple=True, assigned_users=ADA, response_timeout=timedelta(hours=1)
    )
    with pytest.raises(TaskAwaitingInput) as raised:
        asking.execute(context(asking))
    assert world.questions == {
        "i": {
            "options": ["Yes", "No"],
            "subject": "Go on?",
            "body": "*really*",
            "defaults": ["No"],
            "multiple": True,
            "params": {},
            "assigned_users": [{"id": "7", "name": "Ada"}],
        }
    }
    assert (raised.value.method_name, raised.value.timeout) == ("execute_complete", timedelta(hours=1))
    assert world.said == [("info", "asks: Go on?")]


def test_a_form_has_the_fields_of_the_params(world: World) -> None:
    asking = operator(
        HITLEntryOperator, params={"rows": Param(3, "how many", type="integer"), "name": Param(type="string")}
    )
    with pytest.raises(TaskAwaitingInput):
        asking.execute(context(asking))
    question = world.questions["i"]
    assert question["params"] == {
        "rows": {"value": 3, "description": "how many", "schema": {"type": "integer"}, "source": "task"},
        "name": {"value": None, "description": None, "schema": {"type": "string"}, "source": "task"},
    }
    assert (question["options"], question["defaults"]) == (["OK"], ["OK"])
    assert list(asking.context_params()) == ["rows"]


def test_notifiers_are_called_once_the_question_is_asked(world: World) -> None:
    class Mails(BaseNotifier):
        def notify(self, context: Context) -> None:
            assert world.questions
            sent.append(context["task"].subject)  # type: ignore[attr-defined]

    sent: list[str] = []
    for notifiers in (Mails(), [Mails(), lambda context: sent.append("called")]):
        asking = operator(notifiers=notifiers)
        with pytest.raises(TaskAwaitingInput):
            asking.execute(context(asking))
    assert sent == ["Go on?", "Go on?", "called"]


def test_a_limit_on_the_process_is_taken_for_one_on_the_wait_with_a_warning() -> None:
    with pytest.warns(DeprecationWarning, match="task 'ask': execution_timeout is how long a process may run"):
        asking = operator(execution_timeout=timedelta(hours=1))
    assert (asking.response_timeout, asking.execution_timeout) == (timedelta(hours=1), None)
    both = operator(execution_timeout=timedelta(hours=1), response_timeout=timedelta(hours=2))
    assert (both.response_timeout, both.execution_timeout) == (timedelta(hours=2), timedelta(hours=1))


@pytest.mark.parametrize(
    ("kind", "arguments", "error", "text"),
    [
        (HITLOperator, {"options": []}, ValueError, "task 'ask': options cannot be empty"),
        (HITLOperator, {"options": "Yes"}, TypeError, "options are a list of texts, not 'Yes'"),
        (HITLOperator, {"options": ["Yes", 1]}, TypeError, "options are a list of texts"),
        (HITLOperator, {"defaults": "Perhaps"}, ValueError, "the defaults 'Perhaps' are none of the options"),
        (HITLOperator, {"defaults": ["Yes", "No"]}, ValueError, "there are 2 defaults, and one can be chosen"),
        (HITLOperator, {"params": {"_options": 1}}, ValueError, "no field of the form can be called '_options'"),
        (HITLOperator, {"params": 5}, TypeError, "params are a mapping of names to values, not 5"),
        (HITLOperator, {"assigned_users": ["Ada"]}, TypeError, "assigned_users have an id and a name"),
        (HITLOperator, {"assigned_users": {"id": 7, "name": "Ada"}}, TypeError, "assigned_users have an id and a name"),
        (HITLOperator, {"subject": "{{ ds }}?"}, ValueError, "does not render templates in arguments yet"),
        (ApprovalOperator, {"options": ["Yes"]}, ValueError, "ApprovalOperator takes no options"),
        (ApprovalOperator, {"multiple": True}, ValueError, "ApprovalOperator takes no multiple"),
        (HITLBranchOperator, {"options_mapping": {"Perhaps": "x"}}, ValueError, "options_mapping has 'Perhaps'"),
        (HITLBranchOperator, {"options_mapping": {"Yes": 5}}, ValueError, "options_mapping leads to ids of tasks"),
    ],
)
def test_a_wrong_argument_is_an_error_where_it_is_given(
    kind: Any, arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    with pytest.raises(error, match=text):
        operator(kind, **arguments)


# ── the answer ────────────────────────────────────────────────────────────────────────────────────────────────────────


def recorded(version: str, case: str) -> dict[str, Any]:
    told = json.loads((FIXTURES / "sdk" / f"resumptions-{version}.json").read_text())[case]
    kwargs: dict[str, Any] = serde.deserialize(told["next_kwargs"])
    return kwargs


@pytest.mark.parametrize("version", ["3.3", "3.4"])
@pytest.mark.parametrize(("case", "who"), [("an answer", ADA), ("a default", None)])
def test_the_answer_is_the_result(version: str, case: str, who: HITLUser | None, world: World) -> None:
    asking = operator(params={"rows": Param(1, type="integer")})
    result = asking.resume_execution("execute_complete", recorded(version, case), context(asking))
    at = datetime(2026, 1, 1, 12, 30, 15, 250000, tzinfo=UTC)
    assert result == {
        "chosen_options": ["Yes"],
        "params_input": {"rows": 3},
        "responded_at": at,
        "responded_by_user": who,
    }
    assert world.said == [("info", f"{'Ada' if who else 'the default'} says: Yes")]


@pytest.mark.parametrize("version", ["3.3", "3.4"])
def test_no_answer_in_time_is_an_error_of_its_own(version: str) -> None:
    asking = operator()
    with pytest.raises(HITLTimeoutError, match="there was no answer in time"):
        asking.resume_execution("execute_complete", recorded(version, "no answer"), context(asking))


@pytest.mark.parametrize(
    "event",
    [
        {"error": "e", "error_type": "unknown"},
        {"error": "e", "error_type": "validation"},
        {"error": "e"},
        {},
        None,
        "Yes",
    ],
)
def test_any_other_event_is_no_answer(event: Any) -> None:
    asking = operator()
    with pytest.raises(HITLTriggerEventError) as raised:
        asking.execute_complete(context(asking), event)
    assert type(raised.value) is HITLTriggerEventError


@pytest.mark.parametrize(
    ("event", "error", "text"),
    [
        (answer("Perhaps"), ValueError, r"\['Perhaps'\] was chosen, and the options are \['Yes', 'No'\]"),
        (answer("Yes", params_input={"rows": "many", "name": "x"}), ParamValidationError, "rows"),
        (
            answer("Yes", params_input={"rows": 3}),
            ValueError,
            r"the form has the fields \['name', 'rows'\], and \['rows'\]",
        ),
        (answer("Yes", params_input={"rows": 3, "name": "x", "x": 1}), ValueError, "were filled"),
    ],
)
def test_an_answer_that_was_not_asked_for_is_an_error(
    event: Any, error: type[Exception], text: str, world: World
) -> None:
    asking = operator(params={"rows": Param(1, type="integer"), "name": Param(type="string")})
    with pytest.raises(error, match=text):
        asking.execute_complete(context(asking), event)


def test_a_form_that_nobody_has_filled_is_an_answer(world: World) -> None:
    asking = operator(params={"rows": Param(1, type="integer")})
    assert asking.execute_complete(context(asking), answer("No"))["params_input"] == {}


# ── approval, branches ────────────────────────────────────────────────────────────────────────────────────────────────


@task
def step() -> None:
    pass


def declared(asking: Any) -> Any:
    """ask → left → later, ask → right."""
    with DAG("d") as made:
        asked = asking()
        left, right, later = (step.override(task_id=name)() for name in ("left", "right", "later"))
        asked >> [left, right]
        left >> later
    return made.get_task("ask")


def skipped(asking: Any, world: World, event: dict[str, Any]) -> list[Any]:
    with pytest.raises(DownstreamTasksSkipped) as raised:
        asking.execute_complete(context(asking), event)
    return list(raised.value.tasks)


def test_an_approval_goes_on(world: World) -> None:
    asking = declared(lambda: operator(ApprovalOperator))
    assert asking.execute_complete(context(asking), answer("Approve"))["chosen_options"] == ["Approve"]
    assert world.xcoms == {}


def test_a_rejection_skips_what_is_right_behind_or_all_of_it(world: World) -> None:
    assert skipped(declared(lambda: operator(ApprovalOperator)), world, answer("Reject")) == ["left", "right"]
    asking = declared(lambda: operator(ApprovalOperator, ignore_downstream_trigger_rules=True))
    assert skipped(asking, world, answer("Reject")) == ["later", "left", "right"]


def test_a_rejection_with_nothing_behind_is_an_answer_like_any_other(world: World) -> None:
    asking = operator(ApprovalOperator)
    assert asking.execute_complete(context(asking), answer("Reject"))["chosen_options"] == ["Reject"]


def test_a_rejection_can_be_a_failure(world: World) -> None:
    asking = declared(lambda: operator(ApprovalOperator, fail_on_reject=True))
    with pytest.raises(HITLRejectException, match="task 'ask' of Dag 'd' was rejected"):
        asking.execute_complete(context(asking), answer("Reject"))


def test_a_branch_goes_on_with_what_was_chosen(world: World) -> None:
    asking = declared(lambda: operator(HITLBranchOperator, options=["left", "right"]))
    assert skipped(asking, world, answer("left")) == [("right", -1)]


def test_a_branch_may_have_words_for_the_tasks(world: World) -> None:
    mapping = {"Yes": "left", "No": "right"}
    asking = declared(lambda: operator(HITLBranchOperator, options_mapping=mapping, multiple=True))
    assert skipped(asking, world, answer("No")) == [("left", -1)]
    assert asking.execute_complete(context(asking), answer("Yes", "No")) == ["left", "right"]


def test_a_branch_to_a_task_that_is_not_there_is_an_error(world: World) -> None:
    asking = declared(lambda: operator(HITLBranchOperator))
    with pytest.raises(AirflowException, match="a branch chose 'Yes', which is no task of its Dag"):
        asking.execute_complete(context(asking), answer("Yes"))


# ── where to answer ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_link_leads_to_the_page_where_the_question_is_answered(world: World) -> None:
    asking = operator(params={"rows": 1})
    link = asking.generate_link_to_ui(
        task_instance=context(asking)["ti"], base_url="https://host/airflow/", options="Yes", params_input={"rows": 3}
    )
    assert link == (
        "https://host/airflow/dags/d/runs/manual__2026%2B00%3A00/tasks/ask/required_actions"
        "?_options=%5B%27Yes%27%5D&rows=3&map_index=-1"
    )
    world.options["api", "base_url"] = "http://pages:8080"
    link = HITLOperator.generate_link_to_ui_from_context(context=context(asking))
    assert link.startswith("http://pages:8080/dags/d/runs/")
    assert link.endswith("/required_actions?map_index=-1")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"options": ["Perhaps"]}, "Perhaps"),
        ({"params_input": {"x": 1}}, r"\['x'\] are none of the form's fields \[\]"),
        ({}, "give it as base_url, or to workers as AIRFLOW__API__BASE_URL"),
    ],
)
def test_a_link_to_nowhere_is_an_error(arguments: dict[str, Any], text: str, world: World) -> None:
    asking = operator()
    with pytest.raises(ValueError, match=text):
        asking.generate_link_to_ui(task_instance=context(asking)["ti"], **arguments)


def test_a_task_that_asks_nobody_has_no_such_page() -> None:
    other = BaseOperator(task_id="other")
    with pytest.raises(ValueError, match="task 'other' asks nobody"):
        HITLOperator.generate_link_to_ui_from_context(context=Context(task=other))


def test_a_user_is_a_dict() -> None:
    assert HITLUser(id="7", name="Ada") == {"id": "7", "name": "Ada"}
