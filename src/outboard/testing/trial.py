"""`run_task`: one try of one task, for a test of what it does."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypedDict, TypeVar, Unpack, overload

from outboard.sdk.connection import Connection
from outboard.sdk.operator import BaseOperator
from outboard.sdk.registry import Handler
from outboard.sdk.task import DecoratedTask
from outboard.sdk.xcom_arg import XComArg
from outboard.testing.ended_task import result_of
from outboard.testing.given import read_connections, read_variables, read_xcoms
from outboard.testing.run_facts import RunFacts, read_facts
from outboard.testing.task_result import TaskResult
from outboard.testing.task_under_test import task_under_test
from outboard.testing.world import World

__all__ = ("run_task",)

R = TypeVar("R")


class _Given(TypedDict, total=False):
    variables: Mapping[str, str] | None
    connections: Mapping[str, Connection | str] | None
    xcoms: Mapping[Any, Any] | None
    context: RunFacts | None
    real: bool


# A decorated function is a callable too, whose call returns a reference, so it comes first.
@overload
def run_task(task: DecoratedTask[..., Coroutine[Any, Any, R]], **given: Unpack[_Given]) -> TaskResult[R]: ...


@overload
def run_task(task: DecoratedTask[..., R], **given: Unpack[_Given]) -> TaskResult[R]: ...


@overload
def run_task(task: Callable[..., Coroutine[Any, Any, R]], **given: Unpack[_Given]) -> TaskResult[R]: ...


@overload
def run_task(task: Callable[..., R], **given: Unpack[_Given]) -> TaskResult[R]: ...


@overload
def run_task(task: BaseOperator | XComArg | Handler, **given: Unpack[_Given]) -> TaskResult[Any]: ...


def run_task(
    task: Any,
    *,
    variables: Mapping[str, str] | None = None,
    connections: Mapping[str, Connection | str] | None = None,
    xcoms: Mapping[Any, Any] | None = None,
    context: RunFacts | None = None,
    real: bool = False,
) -> TaskResult[Any]:
    """Run one try of a task, as a supervisor would, and tell how it ended.

    The body runs in the caller's thread, through the code that runs it in a bundle. What it does to the process is undone
    afterwards. Nobody waits: between two looks of a sensor the task's clock leaps.

    Args:
        task: an operator, a function under ``@task…``, the reference that its call returns, a function, or a handler of a
            registry.
        variables: the variables that there are.
        connections: the connections that there are, each as a `Connection`, as its URI or as JSON text.
        xcoms: the XComs that there are in the run: values by task id, by (task id, key) or by (task id, key, map index).
        context: facts about the run; see `outboard.testing.RunFacts`.
        real: whether to run the task in a process of its own, from a bundle of the file that declares it.

    Raises:
        UsageError: nothing can be run like this; the text says what to do.
        SerializationError: an XCom or an argument that was given has no encoding.
    """
    found = task_under_test(task)
    facts = read_facts(context, found)
    world = World(facts, read_variables(variables), read_connections(connections), read_xcoms(xcoms, facts))
    if real:
        from outboard.testing.in_bundle import run_in_bundle

        return result_of(run_in_bundle(facts, world))
    from outboard.testing.in_process import run_in_process

    return result_of(run_in_process(facts, world))
