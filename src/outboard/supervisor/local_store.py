"""A store in memory that serves tasks as Airflow's API does: the same not-founds, orders and defaults.

It keeps values by reference and hands them out by reference: what comes from the wire is nobody else's, and what goes to
the wire is encoded at once. Who takes values out for other purposes must not change them. All methods may be called from
several tasks and threads at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from outboard.protocol import messages as m
from outboard.supervisor.ports import UNMAPPED, LogRecord, LogSink, Ports, TaskKey, XComKey
from outboard.supervisor.state_store import MemoryStates
from outboard.supervisor.xcom_store import RunDates, RunKey, XComStore

__all__ = ("LocalStore", "RunKey")


class LocalStore:
    """Variables, connections, XComs, runs and logs of local runs.

    Attributes:
        variables: the port for variables.
        connections: the port for connections.
        xcoms: the port for XComs.
        task_instances: the port for what tasks tell about themselves.
        human_inputs: the port for what tasks ask people.
        states: the port for small values that outlive a try, or all runs.
    """

    def __init__(
        self,
        *,
        variables: Mapping[str, str | None] | None = None,
        connections: Mapping[str, m.ConnectionResult] | None = None,
    ) -> None:
        self._runs = RunDates()
        self.variables = _Variables(variables or {})
        self.connections = _Connections(connections or {})
        self.xcoms = XComStore(self._runs)
        self.task_instances = _TaskInstances()
        self.human_inputs = _HumanInputs()
        self.states = MemoryStates()

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
            human_inputs=self.human_inputs,
            logs=logs or _Nowhere(),
            states=self.states,
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
        """Return the ids of the unmapped tasks of a run that another task of it wants skipped."""
        return self.task_instances.skipped(dag_id, run_id)

    def push(self, dag_id: str, run_id: str, task_id: str, values: Mapping[str, object]) -> None:
        """Store XComs for an unmapped task, by key."""
        for key, value in values.items():
            self.xcoms.store(XComKey(dag_id=dag_id, run_id=run_id, task_id=task_id, key=key), UNMAPPED, value)

    def forget_run(self, dag_id: str, run_id: str) -> None:
        """Forget who was to be skipped in a run, since it is run again."""
        self.task_instances.forget_run(dag_id, run_id)

    def add_reschedule(self, instance_id: str, at: datetime) -> None:
        """Note that a try was put off."""
        self.task_instances.reschedules.setdefault(instance_id, []).append(at)

    def reschedules(self, instance_id: str) -> Sequence[datetime]:
        """Return when a try was put off, in order."""
        return tuple(self.task_instances.reschedules.get(instance_id, ()))

    def question(self, instance_id: str) -> m.HITLDetailRequestResult | None:
        """Return what a try asks a person; None if it has not said so."""
        return self.human_inputs.details.get(instance_id)


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


class _TaskInstances:
    def __init__(self) -> None:
        self._skipped: dict[RunKey, set[tuple[str, int]]] = {}
        self.reschedules: dict[str, list[datetime]] = {}
        self.rendered_fields: dict[TaskKey, Mapping[str, object]] = {}
        self.rendered_map_index: dict[TaskKey, str] = {}

    async def skip_downstream(self, task: TaskKey, skipped: Sequence[tuple[str, int]]) -> None:
        self._skipped.setdefault((task.dag_id, task.run_id), set()).update(skipped)

    async def reschedule_start(self, instance_id: str) -> datetime | None:
        return min(self.reschedules.get(instance_id, ()), default=None)

    async def set_rendered_fields(self, task: TaskKey, fields: Mapping[str, object]) -> None:
        self.rendered_fields[task] = fields

    async def set_rendered_map_index(self, task: TaskKey, label: str) -> None:
        self.rendered_map_index[task] = label

    def skipped(self, dag_id: str, run_id: str) -> frozenset[str]:
        skipped = self._skipped.get((dag_id, run_id), ())
        return frozenset(task_id for task_id, map_index in skipped if map_index == UNMAPPED)

    def forget_run(self, dag_id: str, run_id: str) -> None:
        self._skipped.pop((dag_id, run_id), None)


class _HumanInputs:
    def __init__(self) -> None:
        self.details: dict[str, m.HITLDetailRequestResult] = {}

    async def ask(self, task: TaskKey, request: m.CreateHITLDetailPayload) -> m.HITLDetailRequestResult:
        # As Airflow's API: what a try has asked once, it asks.
        found = self.details.get(request.ti_id)
        if found is None:
            found = self.details[request.ti_id] = m.HITLDetailRequestResult(
                ti_id=request.ti_id,
                options=request.options,
                subject=request.subject,
                body=request.body,
                defaults=request.defaults,
                multiple=request.multiple,
                params=request.params,
                assigned_users=request.assigned_users,
            )
        return found


class _Nowhere:
    def write(self, task: TaskKey, record: LogRecord) -> None:
        """Drop the record."""
