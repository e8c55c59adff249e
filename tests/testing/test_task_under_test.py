"""What can be handed to `run_task`, and what is said about everything else."""

from __future__ import annotations

import functools
from datetime import UTC, datetime
from typing import Any

import pytest

from outboard import DAG, BaseOperator, PythonOperator, TaskRegistry, dag, task
from outboard.errors import SerializationError, UsageError
from outboard.testing import run_task
from outboard.testing.task_under_test import DAG_ID, task_under_test


@task(retries=2)
def extract(day: str | None = None, ds: str | None = None) -> str:
    return f"{day} {ds}"


with DAG("sales") as sales:
    called = extract("today")

handlers = TaskRegistry()


@handlers.task("elsewhere", "load-rows")
def load(ti: Any) -> str:
    return f"{ti.dag_id} {ti.task_id}"


@handlers.task("elsewhere")
@task(retries=1)
def clean(ti: Any) -> str:
    return f"{ti.dag_id} {ti.task_id}"


def several(ti: Any) -> str:
    return str(ti.task_id)


handlers.register("elsewhere", "one", several)
handlers.register("elsewhere", "other", several)


class Callable:
    def __call__(self, ds: str) -> str:
        return ds


@pytest.mark.parametrize(
    "given",
    [called, called.operator, sales.get_task("extract"), called["key"]],
    ids=["the reference", "its operator", "the task of the Dag", "a reference to a key"],
)
def test_a_task_of_a_dag_is_run_as_what_it_is_there(given: Any) -> None:
    found = task_under_test(given)
    assert (found.operator, found.declaration, found.is_declared) == (sales.get_task("extract"), sales, True)
    assert run_task(given).value == "today 2026-01-01"


def test_what_is_in_no_dag_is_run_in_one_of_its_own() -> None:
    for given in (extract, extract("a"), PythonOperator(task_id="extract", python_callable=lambda: None)):
        found = task_under_test(given)
        assert (found.dag_id, found.task_id, found.is_declared) == (DAG_ID, "extract", False)
        assert isinstance(found.declaration, DAG)
    assert task_under_test(extract).operator.retries == 2
    result = run_task(lambda dag, task: [dag.dag_id, task.task_id, dag.get_task(task.task_id) is task])
    assert result.value == ["test", "task", True]


@pytest.mark.parametrize(
    ("given", "value"),
    [
        (lambda ds: ds, "2026-01-01"),
        (functools.partial(lambda word, ds: word + ds, "on "), "on 2026-01-01"),
        (Callable(), "2026-01-01"),
        (extract.function, "None 2026-01-01"),
        (extract.override(retries=0), "None 2026-01-01"),
    ],
    ids=["a lambda", "a partial", "an object", "a function", "an overridden task"],
)
def test_whatever_can_be_called_can_be_run(given: Any, value: str) -> None:
    assert run_task(given).value == value


@pytest.mark.parametrize("given", [handlers.handlers[0], handlers.handlers[0].operator, load])
def test_a_handler_is_run_for_the_task_that_it_handles(given: Any) -> None:
    result = run_task(given, xcoms={"whatever": 1})
    assert result.value == "elsewhere load-rows"


def test_a_decorated_function_that_handles_a_task_is_run_for_it() -> None:
    assert run_task(clean).value == "elsewhere clean"
    assert run_task(clean, context={"try_number": 1}).state == "success"


@handlers.task("elsewhere", "count")
def count(rows: Any, factor: int = 2, *, ti: Any) -> Any:
    return [rows, factor, ti.task_id]


@handlers.task("elsewhere", "takes-all")
def takes_all(rows: Any, /, **context: Any) -> Any:
    return [rows, context["ti"].task_id]


def test_a_handler_gets_the_arguments_of_its_stub_task() -> None:
    day = datetime(2026, 3, 4, tzinfo=UTC)
    assert run_task(count, context={"arguments": {"rows": (1, day)}}).value == [(1, day), 2, "count"]
    assert run_task(count, context={"arguments": {"rows": None, "factor": 3}}).value == [None, 3, "count"]
    assert run_task(takes_all, context={"arguments": {"rows": 1}}).value == [1, "takes-all"]


def test_a_handler_may_have_been_registered_with_arguments() -> None:
    registry = TaskRegistry()
    registry.register("elsewhere", "one", PythonOperator(task_id="one", python_callable=count, op_args=["first"]))
    registry.register("elsewhere", "two", PythonOperator(task_id="two", python_callable=count, op_kwargs={"rows": 2}))
    assert [run_task(handler).value for handler in registry.handlers] == [["first", 2, "one"], [2, 2, "two"]]


class Handles(BaseOperator):
    """An operator that handles a task."""


handlers.register("elsewhere", "by-class", Handles(task_id="handles"))


@pytest.mark.parametrize(
    ("given", "arguments", "said"),
    [
        (
            count,
            {},
            r"the handler of task 'count' of Dag 'elsewhere' takes 'rows', .*say what: context=\{\"arguments\"",
        ),
        (count, {"rows": 1, "row": 2}, r"has no parameter 'row'; its parameters: 'rows', 'factor', 'ti'"),
        (load, {"rows": 1}, r"has no parameter 'rows'; its parameters: 'ti'"),
        (called, {"day": "d"}, r"arguments are for handlers; task 'extract' of Dag 'sales' has those of its own call"),
        (handlers.handlers[-1], {"a": 1}, r"arguments are for functions; .* is handled by a Handles"),
    ],
)
def test_wrong_arguments_of_a_handler_are_one_clear_error(given: Any, arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run_task(given, context={"arguments": arguments})


def test_an_argument_that_no_xcom_can_hold_is_an_error_that_says_where() -> None:
    with pytest.raises(SerializationError, match=r"context\.arguments\.rows\[0\]"):
        run_task(count, context={"arguments": {"rows": [object()]}})


def test_a_function_that_handles_several_tasks_is_not_guessed_at() -> None:
    with pytest.raises(UsageError, match=r"several handles several tasks; .*elsewhere.one.*elsewhere.other"):
        run_task(several)
    assert run_task(handlers.handlers[3]).value == "other"


@task
def needs(rows: list[int], factor: int, ds: str) -> None: ...


def needs_one(rows: list[int]) -> None: ...


@dag
def factory() -> None:
    extract()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            needs,
            r"takes 'rows', 'factor': call it with that, run_task\(needs\(rows=…, factor=…\)\), or give the task of",
        ),
        (needs_one, r"takes 'rows': call it with that, run_task\(task\(needs_one\)\(rows=…\)\)"),
        (lambda rows: rows, r"takes 'rows': call it with that, run_task\(task\(function\)\(rows=…\)\)"),
        (sales, r"one task, not a Dag: give it dag.get_task\(…\); the tasks of <DAG: sales>: 'extract'"),
        (factory, r"one task, not a Dag: call <@dag factory>"),
        (handlers, r"one of the registry's handlers: <Handler elsewhere.load-rows>"),
        (TaskRegistry(), r"one of the registry's handlers: none"),
        (BaseOperator, r"not a class of tasks: give it BaseOperator\(task_id"),
        ("extract", r"not 'extract'"),
        (None, r"not None"),
        ([extract], r"not \[<@task extract>\]"),
    ],
)
def test_what_cannot_be_run_is_one_clear_error(given: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run_task(given)


def test_a_callable_that_hides_its_parameters_is_an_error() -> None:
    with pytest.raises(UsageError, match="cannot be found out"):
        run_task(vars)
