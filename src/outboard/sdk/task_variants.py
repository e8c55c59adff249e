"""What type checkers see of the variants of ``@task`` that take more arguments than it does. Only they read most of this."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta
    from typing import ParamSpec, Protocol, TypeVar, overload

    from typing_extensions import Unpack

    from outboard.sdk.task import DecoratedTask
    from outboard.sdk.task_arguments import TaskArguments

    P = ParamSpec("P")
    R = TypeVar("R")

    class ShortCircuitArguments(TaskArguments, total=False):
        """What ``@task.short_circuit(...)`` accepts."""

        ignore_downstream_trigger_rules: bool

    class SensorArguments(TaskArguments, total=False):
        """What ``@task.sensor(...)`` accepts."""

        poke_interval: timedelta | float
        timeout: timedelta | float | None
        soft_fail: bool
        mode: str
        exponential_backoff: bool
        max_wait: timedelta | float | None
        silent_fail: bool
        never_fail: bool

    class DecoratedShortCircuit(DecoratedTask[P, R]):
        """A function under ``@task.short_circuit``."""

        def override(self, **arguments: Unpack[ShortCircuitArguments]) -> DecoratedShortCircuit[P, R]: ...

    class DecoratedSensor(DecoratedTask[P, R]):
        """A function under ``@task.sensor``."""

        def override(self, **arguments: Unpack[SensorArguments]) -> DecoratedSensor[P, R]: ...

    class ShortCircuitDecorator(Protocol):
        """``@task.short_circuit``."""

        @overload
        def __call__(self, python_callable: Callable[P, R], /) -> DecoratedShortCircuit[P, R]: ...

        @overload
        def __call__(
            self, /, **arguments: Unpack[ShortCircuitArguments]
        ) -> Callable[[Callable[P, R]], DecoratedShortCircuit[P, R]]: ...

    class SensorDecorator(Protocol):
        """``@task.sensor``."""

        @overload
        def __call__(self, python_callable: Callable[P, R], /) -> DecoratedSensor[P, R]: ...

        @overload
        def __call__(
            self, /, **arguments: Unpack[SensorArguments]
        ) -> Callable[[Callable[P, R]], DecoratedSensor[P, R]]: ...


__all__ = ()
