"""What a retry policy can decide: what happens after a failure, after how long, and why.

Knows what goes together. Must not know how a decision is come by, nor what is told to a supervisor.
"""

from __future__ import annotations

from datetime import timedelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from typing import Any, ClassVar

__all__ = ("MAX_REASON", "RetryAction", "RetryDecision", "kept_reason", "limit_reached")

MAX_REASON = 500
"""How many characters of a reason Airflow keeps."""


class _Actions(type):
    """Lets the class be asked for its members, as an enumeration can be, without importing one."""

    _members: dict[str, RetryAction]

    def __call__(cls, value: object) -> RetryAction:
        for member in cls._members.values():
            if value is member or member.value == value:
                return member
        raise ValueError(f"{value!r} is no RetryAction; there are {', '.join(repr(each.value) for each in cls)}")

    def __getitem__(cls, name: str) -> RetryAction:
        return cls._members[name]

    def __iter__(cls) -> Iterator[RetryAction]:
        return iter(cls._members.values())

    def __len__(cls) -> int:
        return len(cls._members)

    def __contains__(cls, value: object) -> bool:
        return any(value is member or member.value == value for member in cls._members.values())


class RetryAction(metaclass=_Actions):
    """What happens after a failure. Its members behave as those of Airflow's enumeration do.

    Attributes:
        RETRY: try again, if the task has retries left: a policy cannot go beyond them.
        FAIL: fail now, whatever retries are left.
        DEFAULT: what happens without a policy.
        RESCHEDULE: put the task off, without using up a retry, within bounds.
        name, value: of a member, such as ``"RETRY"`` and ``"retry"``.
    """

    __slots__ = ("name", "value")

    RETRY: ClassVar[RetryAction]
    FAIL: ClassVar[RetryAction]
    DEFAULT: ClassVar[RetryAction]
    RESCHEDULE: ClassVar[RetryAction]

    name: str
    value: str

    if TYPE_CHECKING:

        def __init__(self, value: object) -> None: ...

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{self} cannot be changed")

    def __repr__(self) -> str:
        return f"<RetryAction.{self.name}: {self.value!r}>"

    def __str__(self) -> str:
        return f"RetryAction.{self.name}"

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return self is other

    def __reduce__(self) -> tuple[Any, ...]:
        return RetryAction, (self.value,)


def _member(value: str) -> RetryAction:
    made = object.__new__(RetryAction)
    object.__setattr__(made, "name", value.upper())
    object.__setattr__(made, "value", value)
    return made


RetryAction._members = {value.upper(): _member(value) for value in ("retry", "fail", "default", "reschedule")}
for _name, _action in RetryAction._members.items():
    setattr(RetryAction, _name, _action)


class Fields:
    """A value that is made of its fields: equal to others with equal ones, and shown by them."""

    __slots__ = ()

    _fields: ClassVar[tuple[str, ...]] = ()

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if type(other) is type(self) else NotImplemented

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in zip(self._fields, self._values(), strict=True))
        return f"{type(self).__name__}({', '.join(shown)})"

    def _values(self) -> tuple[Any, ...]:
        return tuple([getattr(self, name) for name in self._fields])


