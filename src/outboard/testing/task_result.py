"""What a test learns of one try of a task: plain values, the same however the task was run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

import attrs

from outboard.sdk.connection import Connection

__all__ = ("Deferral", "HumanInput", "RemoteTaskError", "TaskResult", "TriggeredRun")

R_co = TypeVar("R_co", covariant=True)

_NONE: Mapping[str, Any] = {}


class RemoteTaskError(Exception):
    """What a task raised in a process of its own, where the exception itself has stayed.

    Attributes:
        type_name: the name of its class; empty if the log does not tell.
        chain: it and what it came from, as in a log record: ``{"exc_type", "exc_value", "frames", …}`` each.
    """

    def __init__(self, text: str, type_name: str = "", chain: tuple[Mapping[str, Any], ...] = ()) -> None:
        super().__init__(text)
        self.type_name = type_name
        self.chain = chain


@attrs.frozen(kw_only=True)
class Deferral:
    """What a deferred task waits for, and how it wants to go on.

    Attributes:
        classpath: of the trigger's class.
        trigger_kwargs: what the trigger is made with.
        timeout: how long it may take to fire; None for as long as it takes.
        next_method: the method to go on with.
        next_kwargs: what that gets besides the context and the event.
    """

    classpath: str
    trigger_kwargs: Mapping[str, Any]
    timeout: timedelta | None
    next_method: str
    next_kwargs: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class HumanInput:
    """What a task asks a person, and how it wants to go on.

    Attributes:
        subject, body: the question; the subject is empty if the task waits without having asked.
        options: what can be chosen.
        defaults: what is chosen when nobody answers in time; None for nothing.
        multiple: whether several options can be chosen.
        params: further values to be filled in, by name.
        assigned_users: the ids of those who may answer; empty for everybody.
        timeout: how long it waits; None for as long as it takes.
        next_method, next_kwargs: as in `Deferral`.
    """

    subject: str = ""
    body: str | None = None
    options: tuple[str, ...] = ()
    defaults: tuple[str, ...] | None = None
    multiple: bool = False
    params: Mapping[str, Any] = _NONE
    assigned_users: tuple[str, ...] = ()
    timeout: timedelta | None
    next_method: str
    next_kwargs: Mapping[str, Any]


@attrs.frozen(kw_only=True)
class TriggeredRun:
    """A run of another Dag that the task has asked for. Attributes as in Airflow's API."""

    dag_id: str
    run_id: str
    conf: Mapping[str, Any]
    logical_date: datetime | None
    run_after: datetime | None
    reset_dag_run: bool
    note: str | None


@attrs.frozen(kw_only=True, repr=False, eq=False)
class TaskResult(Generic[R_co]):
    """How one try of a task ended, what it said, and what it left.

    Attributes:
        state: ``success``, ``failed``, ``up_for_retry``, ``skipped``, ``deferred``, ``up_for_reschedule``,
            ``awaiting_input`` or ``removed``.
        reason: one sentence: what decided the state.
        value: what the body returned. From a process of its own it comes as the XCom that other tasks would get.
        exception: what made the task fail; None if it did not.
        xcoms: the XComs of the task, by key, as other tasks would get them.
        variables, connections: all that there are afterwards.
        log: the records of the task in their order: ``{"event", "level", "logger", "timestamp", …}`` each.
        skipped: the tasks behind it that are skipped: ids, or pairs of id and map index.
        deferral: what it waits for, if it is deferred.
        human_input: what it asks, if it awaits input.
        reschedule_date: when it wants to be run again, if it is put off.
        retry_delay: after how long it wants to be tried again, where its retry policy says so.
        retry_reason: why it fails, or is tried again, where its retry policy says so.
        triggered_runs: the runs of other Dags that it has asked for.
        rendered_fields: its templates as they were rendered.
    """

    state: str
    reason: str
    value: R_co | None = None
    exception: BaseException | None = None
    xcoms: Mapping[str, Any] = _NONE
    variables: Mapping[str, str | None] = _NONE
    connections: Mapping[str, Connection] = _NONE
    log: tuple[Mapping[str, Any], ...] = ()
    skipped: tuple[str | tuple[str, int], ...] = ()
    deferral: Deferral | None = None
    human_input: HumanInput | None = None
    reschedule_date: datetime | None = None
    retry_delay: timedelta | None = None
    retry_reason: str | None = None
    triggered_runs: tuple[TriggeredRun, ...] = ()
    rendered_fields: Mapping[str, Any] = _NONE

    @property
    def text(self) -> str:
        """What the task said: the text of each record, a line each."""
        return "\n".join(str(record["event"]) for record in self.log)

    @property
    def error(self) -> str:
        """The exception in one line, such as ``ValueError: no rows``; empty if there was none."""
        if self.exception is None or isinstance(self.exception, RemoteTaskError):
            return "" if self.exception is None else str(self.exception)
        from outboard.runtime.tracebacks import message_of

        return f"{type(self.exception).__name__}: {message_of(self.exception)}"

    def __repr__(self) -> str:
        # What a failed assertion shows: why the task is in another state than expected, and nothing that is empty.
        shown = {"value": self.value, "error": self.error or None, "skipped": self.skipped or None}
        shown |= {name: getattr(self, name) for name in ("deferral", "human_input", "reschedule_date")}
        parts = [f"state={self.state!r}", *(f"{name}={value!r}" for name, value in shown.items() if value is not None)]
        return f"TaskResult({', '.join(parts)})"
