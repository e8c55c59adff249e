from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard import Context, LazyXComSequence, TaskInstance
from outboard.sdk.context import pop_context, push_context
from tests.sdk.conftest import World

PLACE = {"dag_id": "d", "run_id": "r"}
VALUES = [0, 10, 20, 30]


@pytest.fixture
def sequence(world: World) -> LazyXComSequence:
    for index, value in enumerate(VALUES):
        world.set_xcom("return_value", value, "d", "r", "mapped", index)
    return LazyXComSequence("mapped", **PLACE)


def test_the_length_is_asked_for_once(world: World, sequence: LazyXComSequence) -> None:
    assert (len(sequence), len(sequence)) == (4, 4)
    assert world.asked == ["count"]


def test_an_item_is_fetched_when_it_is_used(world: World, sequence: LazyXComSequence) -> None:
    assert world.asked == []
    assert (sequence[1], sequence[-1]) == (10, 30)
    assert world.asked == [1, -1]


def test_a_position_that_is_out_of_range_is_an_index_error_that_names_the_task(sequence: LazyXComSequence) -> None:
    with pytest.raises(IndexError, match="task 'mapped' has no XCom 'return_value' number 4"):
        sequence[4]


@pytest.mark.parametrize("key", ["1", 1.0, None])
def test_a_position_that_is_no_integer_is_refused(sequence: LazyXComSequence, key: Any) -> None:
    with pytest.raises(TypeError, match="counted with integers"):
        sequence[key]


def test_going_through_it_fetches_no_more_than_is_used(world: World, sequence: LazyXComSequence) -> None:
    assert next(iter(sequence)) == 0
    assert world.asked == [0]
    assert list(sequence) == VALUES


def test_a_slice_is_that_of_the_list_and_costs_one_request(world: World, sequence: LazyXComSequence) -> None:
    @given(part=st.slices(6))
    def holds(part: slice) -> None:
        world.asked.clear()
        assert sequence[part] == VALUES[part]
        assert len(world.asked) == 1

    holds()


def test_a_step_of_zero_is_refused_before_anything_is_asked(world: World, sequence: LazyXComSequence) -> None:
    with pytest.raises(ValueError, match="not zero"):
        sequence[::0]
    assert world.asked == []


def test_it_is_a_sequence_that_equals_others_of_the_same_values(sequence: LazyXComSequence) -> None:
    assert sequence == VALUES
    assert sequence != VALUES[:-1]
    assert sequence != "0102"
    assert list(reversed(sequence)) == VALUES[::-1]
    assert (20 in sequence, sequence.index(20), sequence.count(5)) == (True, 2, 0)


def test_the_place_is_that_of_the_running_task_unless_given(world: World) -> None:
    world.set_xcom("k", "v", "d", "r", "mapped", 0)
    with pytest.raises(RuntimeError, match="no task is running"):
        LazyXComSequence("mapped", key="k")
    push_context(Context(ti=TaskInstance(id="u", dag_id="d", task_id="t", run_id="r", try_number=1)))
    try:
        assert list(LazyXComSequence("mapped", key="k")) == ["v"]
        assert list(LazyXComSequence("mapped", key="k", run_id="other")) == []
    finally:
        pop_context()


def test_the_repr_asks_nothing(world: World, sequence: LazyXComSequence) -> None:
    assert repr(sequence) == "<LazyXComSequence of 'mapped', key 'return_value'>"
    assert world.asked == []
    assert len(sequence) == 4
    assert repr(sequence).endswith(", 4 of them>")
