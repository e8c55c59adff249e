"""What the body did → the terminal message. One table for every way in which a task can end here.

====================================  =========================================================================
the body…                             the supervisor is told
====================================  =========================================================================
returns                               SucceedTask
raises DownstreamTasksSkipped         SkipDownstreamTasks, then SucceedTask
raises AirflowSkipException           TaskState skipped
raises TaskDeferred                   DeferTask
raises TaskAwaitingInput              AwaitInputTask
raises AirflowRescheduleException     RescheduleTask
raises DagRunTriggerException         TriggerDagRun, then what came of that run, where the task waits for it
raises AirflowFailException, or       TaskState failed: the author said that no retry helps, or the wait was long enough
AirflowSensorTimeout
raises anything else                  what the task's retry policy says; without one RetryTask if the server allows a retry,
                                      else TaskState failed; ``SystemExit``, also with code 0, and ``KeyboardInterrupt`` are
                                      no exception to this
was interrupted by SIGTERM            the same retry decision, without the policy
took longer than it may               the retry decision, with the policy: `AirflowTaskTimeout`
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
from outboard.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, AirflowSkipException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from outboard.protocol.messages import Message

__all__ = ("FINAL_FAILURES", "failed", "removed", "skipped", "state_of", "succeeded")

# What no retry follows, whatever anybody else says.
FINAL_FAILURES = (AirflowFailException, AirflowSensorTimeout)


def succeeded() -> Message:
    """The body returned, and its result was accepted."""
    return m.SucceedTask(end_date=_now(), task_outlets=[], outlet_events=[])


def removed() -> Message:
    """The bundle has no such task."""
    return m.TaskState(state="removed", end_date=_now())


def skipped() -> Message:
    """The body said that there is nothing to do."""
    return m.TaskState(state="skipped", end_date=_now())


def failed(
    error: BaseException, *, should_retry: bool, retry_delay: float | None = None, retry_reason: str | None = None
) -> Message:
    """The body, or what stands around it, raised.

    Args:
        error: what was raised.
        should_retry: whether this try may be followed by another: the server's word, unless the task's policy is against it.
        retry_delay: seconds until then, if the policy says so.
        retry_reason: why, if the policy says so.
    """
    if isinstance(error, AirflowSkipException):
        return skipped()
    if should_retry and not isinstance(error, FINAL_FAILURES):
        return m.RetryTask(end_date=_now(), retry_delay_seconds=retry_delay, retry_reason=retry_reason)
    return m.TaskState(state="failed", end_date=_now())


def state_of(message: Message) -> str:
    """The state of the task after that terminal message."""
    return str(message.state)  # type: ignore[attr-defined]  # all of them have one


def _now() -> datetime:
    return datetime.now(timezone.utc)
