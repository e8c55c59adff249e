"""A store in memory that serves tasks as Airflow's API does: the same not-founds, orders and defaults.

It keeps values by reference and hands them out by reference: what comes from the wire is nobody else's, and what goes to
the wire is encoded at once. Who takes values out for other purposes must not change them. All methods may be called from
several tasks and threads at once.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from outboard.protocol import messages as m
from outboard.supervisor.ports import UNMAPPED, LogRecord, LogSink, Ports, TaskKey, XComKey

__all__ = ("LocalStore", "RunKey")

RunKey = tuple[str, str]  # (dag_id, run_id)


@attrs.frozen(kw_only=True)
class _StoredXCom:
    """A value, and when it was stored relative to the others: the newest of equal dates wins."""

    value: object
    order: int
    is_dag_result: bool


class LocalStore:
    """Variables, connections, XComs, runs and logs of local runs.

    Attributes:
        variables: the port for variables.
        connections: the port for connections.
        xcoms: the port for XComs.
        task_instances: the port for what tasks tell about themselves.
    """

    def __init__(
        self,
        *,
        variables: Mapping[str, str | None] | None = None,
        connections: Mapping[str, m.ConnectionResult] | None = None,
    ) -> None:
        self._runs = _Runs()
        self.variables = _Variables(variables or {})
        self.connections = _Connections(connections or {})
        self.xcoms = _XComs(self._runs)
        self.task_instances = _TaskInstances()

    def ports(self, logs: LogSink | None = None) -> Ports:
        """Return this store as the ports of a supervisor.

        Args:
            logs: where log records go; by default nowhere.
        """
        return Ports(
            variables=self.variables,
            connections=self.connections,
            xcoms=self.xcoms,
            task_instances=self.task_instances,
            logs=logs or _Nowhere(),
        )

    def add_run(self, dag_id: str, run_id: str, date: datetime) -> None:
        """Make a run known, with its logical date (or, where it has none, the date after which it ran).

        Only runs with a date count as earlier or later than others.
        """
        self._runs.add((dag_id, run_id), date)

    def xcom_keys(self, dag_id: str, run_id: str, task_id: str, map_index: int = UNMAPPED) -> list[str]:
        """List the keys under which a task has XComs, over all map indexes if it is not mapped itself."""
        return self.xcoms.keys(dag_id, run_id, task_id, map_index)

    def run_xcoms(self, dag_id: str, run_id: str) -> dict[str, dict[str, object]]:
        """Return all XComs of unmapped tasks of a run: by task id, then by key."""
        return self.xcoms.of_run(dag_id, run_id)

    def skipped(self, dag_id: str, run_id: str) -> frozenset[str]:
        """Return the ids of the tasks of a run that another task of it wants skipped."""
        return self.task_instances.skipped(dag_id, run_id)


class _Variables:
    def __init__(self, initial: Mapping[str, str | None]) -> None:
        self._values: dict[str, tuple[str | None, str | None]] = {key: (value, None) for key, value in initial.items()}

    async def get(self, key: str) -> m.VariableResult | None:
        found = self._values.get(key)
        return None if found is None else m.VariableResult(key=key, value=found[0])

    async def put(self, key: str, value: str | None, description: str | None) -> None:
        self._values[key] = (value, description)

    async def delete(self, key: str) -> None:
        self._values.pop(key, None)

    async def keys(self, prefix: str | None, limit: int, offset: int) -> m.VariableKeysResult:
        selected = sorted(key for key in list(self._values) if key.startswith(prefix or ""))
        return m.VariableKeysResult(keys=selected[offset : offset + limit], total_entries=len(selected))


class _Connections:
    def __init__(self, initial: Mapping[str, m.ConnectionResult]) -> None:
        self._connections = dict(initial)

    async def get(self, conn_id: str) -> m.ConnectionResult | None:
        return self._connections.get(conn_id)


class _Runs:
    """The dates of runs."""

    def __init__(self) -> None:
        self._dates: dict[RunKey, datetime] = {}

    def add(self, run: RunKey, date: datetime) -> None:
        self._dates[run] = date

    def until(self, run: RunKey) -> list[RunKey]:
        """Return this run and those of the same Dag that are not later, latest first; without a date it stands alone."""
        date = self._dates.get(run)
        if date is None:
            return [run]
        earlier = [(known, other) for other, known in list(self._dates.items()) if other[0] == run[0] and known <= date]
        return [other for _, other in sorted(earlier, reverse=True)]

    def groups_until(self, run: RunKey) -> list[list[RunKey]]:
        """Like `until`, but runs of one date together."""
        groups: list[list[RunKey]] = []
        last = None
        for other in self.until(run):
            date = self._dates.get(other)
            if groups and date == last:
                groups[-1].append(other)
            else:
                groups.append([other])
            last = date
        return groups


class _XComs:
    def __init__(self, runs: _Runs) -> None:
        self._runs = runs
        self._lock = threading.Lock()
        self._stored = 0
        self._values: dict[XComKey, dict[int, _StoredXCom]] = {}

    async def get(self, key: XComKey, map_index: int, include_prior_dates: bool) -> object:
        found = self._newest(key, map_index) if include_prior_dates else self._at(key).get(map_index)
        return None if found is None else found.value

    async def set(self, key: XComKey, map_index: int, value: object, *, is_dag_result: bool = False) -> None:
        with self._lock:
            self._stored += 1
            stored = _StoredXCom(value=value, order=self._stored, is_dag_result=is_dag_result)
            self._values.setdefault(key, {})[map_index] = stored

    async def delete(self, key: XComKey, map_index: int) -> None:
        with self._lock:
            values = self._values.get(key, {})
            values.pop(map_index, None)
            if not values:
                self._values.pop(key, None)

    async def count(self, key: XComKey) -> int:
        return len(self._at(key))

    async def item(self, key: XComKey, offset: int) -> m.XComSequenceIndexResult | None:
        values = _in_order(self._at(key))
        if not -len(values) <= offset < len(values):
            return None
        return m.XComSequenceIndexResult(root=values[offset])

    async def items(self, key: XComKey, part: slice, include_prior_dates: bool) -> Sequence[object]:
        if not include_prior_dates:
            return _in_order(self._at(key))[part]
        by_index = [
            (index, stored.order, stored.value)
            for run in self._runs.until((key.dag_id, key.run_id))
            for index, stored in self._at(attrs.evolve(key, run_id=run[1])).items()
        ]
        return [value for _, _, value in sorted(by_index, key=lambda entry: entry[:2])][part]

    def keys(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> list[str]:
        with self._lock:
            return [
                key.key
                for key, values in self._values.items()
                if (key.dag_id, key.run_id, key.task_id) == (dag_id, run_id, task_id)
                and (map_index == UNMAPPED or map_index in values)
            ]

    def of_run(self, dag_id: str, run_id: str) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = {}
        with self._lock:
            for key, values in self._values.items():
                if (key.dag_id, key.run_id) == (dag_id, run_id) and UNMAPPED in values:
                    found.setdefault(key.task_id, {})[key.key] = values[UNMAPPED].value
        return found

    def _at(self, key: XComKey) -> dict[int, _StoredXCom]:
        with self._lock:
            return dict(self._values.get(key, {}))

    def _newest(self, key: XComKey, map_index: int) -> _StoredXCom | None:
        """The value of the latest date; of several runs at that date, the one that was stored last."""
        for runs in self._runs.groups_until((key.dag_id, key.run_id)):
            stored = [self._at(attrs.evolve(key, run_id=run_id)).get(map_index) for _, run_id in runs]
            found = [one for one in stored if one is not None]
            if found:
                return max(found, key=lambda one: one.order)
        return None


class _TaskInstances:
    def __init__(self) -> None:
        self._skipped: dict[RunKey, set[str]] = {}
        self.rendered_fields: dict[TaskKey, Mapping[str, object]] = {}
        self.rendered_map_index: dict[TaskKey, str] = {}

    async def skip_downstream(self, task: TaskKey, skipped: Sequence[tuple[str, int]]) -> None:
        self._skipped.setdefault((task.dag_id, task.run_id), set()).update(task_id for task_id, _ in skipped)

    async def set_rendered_fields(self, task: TaskKey, fields: Mapping[str, object]) -> None:
        self.rendered_fields[task] = fields

    async def set_rendered_map_index(self, task: TaskKey, label: str) -> None:
        self.rendered_map_index[task] = label

    def skipped(self, dag_id: str, run_id: str) -> frozenset[str]:
        return frozenset(self._skipped.get((dag_id, run_id), ()))


class _Nowhere:
    def write(self, task: TaskKey, record: LogRecord) -> None:
        """Drop the record."""


def _in_order(values: Mapping[int, _StoredXCom]) -> list[object]:
    return [values[index].value for index in sorted(values)]
