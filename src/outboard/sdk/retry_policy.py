"""Retry policies: what happens after a failure, decided by what was raised.

A policy is declared with a task and asked in the process in which the task has failed, while the exception is at hand. A task
without one loads none of this. What may be decided stands in `outboard.sdk.retry_decision`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta

from outboard.sdk.client import current
from outboard.sdk.retry_decision import Fields, RetryAction, RetryDecision, check_parts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, TypeAlias

    from typing_extensions import Self

    from outboard.sdk.context import Context

    ExceptionSpec: TypeAlias = type[BaseException] | str

__all__ = ("ChainRetryPolicy", "ExceptionRetryPolicy", "RetryAction", "RetryDecision", "RetryPolicy", "RetryRule")


class RetryPolicy(ABC):
    """Decides what happens after a failure. To be subclassed."""

    @abstractmethod
    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """Decide about a failure.

        Not asked about `AirflowFailException` and `AirflowSensorTimeout`, after which no task is tried again. What it raises is
        logged, and taken for `RetryDecision.default`.

        Args:
            exception: what was raised.
            try_number: which try that was, counted from 1.
            max_tries: how many tries there may be after the first.
            context: of the run.
        """

    def serialize(self) -> dict[str, Any]:
        """Its configuration as data that `json` takes.

        Raises:
            NotImplementedError: a class does not override this. Nothing but the author needs it.
        """
        raise NotImplementedError(f"{type(self).__name__} has no serialize() of its own")

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> RetryPolicy:
        """The policy that `serialize` told of.

        Raises:
            NotImplementedError: a class does not override this.
        """
        raise NotImplementedError(f"{cls.__name__} has no deserialize() of its own")


class RetryRule(Fields):
    """What happens after some kinds of exceptions.

    Attributes:
        exception: the kind, as a class or by the dotted path of one, or a list of these. A path is imported when there is an
            exception to compare, so it costs nothing before.
        match_subclasses: whether exceptions of derived classes count.
        action, retry_delay, reason, max_reschedules, reschedule_timeout: the decision, see `RetryDecision`.

    Raises:
        TypeError: no class of an exception and no path, or a part of the decision of the wrong type.
        ValueError: a path without a dot, or parts of a decision that do not go together.
    """

    _fields = (
        *("exception", "action", "retry_delay", "reason", "match_subclasses", "max_reschedules", "reschedule_timeout"),
    )

    def __init__(
        self,
        exception: ExceptionSpec | list[ExceptionSpec],
        action: RetryAction = RetryAction.RETRY,
        retry_delay: timedelta | None = None,
        reason: str | None = None,
        match_subclasses: bool = True,
        max_reschedules: int | None = None,
        reschedule_timeout: timedelta | None = None,
    ) -> None:
        check_parts(action, retry_delay, max_reschedules, reschedule_timeout)
        self.exception = exception
        self.action = action
        self.retry_delay = retry_delay
        self.reason = reason
        self.match_subclasses = match_subclasses
        self.max_reschedules = max_reschedules
        self.reschedule_timeout = reschedule_timeout
        self._classes: tuple[type[BaseException], ...] | None = None
        if not self._specs:
            raise ValueError("a RetryRule is about at least one kind of exception")
        for spec in self._specs:
            _check_spec(spec)

    @property
    def _specs(self) -> list[ExceptionSpec]:
        return list(self.exception) if isinstance(self.exception, (list, tuple)) else [self.exception]

    @property
    def exception_path(self) -> str:
        """The dotted paths of the kinds, with commas between them."""
        return ",".join(map(_path_of, self._specs))

    def matches(self, exc: BaseException) -> bool:
        """Whether an exception is of one of the kinds. A path that leads nowhere is told in the log, and matches nothing."""
        if self._classes is None:
            found = [spec if isinstance(spec, type) else _imported(spec) for spec in self._specs]
            self._classes = tuple([kind for kind in found if kind is not None])
        return isinstance(exc, self._classes) if self.match_subclasses else type(exc) in self._classes

    def decide(self, exc: BaseException) -> RetryDecision:
        """The decision about an exception that matches."""
        reason = self.reason or f"Matched rule for {type(exc).__name__}"
        return RetryDecision(self.action, self.retry_delay, reason, self.max_reschedules, self.reschedule_timeout)

    def serialize(self) -> dict[str, Any]:
        """The rule as data that `json` takes; delays in seconds."""
        paths = [_path_of(spec) for spec in self._specs]
        timeout = self.reschedule_timeout
        optional = {
            "retry_delay": None if self.retry_delay is None else self.retry_delay.total_seconds(),
            "reason": self.reason,
            "max_reschedules": self.max_reschedules,
            "reschedule_timeout": None if timeout is None else timeout.total_seconds(),
        }
        return {
            "exception": paths if len(paths) > 1 else paths[0],
            "action": self.action.value,
            "match_subclasses": self.match_subclasses,
            **{name: value for name, value in optional.items() if value is not None},
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """The rule that `serialize` told of."""
        return cls(
            data["exception"],
            RetryAction(data["action"]),
            _seconds(data.get("retry_delay")),
            data.get("reason"),
            data.get("match_subclasses", True),
            data.get("max_reschedules"),
            _seconds(data.get("reschedule_timeout")),
        )


class ExceptionRetryPolicy(RetryPolicy):
    """Decides by rules: the first that matches counts.

    Attributes:
        rules: in the order in which they are looked at.
        default: what happens where none matches; not RESCHEDULE, which takes bounds.
    """

    def __init__(self, rules: list[RetryRule], default: RetryAction = RetryAction.DEFAULT) -> None:
        if default is RetryAction.RESCHEDULE:
            raise ValueError(
                f"{default} takes bounds, so it cannot be the default; write a RetryRule for Exception, last"
            )
        check_parts(default, None, None, None)
        self.rules = rules
        self.default = default

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """What the first rule says that matches the exception."""
        for rule in self.rules:
            if rule.matches(exception):
                return rule.decide(exception)
        return RetryDecision(self.default)

    def serialize(self) -> dict[str, Any]:
        """The rules as data that `json` takes."""
        return {
            "__type": "ExceptionRetryPolicy",
            "rules": [rule.serialize() for rule in self.rules],
            "default": self.default.value,
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """The policy that `serialize` told of."""
        rules = [RetryRule.deserialize(rule) for rule in data["rules"]]
        return cls(rules, RetryAction(data.get("default", "default")))


class ChainRetryPolicy(RetryPolicy):
    """Asks policies in turn: the first that decides anything but DEFAULT counts.

    A policy that raises an ordinary exception, or whose answer is no `RetryDecision`, is told in the log and passed over. The
    reason says who decided, and what those before had to say.

    Attributes:
        policies: in the order in which they are asked; at least one.
    """

    def __init__(self, policies: Sequence[RetryPolicy]) -> None:
        if isinstance(policies, RetryPolicy):
            raise TypeError("ChainRetryPolicy takes a list of policies; put the one into a list")
        self.policies = list(policies)
        if not self.policies:
            raise ValueError("ChainRetryPolicy takes at least one policy")
        for position, policy in enumerate(self.policies):
            if not isinstance(policy, RetryPolicy):
                raise TypeError(f"policies[{position}] is a RetryPolicy, not {policy!r}")

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Context | None = None
    ) -> RetryDecision:
        """What the first policy says that takes a position."""
        said: list[str] = []
        for policy in self.policies:
            name = type(policy).__name__
            try:
                decision: Any = policy.evaluate(
                    exception=exception, try_number=try_number, max_tries=max_tries, context=context
                )
            except Exception as error:
                _warn(f"{name} raised {type(error).__name__}: {error}; the next policy is asked")
                said.append(f"{name}: raised {type(error).__name__}")
                continue
            if not isinstance(decision, RetryDecision):
                _warn(f"{name} answered {decision!r} where a RetryDecision is wanted; the next policy is asked")
                said.append(f"{name}: invalid decision")
            elif decision.action is RetryAction.DEFAULT:
                said.append(f"{name}: {decision.reason or 'no decision'}")
            else:
                return _with_reason(decision, name, said)
        return RetryDecision(reason=f"no policy decided ({'; '.join(said)})")


def _with_reason(decision: RetryDecision, name: str, said: list[str]) -> RetryDecision:
    reason = f"{name}: {decision.reason or decision.action.value}"
    if said:
        reason += f" (after {'; '.join(said)})"
    return RetryDecision(
        decision.action, decision.retry_delay, reason, decision.max_reschedules, decision.reschedule_timeout
    )


def _check_spec(spec: object) -> None:
    if isinstance(spec, str):
        module, _, name = spec.rpartition(".")
        if not module or not name:
            raise ValueError(f"an exception is named by a dotted path, such as 'builtins.ValueError', not by {spec!r}")
    elif not (isinstance(spec, type) and issubclass(spec, BaseException)):
        raise TypeError(f"an exception's class or the dotted path of one is wanted, not {spec!r}")


def _path_of(spec: ExceptionSpec) -> str:
    return spec if isinstance(spec, str) else f"{spec.__module__}.{spec.__qualname__}"


def _imported(path: str) -> type[BaseException] | None:
    module, _, name = path.rpartition(".")
    try:
        found = getattr(__import__(module, fromlist=(name,)), name)
    except (ImportError, AttributeError) as error:
        _warn(f"a retry rule is about {path}, which cannot be imported ({error}), so it matches nothing")
        return None
    if isinstance(found, type) and issubclass(found, BaseException):
        return found
    _warn(f"a retry rule is about {path}, which is no exception's class, so it matches nothing")
    return None


def _seconds(value: float | None) -> timedelta | None:
    return None if value is None else timedelta(seconds=value)


def _warn(text: str) -> None:
    try:
        current().say("warning", text)
    except RuntimeError:  # no task runs: somebody tries the policy out
        import warnings

        warnings.warn(text, stacklevel=3)
