"""What the author has called around the body, and after its end: hooks and callbacks. Loaded by tasks that have any.

A hook that raises is a failure of the task. A callback that raises costs nothing but a line in the log, since it is called
for something that has been decided.
"""

from __future__ import annotations

from outboard.sdk.operator import BaseOperator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from outboard.runtime.logs import Logs
    from outboard.sdk.context import Context

__all__ = ("after", "before", "notify")

TASK_LOGGER = "task"

_CALLBACKS = {
    "success": "on_success_callback",
    "failed": "on_failure_callback",
    "up_for_retry": "on_retry_callback",
    "skipped": "on_skipped_callback",
}


def before(operator: BaseOperator, context: Context, logs: Logs) -> None:
    """Call what comes before the body. Its records stand in a group of their own in Airflow's log page."""
    logs.emit("info", "::group::Pre Execute", TASK_LOGGER)
    try:
        if operator._pre_execute_hook is not None:
            operator._pre_execute_hook(context)
        if type(operator).pre_execute is not BaseOperator.pre_execute:
            operator.pre_execute(context)
        for callback in operator.on_execute_callback:
            _call(callback, context, "on_execute_callback", logs)
    finally:
        logs.flush()
        logs.emit("info", "::endgroup::", TASK_LOGGER)


def after(operator: BaseOperator, context: Context, result: Any, logs: Logs) -> None:
    """Call what comes after a body that has returned."""
    logs.flush()
    logs.emit("info", "::group::Post Execute", TASK_LOGGER)
    try:
        if operator._post_execute_hook is not None:
            operator._post_execute_hook(context, result)
        if type(operator).post_execute is not BaseOperator.post_execute:
            operator.post_execute(context, result)
    finally:
        logs.flush()
        logs.emit("info", "::endgroup::", TASK_LOGGER)


def notify(operator: BaseOperator, context: Context, state: str, error: BaseException | None, logs: Logs) -> None:
    """Call the callbacks for the state that the task has come into.

    What was raised, or None, stands in their context as ``exception``.
    """
    name = _CALLBACKS.get(state)
    if name is None:
        return
    context["exception"] = error
    for callback in getattr(operator, name):
        # The task has been reported: what leaves a callback, SystemExit too, must not look like an end of the runtime.
        _call(callback, context, name, logs, BaseException)


def _call(
    callback: Callable[[Context], Any],
    context: Context,
    name: str,
    logs: Logs,
    caught: type[BaseException] = Exception,
) -> None:
    try:
        callback(context)
        logs.flush()
    except caught as error:
        logs.flush()
        logs.exception(
            f"the {name} {getattr(callback, '__name__', callback)!r} raised an exception", error, TASK_LOGGER
        )
