from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outboard import DAG, TriggerRule, dag, task
from outboard.sdk.dag import current_dag, take_registered
from outboard.sdk.exceptions import AirflowDagCycleException, DuplicateTaskIdFound, TaskNotFound
from outboard.sdk.operator import BaseOperator
from outboard.sdk.python_operator import PythonOperator


@pytest.fixture(autouse=True)
def _none_registered() -> None:
    take_registered()


@task
def step() -> None:
    """A task."""


# ── declaring ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dag_is_current_inside_its_block_and_registered_when_it_ends() -> None:
    assert current_dag() is None
    with DAG("outer") as outer:
        with DAG("inner") as inner:
            assert current_dag() is inner
        assert current_dag() is outer
    assert current_dag() is None
    assert take_registered() == [inner, outer]
    assert take_registered() == []


def test_a_block_that_raises_leaves_no_current_dag() -> None:
    with pytest.raises(ZeroDivisionError), DAG("d"):
        1 / 0  # noqa: B018
    assert current_dag() is None


def test_a_block_that_is_entered_twice_registers_once() -> None:
    declared = DAG("d")
    for _ in range(2):
        with declared:
            step()
    assert take_registered() == [declared]
    assert declared.task_ids == ["step", "step__1"]


def test_a_dag_may_ask_not_to_be_registered() -> None:
    with DAG("d", auto_register=False):
        pass
    assert take_registered() == []


def test_a_function_under_dag_declares_when_it_is_called() -> None:
    @dag
    def sales() -> None:
        """What it is for."""
        step()

    assert take_registered() == []
    declared = sales()
    assert take_registered() == [declared]
    assert declared.dag_id == "sales"
    assert declared.doc_md == "What it is for."
    assert declared.task_ids == ["step"]
    assert sales.__name__ == "sales"
    assert sales.__doc__ == "What it is for."


@pytest.mark.parametrize(
    ("decorator", "dag_id"),
    [
        (lambda: dag(), "sales"),
        (lambda: dag("other"), "other"),
        (lambda: dag(dag_id="other"), "other"),
        (lambda: dag("other", schedule="@daily"), "other"),
    ],
)
def test_the_decorator_takes_an_id_or_the_functions_name(decorator: Any, dag_id: str) -> None:
    @decorator()
    def sales() -> None:
        pass

    assert sales().dag_id == dag_id


def test_arguments_of_the_decorator_reach_the_dag() -> None:
    @dag(schedule="@daily", tags=["a"], doc_md="given")
    def sales() -> None:
        """Not this."""

    declared = sales()
    assert (declared.schedule, declared.tags, declared.doc_md) == ("@daily", {"a"}, "given")


def test_the_return_value_of_a_dag_function_is_the_result_of_the_dag() -> None:
    @dag
    def sales() -> Any:
        step()
        return step()

    declared = sales()
    assert [task.returns_dag_result for task in declared.tasks] == [False, True]


# ── tasks ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_tasks_are_found_by_id_and_kept_in_order() -> None:
    with DAG("d") as declared:
        first, second = step(), step()
    assert declared.task_ids == ["step", "step__1"]
    assert declared.get_task("step__1") is second.operator
    assert declared.has_task("step")
    assert not declared.has_task("stop")
    first >> second
    assert declared.roots == [first.operator]
    assert declared.leaves == [second.operator]


def test_an_unknown_task_is_an_error_that_names_the_dag_and_what_it_has() -> None:
    with DAG("d") as declared:
        step()
    with pytest.raises(TaskNotFound, match="Dag 'd' has no task 'stop'; its tasks: 'step'"):
        declared.set_dependency("step", "stop")


def test_dependencies_can_be_set_by_id() -> None:
    with DAG("d") as declared:
        step()
        step()
    declared.set_dependency("step", "step__1")
    assert declared.get_task("step").downstream_task_ids == {"step__1"}


def test_two_tasks_of_one_id_are_an_error_that_names_both_the_dag_and_the_id() -> None:
    with DAG("d") as declared:
        original: BaseOperator = step().operator
    copy = PythonOperator(task_id="step", python_callable=print)
    with pytest.raises(DuplicateTaskIdFound, match="Dag 'd' has two tasks with the id 'step'"):
        declared.add_task(copy)
    declared.add_task(original)


def test_the_dag_has_a_task_decorator_of_its_own() -> None:
    declared = DAG("d")

    @declared.task
    def one() -> None:
        pass

    @declared.task(task_id="other", retries=3)
    def two() -> None:
        pass

    one()
    two()
    assert declared.task_ids == ["one", "other"]
    assert declared.get_task("other").retries == 3


# ── cycles ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cycle_is_an_error_that_names_the_dag_and_the_way_around() -> None:
    with DAG("d") as declared:
        a, b, c = (step.override(task_id=name)() for name in "abc")
        a >> b >> c >> b
    with pytest.raises(AirflowDagCycleException, match="Dag 'd' has a cycle: b → c → b"):
        declared.check_cycle()


def test_a_task_that_waits_for_itself_is_a_cycle() -> None:
    with DAG("d") as declared:
        a = step()
        a >> a
    with pytest.raises(AirflowDagCycleException, match=r"step → step$"):
        declared.check_cycle()


