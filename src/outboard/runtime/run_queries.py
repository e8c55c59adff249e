"""Other runs and tasks, asked about over the channel: `outboard.sdk.requests.Queries`. Loaded by the tasks that do so."""

from __future__ import annotations

from outboard.protocol import messages as m

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from outboard.runtime.client import ChannelClient

__all__ = ("RunQueries",)

RETURN_KEY = "return_value"


class RunQueries:
    """Answers `outboard.sdk.requests.Queries`."""

    def __init__(self, client: ChannelClient) -> None:
        self._client = client

    def previous_success(self, ti_id: str) -> Any:
        """See `outboard.sdk.requests.Queries.previous_success`."""
        return self._client.ask(m.GetPrevSuccessfulDagRun(ti_id=ti_id), m.PrevSuccessfulDagRunResult)

    def previous_dag_run(self, dag_id: str, logical_date: datetime, state: str | None) -> Any:
        """See `outboard.sdk.requests.Queries.previous_dag_run`."""
        request = m.GetPreviousDagRun(dag_id=dag_id, logical_date=logical_date, state=state)
        return self._client.ask(request, m.PreviousDagRunResult).dag_run

    def previous_ti(
        self, dag_id: str, task_id: str, logical_date: datetime | None, map_index: int, state: str | None
    ) -> Any:
        """See `outboard.sdk.requests.Queries.previous_ti`."""
        which: dict[str, Any] = {"map_index": map_index, "state": state}
        request = m.GetPreviousTI(dag_id=dag_id, task_id=task_id, logical_date=logical_date, **which)
        return self._client.ask(request, m.PreviousTIResult).task_instance

    def ti_count(self, dag_id: str, **filters: Any) -> int:
        """See `outboard.sdk.requests.Queries.ti_count`."""
        return self._client.ask(m.GetTICount(dag_id=dag_id, **filters), m.TICount).count

    def task_states(self, dag_id: str, **filters: Any) -> dict[str, Any]:
        """See `outboard.sdk.requests.Queries.task_states`."""
        return self._client.ask(m.GetTaskStates(dag_id=dag_id, **filters), m.TaskStatesResult).task_states

    def task_breadcrumbs(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """See `outboard.sdk.requests.Queries.task_breadcrumbs`."""
        request = m.GetTaskBreadcrumbs(dag_id=dag_id, run_id=run_id)
        return self._client.ask(request, m.TaskBreadcrumbsResult).breadcrumbs

    def dag_run_count(self, dag_id: str, **filters: Any) -> int:
        """See `outboard.sdk.requests.Queries.dag_run_count`."""
        return self._client.ask(m.GetDRCount(dag_id=dag_id, **filters), m.DRCount).count

    def dag_run_state(self, dag_id: str, run_id: str) -> str:
        """See `outboard.sdk.requests.Queries.dag_run_state`."""
        return self._client.ask(m.GetDagRunState(dag_id=dag_id, run_id=run_id), m.DagRunStateResult).state

    def dag(self, dag_id: str) -> Any:
        """See `outboard.sdk.requests.Queries.dag`."""
        return self._client.ask(m.GetDag(dag_id=dag_id), m.DagResult)

    def set_note(self, ti_id: str, note: str) -> None:
        """See `outboard.sdk.requests.Queries.set_note`."""
        self._client.tell(m.UpdateDagRunNote(ti_id=ti_id, note=note))

    def of_iteration(self, dag_id: str, run_id: str, task_id: str, *, previous: bool) -> Any:
        """See `outboard.sdk.requests.Queries.of_iteration`."""
        request = m.GetXCom(key=RETURN_KEY, dag_id=dag_id, run_id=run_id, task_id=task_id, previous_iteration=previous)
        return self._client.decoded(self._client.ask(request, m.XComResult).value)
