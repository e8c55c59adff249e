"""What functions yield or return about their task's outlets. Loaded by the tasks whose function does."""

from __future__ import annotations

from outboard.sdk import client
from outboard.sdk.assets import Metadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.sdk.asset_events import OutletEventAccessors

__all__ = ("result_of",)


def result_of(result: Any, events: OutletEventAccessors) -> Any:
    """The task's result: of a generator what it returns in the end, of `Metadata` nothing, else the result itself.

    Args:
        result: what a function has returned: a generator, which is run to its end, or `Metadata`.
        events: where the metadata goes.
    """
    if isinstance(result, Metadata):
        events.take(result)
        return None
    if not hasattr(result, "send"):
        return result
    while True:
        try:
            yielded = next(result)
        except StopIteration as end:
            return result_of(end.value, events)
        if isinstance(yielded, Metadata):
            events.take(yielded)
        else:
            client.current().say(
                "warning", f"the task has yielded {type(yielded).__name__}, not Metadata; it is ignored"
            )
