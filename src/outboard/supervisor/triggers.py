"""What a deferred task waits for, and what it is resumed with: Airflow's triggerer, as far as a local run needs one.

Times and dates are kept by the run's own clock, the state of a Dag run by its own runs. The author's own triggers run in
a process of the bundle, which is somebody else's to start. For all others whoever started the run gives the event.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias

import anyio
import attrs

from outboard.protocol import messages as m
from outboard.protocol import serde
from outboard.protocol.timestamps import parse_timestamp
from outboard.sdk.triggers import DATE_TIME_TRIGGER, TIME_DELTA_TRIGGER
from outboard.supervisor.outcome import FAILED, SUCCESS
from outboard.supervisor.resumption import End, Resumption, after_failure, after_timeout, with_event
from outboard.supervisor.virtual_clock import VirtualClock

__all__ = ("DAG_STATE_TRIGGER", "DagRunStates", "GivenEvents", "RunTrigger", "Triggers")

DAG_STATE_TRIGGER = "airflow.providers.standard.triggers.external_task.DagStateTrigger"

# Runs one trigger in a process of its own: `outboard.supervisor.coordinator.run_trigger`.
RunTrigger: TypeAlias = Callable[[m.RunTrigger], Awaitable["m.TriggerFired | m.TriggerFailed"]]


class DagRunStates(Protocol):
    """What is known about Dag runs."""

    def obstacle(self, instance: m.TaskInstance, dag_id: str, run_ids: Sequence[str]) -> str | None:
        """Say why it would be no use for this task to wait for these runs; None if it is."""

    async def reach(self, dag_id: str, run_ids: Sequence[str], states: Sequence[str], at_most: float | None) -> bool:
        """Wait until each of the runs is in one of the states, at most so many seconds; returns whether they are.

        Without a limit, a run that has ended in another state ends the wait.
        """

    def state_of(self, dag_id: str, run_id: str) -> str | None:
        """Return the run's state; None if there is no such run."""


class GivenEvents:
    """Payloads that whoever started the run has given, in Airflow's encoding; in turn, and the last one for all that follow.

    Args:
        by_task: for one task each, by its id.
        for_all: for every other task.
    """

    def __init__(self, by_task: Mapping[str, Sequence[Any]] | None = None, for_all: Sequence[Any] = ()) -> None:
        self._by_task = {task_id: list(events) for task_id, events in (by_task or {}).items()}
        self._for_all = list(for_all)

    def next_for(self, task_id: str) -> tuple[Any] | None:
        """Return the next event of a task, as a tuple of one; None if none was given."""
        events = self._by_task.setdefault(task_id, list(self._for_all))
        if not events:
            return None
        return (events.pop(0) if len(events) > 1 else events[0],)


class _UnusableError(Exception):
    """The arguments of a trigger make no sense; the text says why."""


