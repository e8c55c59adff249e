"""Operators that decide which of the tasks behind them are run: branches and short circuits."""

from __future__ import annotations

from outboard.sdk.client import current
from outboard.sdk.operator import BaseOperator
from outboard.sdk.python_operator import PythonOperator
from outboard.sdk.skip_mixin import SkipMixin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from outboard.sdk.context import Context

__all__ = ("BaseBranchOperator", "BranchMixIn", "BranchPythonOperator", "ShortCircuitOperator")


class BranchMixIn(SkipMixin):
    """Adds `do_branch` to an operator."""

    def do_branch(self, context: Context, branches_to_execute: str | Iterable[str] | None) -> Any:
        """Go on with the tasks of these ids among those right behind this one, and skip the others.

        Returns:
            What was given, if there is nothing to skip; else the body has ended.
        """
        if branches_to_execute is not None and not isinstance(branches_to_execute, str):
            branches_to_execute = _listed(branches_to_execute)
        self.skip_all_except(context["ti"], branches_to_execute)
        return branches_to_execute


class BaseBranchOperator(BranchMixIn, BaseOperator):
    """For operators of the author's that branch: override `choose_branch`."""

    inherits_from_skipmixin = True

    def choose_branch(self, context: Context) -> str | Iterable[str] | None:
        """The ids of the tasks to go on with: one, several or None.

        Raises:
            NotImplementedError: a class does not override this.
        """
        raise NotImplementedError(f"{type(self).__name__} has no choose_branch() of its own")

    def execute(self, context: Context) -> Any:
        """Choose, and skip the others."""
        return self.do_branch(context, self.choose_branch(context))


class BranchPythonOperator(BranchMixIn, PythonOperator):
    """Calls a function, and goes on with the tasks whose ids it returns."""

    inherits_from_skipmixin = True

    def execute(self, context: Context) -> Any:
        """Call the function, and skip what it has not chosen."""
        return self.do_branch(context, self.call(context))

    async def aexecute(self, context: Context) -> Any:
        """Await the function, and skip what it has not chosen."""
        chosen = await self.call(context)
        return await _in_thread(self.do_branch, context, chosen)


class ShortCircuitOperator(SkipMixin, PythonOperator):
    """Calls a function, and skips what is behind it unless a true value is returned.

    Args:
        ignore_downstream_trigger_rules: whether all that is behind it is skipped, or only the tasks right behind it, so that
            the trigger rules of the next ones decide.
    """

    inherits_from_skipmixin = True

    def __init__(self, *, ignore_downstream_trigger_rules: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules

    def execute(self, context: Context) -> Any:
        """Call the function, and skip what is behind it if the answer is no."""
        return self._go_on_or_skip(context, self.call(context))

    async def aexecute(self, context: Context) -> Any:
        """Await the function, and skip what is behind it if the answer is no."""
        condition = await self.call(context)
        return await _in_thread(self._go_on_or_skip, context, condition)

    def _go_on_or_skip(self, context: Context, condition: Any) -> Any:
        if not condition:
            behind = self.get_flat_relative_ids() if self.ignore_downstream_trigger_rules else self.downstream_task_ids
            current().say("info", f"does not go on, skips {sorted(behind)}")
            self.skip(context["ti"], sorted(behind))
        return condition


def _listed(chosen: Any) -> Any:
    # A generator can be read once only, and is read twice; what is no iterable at all is refused further down.
    return list(chosen) if hasattr(chosen, "__iter__") else chosen


async def _in_thread(function: Any, *arguments: Any) -> Any:
    return await current().in_thread(function, *arguments)
