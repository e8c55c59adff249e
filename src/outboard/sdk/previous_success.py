"""The dates of the last successful run before this one: ``prev_…_success`` of the context. Loaded when one is looked up."""

from __future__ import annotations

from outboard.sdk import client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from outboard.sdk.context import Context

__all__ = (
    "prev_data_interval_end_success",
    "prev_data_interval_start_success",
    "prev_end_date_success",
    "prev_start_date_success",
)


def prev_start_date_success(context: Context) -> datetime | None:
    """When it began."""
    found: datetime | None = _found(context).start_date
    return found


def prev_end_date_success(context: Context) -> datetime | None:
    """When it ended."""
    found: datetime | None = _found(context).end_date
    return found


def prev_data_interval_start_success(context: Context) -> datetime | None:
    """Where its data begins."""
    found: datetime | None = _found(context).data_interval_start
    return found


def prev_data_interval_end_success(context: Context) -> datetime | None:
    """Where its data ends."""
    found: datetime | None = _found(context).data_interval_end
    return found


# One answer has them all: by the id of the task instance, of which a process has one.
_answers: dict[str, Any] = {}


def _found(context: Context) -> Any:
    ti_id = context["ti"].id
    if ti_id not in _answers:
        _answers.clear()
        _answers[ti_id] = client.current().queries().previous_success(ti_id)
    return _answers[ti_id]
