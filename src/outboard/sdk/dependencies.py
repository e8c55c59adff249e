"""How authors say that one task waits for another: ``>>``, ``<<``, `set_upstream`, `set_downstream` and `chain`.

This module knows ends and edges; what a task or a Dag is, it does not need to know.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from outboard.sdk.dag import DAG
    from outboard.sdk.operator import BaseOperator

    Dependable: TypeAlias = "Node | Sequence[Node]"

__all__ = ("Node", "chain")


class Node:
    """Anything that edges can start from and end at: a task, or a reference to its result."""

    __slots__ = ()

    @property
    def roots(self) -> Sequence[BaseOperator]:
        """The tasks that an edge *to* this node leads to."""
        raise NotImplementedError

    @property
    def leaves(self) -> Sequence[BaseOperator]:
        """The tasks that an edge *from* this node comes from."""
        raise NotImplementedError

    def set_downstream(self, other: Dependable) -> None:
        """Let `other`, a node or a list of nodes, wait for this one."""
        _connect([self], _nodes(other))

    def set_upstream(self, other: Dependable) -> None:
        """Let this node wait for `other`, a node or a list of nodes."""
        _connect(_nodes(other), [self])

    def __rshift__(self, other: Dependable) -> Dependable:
        self.set_downstream(other)
        return other

    def __lshift__(self, other: Dependable) -> Dependable:
        self.set_upstream(other)
        return other

    # Lists have no shift operators, so theirs arrive here.
    def __rrshift__(self, other: Dependable) -> Node:
        self.set_upstream(other)
        return self

    def __rlshift__(self, other: Dependable) -> Node:
        self.set_downstream(other)
        return self


def chain(*tasks: Dependable) -> None:
    """Let each argument wait for the one before it.

    A list next to a single node is joined to it as a whole; two lists side by side are joined pair by pair.

    Raises:
        ValueError: two neighbouring lists differ in length.
        TypeError: an argument is neither a node nor a list of nodes.
    """
    for upstream, downstream in zip(tasks, tasks[1:]):  # noqa: B905, RUF007  # pairs; nobody else needs itertools
        if isinstance(upstream, Node) or isinstance(downstream, Node):
            _connect(_nodes(upstream), _nodes(downstream))
            continue
        above, below = _nodes(upstream), _nodes(downstream)
        if len(above) != len(below):
            raise ValueError(f"chain() joins lists of one length only, not of {len(above)} and {len(below)} tasks")
        for one, other in zip(above, below, strict=True):
            _connect([one], [other])


def _nodes(value: object) -> Sequence[Node]:
    nodes: Any = value if isinstance(value, (list, tuple)) else [value]
    for node in nodes:
        if not isinstance(node, Node):
            raise TypeError(f"a task depends on tasks and their results, not on {node!r}; call a @task function first")
    return nodes  # type: ignore[no-any-return]


def _connect(upstream: Sequence[Node], downstream: Sequence[Node]) -> None:
    above = [task for node in upstream for task in node.leaves]
    below = [task for node in downstream for task in node.roots]
    dag = _common_dag(above + below)
    for task in above + below:
        if task.dag is None:
            dag.add_task(task)
    for task in above:
        for other in below:
            task.downstream_task_ids.add(other.task_id)
            other.upstream_task_ids.add(task.task_id)


def _common_dag(tasks: Sequence[BaseOperator]) -> DAG:
    dags: list[DAG] = []
    for task in tasks:
        if task.dag is not None and task.dag not in dags:
            dags.append(task.dag)
    names = ", ".join(repr(task.task_id) for task in tasks)
    if not dags:
        raise ValueError(f"the tasks {names} are in no Dag; call them inside `with DAG(...)` or a @dag function")
    if len(dags) > 1:
        among = ", ".join(repr(dag.dag_id) for dag in dags)
        raise RuntimeError(f"the tasks {names} cannot depend on one another: they are in several Dags, {among}")
    return dags[0]
