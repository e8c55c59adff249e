"""`protocol.serialized_params` on what Airflow has serialized."""

from __future__ import annotations

from typing import Any

import pytest

from outboard.errors import UndecodableMessageError
from outboard.protocol.serialized_params import read_params
from tests import recorded

RECORDED: Any = recorded.load("sdk/params.json")
DAGS: dict[str, Any] = {entry["name"]: entry["dags"][0]["dag"] for entry in RECORDED["dags"]}


def test_the_params_of_a_dag_are_read_as_they_were_declared() -> None:
    params = {param.name: param for param in read_params(DAGS["of_every_kind"])}
    assert {name: param.default for name, param in params.items() if param.has_default} == {
        "plain": 1,
        "text": "a",
        "list": [1, {"x": [2]}],
        "dict": {"k": {"z": None}},
        "tuple": (1, (2,)),
        "nothing": None,
        "number": 1.5,
        "choice": "a",
        "array": ["x"],
        "given": 3,
        "pattern": "ab",
    }
    assert [name for name, param in params.items() if not param.has_default] == ["required"]
    assert params["array"].schema == {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}}
    assert params["plain"].schema == {}


def test_the_params_of_a_task_are_its_own_and_those_of_its_dag() -> None:
    _, own = DAGS["of_every_kind"]["tasks"]
    params = {param.name: param.default for param in read_params(own["__var"])}
    assert (params["plain"], params["own"], params["text"]) == (2, "x", "a")


def test_plain_data_is_taken_as_it_is() -> None:
    """As Airflow does; other runtimes need not know its encoding of dicts."""
    (param,) = read_params({"params": [["a", {"default": {"k": [1]}, "schema": {"type": "object"}}]]})
    assert (param.default, param.schema) == ({"k": [1]}, {"type": "object"})


def test_no_params_are_an_empty_list() -> None:
    assert read_params({}) == read_params({"params": []}) == []


@pytest.mark.parametrize(
    ("params", "place"),
    [
        (3, "params"),
        ([3], r"params\[0\]"),
        ([["a", 3]], r"params\[0\]"),
        ([["a", {"default": 1, "schema": {}}], ["b", {}]], r"params\[1\]"),
        ([["a", {"default": {"__type": "set", "__var": []}}]], r"params\[0\]\.default"),
        ([["a", {"default": 1, "schema": {"__type": "dict", "__var": 3}}]], r"params\[0\]\.schema"),
    ],
)
def test_another_form_is_an_error_that_names_the_place(params: Any, place: str) -> None:
    with pytest.raises(UndecodableMessageError, match=rf"serialized_dags\.dag\.{place}: "):
        read_params({"params": params})
