"""From what an author hands over to the operator that is run, and the Dag or the registry in which the runtime finds it.

Knows the author API. Must not know how the task is run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Set
from typing import Any

import attrs

from outboard.errors import UsageError
from outboard.sdk.context import CONTEXT_KEYS
from outboard.sdk.dag import DAG, DagFactory
from outboard.sdk.operator import BaseOperator
from outboard.sdk.registry import Handler, TaskRegistry
from outboard.sdk.signature import Signature
from outboard.sdk.task import DecoratedTask
from outboard.sdk.task import task as task_decorator
from outboard.sdk.xcom_arg import XComArg

__all__ = ("DAG_ID", "TaskUnderTest", "task_under_test", "unfilled")

DAG_ID = "test"
"""The Dag that a task is in which is in none."""

# A lambda, and a callable object, have no name that a task may have.
_NAMELESS = "task"


@attrs.frozen(kw_only=True)
class TaskUnderTest:
    """One task.

    Attributes:
        operator: what is run.
        declaration: the Dag that it is in, or a registry with its handler.
        is_declared: whether that is the author's; else it was made for the test.
    """

    operator: BaseOperator
    declaration: DAG | TaskRegistry
    is_declared: bool = True

    @property
    def dag_id(self) -> str:
        """The id of its Dag."""
        return self.operator.dag_id

    @property
    def task_id(self) -> str:
        """Its id."""
        return self.operator.task_id


def task_under_test(task: object) -> TaskUnderTest:
    """Find what is to be run.

    Args:
        task: an operator, a function under ``@task…``, the reference that its call returns, a function, or a handler.

    Raises:
        UsageError: it is none of these, or it needs arguments.
    """
    if isinstance(task, XComArg):
        task = task.operator
    if isinstance(task, Handler):
        return _handled(task)
    if isinstance(task, BaseOperator):
        return _operator(task)
    if isinstance(task, DecoratedTask):
        return _handler_of(task.function) or _decorated(task, f"run_task({task.function.__name__}({{}}=…))")
    _refuse(task)
    assert callable(task)
    return _handler_of(task) or _function(task)


def unfilled(function: Callable[..., Any]) -> Set[str]:
    """The parameters of a function that get no value by themselves, in order."""
    signature = Signature.of(function)
    names = [name for name in signature.names if name not in signature.defaults and name not in CONTEXT_KEYS]
    return dict.fromkeys(names).keys()


def _refuse(task: object) -> None:
    if isinstance(task, DAG):
        known = ", ".join(map(repr, task.task_ids)) or "none"
        raise UsageError(f"run_task runs one task, not a Dag: give it dag.get_task(…); the tasks of {task!r}: {known}")
    if isinstance(task, DagFactory):
        raise UsageError(f"run_task runs one task, not a Dag: call {task!r}, and give it a task: dag.get_task(…)")
    if isinstance(task, TaskRegistry):
        known = ", ".join(map(repr, task.handlers)) or "none"
        raise UsageError(f"run_task runs one task: give it one of the registry's handlers: {known}")
    if isinstance(task, type) and issubclass(task, BaseOperator):
        raise UsageError(f'run_task runs a task, not a class of tasks: give it {task.__name__}(task_id="…")')
    if not callable(task):
        raise UsageError(
            "run_task runs an operator, a @task function or what its call returns, a function, or a handler of a "
            f"TaskRegistry, not {task!r}"
        )


def _operator(operator: BaseOperator) -> TaskUnderTest:
    if operator.dag is not None:
        return TaskUnderTest(operator=operator, declaration=operator.dag)
    if operator.dag_id != "?":
        return _handled(Handler(operator))
    # A copy, since the author's is in no Dag, and is to stay so.
    copied = operator.handling(DAG_ID, operator.task_id)
    dag = DAG(DAG_ID)
    dag.add_task(copied)
    return TaskUnderTest(operator=copied, declaration=dag, is_declared=False)


def _handled(handler: Handler) -> TaskUnderTest:
    registry = TaskRegistry()
    registry.handlers.append(handler)
    return TaskUnderTest(operator=handler.operator, declaration=registry)


def _function(function: Callable[..., Any]) -> TaskUnderTest:
    name = getattr(function, "__name__", _NAMELESS)
    known = name if name.isidentifier() else "function"
    try:
        decorated = task_decorator(task_id=name if name.isidentifier() else _NAMELESS)(function)
    except TypeError as error:
        raise UsageError(str(error)) from None
    return _decorated(decorated, f"run_task(task({known})({{}}=…))")


def _decorated(decorated: DecoratedTask[..., Any], advice: str) -> TaskUnderTest:
    missing = list(unfilled(decorated.function))
    if missing:
        raise UsageError(
            f"the task takes {', '.join(map(repr, missing))}: call it with that, {advice.format('=…, '.join(missing))}, "
            "or give the task of a Dag, dag.get_task(…)"
        )
    dag = DAG(DAG_ID)
    return TaskUnderTest(operator=decorated.operator(dag), declaration=dag, is_declared=False)


def _handler_of(function: Any) -> TaskUnderTest | None:
    """The handler that a function has been registered as in the module that it is in."""
    found = [handler for handler in _handlers_beside(function) if _callable_of(handler) is function]
    if len(found) > 1:
        known = ", ".join(map(repr, found))
        raise UsageError(f"{function.__name__} handles several tasks; give one of the registry's handlers: {known}")
    return _handled(found[0]) if found else None


def _handlers_beside(function: Any) -> Iterator[Handler]:
    module = sys.modules.get(getattr(function, "__module__", None) or "")
    values = list(getattr(module, "__dict__", {}).values())
    for registry in {id(value): value for value in values if isinstance(value, TaskRegistry)}.values():
        yield from registry.handlers


def _callable_of(handler: Handler) -> object:
    return getattr(handler.operator, "python_callable", None)
