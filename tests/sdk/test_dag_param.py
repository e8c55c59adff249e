"""Params where Dags and tasks declare them, and the parameters of ``@dag`` functions."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import outboard
from outboard import DAG, Param, dag, task
from outboard.sdk.context import Context, pop_context, push_context
from outboard.sdk.dag import take_registered
from outboard.sdk.exceptions import ParamValidationError
from outboard.sdk.xcom_arg import resolve


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    yield
    take_registered()


def in_a_run(value: Any, *, params: dict[str, Any], conf: dict[str, Any] | None = None) -> Any:
    """What an argument becomes in a run."""
    push_context(Context({"params": params, "dag_run": SimpleNamespace(conf=conf)}))  # type: ignore[misc]
    try:
        return resolve(value, lambda task_id, key: (False, None))
    finally:
        pop_context()


# ── params=… ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_dag_has_the_params_that_it_is_given_and_those_of_its_default_arguments() -> None:
    declared = DAG("d", params={"a": 1, "b": 1}, default_args={"params": {"b": 2}, "retries": 1})
    assert declared.params == {"a": 1, "b": 2}
    assert (declared.has_params, declared.default_args) == (True, {"retries": 1})


def test_params_can_be_added_to_a_dag_later() -> None:
    declared = DAG("d")
    assert not declared.has_params
    declared.params["a"] = Param(3, type="integer")
    assert declared.has_params
    declared.params = {"b": 4}
    assert declared.params == {"b": 4}


def test_a_dag_with_a_schedule_needs_defaults_that_fit() -> None:
    with pytest.raises(ParamValidationError) as caught:
        DAG("d", schedule="@daily", params={"n": Param("x", type="integer")})
    assert str(caught.value) == (
        "Dag 'd' has a schedule, whose runs take the defaults: param 'n': 'x' is not of type 'integer'"
    )
    with pytest.raises(ValueError, match="param 'n': it has no default"):
        DAG("d", schedule="@daily", params={"n": Param(type="integer")})
    assert DAG("d", params={"n": Param("x", type="integer")}).params.dump() == {"n": None}


def test_wrong_params_of_a_dag_are_an_error_that_names_it() -> None:
    with pytest.raises(TypeError, match="Dag 'd': params are a mapping of names to values, not 3"):
        DAG("d", params=3)  # type: ignore[arg-type]
    with pytest.raises(ParamValidationError, match="Dag 'd': param 'a': a param's value is one that JSON has"):
        DAG("d", params={"a": object()})


def test_a_task_keeps_its_own_params() -> None:
    @task(params={"a": Param(1, type="integer")})
    def step() -> None:
        pass

    @task(params={})
    def other() -> None:
        pass

    with DAG("d", params={"b": 2}):
        assert step().operator.params == {"a": 1}
        assert step.override(params={"a": 2})().operator.params == {"a": 2}
        assert other().operator.params is None


def test_wrong_params_of_a_task_are_an_error_that_names_it() -> None:
    with pytest.raises(TypeError, match="task 'step': params are a mapping of names to values, not 3"):

        @task(params=3)  # type: ignore[call-overload]
        def step() -> None:
            pass

    with pytest.raises(ValueError, match="task 'other': params are wrong: param 'a': a param's value is one"):

        @task(params={"a": object()})
        def other() -> None:
            pass


# ── parameters of @dag functions ──────────────────────────────────────────────────────────────────────────────────────


MODE = Param("fast", enum=["fast", "slow"])


@task
def show(value: Any, options: Any = None) -> None:
    pass


def test_parameters_of_a_dag_function_become_params_with_the_values_of_the_call() -> None:
    @dag
    def sales(region: str, limit: int = 3, *, mode: Any = MODE) -> None:
        show(region, options={"limit": [limit]})
        show(mode)

    declared = sales("eu", limit=4)
    assert declared.params == {"region": "eu", "limit": 4, "mode": "fast"}
    assert declared.params.get_param("mode").schema == {"enum": ["fast", "slow"]}
    first, second = declared.tasks
    params = declared.params.validate()
    assert in_a_run([first.op_args, first.op_kwargs], params=params) == [("eu",), {"options": {"limit": [4]}}]
    assert in_a_run(second.op_args, params=params) == ("fast",)
    conf = {"region": "us", "mode": "slow"}
    assert in_a_run(first.op_args, params={**params, **conf}, conf=conf) == ("us",)
    assert in_a_run(second.op_args, params={**params, **conf}, conf=conf) == ("slow",)


def test_the_parameters_of_a_dag_function_must_fit_its_schedule() -> None:
    wrong = Param("none", schema=MODE.schema)

    @dag(schedule="@daily")
    def sales(mode: Any = wrong) -> None:
        pass

    with pytest.raises(ParamValidationError, match=r"Dag 'sales' has a schedule.*param 'mode': 'none' is not one of"):
        sales()


@pytest.mark.parametrize(
    ("args", "kwargs", "said"),
    [
        ((), {}, "Dag 'sales' is called without 'region'"),
        (("eu", 1, 2), {}, "Dag 'sales' takes 2 positional arguments, not 3"),
        (("eu",), {"region": "us"}, "Dag 'sales' is given 'region' twice"),
        (("eu",), {"size": 3}, "Dag 'sales' has no parameter 'size'"),
    ],
)
def test_a_call_that_does_not_fit_the_dag_function_is_refused(args: Any, kwargs: Any, said: str) -> None:
    @dag
    def sales(region: str, limit: int = 3) -> None:
        pass

    with pytest.raises(TypeError, match=said):
        sales(*args, **kwargs)


def test_a_dag_function_has_named_parameters_only() -> None:
    @dag
    def collects(*regions: str) -> None:
        pass

    @dag
    def takes_all(**options: str) -> None:
        pass

    for factory in (collects, takes_all):
        with pytest.raises(TypeError, match="its function may have named parameters only"):
            factory()


def test_a_param_cannot_be_put_into_a_string_while_the_dag_is_built() -> None:
    @dag
    def sales(region: str = "eu") -> None:
        with pytest.raises(TypeError, match="the value of the param 'region' is not known while the Dag 'sales'"):
            show(f"in {region}")
        assert repr(region) == "<DagParam region of sales>"

    sales()


def test_a_reference_to_a_param_can_be_made_by_name() -> None:
    declared = DAG("d", params={"a": 1})
    assert in_a_run(declared.param("a"), params={"a": 2}) == 2
    assert in_a_run(declared.param("b", 3), params={"a": 2, "b": 3}) == 3
    assert declared.params == {"a": 1, "b": 3}
    with pytest.raises(RuntimeError, match="the param 'c' of Dag 'd' has no value in this run"):
        in_a_run(declared.param("c"), params={})


# ── what it costs ─────────────────────────────────────────────────────────────────────────────────────────────────────

PROGRAM = """
import sys
sys.path.insert(0, {source!r})
from outboard import DAG, task
from outboard.runtime.dag_serde import serialize_dag

@task(params={params!r})
def step():
    pass

with DAG("d", params={params!r}) as dag:
    step()
serialize_dag(dag)
print(*[name for name in sys.modules if "param" in name or name in ("json", "re", "enum", "typing", "inspect")])
"""


@pytest.mark.parametrize(
    ("params", "loaded"),
    [
        (None, set()),
        ({}, set()),
        ({"a": 1}, {"sdk.param", "sdk.params", "sdk.param_schema", "runtime.param_serde"}),
    ],
)
def test_params_are_loaded_by_those_who_declare_some(params: Any, loaded: set[str]) -> None:
    program = PROGRAM.format(source=str(Path(outboard.__file__).parents[1]), params=params)
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == {f"outboard.{name}" for name in loaded}
