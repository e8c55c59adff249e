"""``loop`` of the context: of a task that Airflow runs again and again in a loop. Loaded by such tasks. Needs Airflow 3.4."""

from __future__ import annotations

from outboard.sdk import client
from outboard.sdk.xcom_sequence import LazyXComSequence

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ("LoopContextAccessor",)


class LoopContextAccessor:
    """Where a task stands in its loop.

    Attributes:
        index: the number of this iteration, from 0.
        max_iterations: how many there are at most.
    """

    __slots__ = ("_dag_id", "_is_mapped", "_run_id", "_terminal", "index", "max_iterations")

    def __init__(self, told: Any, dag_id: str, run_id: str) -> None:
        self.index: int = told.index
        self.max_iterations: int = told.max_iterations
        self._terminal: str = told.terminal_task_id
        self._is_mapped: bool = told.terminal_is_mapped
        self._dag_id = dag_id
        self._run_id = run_id

    @property
    def previous(self) -> Any:
        """What the loop's last task has returned in the iteration before; None in the first one."""
        return self._result(previous=True) if self.index else None

    @property
    def result(self) -> Any:
        """What the loop's last task has returned in this iteration, for the tasks behind it."""
        return self._result(previous=False)

    def _result(self, *, previous: bool) -> Any:
        place = {"dag_id": self._dag_id, "run_id": self._run_id}
        if self._is_mapped:
            return LazyXComSequence(self._terminal, **place, _previous_iteration=previous)
        return client.current().queries().of_iteration(**place, task_id=self._terminal, previous=previous)
