"""What an operator of the author's gets from its base class."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from outboard import DAG, BaseAsyncOperator, BaseOperator, Context, task
from outboard.sdk.exceptions import DuplicateTaskIdFound, TaskDeferralError, TaskDeferralTimeout, TaskDeferred


class Load(BaseOperator):
    template_fields = ("rows", "table")

    def __init__(self, *, rows: Any = None, table: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rows = rows
        self.table = table


class LoadTwice(Load):
    def __init__(self, *, times: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.times = times


@task
def extract() -> list[int]:
    return []


def test_an_operator_is_a_task_of_the_current_dag() -> None:
    with DAG("d") as declared:
        one = Load(task_id="one", table="t")
        other = Load(task_id="other", table="t")
        one >> other
    assert declared.tasks == [one, other]
    assert (one.dag, one.dag_id, other.upstream_list, one.downstream_list) == (declared, "d", [one], [other])


def test_an_operator_outside_of_a_block_is_in_the_dag_that_it_is_given() -> None:
    declared = DAG("d")
    assert Load(task_id="one", table="t", dag=declared).dag is declared
    assert Load(task_id="two", table="t").dag is None


def test_two_operators_of_one_id_are_an_error() -> None:
    declared = DAG("d")
    Load(task_id="one", table="t", dag=declared)
    with pytest.raises(DuplicateTaskIdFound, match="Dag 'd' has two tasks with the id 'one'"):
        Load(task_id="one", table="t", dag=declared)


def test_default_args_reach_each_class_on_the_way_and_yield_to_what_is_given() -> None:
    defaults = {"table": "default", "times": 3, "retries": 4, "of_somebody_else": 1}
    with DAG("d", default_args=defaults):
        one = LoadTwice(task_id="one")
        two = LoadTwice(task_id="two", table="own", times=1, retries=0)
        three = LoadTwice(task_id="three", default_args={"table": "closer"})
    assert (one.table, one.times, one.retries) == ("default", 3, 4)
    assert (two.table, two.times, two.retries) == ("own", 1, 0)
    assert (three.table, three.retries) == ("closer", 4)


def test_arguments_that_are_not_given_have_airflows_defaults() -> None:
    made = Load(task_id="one", table="t")
    assert (made.retries, made.retry_delay, made.trigger_rule.value) == (0, timedelta(minutes=5), "all_success")
    assert (made.queue, made.pool, made.do_xcom_push, made.on_failure_callback) == ("default", "default_pool", True, ())


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: Load("one", "t"), TypeError, "Load takes keyword arguments only: name what 'one' is"),
        (lambda: Load(task_id="one"), TypeError, "table"),
        (lambda: Load(task_id="one", table="t", colour=1), TypeError, "task 'one': there is no argument 'colour'"),
        (lambda: Load(task_id="a b", table="t"), ValueError, "task_id 'a b' may hold"),
        (lambda: Load(task_id="one", table="t", retries=-1), ValueError, "task 'one': retries cannot be negative"),
        (
            lambda: Load(task_id="one", table="t", on_failure_callback=5),
            TypeError,
            "is a function that takes the context",
        ),
        (lambda: Load(task_id="one", table="t", retry_policy=5), TypeError, "retry_policy is a RetryPolicy"),
        (lambda: Load(task_id="one", table="{{ ds }}"), ValueError, "does not render templates in arguments yet"),
    ],
)
def test_a_wrong_argument_is_an_error_where_it_is_given(make: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        make()


def test_a_reference_in_a_field_makes_an_edge_and_is_a_value_when_the_task_runs() -> None:
    with DAG("d") as declared:
        made = Load(task_id="load", rows={"all": extract()}, table="t")
    assert declared.get_task("load").upstream_task_ids == {"extract"}
    ready = made.with_references_resolved(lambda task_id, key: (True, [task_id, key]))
    assert ready.rows == {"all": ["extract", "return_value"]}
    assert made.rows != ready.rows
    assert type(ready) is Load


def test_an_operator_without_a_body_says_so() -> None:
    with pytest.raises(NotImplementedError, match="Load has no execute"):
        Load(task_id="one", table="t").execute(Context())
    with pytest.raises(NotImplementedError, match="Load has no aexecute"):
        Load(task_id="one", table="t").aexecute(Context()).send(None)


def test_the_body_of_an_async_operator_is_a_coroutine() -> None:
    class Wait(BaseAsyncOperator):
        async def aexecute(self, context: Context) -> int:
            return 3

    made = Wait(task_id="waits")
    assert made.is_async
    with pytest.raises(StopIteration) as ended:
        made.execute(Context()).send(None)
    assert ended.value.value == 3


# ── waiting elsewhere ─────────────────────────────────────────────────────────────────────────────────────────────────


class Resumes(BaseOperator):
    def execute(self, context: Context) -> None:
        self.defer(trigger=self.dag, method_name="go_on", kwargs={"rows": 3}, timeout=60)  # type: ignore[arg-type]

    def go_on(self, context: Context, rows: int, event: Any = None) -> Any:
        return context["run_id"], rows, event


def test_deferring_says_what_to_wait_for_and_how_to_go_on() -> None:
    with pytest.raises(TaskDeferred) as raised:
        Resumes(task_id="waits").execute(Context())
    error = raised.value
    assert (error.method_name, error.kwargs, error.timeout) == ("go_on", {"rows": 3}, 60)
    assert not isinstance(error, Exception)


def test_a_resumed_task_goes_on_with_its_method_and_the_event() -> None:
    made = Resumes(task_id="waits")
    context = Context(run_id="r1")
    assert made.resume_execution("go_on", {"rows": 3, "event": "here"}, context) == ("r1", 3, "here")


@pytest.mark.parametrize(
    ("kwargs", "kind", "text"),
    [
        ({"error": "Trigger timeout"}, TaskDeferralTimeout, "Trigger timeout"),
        ({"error": "Trigger failure", "traceback": ["line one\n"]}, TaskDeferralError, "Trigger failure"),
        (None, TaskDeferralError, "Unknown"),
    ],
)
def test_a_wait_that_failed_is_an_error(kwargs: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind, match=text):
        Resumes(task_id="waits").resume_execution("__fail__", kwargs, Context())


def test_a_method_that_is_not_there_is_named() -> None:
    with pytest.raises(TaskDeferralError, match="Resumes has no method 'go_back' to go on with"):
        Resumes(task_id="waits").resume_execution("go_back", {}, Context())
