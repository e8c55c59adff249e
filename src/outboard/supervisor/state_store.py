"""Small values that outlive a try, or all runs: the port, a store in memory, and the requests that it answers.

A task's values are those of all its tries; an asset's are those of the name or the URI that it was asked for by.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from outboard.protocol import messages as m

if TYPE_CHECKING:
    from outboard.supervisor.ports import Ports, TaskKey

__all__ = ("SERVED", "MemoryStates", "Place", "States")

Place: TypeAlias = tuple[str, ...]
"""``("task", dag_id, run_id, task_id, map index)``, ``("asset name", name)`` or ``("asset uri", uri)``."""


class States(Protocol):
    """Stores of small JSON values, by place and key."""

    async def get(self, place: Place, key: str, now: datetime) -> tuple[bool, Any]:
        """Return whether there is a value that has not expired, and the value."""

    async def set(self, place: Place, key: str, value: Any, expires_at: datetime | None) -> None:
        """Store a value, replacing what was there."""

    async def delete(self, place: Place, key: str | None) -> None:
        """Delete what is under a key, or all of a place; that there is nothing is no error."""


class MemoryStates:
    """A store that lasts as long as its process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[Place, dict[str, tuple[Any, datetime | None]]] = {}

    async def get(self, place: Place, key: str, now: datetime) -> tuple[bool, Any]:
        """See `States.get`."""
        with self._lock:
            found = self._values.get(place, {}).get(key)
        if found is None or (found[1] is not None and found[1] <= now):
            return False, None
        return True, found[0]

    async def set(self, place: Place, key: str, value: Any, expires_at: datetime | None) -> None:
        """See `States.set`."""
        with self._lock:
            self._values.setdefault(place, {})[key] = (value, expires_at)

    async def delete(self, place: Place, key: str | None) -> None:
        """See `States.delete`."""
        with self._lock:
            if key is None:
                self._values.pop(place, None)
            else:
                self._values.get(place, {}).pop(key, None)


# ── requests ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _place(task: TaskKey, request: Any) -> Place:
    if hasattr(request, "ti_id"):
        # Whose id it is, the process was told in its greeting; it can have no other.
        return ("task", task.dag_id, task.run_id, task.task_id, str(task.map_index))
    return ("asset name", request.name) if hasattr(request, "name") else ("asset uri", request.uri)


async def _get(ports: Ports, task: TaskKey, request: Any) -> m.Message:
    place = _place(task, request)
    of_task = place[0] == "task"
    found, value = await ports.states.get(place, request.key, ports.clock.now())
    if not found:
        return m.ErrorResponse(
            error="TASK_STORE_NOT_FOUND" if of_task else "ASSET_STORE_NOT_FOUND", detail={"key": request.key}
        )
    return m.TaskStateStoreResult(value=value) if of_task else m.AssetStateStoreResult(value=value)


async def _set(ports: Ports, task: TaskKey, request: Any) -> m.Message:
    expires_at = getattr(request, "expires_at", None)
    await ports.states.set(_place(task, request), request.key, request.value, expires_at)
    return m.OKResponse(ok=True)


async def _delete(ports: Ports, task: TaskKey, request: Any) -> m.Message:
    await ports.states.delete(_place(task, request), getattr(request, "key", None))
    return m.OKResponse(ok=True)


_ENDS = ("TaskStateStore", "AssetStateStoreByName", "AssetStateStoreByUri")

SERVED: dict[str, Callable[[Ports, TaskKey, Any], Awaitable[m.Message | None]]] = {
    f"{verb}{end}": handler
    for end in _ENDS
    for verb, handler in (("Get", _get), ("Set", _set), ("Delete", _delete), ("Clear", _delete))
}
