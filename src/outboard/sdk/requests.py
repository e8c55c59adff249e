"""What few tasks ask for, in groups: the parts of `outboard.sdk.client.Client` that are loaded when they are used.

Only type checkers read this. The runtime has one module for each group.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta
    from typing import Any, Protocol

    from outboard.sdk.assets import Asset

    class AssetRequests(Protocol):
        """Assets and their events."""

        def get(self, *, name: str | None = None, uri: str | None = None) -> Asset:
            """The asset of a name, or of a URI.

            Raises:
                AirflowRuntimeError: with the error ``ASSET_NOT_FOUND`` when there is none.
            """

        def of_alias(self, name: str) -> Sequence[Asset]:
            """The assets that have had events through an alias."""

        def events(
            self,
            *,
            name: str | None,
            uri: str | None,
            alias_name: str | None,
            ascending: bool = True,
            after: datetime | None = None,
            before: datetime | None = None,
            limit: int | None = None,
            partition_key: str | None = None,
            partition_key_regexp_pattern: str | None = None,
            extra: dict[str, str] | None = None,
        ) -> Sequence[Any]:
            """Events of the asset that a name, a URI or both tell, or of those of an alias."""

    class Queries(Protocol):
        """What other runs and tasks are and have done. Filters that are None select everything."""

        def previous_success(self, ti_id: str) -> Any:
            """The dates of the last successful run before that of a task instance, each None where there is none."""

        def previous_dag_run(self, dag_id: str, logical_date: datetime, state: str | None) -> Any:
            """The last run before a date, or None."""

        def previous_ti(
            self, dag_id: str, task_id: str, logical_date: datetime | None, map_index: int, state: str | None
        ) -> Any:
            """The instance of a task in the last run before a date, or None."""

        def ti_count(self, dag_id: str, **filters: Any) -> int:
            """How many task instances there are."""

        def task_states(self, dag_id: str, **filters: Any) -> dict[str, Any]:
            """The states of tasks, by run and by task."""

        def task_breadcrumbs(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
            """What each task of a run has come to."""

        def dag_run_count(self, dag_id: str, **filters: Any) -> int:
            """How many runs there are."""

        def dag_run_state(self, dag_id: str, run_id: str) -> str:
            """The state of a run."""

        def dag(self, dag_id: str) -> Any:
            """What is known of a Dag."""

        def set_note(self, ti_id: str, note: str) -> None:
            """Set the note of the run of a task instance."""

        def of_iteration(self, dag_id: str, run_id: str, task_id: str, *, previous: bool) -> Any:
            """What a task of a loop has returned in this iteration or in the one before."""

    class StateRequests(Protocol):
        """Stores of small values. A place is ``("ti_id", id)``, ``("name", name of an asset)`` or ``("uri", its URI)``."""

        def get(self, place: tuple[str, str], key: str) -> tuple[bool, Any]:
            """Whether there is a value, and the value."""

        def set(self, place: tuple[str, str], key: str, value: Any, expires_at: datetime | None) -> None:
            """Store a value; only a task's can expire.

            Raises:
                SerializationError: the value is not JSON; the path to the offending part is in the error.
            """

        def delete(self, place: tuple[str, str], key: str) -> None:
            """Delete a value; that there is none is no error."""

        def clear(self, place: tuple[str, str]) -> None:
            """Delete all values of a place."""

        def default_retention(self) -> timedelta | None:
            """How long the deployment keeps a task's values that say nothing else; None for good."""

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
