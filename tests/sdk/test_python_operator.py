"""What a runtime gives to a task's function."""

from __future__ import annotations

import functools
from collections import namedtuple
from typing import Any

import pytest

from outboard import DAG, Context, PythonOperator, task
from outboard.sdk.context import DATED_KEYS, LATER_KEYS
from outboard.sdk.exceptions import XComNotFound
from outboard.sdk.later import Later
from outboard.sdk.operator import BaseOperator
from outboard.sdk.registry import TaskRegistry

CONTEXT = Context(ti="TI", ds="2026-01-01", run_id="r")  # type: ignore[typeddict-item]

Pair = namedtuple("Pair", "left right")


def nothing_pushed(task_id: str, key: str) -> tuple[bool, Any]:
    return False, None


def always(value: Any) -> Any:
    return lambda task_id, key: (True, value)


def declared(function: Any, *args: Any, **kwargs: Any) -> BaseOperator:
    with DAG("d") as made:
        task(task_id="t")(function)(*args, **kwargs)
    return made.tasks[-1]


def run(definition: Any, context: Any = CONTEXT, pull: Any = nothing_pushed) -> Any:
    return definition.with_references_resolved(pull).execute(context)


def test_arguments_arrive_as_they_were_given() -> None:
    def function(a: Any, /, b: Any, *rest: Any, c: Any, d: Any = 4) -> Any:
        return a, b, rest, c, d

    assert run(declared(function, 1, 2, 3, c=5)) == (1, 2, (3,), 5, 4)


def test_context_values_are_injected_by_name() -> None:
    def function(ds: Any, x: Any, *, ti: Any = None, run_id: Any = None) -> Any:
        return ds, x, ti, run_id

    assert run(declared(function, x=7)) == ("2026-01-01", 7, "TI", "r")


def test_an_argument_beats_the_context() -> None:
    assert run(declared(lambda ds: ds, ds="given")) == "given"


def test_keywords_get_the_whole_context_and_the_arguments() -> None:
    def function(x: Any, **context: Any) -> Any:
        return x, context

    x, context = run(declared(function, 1))
    assert x == 1
    assert {key: context[key] for key in CONTEXT} == dict(CONTEXT)
    assert set(context) - set(CONTEXT) == set(LATER_KEYS) - DATED_KEYS
    x, context = run(declared(function, x=1, ds="given", more=2))
    assert (x, context["ds"], context["more"], context["ti"]) == (1, "given", 2, "TI")


def test_a_key_that_the_run_lacks_leaves_the_default() -> None:
    assert run(declared(lambda logical_date=None: logical_date)) is None


def test_a_key_that_the_run_lacks_is_an_error_without_a_default() -> None:
    definition = declared(lambda x, logical_date: x, 1)
    with pytest.raises(
        TypeError, match=r"of Dag 'd': the parameter 'logical_date' has no value.*context has no such key"
    ):
        run(definition)


def test_a_handlers_parameter_that_nothing_fills_is_an_error() -> None:
    handlers = TaskRegistry()
    handlers.register("d", "t", lambda rows: rows)
    with pytest.raises(TypeError, match=r"task 't' of Dag 'd': the parameter 'rows' has no value.*nothing gives it"):
        run(handlers.handlers[0].operator)


def test_references_become_values_in_every_kind_of_container() -> None:
    @task
    def up() -> None:
        pass

    def pull(task_id: str, key: str) -> tuple[bool, Any]:
        return True, f"{task_id}.{key}"

    with DAG("d") as made:
        ref = up()
        task(task_id="down")(lambda *args, **kwargs: (args, kwargs))(
            ref, [ref["a"], {"k": ref}], (ref, 1), {ref}, frozenset([ref]), Pair(ref, 2), named=ref["b"]
        )
    args, kwargs = run(made.tasks[-1], {}, pull)
    assert args == (
        "up.return_value",
        ["up.a", {"k": "up.return_value"}],
        ("up.return_value", 1),
        {"up.return_value"},
        frozenset(["up.return_value"]),
        Pair("up.return_value", 2),
    )
    assert type(args[5]) is Pair
    assert kwargs == {"named": "up.b"}


def test_the_authors_containers_are_left_alone() -> None:
    given = {"rows": [1]}

    def function(value: Any) -> Any:
        value["rows"].append(2)
        return value

    definition = declared(function, given)
    assert run(definition) == {"rows": [1, 2]}
    assert given == {"rows": [1]}


def test_a_missing_return_value_is_none() -> None:
    @task
    def up() -> None:
        pass

    with DAG("d") as made:
        task(task_id="down")(lambda value: value)(up())
    assert run(made.tasks[-1]) is None
    assert run(made.tasks[-1], pull=always(None)) is None


def test_a_missing_key_is_an_error_that_says_where_it_should_have_been() -> None:
    @task
    def up() -> None:
        pass

    with DAG("d") as made:
        task(task_id="down")(lambda value: value)(up()["rows"])
    with pytest.raises(XComNotFound) as caught:
        run(made.tasks[-1])
    assert (caught.value.dag_id, caught.value.task_id, caught.value.key) == ("d", "up", "rows")


def test_a_missing_key_of_multiple_outputs_is_none() -> None:
    @task(multiple_outputs=True)
    def up() -> None:
        pass

    with DAG("d") as made:
        task(task_id="down")(lambda value: value)(up()["rows"])
    assert run(made.tasks[-1]) is None


async def coroutine() -> None:
    pass


class AsyncCallable:
    async def __call__(self) -> None:
        pass


@functools.wraps(coroutine)
def wrapper(*args: Any, **kwargs: Any) -> Any:
    return coroutine(*args, **kwargs)


@pytest.mark.parametrize(
    ("function", "awaited"),
    [
        (coroutine, True),
        (functools.partial(functools.partial(coroutine)), True),
        (AsyncCallable(), True),
        (wrapper, True),
        (lambda: None, False),
        (print, False),
        (len, False),
        (dict.get, False),
    ],
)
def test_what_must_be_awaited_is_known(function: Any, awaited: bool) -> None:
    operator = PythonOperator(task_id="t", python_callable=function)
    assert operator.is_async is awaited


def test_what_a_function_names_is_no_stand_in_even_beside_the_whole_context() -> None:
    def function(var: Any, **context: Any) -> Any:
        return type(var).__name__, type(context["conn"])

    name, kind = run(declared(function))
    assert (name, kind) == ("_Accessors", Later)