# ── arguments ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_argument_that_is_not_supported_is_named() -> None:
    with pytest.raises(TypeError, match="Dag 'd': outboard does not support the argument 'deadline' yet"):
        DAG("d", deadline=3)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="outboard does not support the argument 'fail_fast' yet"):
        dag("d", fail_fast=True)  # type: ignore[call-overload]


def test_an_unknown_argument_is_named_with_those_that_exist() -> None:
    with pytest.raises(
        TypeError, match=r"Dag 'd': there is no argument 'shedule'; the arguments are dag_id, .*schedule"
    ):
        DAG("d", shedule="@daily")  # type: ignore[call-arg]


def test_an_unsupported_argument_that_asks_for_nothing_is_accepted() -> None:
    DAG("d", params=None, fail_fast=False, user_defined_macros={}, on_failure_callback=None)  # type: ignore[call-arg]


def test_default_args_apply_to_tasks_that_do_not_say_otherwise() -> None:
    with DAG("d", default_args={"retries": 2, "trigger_rule": "all_done", "depends_on_past": False}) as declared:
        step()
        step.override(retries=0)()
    assert [task.retries for task in declared.tasks] == [2, 0]
    assert declared.get_task("step").trigger_rule is not None
    assert declared.get_task("step").trigger_rule == TriggerRule.ALL_DONE


def test_default_args_fill_parameters_of_their_name() -> None:
    @task
    def greet(greeting: str, name: str = "you") -> None:
        pass

    with DAG("d", default_args={"greeting": "hello", "name": "them"}) as declared:
        greet()
        greet("hi")
        greet(name="me")
    assert [(task.op_args, task.op_kwargs) for task in declared.tasks] == [
        ((), {"greeting": "hello", "name": "them"}),
        (("hi",), {"name": "them"}),
        ((), {"greeting": "hello", "name": "me"}),
    ]


def test_default_args_that_are_not_supported_are_named_where_the_dag_is_declared() -> None:
    with pytest.raises(TypeError, match="Dag 'd': outboard does not support 'email' in default_args yet"):
        DAG("d", default_args={"email": "a@example.org"})


def test_default_args_with_a_wrong_value_are_named_where_a_task_takes_them() -> None:
    with (
        pytest.raises(TypeError, match="'step' of Dag 'd': retries is a number, not"),
        DAG("d", default_args={"retries": [1]}),
    ):
        step()


@pytest.mark.parametrize("dag_id", ["", "has space", "a/b", "x" * 251])
def test_an_id_that_airflow_would_refuse_is_refused(dag_id: str) -> None:
    with pytest.raises(ValueError, match="dag_id"):
        DAG(dag_id)


def test_an_id_is_a_string() -> None:
    with pytest.raises(TypeError, match="a dag_id is a string, not 5"):
        DAG(5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "schedule", [None, "@once", "@daily", "@hourly", "*/5 * * * *", "0 0 12 * * 1", timedelta(hours=1)]
)
def test_schedules_that_can_be_serialised_are_accepted(schedule: Any) -> None:
    assert DAG("d", schedule=schedule).schedule == schedule


@pytest.mark.parametrize(
    ("schedule", "error", "text"),
    [
        ("@dayly", ValueError, "'@dayly' is neither a cron expression"),
        ("* * *", ValueError, "neither a cron expression"),
        ("@continuous", ValueError, "needs max_active_runs=1"),
        (["asset"], TypeError, "outboard does not support"),
        (5, TypeError, "outboard does not support"),
    ],
)
def test_other_schedules_are_refused(schedule: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        DAG("d", schedule=schedule)


def test_dates_must_be_dates_and_catchup_needs_one() -> None:
    with pytest.raises(TypeError, match="start_date is a datetime, not '2026-01-01'"):
        DAG("d", start_date="2026-01-01")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="catchup needs a start_date"):
        DAG("d", schedule="@daily", catchup=True)


def test_a_naive_date_is_in_utc() -> None:
    assert DAG("d", start_date=datetime(2026, 1, 1)).start_date == datetime(2026, 1, 1, tzinfo=UTC)  # noqa: DTZ001


def test_a_task_is_active_at_most_while_its_dag_is() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    with DAG("d", start_date=late, end_date=late) as declared:
        step.override(start_date=early, end_date=early)()
        step()
    assert [(task.start_date, task.end_date) for task in declared.tasks] == [(late, early), (late, late)]


def test_only_functions_can_be_dags() -> None:
    with pytest.raises(TypeError, match="@dag decorates a function"):
        dag()(5)  # type: ignore[arg-type]


def test_default_args_are_a_dict() -> None:
    with pytest.raises(TypeError, match="Dag 'd': default_args is a dict, not"):
        DAG("d", default_args=[("retries", 1)])  # type: ignore[arg-type]


def test_a_dag_and_its_factory_show_their_id() -> None:
    @dag
    def sales() -> None:
        pass

    assert (repr(sales), repr(sales())) == ("<@dag sales>", "<DAG: sales>")
