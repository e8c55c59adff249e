"""Stores of small values, asked for over the channel: `outboard.sdk.requests.StateRequests`. Loaded when one is used."""

from __future__ import annotations

from datetime import timedelta

from outboard.protocol import messages as m
from outboard.protocol.codec import check_json
from outboard.sdk.exceptions import AirflowRuntimeError, ErrorType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from outboard.protocol.messages import Message
    from outboard.runtime.client import ChannelClient

__all__ = ("DEFAULT_RETENTION_DAYS", "StateRequests")

# Airflow's own default.
DEFAULT_RETENTION_DAYS = 30

# What the messages are called for each kind of place.
_ENDS = {"ti_id": "TaskStateStore", "name": "AssetStateStoreByName", "uri": "AssetStateStoreByUri"}


class StateRequests:
    """Answers `outboard.sdk.requests.StateRequests`."""

    def __init__(self, client: ChannelClient) -> None:
        self._client = client

    def get(self, place: tuple[str, str], key: str) -> tuple[bool, Any]:
        """See `outboard.sdk.requests.StateRequests.get`."""
        of_task = place[0] == "ti_id"
        absent = ErrorType.TASK_STORE_NOT_FOUND if of_task else ErrorType.ASSET_STORE_NOT_FOUND
        request = _request("Get", place, key=key)
        try:
            found = self._client.ask(request, m.TaskStateStoreResult if of_task else m.AssetStateStoreResult)
        except AirflowRuntimeError as error:
            if error.error.error != absent:
                raise
            return False, None
        return True, found.value  # type: ignore[attr-defined]  # both have one

    def set(self, place: tuple[str, str], key: str, value: Any, expires_at: datetime | None) -> None:
        """See `outboard.sdk.requests.StateRequests.set`."""
        check_json(value, key)
        expiry = {"expires_at": expires_at} if place[0] == "ti_id" else {}
        self._client.tell(_request("Set", place, key=key, value=value, **expiry))

    def delete(self, place: tuple[str, str], key: str) -> None:
        """See `outboard.sdk.requests.StateRequests.delete`."""
        self._client.tell(_request("Delete", place, key=key))

    def clear(self, place: tuple[str, str]) -> None:
        """See `outboard.sdk.requests.StateRequests.clear`."""
        self._client.tell(_request("Clear", place))

    def default_retention(self) -> timedelta | None:
        """See `outboard.sdk.requests.StateRequests.default_retention`."""
        # Airflow 3.4 tells a bundle what its configuration says; of 3.3's a bundle sees nothing.
        days = self._client.option("state_store", "default_retention_days", DEFAULT_RETENTION_DAYS)
        return timedelta(days=days) if days else None


def _request(verb: str, place: tuple[str, str], **fields: Any) -> Message:
    return m.definition(verb + _ENDS[place[0]])(**{place[0]: place[1]}, **fields)
