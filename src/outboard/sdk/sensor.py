"""Sensors: operators that look for something again and again until it is there, or until they have waited for too long.

Time is told and waited for by `outboard.sdk.client`. In the mode ``reschedule`` the process ends between two looks, so all
that counts then is the date at which the server says that the sensor first began.
"""

from __future__ import annotations

from datetime import timedelta

from outboard.sdk.client import current
from outboard.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferralTimeout,
)
from outboard.sdk.operator import BaseOperator
from outboard.sdk.python_operator import PythonCallable
from outboard.sdk.signature import is_coroutine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from typing import Any

    from outboard.sdk.context import Context


__all__ = ("BaseSensorOperator", "PokeReturnValue", "PythonSensor", "poke_mode_only")

# Airflow's own, for deployments that configure nothing else: a week, in seconds.
DEFAULT_TIMEOUT = 7 * 24 * 60 * 60.0

# Seconds before the last look of a sensor whose intervals grow: the time is up when more than the timeout has passed.
SHORTEST_WAIT = 1.0


class PokeReturnValue:
    """What `BaseSensorOperator.poke` may return instead of a bool.

    Attributes:
        is_done: whether what is waited for is there.
        xcom_value: the task's result, if it is.
    """

    __slots__ = ("is_done", "xcom_value")

    def __init__(self, is_done: bool, xcom_value: Any = None) -> None:
        self.is_done = is_done
        self.xcom_value = xcom_value

    def __bool__(self) -> bool:
        return self.is_done


