"""XComs of mapped tasks, asked for over the channel: `outboard.sdk.requests.XComSequences`. Loaded by the tasks that do so."""

from __future__ import annotations

from outboard.protocol import messages as m
from outboard.sdk.exceptions import AirflowRuntimeError, ErrorType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.runtime.client import ChannelClient

__all__ = ("XComRequests",)


class XComRequests:
    """Answers `outboard.sdk.requests.XComSequences`."""

    def __init__(self, client: ChannelClient) -> None:
        self._client = client

    def count(self, key: str, dag_id: str, run_id: str, task_id: str, *, previous_iteration: bool = False) -> int:
        """See `outboard.sdk.requests.XComSequences.count`."""
        request = m.GetXComCount(
            key=key, dag_id=dag_id, run_id=run_id, task_id=task_id, previous_iteration=previous_iteration
        )
        return self._client.ask(request, m.XComCountResponse).len

    def item(
        self, key: str, dag_id: str, run_id: str, task_id: str, offset: int, *, previous_iteration: bool = False
    ) -> tuple[bool, Any]:
        """See `outboard.sdk.requests.XComSequences.item`."""
        request = m.GetXComSequenceItem(
            key=key, dag_id=dag_id, run_id=run_id, task_id=task_id, offset=offset, previous_iteration=previous_iteration
        )
        try:
            found = self._client.ask(request, m.XComSequenceIndexResult)
        except AirflowRuntimeError as error:
            if error.error.error != ErrorType.XCOM_NOT_FOUND:
                raise
            return False, None
        return True, self._client.decoded(found.root)

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
        """See `outboard.sdk.requests.XComSequences.items`."""
        request = m.GetXComSequenceSlice(
            key=key,
            dag_id=dag_id,
            run_id=run_id,
            task_id=task_id,
            start=_whole(part.start),
            stop=_whole(part.stop),
            step=_whole(part.step),
            include_prior_dates=include_prior_dates,
            previous_iteration=previous_iteration,
        )
        return [self._client.decoded(value) for value in self._client.ask(request, m.XComSequenceSliceResult).root]


def _whole(bound: Any) -> int | None:
    return None if bound is None else bound.__index__()
