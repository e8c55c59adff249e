"""What a task under test finds outside of itself, and what it leaves there: the store of local runs, and a witness beside it.

Knows what is asked for and told. Must not know who asks, or over which wire.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from outboard.protocol import messages as m
from outboard.protocol import serde
from outboard.sdk.connection import Connection
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.ports import LogSink, Ports, XComKey
from outboard.testing.run_facts import Facts
from outboard.testing.witness import Witness

__all__ = ("Leftovers", "World")

_PAGE = 1000


@attrs.frozen(kw_only=True)
class Leftovers:
    """What is there when the task has ended. Attributes as in `outboard.testing.TaskResult`."""

    variables: Mapping[str, str | None]
    connections: Mapping[str, Connection]
    xcoms: Mapping[str, Any]


class World:
    """The outside world of one run.

    Attributes:
        witness: what the task has told.
    """

    def __init__(
        self,
        facts: Facts,
        variables: Mapping[str, str | None],
        connections: Mapping[str, Connection],
        xcoms: Mapping[tuple[XComKey, int], Any],
    ) -> None:
        self.witness = Witness(facts)
        self._facts = facts
        self._connections = dict(connections)
        self._xcoms = dict(xcoms)
        wire = {conn_id: _on_the_wire(connection) for conn_id, connection in connections.items()}
        self._store = LocalStore(variables=variables, connections=wire)

    def ports(self, logs: LogSink) -> Ports:
        """What a supervisor serves the task from.

        Args:
            logs: where its records go.
        """
        witness = self.witness
        return attrs.evolve(self._store.ports(logs), task_instances=witness, human_inputs=witness, dag_runs=witness)

    def own_xcom_keys(self) -> list[str]:
        """The keys of the XComs that the task itself has left before, as the test says."""
        key = self._facts.key
        own = (key.dag_id, key.run_id, key.task_id, key.map_index)
        return [xcom.key for xcom, index in self._xcoms if (xcom.dag_id, xcom.run_id, xcom.task_id, index) == own]

    async def furnish(self) -> None:
        """Put everything in its place, before the task is served."""
        key = self._facts.key
        self._store.add_run(key.dag_id, key.run_id, self._facts.run_after)
        for (xcom, map_index), value in self._xcoms.items():
            await self._store.xcoms.set(xcom, map_index, value)

    async def leftovers(self) -> Leftovers:
        """Look what is there."""
        key, xcoms = self._facts.key, {}
        for name in self._store.xcom_keys(key.dag_id, key.run_id, key.task_id, key.map_index):
            place = XComKey(dag_id=key.dag_id, run_id=key.run_id, task_id=key.task_id, key=name)
            xcoms[name] = serde.deserialize(await self._store.xcoms.get(place, key.map_index, False))
        return Leftovers(variables=await self._variables(), connections=self._connections, xcoms=xcoms)

    async def _variables(self) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        while True:
            page = await self._store.variables.keys(None, _PAGE, len(found))
            for key in page.keys:
                variable = await self._store.variables.get(key)
                found[key] = variable.value if variable else None
            if len(found) >= page.total_entries:
                return found


def _on_the_wire(connection: Connection) -> m.ConnectionResult:
    parts = ("conn_type", "host", "schema", "login", "password", "port", "extra")
    return m.ConnectionResult(conn_id=connection.conn_id, **{name: getattr(connection, name) for name in parts})
