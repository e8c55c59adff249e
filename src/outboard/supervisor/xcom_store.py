"""XComs in memory, with the order of runs and of values that Airflow's API has.

Values are kept by reference; see `outboard.supervisor.local_store`.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from outboard.protocol import messages as m
from outboard.supervisor.ports import UNMAPPED, XComKey

__all__ = ("RunDates", "RunKey", "XComStore")

RunKey = tuple[str, str]  # (dag_id, run_id)


@attrs.frozen(kw_only=True)
class _StoredXCom:
    """A value, and when it was stored relative to the others: the newest of equal dates wins."""

    value: object
    order: int
    is_dag_result: bool


class RunDates:
    """The dates of runs."""

    def __init__(self) -> None:
        self._dates: dict[RunKey, datetime] = {}

    def add(self, run: RunKey, date: datetime) -> None:
        """Keep the date of a run."""
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


class XComStore:
    """The port for XComs, and what a run wants to know about them."""

    def __init__(self, runs: RunDates) -> None:
        self._runs = runs
        self._lock = threading.Lock()
        self._stored = 0
        self._values: dict[XComKey, dict[int, _StoredXCom]] = {}

    async def get(self, key: XComKey, map_index: int, include_prior_dates: bool) -> object:
        """See `outboard.supervisor.ports.XComs.get`."""
        found = self._newest(key, map_index) if include_prior_dates else self._at(key).get(map_index)
        return None if found is None else found.value

    async def set(self, key: XComKey, map_index: int, value: object, *, is_dag_result: bool = False) -> None:
        """See `outboard.supervisor.ports.XComs.set`."""
        self.store(key, map_index, value, is_dag_result=is_dag_result)

    def store(self, key: XComKey, map_index: int, value: object, *, is_dag_result: bool = False) -> None:
        """Store a value, as `set` does, from outside of an event loop."""
        with self._lock:
            self._stored += 1
            stored = _StoredXCom(value=value, order=self._stored, is_dag_result=is_dag_result)
            self._values.setdefault(key, {})[map_index] = stored

    async def delete(self, key: XComKey, map_index: int) -> None:
        """See `outboard.supervisor.ports.XComs.delete`."""
        with self._lock:
            values = self._values.get(key, {})
            values.pop(map_index, None)
            if not values:
                self._values.pop(key, None)

    async def count(self, key: XComKey) -> int:
        """See `outboard.supervisor.ports.XComs.count`."""
        return len(self._at(key))

    async def item(self, key: XComKey, offset: int) -> m.XComSequenceIndexResult | None:
        """See `outboard.supervisor.ports.XComs.item`."""
        values = _in_order(self._at(key))
        if not -len(values) <= offset < len(values):
            return None
        return m.XComSequenceIndexResult(root=values[offset])

    async def items(self, key: XComKey, part: slice, include_prior_dates: bool) -> Sequence[object]:
        """See `outboard.supervisor.ports.XComs.items`."""
        if not include_prior_dates:
            return _in_order(self._at(key))[part]
        by_index = [
            (index, stored.order, stored.value)
            for run in self._runs.until((key.dag_id, key.run_id))
            for index, stored in self._at(attrs.evolve(key, run_id=run[1])).items()
        ]
        return [value for _, _, value in sorted(by_index, key=lambda entry: entry[:2])][part]

    def keys(self, dag_id: str, run_id: str, task_id: str, map_index: int) -> list[str]:
        """List the keys under which a task has XComs, over all map indexes if it is not mapped itself."""
        with self._lock:
            return [
                key.key
                for key, values in self._values.items()
                if (key.dag_id, key.run_id, key.task_id) == (dag_id, run_id, task_id)
                and (map_index == UNMAPPED or map_index in values)
            ]

    def of_run(self, dag_id: str, run_id: str) -> dict[str, dict[str, object]]:
        """Return all XComs of unmapped tasks of a run: by task id, then by key."""
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


def _in_order(values: Mapping[int, _StoredXCom]) -> list[object]:
    return [values[index].value for index in sorted(values)]
