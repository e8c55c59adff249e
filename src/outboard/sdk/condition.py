"""``@task.run_if`` and ``@task.skip_if``: tasks that are skipped by a look at their context, before their body begins."""

from __future__ import annotations

from outboard.sdk.exceptions import AirflowSkipException
from outboard.sdk.task import DecoratedTask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias, TypeVar

    from outboard.sdk.context import Context

    Condition: TypeAlias = Callable[[Context], "bool | tuple[bool, str | None]"]
    D = TypeVar("D", bound=DecoratedTask[..., Any])

__all__ = ("run_if", "skip_if")

DEFAULT_MESSAGE = "its condition says so"


def run_if(condition: Condition, skip_message: str | None = None) -> Callable[[D], D]:
    """Decorator above ``@task``: the body runs if the condition holds; otherwise the task is skipped.

    Args:
        condition: gets the context; returns whether it holds, or a pair of that and of what to log when the task is skipped.
        skip_message: what to log unless the condition says it.

    Raises:
        TypeError: it decorates something else than a function under ``@task…``.
    """
    return _decorator("run_if", condition, skip_message, wanted=True)


def skip_if(condition: Condition, skip_message: str | None = None) -> Callable[[D], D]:
    """Decorator above ``@task``: the task is skipped if the condition holds; see `run_if`."""
    return _decorator("skip_if", condition, skip_message, wanted=False)


def _decorator(name: str, condition: Condition, skip_message: str | None, *, wanted: bool) -> Callable[[D], D]:
    if not callable(condition):
        raise TypeError(f"@task.{name} takes a function of the context, not {condition!r}")

    def check(context: Context) -> None:
        found = condition(context)
        holds, message = found if isinstance(found, tuple) else (found, None)
        if bool(holds) is not wanted:
            raise AirflowSkipException(message or skip_message or DEFAULT_MESSAGE)

    def decorate(task: D) -> D:
        if not isinstance(task, DecoratedTask):
            raise TypeError(f"@task.{name} stands above @task, and decorates what that has made, not {task!r}")
        return task.override(pre_execute=_both(task.arguments.get("pre_execute"), check))  # type: ignore[return-value]

    return decorate


def _both(first: Callable[[Context], Any] | None, second: Callable[[Context], Any]) -> Callable[[Context], Any]:
    if first is None:
        return second

    def hooks(context: Context) -> None:
        first(context)
        second(context)

    return hooks