class RetryDecision(Fields):
    """What a policy has decided about one failure. Cannot be changed.

    Attributes:
        action: what is to happen.
        retry_delay: how long to wait before that; None for the task's own ``retry_delay``.
        reason: why, for people; logged, and kept by Airflow up to `MAX_REASON` characters.
        max_reschedules: for RESCHEDULE: how often a try is put off before its retries decide; whatever put it off counts.
        reschedule_timeout: for RESCHEDULE: how long after it was first put off that is so.

    Raises:
        TypeError: one of them is of the wrong type.
        ValueError: RESCHEDULE without a bound, or a bound without RESCHEDULE, or one that is below one.
    """

    __slots__ = _fields = ("action", "retry_delay", "reason", "max_reschedules", "reschedule_timeout")

    action: RetryAction
    retry_delay: timedelta | None
    reason: str | None
    max_reschedules: int | None
    reschedule_timeout: timedelta | None

    def __init__(
        self,
        action: RetryAction = RetryAction.DEFAULT,
        retry_delay: timedelta | None = None,
        reason: str | None = None,
        max_reschedules: int | None = None,
        reschedule_timeout: timedelta | None = None,
    ) -> None:
        check_parts(action, retry_delay, max_reschedules, reschedule_timeout)
        for name, value in zip(
            self._fields, (action, retry_delay, reason, max_reschedules, reschedule_timeout), strict=True
        ):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a decision cannot be changed; make another one, with another {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a decision cannot be changed; make another one, without {name}")

    def __hash__(self) -> int:
        return hash(self._values())

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._values()

    @classmethod
    def fail(cls, reason: str | None = None) -> RetryDecision:
        """Fail now, whatever retries are left."""
        return cls(RetryAction.FAIL, reason=reason)

    @classmethod
    def retry(cls, delay: timedelta | None = None, reason: str | None = None) -> RetryDecision:
        """Try again if there are retries left, after a delay of its own if one is given."""
        return cls(RetryAction.RETRY, delay, reason)

    @classmethod
    def reschedule(
        cls,
        delay: timedelta | None = None,
        *,
        max_reschedules: int | None = None,
        reschedule_timeout: timedelta | None = None,
        reason: str | None = None,
    ) -> RetryDecision:
        """Put the task off without using up a retry, until one of the bounds is reached."""
        return cls(RetryAction.RESCHEDULE, delay, reason, max_reschedules, reschedule_timeout)

    @classmethod
    def default(cls) -> RetryDecision:
        """What happens without a policy."""
        return cls()


def check_parts(
    action: object, retry_delay: object, max_reschedules: int | None, reschedule_timeout: timedelta | None
) -> None:
    """Refuse what does not go together; see `RetryDecision`."""
    if not isinstance(action, RetryAction):
        raise TypeError(f"the action is one of {', '.join(map(str, RetryAction))}, not {action!r}")
    for name, delay in (("retry_delay", retry_delay), ("reschedule_timeout", reschedule_timeout)):
        if delay is not None and not isinstance(delay, timedelta):
            raise TypeError(f"{name} is a timedelta, not {delay!r}")
    bounds = (max_reschedules, reschedule_timeout)
    if action is not RetryAction.RESCHEDULE:
        if bounds != (None, None):
            raise ValueError(
                f"max_reschedules and reschedule_timeout are bounds of RetryAction.RESCHEDULE, not of {action}"
            )
        return
    if bounds == (None, None):
        raise ValueError(f"{action} would go on for ever; give max_reschedules, reschedule_timeout, or both")
    if max_reschedules is not None and max_reschedules < 1:
        raise ValueError(f"max_reschedules is at least 1, not {max_reschedules}")
    if reschedule_timeout is not None and reschedule_timeout <= timedelta(0):
        raise ValueError(f"reschedule_timeout is positive, unlike {reschedule_timeout}")


def limit_reached(
    decision: RetryDecision, *, reschedules: int, first_reschedule: datetime | None, now: datetime
) -> str | None:
    """The bound at which a task is not put off once more, so that its retries decide; None for none.

    Args:
        decision: a decision to put the task off.
        reschedules: how often this try has been put off.
        first_reschedule: when this try began that was first put off; None if it never was.
        now: the time.
    """
    if decision.max_reschedules is not None and reschedules >= decision.max_reschedules:
        return f"max_reschedules={decision.max_reschedules}"
    timeout = decision.reschedule_timeout
    if timeout is not None and first_reschedule is not None and now - first_reschedule >= timeout:
        return f"reschedule_timeout={timeout}"
    return None


def kept_reason(reason: str | None) -> str | None:
    """As much of a reason as Airflow keeps. Secrets must be masked before, or half of one might be left."""
    return None if reason is None else reason[:MAX_REASON]
