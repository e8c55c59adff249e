"""`protocol.serialized_dag`: reading what any bundle may send. The Dags are as Airflow itself serialised them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.errors import UndecodableMessageError
from outboard.protocol.serialized_dag import read
from tests import recorded


def recorded_dag(name: str) -> dict[str, Any]:
    dags = {dag["dag"]["dag_id"]: dag for entry in recorded.load("sdk/dags.json") for dag in entry["dags"]}
    return copy.deepcopy(dags[name])


def dag_of(*tasks: dict[str, Any]) -> dict[str, Any]:
    return {"__version": 3, "dag": {"dag_id": "d", "tasks": [{"__type": "operator", "__var": task} for task in tasks]}}


def test_tasks_and_edges_are_read_in_both_directions() -> None:
    dag = read(recorded_dag("taskflow"))
    assert dag.dag_id == "taskflow"
    assert list(dag.tasks) == ["extract", "transform", "transform__1", "load", "extract__1"]
    assert dag.tasks["load"].upstream == ("extract__1", "transform", "transform__1")
    assert dag.tasks["transform"].downstream == ("load", "transform__1")
    assert dag.tasks["extract"].upstream == ()


def test_fields_that_airflow_leaves_out_have_its_defaults() -> None:
    task = read(recorded_dag("defaults")).tasks["nothing"]
    assert (task.retries, task.retry_delay, task.retry_exponential_backoff) == (0, 300.0, 0)
    assert (task.trigger_rule, task.display_name) == ("all_success", "nothing")


def test_fields_away_from_their_defaults_are_read() -> None:
    task = read(recorded_dag("every-argument.dag")).tasks["all-of.them"]
    assert (task.retries, task.retry_delay, task.retry_exponential_backoff) == (7, 12.5, 2.5)
    assert (task.max_retry_delay, task.trigger_rule) == (3600.0, "none_failed_min_one_success")
    assert task.display_name == "All of them"


def test_the_order_puts_each_task_behind_those_it_waits_for_and_else_keeps_the_declared_one() -> None:
    assert read(recorded_dag("edges")).order == ("a", "b", "d", "c", "step", "step__1", "e")
    dag = dag_of({"task_id": "z"}, {"task_id": "b", "downstream_task_ids": ["a"]}, {"task_id": "a"}, {"task_id": "c"})
    assert read(dag).order == ("z", "b", "c", "a")


def test_all_that_a_task_waits_for_is_known() -> None:
    dag = read(recorded_dag("taskflow"))
    assert dag.upstream_of("transform__1") == {"extract", "transform"}
    assert dag.upstream_of("extract") == set()


@pytest.mark.parametrize(
    ("factor", "cap", "delays"),
    [
        (0, None, [10, 10, 10]),
        (1, None, [10, 10, 10]),
        (2, None, [10, 20, 40]),
        (3, 25, [10, 25, 25]),
        (1e308, None, [10, 86400, 86400]),
    ],
)
def test_the_delay_grows_by_its_factor_up_to_the_cap(factor: float, cap: float | None, delays: list[float]) -> None:
    fields: dict[str, Any] = {"task_id": "t", "retry_delay": 10.0, "retry_exponential_backoff": factor}
    if cap is not None:
        fields["max_retry_delay"] = cap
    task = read(dag_of(fields)).tasks["t"]
    assert [task.delay_after(try_number) for try_number in (1, 2, 3)] == delays


def test_unknown_fields_are_ignored() -> None:
    data = dag_of({"task_id": "t", "new_in_four": {"a": 1}})
    data["dag"]["also_new"] = True
    assert list(read(data).tasks) == ["t"]


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (None, "__version"),
        ({"__version": 2, "dag": {}}, "__version"),
        ({"__version": 3, "dag": []}, "dag.dag_id"),
        ({"__version": 3, "dag": {"dag_id": 5, "tasks": []}}, "dag.dag_id"),
        ({"__version": 3, "dag": {"dag_id": "d", "tasks": {}}}, "dag.tasks"),
        ({"__version": 3, "dag": {"dag_id": "d", "tasks": [{"__var": {"task_id": "t"}}]}}, "dag.tasks[0]"),
        (dag_of({"task_id": "t"}, {"task_id": 5}), "dag.tasks[1]"),
        (dag_of({"task_id": "t"}, {"task_id": "t"}), "dag.tasks[1].task_id"),
        (dag_of({"task_id": "t", "retries": "many"}), "dag.tasks[0].retries"),
        (dag_of({"task_id": "t", "retries": True}), "dag.tasks[0].retries"),
        (dag_of({"task_id": "t", "retry_delay": -1}), "dag.tasks[0].retry_delay"),
        (dag_of({"task_id": "t", "retry_delay": float("nan")}), "dag.tasks[0].retry_delay"),
        (dag_of({"task_id": "t", "trigger_rule": None}), "dag.tasks[0].trigger_rule"),
        (dag_of({"task_id": "t", "downstream_task_ids": "t"}), "dag.tasks[0].downstream_task_ids"),
    ],
)
def test_a_form_that_cannot_be_trusted_is_refused_at_its_place(data: object, field: str) -> None:
    with pytest.raises(UndecodableMessageError) as caught:
        read(data)
    assert caught.value.field == f"serialized_dags.{field}"


def test_an_edge_to_nowhere_names_the_dag_and_both_tasks() -> None:
    with pytest.raises(UndecodableMessageError, match="Dag 'd' has no task 'x', for which 't' is upstream"):
        read(dag_of({"task_id": "t", "downstream_task_ids": ["x"]}))


def test_a_cycle_names_the_dag_and_its_tasks() -> None:
    data = dag_of(
        {"task_id": "before", "downstream_task_ids": ["a"]},
        {"task_id": "a", "downstream_task_ids": ["b"]},
        {"task_id": "b", "downstream_task_ids": ["a"]},
    )
    with pytest.raises(UndecodableMessageError, match="Dag 'd' has a cycle among the tasks 'a', 'b'"):
        read(data)


@given(
    st.integers(1, 12).flatmap(
        lambda n: st.tuples(st.just(n), st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1))))
    )
)
def test_any_graph_without_a_cycle_is_ordered_and_any_other_refused(graph: tuple[int, set[tuple[int, int]]]) -> None:
    size, edges = graph
    below = {index: [f"t{b}" for a, b in edges if a == index] for index in range(size)}
    data = dag_of(*({"task_id": f"t{index}", "downstream_task_ids": below[index]} for index in range(size)))
    try:
        order = read(data).order
    except UndecodableMessageError:
        assert reaches_itself(edges)
    else:
        assert not reaches_itself(edges)
        assert sorted(order) == sorted(f"t{index}" for index in range(size))
        assert all(order.index(f"t{a}") < order.index(f"t{b}") for a, b in edges)


def reaches_itself(edges: set[tuple[int, int]]) -> bool:
    reach = set(edges)
    while True:
        more = {(a, d) for a, b in reach for c, d in reach if b == c} | reach
        if more == reach:
            return any(a == b for a, b in reach)
        reach = more


def test_what_two_paths_lead_to_counts_once() -> None:
    data = dag_of(
        {"task_id": "a", "downstream_task_ids": ["b", "c"]},
        {"task_id": "b", "downstream_task_ids": ["d"]},
        {"task_id": "c", "downstream_task_ids": ["d"]},
        {"task_id": "d"},
    )
    dag = read(data)
    assert dag.upstream_of("d") == {"a", "b", "c"}
    assert (repr(dag), repr(dag.tasks["a"])) == ("<SerializedDag d>", "<SerializedTask a>")
