"""An outside world for task code: variables, connections and XComs in dicts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from anyio import to_thread

from outboard.errors import ServerError
from outboard.sdk import client
from outboard.sdk.exceptions import AirflowRuntimeError, ErrorType

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from outboard.sdk.assets import Asset
    from outboard.sdk.client import Client
    from outboard.sdk.connection import Connection


class Sequences:
    """The XComs of the world by the order of their map indexes; an unmapped task has one at most."""

    def __init__(self, world: World) -> None:
        self._world = world

    def count(self, key: str, dag_id: str, run_id: str, task_id: str, *, previous_iteration: bool = False) -> int:
        self._world.asked.append("count")
        return len(self._values(key, dag_id, run_id, task_id))

    def item(
        self, key: str, dag_id: str, run_id: str, task_id: str, offset: int, *, previous_iteration: bool = False
    ) -> tuple[bool, Any]:
        self._world.asked.append(offset)
        values = self._values(key, dag_id, run_id, task_id)
        return (True, values[offset]) if -len(values) <= offset < len(values) else (False, None)

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
        self._world.asked.append(part)
        earlier = self._values(key, dag_id, "earlier", task_id) if include_prior_dates else []
        return [*earlier, *self._values(key, dag_id, run_id, task_id)][part]

    def _values(self, *place: str) -> list[Any]:
        indexes = {address[4]: value for address, value in self._world.xcoms.items() if address[:4] == place}
        return [indexes[index] for index in sorted(indexes, key=lambda index: -1 if index is None else index)]


class Assets:
    """The assets of the world and what has happened to them."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get(self, *, name: str | None = None, uri: str | None = None) -> Asset:
        self._world.asked.append((name, uri))
        for asset in self._world.known_assets:
            if asset.name == name or asset.uri == uri:
                return asset
        raise AirflowRuntimeError(ServerError(ErrorType.ASSET_NOT_FOUND))

    def of_alias(self, name: str) -> list[Asset]:
        return self._world.known_assets

    def events(self, **query: Any) -> list[Any]:
        self._world.asked.append({name: value for name, value in query.items() if value is not None})
        return ["first", "second"]


class States:
    """Stores of the world, with what each value expires at."""

    def __init__(self, world: World) -> None:
        self._world = world

    def get(self, place: tuple[str, str], key: str) -> tuple[bool, Any]:
        found = self._world.stored.get((*place, key))
        return (False, None) if found is None else (True, found[0])

    def set(self, place: tuple[str, str], key: str, value: Any, expires_at: datetime | None) -> None:
        self._world.stored[*place, key] = (value, expires_at)

    def delete(self, place: tuple[str, str], key: str) -> None:
        self._world.stored.pop((*place, key), None)

    def clear(self, place: tuple[str, str]) -> None:
        for key in [key for key in self._world.stored if key[:2] == place]:
            del self._world.stored[key]

    def default_retention(self) -> timedelta | None:
        return self._world.retention


class Queries:
    """Notes what is asked, and answers with the name of the question."""

    def __init__(self, world: World) -> None:
        self._world = world

    def __getattr__(self, name: str) -> Any:
        def asked(*arguments: Any, **filters: Any) -> Any:
            given = {name: value for name, value in filters.items() if value is not None}
            self._world.asked.append((name, *arguments, given))
            return self._world.answers.get(name, name)

        return asked


class World:
    """Answers as a supervisor with a store would."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}
        self.descriptions: dict[str, str | None] = {}
        self.connections: dict[str, Connection] = {}
        self.xcoms: dict[tuple[str, str, str, str, int | None], Any] = {}
        self.forbidden: set[str] = set()
        self.first_looks: dict[tuple[str, int], datetime] = {}
        self.questions: dict[str, dict[str, Any]] = {}
        self.paused: dict[str, bool] = {}
        self.options: dict[tuple[str, str], Any] = {}
        self.known_assets: list[Asset] = []
        self.stored: dict[tuple[str, str, str], tuple[Any, datetime | None]] = {}
        self.retention: timedelta | None = timedelta(days=30)
        self.answers: dict[str, Any] = {}
        self.asked: list[Any] = []
        self.said: list[tuple[str, str]] = []
        self.slept: list[float] = []
        self.time = datetime(2026, 1, 1, tzinfo=UTC)

    def get_variable(self, key: str) -> str | None:
        if key in self.forbidden:
            raise AirflowRuntimeError(ServerError(ErrorType.PERMISSION_DENIED))
        if key not in self.variables:
            raise AirflowRuntimeError(ServerError(ErrorType.VARIABLE_NOT_FOUND, {"message": key}))
        return self.variables[key]

    def set_variable(self, key: str, value: str, description: str | None) -> None:
        self.variables[key] = value
        self.descriptions[key] = description

    def delete_variable(self, key: str) -> None:
        del self.variables[key]

    def variable_keys(self, prefix: str | None) -> list[str]:
        return [key for key in self.variables if key.startswith(prefix or "")]

    def get_connection(self, conn_id: str) -> Connection:
        if conn_id in self.forbidden:
            raise AirflowRuntimeError(ServerError(ErrorType.PERMISSION_DENIED))
        if conn_id not in self.connections:
            raise AirflowRuntimeError(ServerError(ErrorType.CONNECTION_NOT_FOUND))
        return self.connections[conn_id]

    def get_xcom(
        self, key: str, dag_id: str, run_id: str, task_id: str, map_index: int | None, include_prior_dates: bool
    ) -> tuple[bool, Any]:
        address = (key, dag_id, run_id, task_id, map_index)
        if address not in self.xcoms and include_prior_dates:
            address = (key, dag_id, "earlier", task_id, map_index)
        return address in self.xcoms, self.xcoms.get(address)

    def set_xcom(self, key: str, value: object, dag_id: str, run_id: str, task_id: str, map_index: int | None) -> None:
        self.xcoms[key, dag_id, run_id, task_id, map_index] = value

    def delete_xcom(self, key: str, dag_id: str, run_id: str, task_id: str, map_index: int | None) -> None:
        del self.xcoms[key, dag_id, run_id, task_id, map_index]

    def xcom_sequences(self) -> Sequences:
        return Sequences(self)

    def assets(self) -> Assets:
        return Assets(self)

    def states(self) -> States:
        return States(self)

    def queries(self) -> Queries:
        return Queries(self)

    def task_reschedule_start_date(self, ti_id: str, try_number: int) -> datetime | None:
        return self.first_looks.get((ti_id, try_number))

    def create_hitl_detail(self, ti_id: str, **question: Any) -> None:
        self.questions[ti_id] = question

    def is_paused(self, dag_id: str) -> bool:
        if dag_id not in self.paused:
            raise AirflowRuntimeError(ServerError(ErrorType.API_SERVER_ERROR, {"status_code": 404}))
        return self.paused[dag_id]

    def option(self, section: str, name: str, default: Any) -> Any:
        return self.options.get((section, name), default)

    def say(self, level: str, event: str) -> None:
        self.said.append((level, event))

    def now(self) -> datetime:
        return self.time

    def monotonic(self) -> float:
        return sum(self.slept)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += timedelta(seconds=seconds)

    def in_thread(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Awaitable[Any]:
        return to_thread.run_sync(lambda: function(*arguments, **options))


def _is_a_client(world: World) -> Client:
    return world


@pytest.fixture
def world() -> Iterator[World]:
    created = World()
    client.use(_is_a_client(created))
    yield created
    client.use(None)
