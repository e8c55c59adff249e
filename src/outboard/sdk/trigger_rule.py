"""When a task may start, as a function of how its upstream tasks ended. Names only; schedulers give them their meaning."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import ClassVar

__all__ = ("TriggerRule",)

_RULES = (
    "all_success",
    "all_failed",
    "all_done",
    "all_done_min_one_success",
    "all_done_setup_success",
    "one_success",
    "one_failed",
    "one_done",
    "none_failed",
    "none_skipped",
    "always",
    "none_failed_min_one_success",
    "all_skipped",
)


class TriggerRule(str):
    """A trigger rule; a string that also answers ``.value`` and ``.name`` as a member of Airflow's enum does.

    Raises:
        ValueError: `value` is no rule.
    """

    __slots__ = ()

    ALL_SUCCESS: ClassVar[TriggerRule]
    ALL_FAILED: ClassVar[TriggerRule]
    ALL_DONE: ClassVar[TriggerRule]
    ALL_DONE_MIN_ONE_SUCCESS: ClassVar[TriggerRule]
    ALL_DONE_SETUP_SUCCESS: ClassVar[TriggerRule]
    ONE_SUCCESS: ClassVar[TriggerRule]
    ONE_FAILED: ClassVar[TriggerRule]
    ONE_DONE: ClassVar[TriggerRule]
    NONE_FAILED: ClassVar[TriggerRule]
    NONE_SKIPPED: ClassVar[TriggerRule]
    ALWAYS: ClassVar[TriggerRule]
    NONE_FAILED_MIN_ONE_SUCCESS: ClassVar[TriggerRule]
    ALL_SKIPPED: ClassVar[TriggerRule]

    def __new__(cls, value: str) -> TriggerRule:  # noqa: D102  # the class says it
        if value not in _RULES:
            raise ValueError(f"{value!r} is no trigger rule; the rules are {', '.join(_RULES)}")
        return str.__new__(cls, value)

    @property
    def value(self) -> str:
        """The rule as a plain string."""
        return str.__str__(self)

    @property
    def name(self) -> str:
        """The name of the constant."""
        return self.value.upper()


for _rule in _RULES:
    setattr(TriggerRule, _rule.upper(), TriggerRule(_rule))
