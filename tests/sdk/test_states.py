"""The names of states are those of the schema, for tasks and for runs."""

from __future__ import annotations

import json

import pytest

from outboard import DagRunState, TaskInstanceState
from tests.recorded import FIXTURES


def test_a_state_is_a_string_with_a_name_and_a_value() -> None:
    assert TaskInstanceState.UP_FOR_RETRY == "up_for_retry"
    assert (DagRunState("failed").name, f"{DagRunState.FAILED}") == ("FAILED", "failed")
    assert type(DagRunState.FAILED.value) is str
    assert {TaskInstanceState.SUCCESS: 1}["success"] == 1


@pytest.mark.parametrize("date", ["2026-06-16", "2026-10-30"])
@pytest.mark.parametrize("kind", [TaskInstanceState, DagRunState])
def test_there_are_the_states_that_the_schema_knows(
    kind: type[TaskInstanceState] | type[DagRunState], date: str
) -> None:
    definitions = json.loads((FIXTURES / "schema" / f"{date}.json").read_text())["$defs"]
    values = definitions[kind.__name__]["enum"]
    assert {getattr(kind, value.upper()).value for value in values} == set(values) == set(kind._values)


@pytest.mark.parametrize("kind", [TaskInstanceState, DagRunState])
def test_anything_else_is_refused_with_the_states_there_are(kind: type[TaskInstanceState] | type[DagRunState]) -> None:
    with pytest.raises(ValueError, match=rf"'done' is no state of a {kind._kind}; the states are .*success"):
        kind("done")
