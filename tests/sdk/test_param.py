from __future__ import annotations

import copy
from typing import Any

import pytest

from outboard import Param
from outboard.sdk.exceptions import AirflowException, ParamValidationError
from outboard.sdk.param import NOTSET


def test_keyword_arguments_that_are_not_its_own_are_its_schema() -> None:
    param = Param(3, "how many", type="integer", minimum=1)
    assert (param.value, param.description, param.schema) == (3, "how many", {"type": "integer", "minimum": 1})
    assert Param(3, schema={"type": "integer"}).schema == {"type": "integer"}
    assert (param.source, Param(3, source="task").source) == (None, "task")


def test_a_default_that_fits_is_its_value() -> None:
    assert Param(3, type="integer").resolve() == 3
    assert Param({"a": [1]}).resolve() == {"a": [1]}
    assert Param(None, type=["null", "string"]).resolve() is None


def test_a_value_that_fits_takes_the_defaults_place() -> None:
    param = Param(3, type="integer")
    assert (param.resolve(4), param.resolve(), param.value) == (4, 4, 4)


def test_a_value_that_does_not_fit_is_an_error_and_changes_nothing() -> None:
    param = Param(3, type="integer")
    with pytest.raises(ParamValidationError, match="'4' is not of type 'integer'"):
        param.resolve("4")
    assert param.value == 3
    assert issubclass(ParamValidationError, AirflowException)
    assert issubclass(ParamValidationError, ValueError)


def test_a_default_is_judged_when_it_is_asked_for_and_not_before() -> None:
    """Airflow's rule: a Dag that nobody schedules may leave a value to the form."""
    param = Param(None, type="string")
    with pytest.raises(ParamValidationError, match="None is not of type 'string'"):
        param.resolve()


def test_none_is_a_value_and_no_default_is_none() -> None:
    assert Param(None).resolve() is None
    with pytest.raises(ParamValidationError, match="it has no default, and no value was given"):
        Param(type="string").resolve()
    assert (Param().has_value, Param(None).has_value, Param(0).has_value) == (False, False, True)


def test_where_errors_are_suppressed_nothing_that_fits_is_none() -> None:
    param = Param("a", type="integer")
    assert param.resolve(suppress_exception=True) is None
    assert param.resolve("b", suppress_exception=True) is None
    assert Param().resolve(suppress_exception=True) is None
    assert param.value == "a"


def test_a_schema_that_makes_no_sense_is_an_error_also_where_errors_are_suppressed() -> None:
    with pytest.raises(ParamValidationError, match="its JSON schema makes no sense: 'int' is not valid"):
        Param(3, type="int").resolve(suppress_exception=True)


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", [object()], {"a": {1}}, {(1,): 2}])
def test_a_value_that_json_has_no_form_for_is_refused(value: Any) -> None:
    with pytest.raises(ParamValidationError, match="a param's value is one that JSON has a form for"):
        Param(value)
    with pytest.raises(ParamValidationError, match="a param's value is one that JSON has a form for"):
        Param(1).resolve(value)


def test_a_value_that_holds_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ParamValidationError, match="a param's value"):
        Param(value)


@pytest.mark.parametrize("value", [True, 1, 1.5, "a", None, [1, (2, {"a": None})], {1: "a", None: [], 2.5: True}])
def test_a_value_that_json_has_a_form_for_is_taken_as_it_is(value: Any) -> None:
    assert Param(value).resolve() == value


def test_no_value_is_one_object_whatever_copies_it() -> None:
    assert copy.deepcopy(NOTSET) is copy.copy(NOTSET) is NOTSET
    assert copy.deepcopy(Param()).value is NOTSET
    assert repr(NOTSET) == "NOTSET"


def test_a_deep_copy_has_a_value_and_a_schema_of_its_own() -> None:
    class Special(Param):
        def __init__(self) -> None:
            super().__init__({"a": [1]}, enum=[{"a": [1]}])
            self.mark = [1]

    original = Special()
    copied = copy.deepcopy(original)
    assert (type(copied), copied.value, copied.schema, copied.mark) == (
        Special, original.value, original.schema, [1],
    )  # fmt: skip
    copied.value["a"].append(2)
    copied.schema["enum"].clear()
    copied.mark.append(2)
    assert (original.value, original.schema, original.mark) == ({"a": [1]}, {"enum": [{"a": [1]}]}, [1])
    assert copy.copy(original).value is original.value


def test_its_parts_make_it_again() -> None:
    param = Param(3, "how many", "dag", type="integer")
    assert param.serialize() == {"value": 3, "description": "how many", "schema": {"type": "integer"}, "source": "dag"}
    again = Param.deserialize(param.serialize(), 1)
    assert again.serialize() == param.serialize()
    assert Param().dump()["value"] is None
    assert Param(3).dump() == {
        "__class": "outboard.sdk.param.Param", "value": 3, "description": None, "schema": {}, "source": None,
    }  # fmt: skip
    with pytest.raises(TypeError, match="params in version 2"):
        Param.deserialize(param.serialize(), 2)
