"""Cycles in a graph of ids, as a pure function."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ("find_cycle",)


def find_cycle(ids: Iterable[str], downstream: Callable[[str], Iterable[str]]) -> list[str]:
    """One cycle, as the ids along it with the first one repeated at the end; empty when there is none.

    Args:
        ids: all nodes.
        downstream: the nodes that directly follow a node.
    """
    done: set[str] = set()
    for start in ids:
        # A path and, beside it, what is left to look at below each of its nodes; a loop, since Dags may be deeper than
        # Python's stack.
        path: list[str] = []
        on_path: set[str] = set()
        pending = [iter((start,))]
        while pending:
            child = next(pending[-1], None)
            if child is None:
                pending.pop()
                if path:
                    done.add(path[-1])
                    on_path.remove(path.pop())
            elif child in on_path:
                return [*path[path.index(child) :], child]
            elif child not in done:
                path.append(child)
                on_path.add(child)
                pending.append(iter(sorted(downstream(child))))
    return []
