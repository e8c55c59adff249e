"""Leaving the process with the intention of going on in another one: deferred, put off, or waiting for a human.

Loaded by the tasks that do so. What is sent is checked here in the author's words, since Airflow's supervisor would never
answer what it cannot read.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from outboard.protocol import messages as m
from outboard.protocol import serde
from outboard.sdk.exceptions import AirflowException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.protocol.messages import Message
    from outboard.sdk.exceptions import AirflowRescheduleException, TaskAwaitingInput, TaskDeferred

__all__ = ("awaiting_input", "deferred", "rescheduled")


def deferred(error: TaskDeferred) -> Message:
    """The task goes on when its trigger has fired.

    Raises:
        AirflowException: the trigger cannot be named by a class path, or there is no method to go on with.
        SerializationError: an argument of the trigger or of the method has no encoding.
    """
    classpath, arguments = _serialized(error.trigger)
    return m.DeferTask(
        classpath=classpath,
        trigger_kwargs=serde.serialize(arguments, "trigger_kwargs"),
        trigger_timeout=_duration(error.timeout),
        next_method=_method(error.method_name),
        next_kwargs=serde.serialize(dict(error.kwargs or {}), "kwargs"),
    )


def awaiting_input(error: TaskAwaitingInput) -> Message:
    """The task goes on when a human has answered.

    Raises:
        AirflowException: there is no method to go on with, or the timeout is none.
        SerializationError: an argument of the method has no encoding.
    """
    return m.AwaitInputTask(
        timeout=_duration(error.timeout),
        next_method=_method(error.method_name),
        next_kwargs=serde.serialize(dict(error.kwargs or {}), "kwargs"),
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


def _serialized(trigger: Any) -> tuple[str, dict[str, Any]]:
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


def _method(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise AirflowException(f"method_name is the name of the method to go on with, not {name!r}")
    return name


def _duration(value: object) -> timedelta | None:
    if value is None or isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise AirflowException(f"a timeout is a timedelta or a number of seconds, not {value!r}")
    return timedelta(seconds=value)
