from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from outboard import DAG, TriggerRule, XComArg, task
from outboard.sdk.task import DecoratedTask


def one(declared: DAG) -> Any:
    (only,) = declared.tasks
    return only


# ── decorating ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_decorated_function_is_still_known_by_its_name_and_callable_as_it_was() -> None:
    @task(retries=1)
    def add(a: int, b: int = 2) -> int:
        """Add."""
        return a + b

    assert (add.__name__, add.__doc__, add.__module__) == ("add", "Add.", __name__)  # type: ignore[attr-defined]
    assert add.function(1) == 3
    assert inspect.unwrap(add) is add.function
    assert list(inspect.signature(add).parameters) == ["a", "b"]


def test_arguments_reach_the_task() -> None:
    @task(
        task_id="other",
        retries=3,
        retry_delay=5,
        retry_exponential_backoff=2,
        max_retry_delay=timedelta(minutes=1),
        trigger_rule="all_done",
        multiple_outputs=True,
        do_xcom_push=False,
        queue="q",
        pool="p",
        pool_slots=2,
        priority_weight=5,
        owner="me",
        doc_md="d",
    )
    def run() -> None:
        pass

    with DAG("d") as declared:
        run()
    made = one(declared)
    assert (made.task_id, made.retries, made.retry_delay) == ("other", 3, timedelta(seconds=5))
    assert (made.retry_exponential_backoff, made.max_retry_delay) == (2, timedelta(minutes=1))
    assert made.trigger_rule is not TriggerRule.ALL_SUCCESS
    assert made.trigger_rule == TriggerRule.ALL_DONE
    assert (made.multiple_outputs, made.do_xcom_push) == (True, False)
    assert (made.queue, made.pool, made.pool_slots, made.priority_weight) == ("q", "p", 2, 5)
    assert (made.owner, made.doc_md) == ("me", "d")


def test_override_changes_one_call_only() -> None:
    @task(retries=1, queue="q")
    def run() -> None:
        pass

    with DAG("d") as declared:
        run.override(task_id="again", retries=7)()
        run()
    assert [(t.task_id, t.retries, t.queue) for t in declared.tasks] == [("again", 7, "q"), ("run", 1, "q")]


def test_the_longer_name_of_the_decorator_is_the_same_decorator() -> None:
    @task.python(retries=2)
    def run() -> None:
        pass

    assert isinstance(run, DecoratedTask)
    with DAG("d") as declared:
        run()
    assert one(declared).retries == 2


def test_the_dag_may_be_an_argument() -> None:
    declared = DAG("d")

    @task(dag=declared)
    def run() -> None:
        pass

    run()
    run.override(task_id="again")()
    assert declared.task_ids == ["run", "again"]


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"executor": "x"}, TypeError, "does not support the argument 'executor' yet"),
        ({"inlets": ["x"]}, TypeError, "inlets are assets, aliases or references, not 'x'"),
        ({"outlets": "x"}, TypeError, "outlets are assets, aliases or references, not 'x'"),
        ({"execution_timeout": 5}, TypeError, "execution_timeout is a timedelta, not 5"),
        ({"retreis": 1}, TypeError, "no argument 'retreis'; the arguments are task_id, dag, retries"),
        ({"retries": -1}, ValueError, "retries cannot be negative"),
        ({"retries": True}, TypeError, "retries is a number"),
        ({"retries": 1.5}, TypeError, "retries is a number"),
        ({"retry_delay": "5m"}, TypeError, "retry_delay is a timedelta or a number of seconds"),
        ({"retry_delay": -5}, ValueError, "retry_delay cannot be negative"),
        ({"retry_exponential_backoff": -1}, ValueError, "retry_exponential_backoff cannot be negative"),
        ({"retry_exponential_backoff": "yes"}, TypeError, "retry_exponential_backoff is the factor"),
        ({"trigger_rule": "all_dome"}, ValueError, "trigger_rule is wrong: 'all_dome' is no trigger rule"),
        ({"trigger_rule": 5}, TypeError, "trigger_rule is a TriggerRule or its name"),
        ({"multiple_outputs": "yes"}, TypeError, "multiple_outputs is True or False"),
        ({"do_xcom_push": 1}, TypeError, "do_xcom_push is True or False"),
        ({"pool_slots": 0}, ValueError, "pool_slots is at least 1"),
        ({"queue": 5}, TypeError, "queue is a string"),
        ({"priority_weight": "x"}, TypeError, "priority_weight is an integer"),
        ({"start_date": "2026-01-01"}, TypeError, "start_date is a datetime"),
        ({"task_id": "has space"}, ValueError, "the task_id 'has space' may hold letters"),
        ({"task_id": 5}, TypeError, "a task_id is a string"),
    ],
)
def test_a_wrong_argument_is_an_error_where_it_is_given_and_names_the_task(
    arguments: dict[str, Any], error: type[Exception], text: str
) -> None:
    def run() -> None:
        pass

    with pytest.raises(error, match=text) as caught:
        task(**arguments)(run)
    if "task_id" not in arguments:
        assert "task 'run'" in str(caught.value)


