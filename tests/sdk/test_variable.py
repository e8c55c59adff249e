from __future__ import annotations

import pytest

from outboard import Variable
from outboard.sdk.exceptions import AirflowRuntimeError, ErrorType
from tests.sdk.conftest import World


def test_a_variable_is_read_as_the_string_it_is(world: World) -> None:
    world.variables["region"] = "eu"
    assert Variable.get("region") == "eu"


def test_json_is_decoded_on_request(world: World) -> None:
    world.variables["limits"] = '{"rows": 5}'
    assert Variable.get("limits", deserialize_json=True) == {"rows": 5}


def test_a_missing_variable_is_an_error_that_says_which_kind(world: World) -> None:
    with pytest.raises(AirflowRuntimeError) as caught:
        Variable.get("absent")
    assert caught.value.error.error == ErrorType.VARIABLE_NOT_FOUND


@pytest.mark.parametrize("default", [None, "", {"a": 1}])
def test_a_default_is_returned_as_it_is_also_when_it_is_none(world: World, default: object) -> None:
    assert Variable.get("absent", default, deserialize_json=True) is default
    assert Variable.get("absent", default=default) is default


def test_a_default_does_not_hide_a_refusal(world: World) -> None:
    world.forbidden.add("secret")
    with pytest.raises(AirflowRuntimeError, match="PERMISSION_DENIED"):
        Variable.get("secret", default="x")


def test_a_value_that_is_no_json_is_an_error_with_the_key(world: World) -> None:
    world.variables["limits"] = "{"
    with pytest.raises(ValueError, match="variable 'limits' holds no JSON"):
        Variable.get("limits", deserialize_json=True)


def test_what_is_set_can_be_read_listed_and_deleted(world: World) -> None:
    Variable.set("region", "eu", "where we are")
    Variable.set("rows", [1, 2], serialize_json=True)
    assert world.descriptions["region"] == "where we are"
    assert Variable.get("rows", deserialize_json=True) == [1, 2]
    assert list(Variable.keys()) == ["region", "rows"]
    assert list(Variable.keys(prefix="ro")) == ["rows"]
    Variable.delete("region")
    assert list(Variable.keys()) == ["rows"]


@pytest.mark.parametrize("value", [5, None, ["a"]])
def test_a_value_that_is_no_string_is_refused_before_anything_is_sent(world: World, value: object) -> None:
    with pytest.raises(TypeError, match=r"variable 'region' holds a string.*serialize_json=True"):
        Variable.set("region", value)
    assert not world.variables


def test_a_value_that_json_cannot_hold_is_refused_before_anything_is_sent(world: World) -> None:
    with pytest.raises(TypeError):
        Variable.set("region", {1, 2}, serialize_json=True)
    assert not world.variables


def test_outside_a_task_there_are_no_variables_and_the_error_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="outboard run"):
        Variable.get("region")


def test_the_repr_does_not_show_the_value() -> None:
    assert "hunter2" not in repr(Variable("password", "hunter2"))


@pytest.mark.anyio
async def test_coroutines_have_faces_of_their_own(world: World) -> None:
    await Variable.aset("rows", [1], "some", serialize_json=True)
    assert await Variable.aget("rows", deserialize_json=True) == [1]
    assert await Variable.aget("absent", "else") == "else"
    assert list(await Variable.akeys("ro")) == ["rows"]
    await Variable.adelete("rows")
    assert not world.variables
