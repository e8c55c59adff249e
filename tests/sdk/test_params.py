"""`sdk.params` against what Airflow has made of the same declarations."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from outboard.sdk.exceptions import ParamValidationError
from outboard.sdk.param import Param
from outboard.sdk.params import ParamsDict, merge, resolve
from tests import recorded

RESOLUTIONS: Any = recorded.load("sdk/params.json")["resolutions"]  # type: ignore[call-overload]


def declared(params: dict[str, Any]) -> dict[str, Param]:
    return {name: Param(**each) for name, each in params.items()}


@pytest.mark.parametrize("case", RESOLUTIONS, ids=range(len(RESOLUTIONS)))
def test_the_values_of_a_run_are_those_that_airflow_gives_it(case: dict[str, Any]) -> None:
    dag, task = declared(case["dag"]), declared(case["task"])
    if case["values"] is None:
        with pytest.raises(ParamValidationError):
            resolve(dag, task, case["conf"])
    else:
        assert resolve(dag, task, case["conf"]) == case["values"]


def test_recorded_are_runs_that_get_values_and_runs_that_do_not() -> None:
    assert {case["values"] is None for case in RESOLUTIONS} == {True, False}


def test_conf_counts_before_the_task_and_the_task_before_the_dag() -> None:
    dag, task = {"a": 1, "b": 1, "c": 1}, {"b": 2, "c": 2}
    assert resolve(dag, task, {"c": 3, "d": 3}) == {"a": 1, "b": 2, "c": 3, "d": 3}
    assert resolve(None, None, None) == {}


def test_a_tasks_param_takes_the_place_of_the_dags_with_its_schema() -> None:
    dag, task = {"a": Param(1, type="integer")}, {"a": Param("x", type="string")}
    assert resolve(dag, task, {"a": "y"}) == {"a": "y"}
    with pytest.raises(ParamValidationError):
        resolve(dag, {}, {"a": "y"})


def test_an_error_names_the_task_the_dag_the_param_the_value_and_the_rule() -> None:
    with pytest.raises(ParamValidationError) as caught:
        resolve({"day": Param("2024-01-31", format="date")}, None, {"day": "soon"}, label="task 't' of Dag 'd'")
    assert str(caught.value) == ("task 't' of Dag 'd': param 'day': 'soon' is not a date, which is written YYYY-MM-DD")
    with pytest.raises(ParamValidationError, match=r"^Dag 'd': param 'n': it has no default, and no value was given$"):
        resolve({"n": Param(type="integer")}, None, None, label="Dag 'd'")


def test_what_was_declared_stays_as_it_was() -> None:
    dag = ParamsDict({"a": Param([1], type="array"), "b": 2})
    conf = {"a": [3], "c": [4]}
    values = resolve(dag, None, conf)
    values["a"].append(5)
    values["c"].append(5)
    resolve(dag, None, None)["a"].append(6)
    assert (dag.dump(), conf) == ({"a": [1], "b": 2}, {"a": [3], "c": [4]})


def test_merged_params_know_their_source_and_the_declared_ones_do_not_learn_it() -> None:
    dag, task = ParamsDict({"a": 1, "b": 1}), ParamsDict({"b": 2})
    merged = merge(dag, task)
    assert {name: param.source for name, param in merged.items()} == {"a": "dag", "b": "task"}
    assert dag.get_param("a").source is None
    assert ParamsDict.filter_params_by_source(merged, "task").dump() == {"b": 2}


# ── as a mapping ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_is_put_in_becomes_a_param_and_what_is_read_is_its_value() -> None:
    params = ParamsDict({"a": 1, "b": Param(2, type="integer")})
    params["c"] = 3
    assert (params["a"], params["b"], params["c"]) == (1, 2, 3)
    assert isinstance(params.get_param("c"), Param)
    assert [type(param) for param in params.values()] == [Param] * 3
    assert (list(params), len(params), "c" in params, bool(ParamsDict())) == (["a", "b", "c"], 3, True, False)
    del params["c"]
    assert params == {"a": 1, "b": 2} == ParamsDict({"a": 1, "b": 2})
    assert repr(params) == "{'a': 1, 'b': 2}"


def test_a_value_for_a_param_that_there_is_must_fit_it() -> None:
    params = ParamsDict({"a": Param(1, type="integer")})
    with pytest.raises(ParamValidationError, match=r"^param 'a': 'x' is not of type 'integer'$"):
        params["a"] = "x"
    params["a"] = 2
    assert (params["a"], params.get_param("a").schema) == (2, {"type": "integer"})
    params["a"] = Param("x")
    assert params["a"] == "x"


def test_an_update_with_params_replaces_and_with_values_fills_in() -> None:
    params = ParamsDict({"a": Param(1, type="integer")})
    params.update({"a": 2}, b=3)
    assert params.get_param("a").schema == {"type": "integer"}
    params.update(ParamsDict({"a": "x"}))
    assert (params["a"], params["b"], params.get_param("a").schema) == ("x", 3, {})


def test_reading_a_param_without_a_fitting_value_is_an_error_unless_errors_are_suppressed() -> None:
    given = {"a": Param(type="integer"), "b": Param("x", type="integer")}
    with pytest.raises(ParamValidationError, match="param 'a'"):
        ParamsDict(given)["a"]
    with pytest.raises(ParamValidationError, match="param 'a'"):
        ParamsDict(given).validate()
    assert ParamsDict(given, suppress_exception=True).validate() == {"a": None, "b": None}
    assert ParamsDict(given).dump() == ParamsDict(given).serialize() == {"a": None, "b": None}


def test_a_deep_copy_has_params_of_its_own_and_a_copy_shares_them() -> None:
    params = ParamsDict({"a": [1]})
    deep, shallow = copy.deepcopy(params), copy.copy(params)
    assert deep == shallow == params
    deep["a"].append(2)
    assert params["a"] == [1]
    assert shallow.get_param("a") is params.get_param("a")


def test_what_cannot_be_params_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="params are a mapping of names to values, not 3"):
        ParamsDict(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="the name of a param is a string, not 3"):
        ParamsDict({3: 3})  # type: ignore[dict-item]
    with pytest.raises(ParamValidationError, match="param 'a': a param's value is one that JSON has a form for"):
        ParamsDict({"a": object()})
    with pytest.raises(TypeError, match="params in version 2"):
        ParamsDict.deserialize({}, 2)
    assert ParamsDict.deserialize({"a": 1}, 1) == {"a": 1}
