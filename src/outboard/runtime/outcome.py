"""What the body did → the terminal message. One table for every way in which a task can end here.

====================================  =========================================================================
the body…                             the supervisor is told
====================================  =========================================================================
returns                               SucceedTask
raises AirflowSkipException           TaskState skipped
raises AirflowFailException           TaskState failed: the author said that no retry helps
raises anything else                  RetryTask if the server allows a retry, else TaskState failed; ``SystemExit``, also
                                      with code 0, and ``KeyboardInterrupt`` are no exception to this
was interrupted by SIGTERM            the same retry decision
its file cannot be loaded             the same retry decision: a worker may have had a bad moment
its handler is not in the bundle      TaskState removed
the result cannot be sent             the same retry decision, with the path to the offending value in the log
====================================  =========================================================================

Whether a retry is allowed is the server's decision (``should_retry``), never computed here: a RetryTask that the server
did not offer would be retried for ever.
"""

from __future__ import annotations

from datetime import datetime, timezone

from outboard.protocol import messages as m
from outboard.sdk.exceptions import AirflowFailException, AirflowSkipException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from outboard.protocol.messages import Message

__all__ = ("failed", "removed", "succeeded")


def succeeded() -> Message:
    """The body returned, and its result was accepted."""
    return m.SucceedTask(end_date=_now(), task_outlets=[], outlet_events=[])


def removed() -> Message:
    """The bundle has no such task."""
    return m.TaskState(state="removed", end_date=_now())


def failed(error: BaseException, *, should_retry: bool) -> Message:
    """The body, or what stands around it, raised.

    Args:
        error: what was raised.
        should_retry: the server's word on whether this try may be followed by another.
    """
    if isinstance(error, AirflowSkipException):
        return m.TaskState(state="skipped", end_date=_now())
    if should_retry and not isinstance(error, AirflowFailException):
        return m.RetryTask(end_date=_now())
    return m.TaskState(state="failed", end_date=_now())


def _now() -> datetime:
    return datetime.now(timezone.utc)
