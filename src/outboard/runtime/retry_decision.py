"""What a task's retry policy makes of an exception. Loaded when a task that has one has failed.

A policy can end a task earlier, or change the delay; it cannot go beyond the retries that the server allows, and it can put a
task off only within the bounds that it names itself. A policy that raises is told in the log, and leaves the decision to the
server.
"""

from __future__ import annotations

from outboard.protocol import messages as m
from outboard.protocol.versions import LATEST_SCHEMA
from outboard.runtime import outcome
from outboard.sdk.client import current
from outboard.sdk.retry_decision import MAX_REASON, kept_reason, limit_reached

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.protocol.messages import Message, StartupDetails
    from outboard.runtime.logs import Logs
    from outboard.sdk.context import Context
    from outboard.sdk.task_arguments import RetryPolicy

__all__ = ("decided",)

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
        decision = policy.evaluate(
            exception=error, try_number=details.ti.try_number, max_tries=details.ti_context.max_tries, context=context
        )
        action, reason = _action(decision), decision.reason
        limit = _limit(decision, context) if action == "reschedule" else None
    except Exception as trouble:
        logs.exception("the retry policy raised an exception, so the task's retries decide", trouble, TASK_LOGGER)
        return outcome.failed(error, should_retry=should_retry)
    if limit is not None:
        reason = f"Reschedule limit reached ({limit}){_after_colon(reason)}"
    reason = _kept(reason, logs)
    if action == "default":
        return outcome.failed(error, should_retry=should_retry)
    logs.emit("info", f"the retry policy decides: {action}{_after_colon(reason)}", TASK_LOGGER)
    if action == "reschedule" and limit is None:
        return _rescheduled(decision, context)
    delay = decision.retry_delay if action == "retry" else None
    seconds = None if delay is None else delay.total_seconds()
    allowed = should_retry and action != "fail"
    message = outcome.failed(error, should_retry=allowed, retry_delay=seconds, retry_reason=reason)
    if isinstance(message, m.TaskState) and reason and schema >= LATEST_SCHEMA:
        message.retry_reason = reason
    return message


def _after_colon(text: str | None) -> str:
    return f": {text}" if text else ""


def _action(decision: Any) -> str:
    action: Any = decision.action
    return str(getattr(action, "value", action))


def _limit(decision: Any, context: Context) -> str | None:
    """The bound that keeps the task from being put off once more."""
    return limit_reached(
        decision,
        reschedules=context["task_reschedule_count"],
        first_reschedule=context["ti"].get_first_reschedule_date(context) if decision.reschedule_timeout else None,
        now=current().now(),
    )


def _kept(reason: str | None, logs: Logs) -> str | None:
    """The reason without secrets, and as long as Airflow keeps it."""
    if reason is None:
        return None
    masked = logs.masker.text(str(reason))
    if len(masked) > MAX_REASON:
        logs.emit("warning", f"the reason has {len(masked)} characters; the first {MAX_REASON} are kept", TASK_LOGGER)
    return kept_reason(masked)


def _rescheduled(decision: Any, context: Context) -> Message:
    now = current().now()
    delay = context["task"].retry_delay if decision.retry_delay is None else decision.retry_delay
    return m.RescheduleTask(reschedule_date=now + delay, end_date=now)
