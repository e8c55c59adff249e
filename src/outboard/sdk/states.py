"""The states of task instances and of Dag runs. Names only; servers give them their meaning."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

    from typing_extensions import Self

__all__ = ("DagRunState", "TaskInstanceState")


class _State(str):
    """A string that also answers ``.value`` and ``.name`` as a member of Airflow's enums does."""

    __slots__ = ()

    _kind: ClassVar[str]
    _values: ClassVar[tuple[str, ...]]

    def __new__(cls, value: str) -> Self:
        if value not in cls._values:
            raise ValueError(f"{value!r} is no state of a {cls._kind}; the states are {', '.join(cls._values)}")
        return str.__new__(cls, value)

    @property
    def value(self) -> str:
        """The state as a plain string."""
        return str.__str__(self)

    @property
    def name(self) -> str:
        """The name of the constant."""
        return self.value.upper()


class TaskInstanceState(_State):
    """The state of one instance of a task; None stands for one that nobody has looked at yet.

    Raises:
        ValueError: there is no such state.
    """

    __slots__ = ()

    _kind = "task"
    _values = (
        *("removed", "scheduled", "queued", "running", "success", "restarting", "failed", "up_for_retry"),
        *("up_for_reschedule", "upstream_failed", "skipped", "deferred", "awaiting_input"),
    )

    REMOVED: ClassVar[TaskInstanceState]
    SCHEDULED: ClassVar[TaskInstanceState]
    QUEUED: ClassVar[TaskInstanceState]
    RUNNING: ClassVar[TaskInstanceState]
    SUCCESS: ClassVar[TaskInstanceState]
    RESTARTING: ClassVar[TaskInstanceState]
    FAILED: ClassVar[TaskInstanceState]
    UP_FOR_RETRY: ClassVar[TaskInstanceState]
    UP_FOR_RESCHEDULE: ClassVar[TaskInstanceState]
    UPSTREAM_FAILED: ClassVar[TaskInstanceState]
    SKIPPED: ClassVar[TaskInstanceState]
    DEFERRED: ClassVar[TaskInstanceState]
    AWAITING_INPUT: ClassVar[TaskInstanceState]


class DagRunState(_State):
    """The state of a run of a Dag.

    Raises:
        ValueError: there is no such state.
    """

    __slots__ = ()

    _kind = "run"
    _values = ("queued", "running", "success", "failed")

    QUEUED: ClassVar[DagRunState]
    RUNNING: ClassVar[DagRunState]
    SUCCESS: ClassVar[DagRunState]
    FAILED: ClassVar[DagRunState]


for _class in (TaskInstanceState, DagRunState):
    for _value in _class._values:
        setattr(_class, _value.upper(), _class(_value))