def test_a_number_as_text_and_none_for_the_default_are_accepted_as_airflow_accepts_them() -> None:
    with DAG("d") as declared:
        assert task(task_id="run", retries=None)(print)().operator.retries == 0  # type: ignore[call-overload]
    with DAG("d") as declared:
        task(task_id="run", retries="3", pool=None, max_retry_delay=None)(lambda: None)()  # type: ignore[call-overload]
    assert (one(declared).retries, one(declared).pool) == (3, "default_pool")


def test_unsupported_arguments_that_ask_for_nothing_are_accepted() -> None:
    @task(depends_on_past=False, execution_timeout=None, on_failure_callback=None, executor_config={}, inlets=[])  # type: ignore[call-overload]
    def run() -> None:
        pass

    with pytest.raises(TypeError, match="show_return_value_in_logs"):
        task(show_return_value_in_logs=False)(run.function)  # type: ignore[call-overload]


def test_a_function_without_a_usable_name_needs_a_task_id() -> None:
    with pytest.raises(ValueError, match="task_id '<lambda>'"):
        task(lambda: None)
    with pytest.raises(TypeError, match="has no name, so @task needs a task_id"):
        task(functools.partial(print))
    with DAG("d") as declared:
        task(task_id="run")(functools.partial(print, "x"))()
    assert declared.task_ids == ["run"]


@pytest.mark.parametrize("name", ["virtualenv", "stub"])
def test_variants_of_the_decorator_that_are_missing_say_so(name: str) -> None:
    with pytest.raises(AttributeError, match=f"outboard does not support @task.{name} yet"):
        getattr(task, name)


@pytest.mark.parametrize("name", ["expand", "expand_kwargs", "partial"])
def test_mapping_says_that_it_is_missing(name: str) -> None:
    @task
    def run() -> None:
        pass

    with pytest.raises(AttributeError, match=f"does not support mapped tasks yet.*{name}"):
        getattr(run, name)


def test_only_functions_can_be_tasks() -> None:
    with pytest.raises(TypeError, match="@task takes a function, and keyword arguments only; 'load' is neither"):
        task("load")  # type: ignore[call-overload]


def test_methods_cannot_be_tasks() -> None:
    with pytest.raises(TypeError, match="cannot decorate the method 'run'"):

        class Job:
            @task
            def run(self) -> None:
                pass


# ── calling ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@task
def extract() -> list[int]:
    return [1]


@task
def load(rows: Any, options: Any = None, ds: Any = None) -> None:
    pass


def test_calling_adds_a_task_and_gives_a_reference() -> None:
    with DAG("d") as declared:
        result = extract()
    assert isinstance(result, XComArg)
    assert result.operator is one(declared)
    assert (result.key, one(declared).dag) == ("return_value", declared)


def test_repeated_calls_get_suffixes() -> None:
    with DAG("d") as declared:
        for _ in range(3):
            extract()
        extract.override(task_id="extract__9")()
        extract()
    assert declared.task_ids == ["extract", "extract__1", "extract__2", "extract__9", "extract__10"]


