from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from outboard.sdk.graph import find_cycle


def test_a_chain_deeper_than_pythons_stack_has_no_cycle() -> None:
    size = 20_000
    assert find_cycle(map(str, range(size)), lambda node: [str(int(node) + 1)] if int(node) + 1 < size else []) == []


def test_the_cycle_is_told_without_the_way_to_it() -> None:
    below = {"a": ["b"], "b": ["c"], "c": ["d"], "d": ["b"]}
    assert find_cycle(below, below.__getitem__) == ["b", "c", "d", "b"]


@given(st.dictionaries(st.integers(0, 7), st.sets(st.integers(0, 7))))
def test_a_cycle_is_found_exactly_when_there_is_one(graph: dict[int, set[int]]) -> None:
    below = {str(node): {str(other) for other in graph.get(node, ())} for node in range(8)}
    cycle = find_cycle(below, below.__getitem__)
    if cycle:
        assert cycle[0] == cycle[-1]
        assert all(other in below[node] for node, other in pairwise(cycle))
        assert len(set(cycle)) == len(cycle) - 1
    else:
        left = dict(below)
        while left:
            ends = [node for node, others in left.items() if not others & set(left)]
            assert ends, "every node left lies on a cycle or before one"
            for node in ends:
                del left[node]
