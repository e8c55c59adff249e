"""Leaving the process with the intention of going on in another one (deferred, put off, or waiting for a human), and going on.

Loaded by the tasks that do so. What is sent is checked here in the author's words, since Airflow's supervisor would never
answer what it cannot read.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from outboard.protocol import messages as m
from outboard.protocol import serde
from outboard.sdk.client import current
from outboard.sdk.exceptions import AirflowException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from outboard.protocol.messages import Message, TIRunContext
    from outboard.sdk.exceptions import AirflowRescheduleException, TaskAwaitingInput, TaskDeferred

__all__ = ("awaiting_input", "deferred", "next_kwargs", "rescheduled")


def deferred(error: TaskDeferred, queue: str | None = None) -> Message:
    """The task goes on when its trigger has fired.

    Args:
        error: what the body has raised.
        queue: the task's, where triggerers serve queues; None where any triggerer will do.

    Raises:
        AirflowException: the trigger cannot be named by a class path, there is no method to go on with, or an argument is
            of the wrong type.
        SerializationError: an argument of the trigger or of the method has no encoding.
    """
    classpath, arguments = _serialized(error.trigger)
    return m.DeferTask(
        classpath=classpath,
        trigger_kwargs=serde.serialize(arguments, "trigger_kwargs"),
        trigger_timeout=_duration(error.timeout),
        queue=queue if _inherits_queue(error.trigger) else None,
        next_method=_method(error.method_name),
        next_kwargs=serde.serialize(_kwargs(error.kwargs), "kwargs"),
    )


def awaiting_input(error: TaskAwaitingInput) -> Message:
    """The task goes on when a human has answered.

    Raises:
        AirflowException: there is no method to go on with, or an argument is of the wrong type.
        SerializationError: an argument of the method has no encoding.
    """
    return m.AwaitInputTask(
        timeout=_duration(error.timeout),
        next_method=_method(error.method_name),
        next_kwargs=serde.serialize(_kwargs(error.kwargs), "kwargs"),
    )


def rescheduled(error: AirflowRescheduleException) -> Message:
    """The task is run again at a later time.

    Raises:
        AirflowException: the date is none, or says no zone.
    """
    date = error.reschedule_date
    if not isinstance(date, datetime):
        raise AirflowException(f"AirflowRescheduleException takes the datetime of the next run, not {date!r}")
    if date.tzinfo is None or date.utcoffset() is None:
        raise AirflowException(
            f"AirflowRescheduleException takes a datetime with a time zone, and {date!r} has none; "
            "make it with datetime.now(timezone.utc)"
        )
    return m.RescheduleTask(reschedule_date=date, end_date=datetime.now(timezone.utc))


def next_kwargs(told: TIRunContext, decode: Callable[[object], Any]) -> dict[str, Any]:
    """What the method gets that the task goes on with.

    Args:
        told: what the server has kept.
        decode: makes Python values of encoded ones.

    Raises:
        AirflowException: the server has kept nothing of the kind.
    """
    kwargs = decode(told.next_kwargs)
    if kwargs is None:
        return {}
    if not isinstance(kwargs, dict):
        raise AirflowException(
            f"the server sent no map of arguments to go on with, but {kwargs!r:.100}; "
            "clear the task, so that it begins anew"
        )
    return kwargs


def _serialized(trigger: Any) -> tuple[str, dict[str, Any]]:
    starting_at = getattr(trigger, "starting_at", None)
    if callable(starting_at):
        # A delay counts from now, as in Airflow, and not from when a triggerer takes it up, or takes it up again.
        trigger = starting_at(current().now())
    try:
        classpath, arguments = trigger.serialize()
    except (AttributeError, TypeError, ValueError) as error:
        raise AirflowException(
            f"a trigger's serialize() returns its class path and a dict of arguments; that of {trigger!r} does not: {error}"
        ) from error
    if not isinstance(classpath, str) or "." not in classpath or not isinstance(arguments, dict):
        raise AirflowException(
            f"a trigger's serialize() returns its class path, such as 'package.module.Class', and a dict of arguments, "
            f"not {classpath!r} and {arguments!r}"
        )
    return classpath, arguments


def _inherits_queue(trigger: Any) -> bool:
    # What Airflow calls it since 3.4, and before.
    kept = getattr(trigger, "trigger_queue_inherited_from_task", None)
    return bool(getattr(trigger, "supports_triggerer_queue", True) if kept is None else kept)


def _method(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise AirflowException(f"method_name is the name of the method to go on with, not {name!r}")
    return name


def _kwargs(given: Any) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise AirflowException(f"kwargs are a dict of what the next method gets, not {given!r}")
    for name in given:
        if not isinstance(name, str):
            raise AirflowException(f"kwargs are named by strings, not by {name!r}")
    return given


def _duration(value: object) -> timedelta | None:
    if value is None or isinstance(value, timedelta):
        return value
    try:
        if type(value) in (int, float):
            return timedelta(seconds=value)  # type: ignore[arg-type]
    except (OverflowError, ValueError):
        pass  # infinite, or no number
    raise AirflowException(f"a timeout is a timedelta or a number of seconds, not {value!r}")
