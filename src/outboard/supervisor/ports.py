"""What a supervisor needs from elsewhere to serve a task: the ports. No implementation, no wire.

The handlers turn requests into calls of these, and what they return into replies. `outboard.supervisor.local_store` is
one implementation; a worker of the job engine brings another. Every port must be safe to call from several tasks of one
event loop at once. A port that raises costs its request an error reply, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol, TypeAlias

import anyio
import attrs

from outboard.protocol import messages as m
from outboard.supervisor.state_store import MemoryStates, States

__all__ = (
    "Clock",
    "Connections",
    "DagRuns",
    "HumanInputs",
    "LogSink",
    "NoDagRuns",
    "Ports",
    "SystemClock",
    "TaskInstances",
    "TaskKey",
    "Variables",
    "XComKey",
    "XComs",
)

# How the wire says "not mapped".
UNMAPPED = -1

LogRecord: TypeAlias = dict[str, object]


@attrs.frozen(kw_only=True)
class TaskKey:
    """Which try of which task a process runs, or which file it parses."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = UNMAPPED
    try_number: int = 1


@attrs.frozen(kw_only=True)
class XComKey:
    """Where XComs stand: one for an unmapped task, one for each map index of a mapped one."""

    dag_id: str
    run_id: str
    task_id: str
    key: str


class Variables(Protocol):
    """Variables: text by key."""

    async def get(self, key: str) -> m.VariableResult | None:
        """Return the variable, or None if there is none; a stored null is a variable with the value None."""

    async def put(self, key: str, value: str | None, description: str | None) -> None:
        """Create the variable, or replace it."""

    async def delete(self, key: str) -> None:
        """Delete the variable; that there is none is no error."""

    async def keys(self, prefix: str | None, limit: int, offset: int) -> m.VariableKeysResult:
        """List keys in order, a page at a time; `total_entries` counts what the prefix selects."""


class Connections(Protocol):
    """Connections: how to reach a system, by id."""

    async def get(self, conn_id: str) -> m.ConnectionResult | None:
        """Return the connection, or None if there is none."""


class XComs(Protocol):
    """XComs: what tasks leave for other tasks, already in its JSON form."""

    async def get(self, key: XComKey, map_index: int, include_prior_dates: bool) -> object:
        """Return a value; None where there is none, as Airflow does.

        With `include_prior_dates` the newest value of this run and of the runs before it.
        """

    async def set(self, key: XComKey, map_index: int, value: object, *, is_dag_result: bool = False) -> None:
        """Store a value, replacing what was there."""

    async def delete(self, key: XComKey, map_index: int) -> None:
        """Delete a value; that there is none is no error."""

    async def count(self, key: XComKey) -> int:
        """Count the values over all map indexes."""

    async def item(self, key: XComKey, offset: int) -> m.XComSequenceIndexResult | None:
        """Return the value at a position in the order of map indexes, from the end if negative; None if out of range."""

    async def items(self, key: XComKey, part: slice, include_prior_dates: bool) -> Sequence[object]:
        """Return a slice of the values in the order of map indexes."""


class TaskInstances(Protocol):
    """What a task tells about itself and about its neighbours."""

    async def skip_downstream(self, task: TaskKey, skipped: Sequence[tuple[str, int]]) -> None:
        """Mark tasks of the same run, each with its map index, as skipped unless they have begun."""

    async def set_rendered_fields(self, task: TaskKey, fields: Mapping[str, object]) -> None:
        """Keep the rendered templates of a task."""

    async def set_rendered_map_index(self, task: TaskKey, label: str) -> None:
        """Keep the label of a mapped task."""

    async def reschedule_start(self, instance_id: str) -> datetime | None:
        """Return when a try was put off first; None if it was not."""


class HumanInputs(Protocol):
    """What tasks ask people."""

    async def ask(self, task: TaskKey, request: m.CreateHITLDetailPayload) -> m.HITLDetailRequestResult:
        """Keep a question; returns it as it is kept."""


class DagRuns(Protocol):
    """Dags and their runs, as far as tasks may ask about them, and make new ones."""

    async def dag(self, dag_id: str) -> m.DagResult | None:
        """Return what is known about a Dag; None if there is none of that id."""

    async def trigger(self, task: TaskKey, request: m.TriggerDagRun) -> bool:
        """Run a Dag that there is; false if there is such a run already, and it is not to be reset.

        Raises:
            ValueError: that cannot be; the text says why.
        """

    async def state(self, task: TaskKey, dag_id: str, run_id: str) -> str | None:
        """Return the state of a run; None if there is no such run."""

    async def detail(self, dag_id: str, run_id: str) -> m.DagRun | None:
        """Return what is known about a run; None if there is no such run."""

    async def count(self, request: m.GetDRCount) -> int:
        """Count the runs of a Dag that a request selects."""


class NoDagRuns:
    """For tasks without a Dag beside their own."""

    async def dag(self, dag_id: str) -> m.DagResult | None:
        """None: there is none."""
        return None

    async def trigger(self, task: TaskKey, request: m.TriggerDagRun) -> bool:
        """Refuse."""
        raise ValueError("no Dag can be run here")

    async def state(self, task: TaskKey, dag_id: str, run_id: str) -> str | None:
        """None: there is none."""
        return None

    async def detail(self, dag_id: str, run_id: str) -> m.DagRun | None:
        """None: there is none."""
        return None

    async def count(self, request: m.GetDRCount) -> int:
        """None."""
        return 0


class LogSink(Protocol):
    """Where log records go: those of the task, and what its process printed."""

    def write(self, task: TaskKey, record: LogRecord) -> None:
        """Take one record, in the order of its channel. It must not block: the reading of the channel waits for it."""


class Clock(Protocol):
    """Time, so that tests need none."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""


class SystemClock:
    """The machine's clock and anyio's timer."""

    def now(self) -> datetime:
        """Return the current time, aware, in UTC."""
        return datetime.now(UTC)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await anyio.sleep(seconds)


@attrs.frozen(kw_only=True)
class Ports:
    """Everything that serves a task, in one value."""

    variables: Variables
    connections: Connections
    xcoms: XComs
    task_instances: TaskInstances
    human_inputs: HumanInputs
    logs: LogSink
    dag_runs: DagRuns = attrs.field(factory=NoDagRuns)
    clock: Clock = attrs.field(factory=SystemClock)
    states: States = attrs.field(factory=MemoryStates)
