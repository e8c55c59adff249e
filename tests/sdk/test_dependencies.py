from __future__ import annotations

from typing import Any

import pytest

from outboard import DAG, chain, task
from outboard.sdk.dependencies import Node


@task
def step() -> None:
    pass


@pytest.fixture
def dag() -> DAG:
    return DAG("d")


def steps(dag: DAG, names: str) -> list[Any]:
    with dag:
        return [step.override(task_id=name)() for name in names]


def edges(dag: DAG) -> list[str]:
    found = sorted(f"{task.task_id}{below}" for task in dag.tasks for below in task.downstream_task_ids)
    mirrored = sorted(f"{above}{task.task_id}" for task in dag.tasks for above in task.upstream_task_ids)
    assert found == mirrored
    return found


@pytest.mark.parametrize(
    ("connect", "expected"),
    [
        (lambda a, b, c, d: a >> b, ["ab"]),
        (lambda a, b, c, d: a << b, ["ba"]),
        (lambda a, b, c, d: a >> b >> c, ["ab", "bc"]),
        (lambda a, b, c, d: a >> [b, c] >> d, ["ab", "ac", "bd", "cd"]),
        (lambda a, b, c, d: [a, b] >> c, ["ac", "bc"]),
        (lambda a, b, c, d: [a, b] << c, ["ca", "cb"]),
        (lambda a, b, c, d: d << [b, c] << a, ["ab", "ac", "bd", "cd"]),
        (lambda a, b, c, d: (a, b) >> c, ["ac", "bc"]),
        (lambda a, b, c, d: a.operator >> b.operator, ["ab"]),
        (lambda a, b, c, d: a["key"] >> b, ["ab"]),
        (lambda a, b, c, d: a.set_downstream([b, c]), ["ab", "ac"]),
        (lambda a, b, c, d: a.operator.set_upstream(b), ["ba"]),
        (lambda a, b, c, d: a.operator.output >> b, ["ab"]),
        (lambda a, b, c, d: [a >> b, a >> b], ["ab"]),
        (lambda a, b, c, d: a >> [], []),
        (lambda a, b, c, d: chain(a, b, c), ["ab", "bc"]),
        (lambda a, b, c, d: chain(a, [b, c], d), ["ab", "ac", "bd", "cd"]),
        (lambda a, b, c, d: chain([a, b], [c, d]), ["ac", "bd"]),
        (lambda a, b, c, d: chain(a), []),
    ],
)
def test_every_way_of_writing_it_makes_the_edges_it_says(dag: DAG, connect: Any, expected: list[str]) -> None:
    connect(*steps(dag, "abcd"))
    assert edges(dag) == expected


def test_lists_of_different_lengths_cannot_be_chained(dag: DAG) -> None:
    a, b, c = steps(dag, "abc")
    with pytest.raises(ValueError, match="lists of one length only, not of 2 and 1"):
        chain([a, b], [c])


@pytest.mark.parametrize("other", [5, None, "b", step, [5]])
def test_only_tasks_and_their_results_can_be_depended_on(dag: DAG, other: Any) -> None:
    (a,) = steps(dag, "a")
    with pytest.raises(TypeError, match="call a @task function first"):
        a >> other
    with pytest.raises(TypeError):
        chain([a], other)


def test_tasks_of_two_dags_cannot_be_connected() -> None:
    (a,), (b,) = steps(DAG("one"), "a"), steps(DAG("two"), "b")
    with pytest.raises(
        RuntimeError, match="'a', 'b' cannot depend on one another: they are in several Dags, 'one', 'two'"
    ):
        a >> b
    assert not a.operator.downstream_task_ids


def test_tasks_of_no_dag_cannot_be_connected() -> None:
    with pytest.raises(ValueError, match="the tasks 'step', 'step' are in no Dag"):
        step() >> step()


def test_a_task_of_no_dag_joins_the_other_ones(dag: DAG) -> None:
    (a,) = steps(dag, "a")
    loose = step()
    loose >> a
    assert dag.task_ids == ["a", "step"]
    assert loose.operator.dag is dag


def test_a_node_says_where_its_edges_end() -> None:
    with pytest.raises(NotImplementedError):
        Node().roots  # noqa: B018
    with pytest.raises(NotImplementedError):
        Node().leaves  # noqa: B018
