from __future__ import annotations

import doctest
from typing import Any

import pytest

from outboard import DAG, BaseOperator, Context, PythonOperator, TaskRegistry, dag, task
from outboard.errors import LoadError
from outboard.sdk import registry
from outboard.sdk.dag import take_registered
from outboard.sdk.exceptions import DuplicateTaskIdFound
from outboard.sdk.registry import collect


@pytest.fixture(autouse=True)
def _none_registered() -> None:
    take_registered()


@task
def step() -> None:
    pass


def test_the_example_in_the_documentation_runs() -> None:
    failed, tried = doctest.testmod(registry)
    assert (failed, tried > 5) == (0, True)


# ── handlers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_handler_is_found_by_both_ids() -> None:
    handlers = TaskRegistry()

    @handlers.task("sales")
    def load() -> int:
        return 1

    handlers.register("weather", "load", load)
    declarations = collect({"handlers": handlers})
    found = declarations.find("sales", "load")
    assert found is not None
    assert isinstance(found, PythonOperator)
    assert (found.dag_id, found.task_id, found.dag, found.python_callable) == ("sales", "load", None, load)
    assert declarations.find("weather", "load") is not found
    assert declarations.find("sales", "extract") is None
    assert declarations.find("other", "load") is None
    assert load() == 1
    assert repr(found) == "<Task(PythonOperator): sales.load>"


def test_options_of_a_handler_are_those_of_a_task() -> None:
    handlers = TaskRegistry()
    handlers.task("d", multiple_outputs=True)(step.function)
    handlers.register("d", "quiet", lambda: None, do_xcom_push=False)

    @handlers.task("d", mapped_over=True)
    def inferred() -> dict[str, int]:
        return {}

    operators = [handler.operator for handler in handlers.handlers]
    options = [(operator.multiple_outputs, operator.do_xcom_push, operator.mapped_over) for operator in operators]
    assert options == [(True, True, False), (False, False, False), (True, True, True)]


def test_a_task_with_two_handlers_is_an_error_that_names_it() -> None:
    handlers = TaskRegistry()
    handlers.register("d", "t", print)
    with pytest.raises(DuplicateTaskIdFound, match="task 't' of Dag 'd' has two handlers"):
        handlers.register("d", "t", len)


def test_handlers_of_two_registries_clash_as_those_of_one() -> None:
    one, other = TaskRegistry(), TaskRegistry()
    one.register("d", "t", lambda: None)
    other.register("d", "t", lambda: None)
    with pytest.raises(LoadError, match="task 't' of Dag 'd' has two handlers"):
        collect({"one": one, "other": other}).validate()


@pytest.mark.parametrize(
    ("register", "error", "text"),
    [
        (lambda handlers: handlers.task(print), TypeError, "name the Dag that the task is in"),
        (
            lambda handlers: handlers.register("d", "t", 5),
            TypeError,
            "is a function, an operator or a @task function, not 5",
        ),
        (lambda handlers: handlers.register("d", "a b", print), ValueError, "task_id 'a b' may hold"),
        (lambda handlers: handlers.register("d/e", "t", print), ValueError, "dag_id 'd/e' may hold"),
        (lambda handlers: handlers.register("d", "t", lambda ds="x": ds), ValueError, "its default can only be None"),
    ],
)
def test_a_wrong_registration_is_an_error_where_it_stands(register: Any, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        register(TaskRegistry())


def test_a_bound_method_can_be_a_handler() -> None:
    class Job:
        def run(self, ds: str) -> str:
            return ds

    handlers = TaskRegistry()
    handlers.register("d", "t", Job().run)
    assert handlers.handlers[0].operator.execute(Context(ds="today")) == "today"


def test_a_decorated_function_and_an_operator_can_be_handlers_of_several_tasks() -> None:
    class Load(BaseOperator):
        def execute(self, context: Context) -> str:
            return f"{self.dag_id}.{self.task_id}"

    handlers = TaskRegistry()
    handlers.task("sales", "waits")(task.sensor(task_id="t", poke_interval=5)(lambda: True))
    for dag_id in ("sales", "weather"):
        handlers.register(dag_id, "load", Load(task_id="any"))
    waits, *loads = [handler.operator for handler in handlers.handlers]
    assert (waits.task_id, waits.poke_interval) == ("waits", 5)  # type: ignore[attr-defined]
    assert [load.execute(Context()) for load in loads] == ["sales.load", "weather.load"]


def test_a_branch_as_a_handler_must_know_what_is_behind_it() -> None:
    handlers = TaskRegistry()
    with pytest.raises(TypeError, match=r"task 't' of Dag 'd'.*downstream="):
        handlers.register("d", "t", task.branch(task_id="t")(lambda: "a"))
    handlers.register("d", "t", task.branch(task_id="t")(lambda: "a"), downstream=["a", "b"])
    assert handlers.handlers[0].operator.downstream_task_ids == {"a", "b"}


# ── collecting ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_dags_come_from_blocks_functions_and_globals_each_once() -> None:
    with DAG("block") as block:
        pass

    @dag
    def function() -> None:
        pass

    made = function()
    with DAG("nameless"):
        pass
    plain = DAG("plain")
    names = {"block": block, "alias": block, "made": made, "plain": plain, "other": 5, "__file__": "f.py"}
    declarations = collect(names)
    assert [one.dag_id for one in declarations.dags] == ["block", "function", "nameless", "plain"]
    assert {one.fileloc for one in declarations.dags} == {"f.py"}
    assert declarations.file == "f.py"


def test_what_was_collected_is_not_collected_again() -> None:
    with DAG("d"):
        pass
    assert len(collect({}).dags) == 1
    assert collect({}).dags == ()


def test_a_dag_function_that_was_never_called_is_told() -> None:
    @dag
    def forgotten() -> None:
        pass

    assert collect({"forgotten": forgotten}).uncalled == ("forgotten",)
    forgotten()
    assert collect({"forgotten": forgotten}).uncalled == ()


def test_a_task_is_found_by_both_ids() -> None:
    with DAG("d") as declared:
        step()
    declarations = collect({})
    assert declarations.find("d", "step") is declared.get_task("step")
    assert declarations.find("d", "stop") is None
    assert declarations.find("e", "step") is None


# ── problems ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_sound_declarations_have_no_problems() -> None:
    with DAG("d"):
        step() >> step()
    collect({}).validate()


def test_each_problem_names_its_dag_and_tasks_and_hides_no_other() -> None:
    handlers = TaskRegistry()
    handlers.register("handled", "step", print)
    with DAG("round"):
        first = step()
        first >> step() >> first
    with DAG("good"):
        step()
    with DAG("good"):
        pass
    with DAG("handled"):
        step()
    declarations = collect({"handlers": handlers})
    assert [dag.dag_id for dag, _ in declarations.problems()] == ["round", "good", "handled"]
    with pytest.raises(LoadError) as caught:
        declarations.validate()
    assert str(caught.value) == (
        "Dag 'round' has a cycle: step → step__1 → step; two Dags have the id 'good'; "
        "task 'step' of Dag 'handled' is declared and has a handler as well"
    )