def test_references_in_arguments_are_edges_however_deep_they_stand() -> None:
    with DAG("d") as declared:
        a, b, c, d, e = (extract.override(task_id=name)() for name in "abcde")
        load(a, options={"list": [b, (c, {d["key"]})], "again": a})
        load([e])
    assert declared.get_task("load").upstream_task_ids == {"a", "b", "c", "d"}
    assert declared.get_task("a").downstream_task_ids == {"load"}
    assert declared.get_task("load__1").upstream_task_ids == {"e"}


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: load(), TypeError, "'load' of Dag 'd' is called without the argument 'rows'"),
        (lambda: load(1, 2, "x"), ValueError, "'ds' is filled from the context"),
        (lambda: load(1, 2, 3, 4), TypeError, "takes at most 3 positional arguments, not 4"),
        (lambda: load(1, rows=2), TypeError, "is given 'rows' twice"),
        (lambda: load(1, option=2), TypeError, "has no parameter 'option'"),
        (lambda: load("{{ ds }}"), ValueError, "does not render templates in arguments yet"),
        (lambda: load(1, options=[{"a": "{% if x %}"}]), ValueError, "does not render templates"),
        (lambda: load(f"rows: {extract()}"), TypeError, "result of 'extract' cannot be put into a string"),
    ],
)
def test_a_wrong_call_is_an_error_where_it_stands(call: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text), DAG("d"):
        call()


def test_a_context_parameter_may_only_default_to_none() -> None:
    @task
    def run(ds: str = "today") -> None:
        pass

    with pytest.raises(ValueError, match="'ds' is filled from the context, so its default can only be None"), DAG("d"):
        run()


def test_a_task_outside_of_any_dag_joins_the_one_that_it_is_connected_to() -> None:
    loose = extract()
    assert loose.operator.dag is None
    with DAG("d") as declared:
        load(loose)
    assert declared.task_ids == ["load", "extract"]


def test_a_context_parameter_can_be_given_by_keyword() -> None:
    with DAG("d") as declared:
        load(1, ds="2020-01-01")
    assert one(declared).op_kwargs == {"ds": "2020-01-01"}


def test_the_docstring_documents_the_task_unless_something_else_does() -> None:
    @task
    def run() -> None:
        """What it does."""

    with DAG("d") as declared:
        run()
        run.override(doc_md="Otherwise.")()
    assert [t.doc_md for t in declared.tasks] == ["What it does.", "Otherwise."]


# ── multiple outputs ──────────────────────────────────────────────────────────────────────────────────────────────────


def plain_dict() -> dict: ...  # type: ignore[type-arg,empty-body]
def typed_dict() -> dict[str, int]: ...  # type: ignore[empty-body]
def mapping() -> Mapping[str, int]: ...  # type: ignore[empty-body]
def optional() -> dict[str, int] | None: ...
def rows() -> list[dict[str, int]]: ...  # type: ignore[empty-body]
def only_for_checkers() -> NoSuchName: ...  # type: ignore[name-defined]  # noqa: F821
def nothing(): ...  # type: ignore[no-untyped-def]


@pytest.mark.parametrize(
    ("function", "several"),
    [
        (plain_dict, True),
        (typed_dict, True),
        (mapping, True),
        (optional, False),
        (rows, False),
        (only_for_checkers, False),
        (nothing, False),
    ],
)
def test_multiple_outputs_are_taken_from_the_return_annotation(function: Any, several: bool) -> None:
    """As Airflow does; this module's annotations are strings."""
    with DAG("d") as declared:
        task(function)()
        task(multiple_outputs=not several)(function)()
    assert [t.multiple_outputs for t in declared.tasks] == [several, not several]


def test_annotations_that_are_objects_count_alike() -> None:
    def made() -> None:
        pass

    made.__annotations__["return"] = dict[str, int]
    with DAG("d") as declared:
        task(made)()
    assert one(declared).multiple_outputs
