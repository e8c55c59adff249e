"""`BaseAsyncOperator`: operators of the author's whose work is a coroutine."""

from __future__ import annotations

from outboard.sdk.operator import BaseOperator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.sdk.context import Context

__all__ = ("BaseAsyncOperator",)


class BaseAsyncOperator(BaseOperator):
    """Override `aexecute`; the runtime awaits it."""

    is_async = True

    def execute(self, context: Context) -> Any:
        """The coroutine of `aexecute`."""
        return self.aexecute(context)
