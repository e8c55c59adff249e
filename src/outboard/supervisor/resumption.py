"""How a task that waited goes on: with a method and its arguments, or not at all. The forms are those of Airflow's server.

Pure. What a task waits for is in `outboard.supervisor.triggers` and `outboard.supervisor.human_input`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import attrs

from outboard.errors import SerializationError
from outboard.protocol import serde

__all__ = ("FAIL_METHOD", "End", "Resume", "Resumption", "after_failure", "after_timeout", "with_event")

# What an operator takes for the order to fail, and what it is told then.
FAIL_METHOD = "__fail__"
TRIGGER_TIMEOUT = "Trigger timeout"
TRIGGER_FAILURE = "Trigger failure"


@attrs.frozen(kw_only=True)
class Resume:
    """The task is executed again, in the same try.

    Attributes:
        next_method: the method of its operator that is called in place of ``execute``.
        next_kwargs: its arguments beside the context, in Airflow's encoding.
    """

    next_method: str
    next_kwargs: dict[str, Any]


@attrs.frozen(kw_only=True)
class End:
    """The task is not executed again, at least not in this try.

    Attributes:
        state: in which state it ends.
        reason: one sentence without a final stop.
        may_retry: whether a failure counts as that of a try, so that another may follow.
        xcoms: what to push for it, in Airflow's encoding.
    """

    state: str
    reason: str
    may_retry: bool = False
    xcoms: Mapping[str, Any] = attrs.field(factory=dict)


Resumption: TypeAlias = Resume | End


def with_event(next_method: str, next_kwargs: Mapping[str, Any] | None, event: object) -> Resume:
    """Resume with an event among the arguments.

    Args:
        next_method: the method to call.
        next_kwargs: its other arguments, in Airflow's encoding of today or of before; None for none.
        event: in Airflow's encoding.
    """
    stored: Any = dict(next_kwargs or {})
    if serde.OLD_TYPE in stored and serde.OLD_DATA in stored:
        try:
            stored = serde.serialize(serde.deserialize(stored))
        except SerializationError as error:
            return _unresumable(f"{type(error).__name__}: {error}")
    if not isinstance(stored, dict) or serde.CLASSNAME in stored:
        return _unresumable("they are no mapping")
    return Resume(next_method=next_method, next_kwargs={**stored, "event": event})


def after_timeout() -> Resume:
    """Resume a task whose trigger has not fired in time: it fails, and a retry may follow."""
    return Resume(next_method=FAIL_METHOD, next_kwargs={"error": TRIGGER_TIMEOUT})


def after_failure(traceback: Sequence[str]) -> Resume:
    """Resume a task whose trigger has failed: it logs the lines and fails, and a retry may follow."""
    return Resume(next_method=FAIL_METHOD, next_kwargs={"error": TRIGGER_FAILURE, "traceback": list(traceback)})


def _unresumable(why: str) -> Resume:
    error = f"Could not resume the task: its next_kwargs cannot be read: {why}"
    return Resume(next_method=FAIL_METHOD, next_kwargs={"error": error, "traceback": [error]})
