"""What few tasks ask for, in groups: the parts of `outboard.sdk.client.Client` that are loaded when they are used.

Only type checkers read this. The runtime has one module for each group.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class XComSequences(Protocol):
        """XComs of all instances of a mapped task, in the order of their map indexes; an unmapped task has one at most."""

        def count(self, key: str, dag_id: str, run_id: str, task_id: str, *, previous_iteration: bool = False) -> int:
            """How many there are."""

        def item(
            self, key: str, dag_id: str, run_id: str, task_id: str, offset: int, *, previous_iteration: bool = False
        ) -> tuple[bool, Any]:
            """Whether there is one at a position, from the end if that is negative, and its value."""

        def items(
            self,
            key: str,
            dag_id: str,
            run_id: str,
            task_id: str,
            part: slice,
            *,
            include_prior_dates: bool = False,
            previous_iteration: bool = False,
        ) -> list[Any]:
            """The values of a part of them, in one request."""


__all__ = ()
