"""What a deferred task waits for, under the names that ``airflow.triggers`` and Airflow's standard provider use.

A trigger travels as the path of its class and keyword arguments, and runs elsewhere: in Airflow's triggerer, or under
outboard's supervisor. So nothing here waits or reads a clock; this module knows how a trigger is written down.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime, timedelta, timezone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from typing import Any, NoReturn

__all__ = (
    "DATE_TIME_TRIGGER",
    "TIME_DELTA_TRIGGER",
    "BaseTaskEndEvent",
    "BaseTrigger",
    "DateTimeTrigger",
    "NamedTrigger",
    "TaskFailedEvent",
    "TaskSkippedEvent",
    "TaskSuccessEvent",
    "TimeDeltaTrigger",
    "TriggerEvent",
)

# Airflow's own classes: a stock triggerer has them.
DATE_TIME_TRIGGER = "airflow.providers.standard.triggers.temporal.DateTimeTrigger"
TIME_DELTA_TRIGGER = "airflow.providers.standard.triggers.temporal.TimeDeltaTrigger"


class TriggerEvent:
    """What a trigger yields when that has come about which it waits for.

    Attributes:
        payload: what the resumed method gets as its argument ``event``: JSON, or anything else that an XCom can hold.
    """

    def __init__(self, payload: Any) -> None:
        self.payload = payload

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment]  # the payload may be a list or a dict

    def __repr__(self) -> str:
        return f"TriggerEvent<{self.payload!r}>"


class BaseTaskEndEvent(TriggerEvent):
    """The root of the events that end the task at once, without resuming it.

    Attributes:
        task_instance_state: the state in which it ends.
        xcoms: what to push for it: JSON values by key.
    """

    task_instance_state = ""

    def __init__(self, *, xcoms: dict[str, Any] | None = None) -> None:
        super().__init__(self.task_instance_state)
        self.xcoms = xcoms


class TaskSuccessEvent(BaseTaskEndEvent):
    """Ends the task as a success."""

    task_instance_state = "success"


class TaskFailedEvent(BaseTaskEndEvent):
    """Ends the task as a failure; it is tried again if a retry is left."""

    task_instance_state = "failed"


class TaskSkippedEvent(BaseTaskEndEvent):
    """Ends the task as skipped."""

    task_instance_state = "skipped"


class BaseTrigger(ABC):
    """The root of an author's own triggers.

    The class must be importable by its path wherever the trigger runs: in the triggerer under Airflow, from the bundle under
    outboard's supervisor.

    Attributes:
        task_instance: the task instance that waits; set before `run`.
    """

    def __init__(self, **kwargs: Any) -> None:
        self.task_instance: Any = None

    @abstractmethod
    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The path of the class, such as ``"package.module.Class"``, and the keyword arguments that make this trigger anew."""

    @abstractmethod
    def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, as an asynchronous generator, and yield a `TriggerEvent`. The first one resumes the task."""

    async def cleanup(self) -> None:  # noqa: B027  # there is nothing that everybody must give back
        """Give back what `run` holds; awaited at its end, whatever that was."""

    async def on_kill(self) -> None:  # noqa: B027
        """Stop what was started elsewhere; awaited by Airflow when somebody ends the waiting task by hand."""

    def __repr__(self) -> str:
        classpath, kwargs = self.serialize()
        return f"<{classpath} {', '.join(f'{name}={value}' for name, value in kwargs.items())}>"


class _RunsElsewhere(BaseTrigger):
    def run(self) -> NoReturn:
        raise NotImplementedError(f"{self.serialize()[0]} is run by Airflow's triggerer, or by outboard's supervisor")


class DateTimeTrigger(_RunsElsewhere):
    """Fires at a moment, with the moment as its payload.

    Args:
        moment: an aware datetime.
        target_time: in its place, an aware datetime or its ISO 8601 text.
        end_from_trigger: whether the task ends as a success then, in place of being resumed.

    Raises:
        TypeError: neither of both, both, or no datetime.
        ValueError: the moment is naive.
    """

    def __init__(
        self,
        moment: datetime | None = None,
        *,
        target_time: datetime | str | None = None,
        end_from_trigger: bool = False,
    ) -> None:
        super().__init__()
        if (moment is None) == (target_time is None):
            raise TypeError("DateTimeTrigger takes either a moment or a target_time")
        if moment is not None and not isinstance(moment, datetime):
            raise TypeError(f"the moment of a DateTimeTrigger is a datetime, not {moment!r}")
        for given in (moment, target_time):
            if isinstance(given, datetime) and given.tzinfo is None:
                raise ValueError(
                    f"a DateTimeTrigger needs a time zone, but {given} is naive; give it one, such as timezone.utc"
                )
        self.moment = None if moment is None else moment.astimezone(timezone.utc)
        self.target_time = target_time
        self.end_from_trigger = end_from_trigger

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow's own class of that name takes it."""
        when = {"target_time": self.target_time} if self.moment is None else {"moment": self.moment}
        return DATE_TIME_TRIGGER, {**when, "end_from_trigger": self.end_from_trigger}


class TimeDeltaTrigger(_RunsElsewhere):
    """Fires when a time has passed, with the moment at which it did as its payload.

    Written down as it is, it counts from when a triggerer takes it up, again after each restart of the triggerer; `starting_at`
    makes it count from a moment.

    Args:
        delta: how long to wait.
        end_from_trigger: whether the task ends as a success then, in place of being resumed.
    """

    def __init__(self, delta: timedelta, *, end_from_trigger: bool = False) -> None:
        super().__init__()
        if not isinstance(delta, timedelta):
            raise TypeError(f"the delta of a TimeDeltaTrigger is a timedelta, not {delta!r}")
        self.delta = delta
        self.end_from_trigger = end_from_trigger

    def starting_at(self, now: datetime) -> DateTimeTrigger:
        """The trigger for the moment that lies the time after `now`, which is aware."""
        return DateTimeTrigger(now + self.delta, end_from_trigger=self.end_from_trigger)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """As Airflow's own class of that name takes it."""
        return TIME_DELTA_TRIGGER, {"delta": self.delta, "end_from_trigger": self.end_from_trigger}


class NamedTrigger(_RunsElsewhere):
    """Any trigger that is installed where it runs, by the path of its class, so that the task needs none of it.

    Args:
        classpath: such as ``"airflow.providers.http.triggers.http.HttpTrigger"``.
        kwargs: its keyword arguments.
    """

    def __init__(self, classpath: str, kwargs: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        if "." not in classpath:
            raise ValueError(f"the path of a trigger's class is like 'package.module.Class', not {classpath!r}")
        self.classpath = classpath
        self.kwargs = dict(kwargs or {})

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """What it was made of."""
        return self.classpath, dict(self.kwargs)