class BaseSensorOperator(BaseOperator):
    """For sensors of the author's: override `poke`.

    Attributes:
        poke_interval: seconds between two looks.
        timeout: seconds from the first look after which the task fails, whatever retries are left; a look that is under way
            is finished first.
        mode: ``poke``, in which the process waits, or ``reschedule``, in which it ends between two looks.
        soft_fail: whether a failure, a timeout too, makes the task skipped instead.
        never_fail: whether any exception of `poke` makes the task skipped instead.
        silent_fail: whether an exception of `poke` is logged and the sensor looks again.
        exponential_backoff: whether the interval grows with each look.
        max_wait: the cap on the growing interval; a timedelta, or None.

    Raises:
        ValueError: an interval is negative or no time, the mode is unknown, or two arguments exclude one another.
    """

    ui_color = "#e6f1f2"
    valid_modes: Iterable[str] = ("poke", "reschedule")

    def __init__(
        self,
        *,
        poke_interval: timedelta | float = 60,
        timeout: timedelta | float | None = None,
        soft_fail: bool = False,
        mode: str = "poke",
        exponential_backoff: bool = False,
        max_wait: timedelta | float | None = None,
        silent_fail: bool = False,
        never_fail: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if soft_fail and never_fail:
            raise ValueError(f"{self.label}: soft_fail and never_fail exclude one another; choose one")
        self.poke_interval = self._seconds("poke_interval", poke_interval)
        self.timeout = self._seconds("timeout", DEFAULT_TIMEOUT if timeout is None else timeout)
        self.max_wait = None if max_wait is None else timedelta(seconds=self._seconds("max_wait", max_wait))
        self.soft_fail = soft_fail
        self.never_fail = never_fail
        self.silent_fail = silent_fail
        self.exponential_backoff = exponential_backoff
        self.mode = mode
        if self.mode not in self.valid_modes:
            raise ValueError(f"{self.label}: the mode is one of {', '.join(self.valid_modes)}, not {mode!r}")

    def _seconds(self, name: str, value: timedelta | float) -> float:
        seconds = value.total_seconds() if isinstance(value, timedelta) else value
        if type(seconds) not in (int, float) or not seconds >= 0:
            raise ValueError(f"{self.label}: {name} is a timedelta or a number of seconds from 0, not {value!r}")
        return seconds

    @property
    def reschedule(self) -> bool:
        """Whether the process ends between two looks."""
        return self.mode == "reschedule"

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Look whether what is waited for is there.

        Raises:
            NotImplementedError: a class does not override this.
        """
        raise NotImplementedError(f"{type(self).__name__} has no poke() of its own")

    def execute(self, context: Context) -> Any:
        """Look until it is there.

        Returns:
            The value that came with it, or None.

        Raises:
            AirflowRescheduleException: it is not there yet, and the process may end until the next look.
            AirflowSensorTimeout: it did not come in time.
            AirflowSkipException: the same, or an error, where that is to be no failure.
        """
        elapsed = self._stopwatch(context)
        looks = 0
        while True:
            looks += 1
            found = self._look(context)
            if found:
                return found.xcom_value if isinstance(found, PokeReturnValue) else None
            waited = elapsed()
            if waited > self.timeout:
                raise self._timed_out(waited)
            interval = self._next_interval(context, looks, waited)
            if self.reschedule:
                raise AirflowRescheduleException(current().now() + timedelta(seconds=interval))
            current().sleep(interval)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """See `BaseOperator.resume_execution`; a wait that took too long is a sensor's timeout."""
        try:
            try:
                return super().resume_execution(next_method, next_kwargs, context)
            except TaskDeferralTimeout as error:
                raise AirflowSensorTimeout(*error.args) from error
        except AirflowSkipException:
            raise
        except AirflowException as error:
            raise self._softened(error) from error

    def _stopwatch(self, context: Context) -> Callable[[], float]:
        client = current()
        if self.reschedule:
            began = context["ti"].get_first_reschedule_date(context) or client.now()
            return lambda: (client.now() - began).total_seconds()
        started = client.monotonic()
        return lambda: client.monotonic() - started

    def _look(self, context: Context) -> bool | PokeReturnValue:
        try:
            return self.poke(context)
        except AirflowSkipException:
            raise
        except (AirflowSensorTimeout, AirflowTaskTimeout, AirflowFailException) as error:
            raise self._softened(error) from error
        except Exception as error:
            if self.silent_fail:
                self.log.exception("the sensor looks again, in spite of this error")
                return False
            if self.never_fail:
                raise self._softened(error) from error
            raise

    def _softened(self, error: BaseException) -> BaseException:
        """The error, or the skip that it is to be."""
        if self.soft_fail or self.never_fail:
            which = "soft_fail" if self.soft_fail else "never_fail"
            return AirflowSkipException(f"skipped for {which}: {type(error).__name__}: {error}")
        return error

    def _timed_out(self, waited: float) -> BaseException:
        said = f"waited {waited:.1f} seconds in vain, of {self.timeout:g} that it may"
        return AirflowSkipException(said) if self.soft_fail else AirflowSensorTimeout(said)

    def _next_interval(self, context: Context, looks: int, waited: float) -> float:
        """Seconds until the next look."""
        if not self.exponential_backoff:
            return self.poke_interval
        seed = f"{self.dag_id}#{self.task_id}#{context['run_id']}"
        if self.reschedule:
            # Each process sees one look only; how many there were follows from the time that has passed.
            looks, past = 0, 0.0
            while past <= waited:
                looks += 1
                past += self._grown(looks, seed)
        interval = min(self._grown(looks, seed), max(SHORTEST_WAIT, self.timeout - int(waited)))
        return interval if self.max_wait is None else min(interval, self.max_wait.total_seconds())

    def _grown(self, looks: int, seed: str) -> float:
        """The interval before the next look: twice the last one, and up to twice that, so that not all sensors look at once."""
        from zlib import crc32

        exponent = min(looks - 2, 60)  # beyond it no sensor waits, and floats end
        shortest = max(int(self.poke_interval * 2.0**exponent), 1)
        return float(shortest + crc32(f"{seed}#{looks}".encode()) % shortest)


class PythonSensor(PythonCallable, BaseSensorOperator):
    """Looks by calling a function, whose true value, or `PokeReturnValue`, ends the wait.

    Args:
        python_callable: the function.
        op_args, op_kwargs: its arguments, with references to the results of other tasks in them.
        templates_dict: what it gets under this name, if it asks for it.
    """

    template_fields = ("templates_dict", "op_args", "op_kwargs")

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        templates_dict: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.take(python_callable, op_args, op_kwargs, templates_dict)
        if is_coroutine(python_callable):
            raise TypeError(f"{self.label}: a sensor's function is called, not awaited; make it a plain function")

    def poke(self, context: Context) -> PokeReturnValue:
        """Call the function."""
        found = self.call(context)
        return found if isinstance(found, PokeReturnValue) else PokeReturnValue(bool(found))


def poke_mode_only(cls: Any) -> Any:
    """Class decorator: such sensors wait in their process, and refuse the mode ``reschedule``.

    Raises:
        ValueError: it decorates no sensor.
    """
    if not (isinstance(cls, type) and issubclass(cls, BaseSensorOperator)):
        raise ValueError(f"poke_mode_only decorates classes of sensors, not {cls!r}")
    cls.valid_modes = ("poke",)
    return cls
