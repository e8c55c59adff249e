"""What a task's retry policy makes of an exception. Loaded when a task that has one has failed.

A policy can end a task earlier, or change the delay; it cannot go beyond the retries that the server allows. A policy that
raises is told in the log, and leaves the decision to the server.
"""

from __future__ import annotations

from outboard.protocol import messages as m
from outboard.protocol.versions import LATEST_SCHEMA
from outboard.runtime import outcome
from outboard.sdk.client import current

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.protocol.messages import Message, StartupDetails
    from outboard.runtime.logs import Logs
    from outboard.sdk.context import Context
    from outboard.sdk.task_arguments import RetryPolicy

__all__ = ("MAX_REASON", "decided")

# Characters that Airflow keeps of a reason.
MAX_REASON = 500

TASK_LOGGER = "task"


def decided(
    policy: RetryPolicy, error: BaseException, details: StartupDetails, context: Context, schema: str, logs: Logs
) -> Message:
    """The terminal message for a failure that the policy has judged.

    Args:
        policy: of the task.
        error: what was raised.
        details: the greeting, with what the server allows.
        context: of the run.
        schema: the schema date that is spoken; an older one has no place for the reason of a failure.
        logs: where the decision is told.
    """
    should_retry = details.ti_context.should_retry
    try:
        decision = policy.evaluate(error, details.ti.try_number, details.ti_context.max_tries, context)
        action = _action(decision)
    except Exception as trouble:
        logs.exception("the retry policy raised an exception, so the task's retries decide", trouble, TASK_LOGGER)
        return outcome.failed(error, should_retry=should_retry)
    reason = _reason(decision, logs)
    told = f": {reason}" if reason else ""
    if action != "default":
        logs.emit("info", f"the retry policy decides: {action}{told}", TASK_LOGGER)
    if action == "reschedule":
        return _rescheduled(decision)
    if action == "fail":
        failed = outcome.failed(error, should_retry=False)
        if reason and schema >= LATEST_SCHEMA:
            failed.retry_reason = reason  # type: ignore[attr-defined]
        return failed
    if action == "retry":
        delay = decision.retry_delay
        seconds = None if delay is None else delay.total_seconds()
        return outcome.failed(error, should_retry=should_retry, retry_delay=seconds, retry_reason=reason)
    return outcome.failed(error, should_retry=should_retry)


def _action(decision: Any) -> str:
    action: Any = decision.action
    return str(getattr(action, "value", action))


def _reason(decision: Any, logs: Logs) -> str | None:
    """The reason without secrets, and as long as Airflow keeps it."""
    if decision.reason is None:
        return None
    reason = logs.masker.text(str(decision.reason))
    if len(reason) > MAX_REASON:
        logs.emit("warning", f"the reason has {len(reason)} characters; the first {MAX_REASON} are kept", TASK_LOGGER)
    return reason[:MAX_REASON]


def _rescheduled(decision: Any) -> Message:
    from datetime import timedelta

    now = current().now()
    return m.RescheduleTask(reschedule_date=now + (decision.retry_delay or timedelta()), end_date=now)