@attrs.define(eq=False, kw_only=True)
class Triggers:
    """Keeps triggers.

    Attributes:
        clock: the run's clock; whoever calls counts as one of its hands.
        run_trigger: runs a trigger of the author's; None where there is no bundle to run it in.
        events: what is given in place of triggers that cannot run here.
        runs: the Dag runs that there are; None for none.
    """

    clock: VirtualClock
    run_trigger: RunTrigger | None = None
    events: GivenEvents = attrs.field(factory=GivenEvents)
    runs: DagRunStates | None = None

    def describe(self, deferral: m.DeferTask) -> str:
        """Say in a few words what a task waits for."""
        name = deferral.classpath.rpartition(".")[2]
        try:
            moment = self._moment(deferral.classpath, _arguments(deferral))
        except _UnusableError:
            moment = None
        return f"waits for {name}" if moment is None else f"waits for {name} until {moment.isoformat(' ', 'seconds')}"

    async def resumption(self, instance: m.TaskInstance, deferral: m.DeferTask) -> Resumption:
        """Wait until the task goes on; returns how.

        Args:
            instance: the task instance that has deferred itself.
            deferral: its report.
        """
        try:
            arguments = _arguments(deferral)
            moment = self._moment(deferral.classpath, arguments)
            if moment is not None:
                return await self._keep_time(deferral, arguments, moment)
            if deferral.classpath == DAG_STATE_TRIGGER:
                return await self._keep_runs(instance, deferral, arguments)
            return await self._run(instance, deferral, arguments)
        except _UnusableError as error:
            return after_failure([f"{deferral.classpath}: {error}"])

    # ── times and dates ───────────────────────────────────────────────────────────────────────────────────────────

    def _moment(self, classpath: str, arguments: Mapping[str, Any]) -> datetime | None:
        """When a trigger fires that waits for a time; None for any other."""
        if classpath == TIME_DELTA_TRIGGER:
            delta = serde.deserialize(arguments.get("delta"))
            try:
                after: datetime = self.clock.now() + delta
            except (TypeError, OverflowError) as error:
                raise _UnusableError(f"its delta is {delta!r}: {error}") from error
            return after
        if classpath != DATE_TIME_TRIGGER:
            return None
        given = arguments.get("moment", arguments.get("target_time"))
        moment = parse_timestamp(given) if isinstance(given, str) else serde.deserialize(given)
        if isinstance(moment, datetime) and moment.tzinfo is None and isinstance(given, str):
            moment = moment.replace(tzinfo=UTC)
        if not isinstance(moment, datetime) or moment.tzinfo is None:
            raise _UnusableError(f"its moment is {given!r}, not a time with a zone")
        try:
            return moment.astimezone(UTC)
        except OverflowError as error:
            raise _UnusableError(f"its moment {moment} is outside of all calendars") from error

    async def _keep_time(self, deferral: m.DeferTask, arguments: Mapping[str, Any], moment: datetime) -> Resumption:
        wait = max(0.0, (moment - self.clock.now()).total_seconds())
        patience = _patience(deferral)
        if patience is not None and patience < wait:
            await self.clock.sleep(patience)
            return after_timeout()
        await self.clock.sleep(wait)
        if arguments.get("end_from_trigger"):
            return End(state=SUCCESS, reason=f"ended by its trigger at {moment.isoformat(' ', 'seconds')}")
        return with_event(deferral.next_method, deferral.next_kwargs, serde.serialize(moment))

    # ── the states of Dag runs ────────────────────────────────────────────────────────────────────────────────────

    async def _keep_runs(
        self, instance: m.TaskInstance, deferral: m.DeferTask, arguments: Mapping[str, Any]
    ) -> Resumption:
        dag_id = str(arguments.get("dag_id"))
        run_ids, states = (_texts(name, arguments.get(name)) for name in ("run_ids", "states"))
        obstacle = "no Dag runs are known here" if self.runs is None else self.runs.obstacle(instance, dag_id, run_ids)
        if self.runs is None or obstacle is not None or not run_ids:
            return self._given(instance, deferral, f"{_named(deferral)}, but {obstacle or 'it names no Dag run'}")
        patience = _patience(deferral)
        if not await self.runs.reach(dag_id, run_ids, states, patience):
            if patience is not None:
                return after_timeout()
            ended = ", ".join(f"{run_id!r} is {self.runs.state_of(dag_id, run_id)}" for run_id in run_ids)
            return self._given(
                instance, deferral, f"{_named(deferral)}, which waits for {' or '.join(states)}, but {ended}"
            )
        # As Airflow's trigger tells it: what it was made of, and beside that the state of its first run.
        told = {"poll_interval": 5.0, "run_ids": None, "execution_dates": None, **arguments}
        event = [deferral.classpath, {**told, run_ids[0]: self.runs.state_of(dag_id, run_ids[0])}]
        return with_event(deferral.next_method, deferral.next_kwargs, event)

    # ── all others ────────────────────────────────────────────────────────────────────────────────────────────────

    async def _run(self, instance: m.TaskInstance, deferral: m.DeferTask, arguments: Mapping[str, Any]) -> Resumption:
        if self.run_trigger is None:
            return self._given(instance, deferral, f"{_named(deferral)}, but no trigger runs here")
        request = m.RunTrigger(ti=instance, classpath=deferral.classpath, trigger_kwargs=dict(arguments))
        report: m.TriggerFired | m.TriggerFailed | None = None
        # A process takes the time that it takes, which is the clock's time too while it works.
        with anyio.move_on_after(_patience(deferral)):
            report = await self.run_trigger(request)
        if report is None:
            return after_timeout()
        if isinstance(report, m.TriggerFired):
            return _fired(deferral, report)
        if report.is_missing:
            return self._given(instance, deferral, report.error)
        return after_failure(report.traceback or [report.error])

    def _given(self, instance: m.TaskInstance, deferral: m.DeferTask, why: str) -> Resumption:
        """Take the event that was given in place of a trigger that cannot be kept here, for which `why` is a sentence."""
        given = self.events.next_for(instance.task_id)
        if given is not None:
            return with_event(deferral.next_method, deferral.next_kwargs, given[0])
        instead = f"or give the event that it would send: --trigger-event '{instance.task_id}=JSON'"
        return End(state=FAILED, reason=f"{why}; {instead}")


def _named(deferral: m.DeferTask) -> str:
    return f"deferred to {deferral.classpath!r}"


def _fired(deferral: m.DeferTask, report: m.TriggerFired) -> Resumption:
    if report.task_instance_state is None:
        return with_event(deferral.next_method, deferral.next_kwargs, report.payload)
    return End(
        state=report.task_instance_state,
        reason=f"ended by its trigger {deferral.classpath!r}",
        may_retry=True,
        xcoms=report.xcoms or {},
    )


def _patience(deferral: m.DeferTask) -> float | None:
    return None if deferral.trigger_timeout is None else max(0.0, deferral.trigger_timeout.total_seconds())


def _texts(name: str, value: Any) -> list[str]:
    found = serde.deserialize(value) or ()
    if not isinstance(found, list | tuple):
        raise _UnusableError(f"its {name} are {found!r}, not a list")
    return [str(item) for item in found]


def _arguments(deferral: m.DeferTask) -> Mapping[str, Any]:
    """The trigger's arguments, each in Airflow's encoding."""
    given: Any = deferral.trigger_kwargs or {}
    if isinstance(given, str):
        # Airflow takes what does not begin like this for encrypted.
        try:
            given = json.loads(given) if given.startswith("{") else None
        except ValueError as error:
            raise _UnusableError(f"its arguments are no JSON: {error}") from error
    if isinstance(given, dict) and serde.OLD_TYPE in given and serde.OLD_DATA in given:
        given = given[serde.OLD_DATA]
    if not isinstance(given, dict):
        raise _UnusableError("its arguments cannot be read: they are encrypted, or no mapping")
    return given
