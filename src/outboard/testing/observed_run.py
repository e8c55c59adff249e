"""The runtime's own run of a task, watched: what the body returned or raised, and time that passes without anybody waiting.

Everything else is `outboard.runtime.task_runner.TaskRun`, unchanged.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from outboard.comms.channel import Channel
from outboard.protocol.messages import Message, StartupDetails
from outboard.runtime.client import ChannelClient
from outboard.runtime.logs import Logs
from outboard.runtime.signals import Signals
from outboard.runtime.task_runner import TaskRun
from outboard.sdk.context import Context
from outboard.sdk.exceptions import AirflowSkipException
from outboard.sdk.operator import BaseOperator

if TYPE_CHECKING:
    from outboard.runtime.bundle import Bundle

__all__ = ("LONGEST_WAIT", "ObservedRun")

LONGEST_WAIT = 366 * 24 * 60 * 60.0
"""Seconds that a body may wait in all. No sensor waits for as long, and a loop that never ends has to."""

# Modules whose exceptions are a word to whoever runs the test, not an end of the task: a debugger that is left, an example
# that does not fit, a test that is to be skipped.
_OF_TESTS = ("bdb", "hypothesis", "unittest")


class ObservedRun(TaskRun):
    """One try of a task, from the greeting to what follows the report.

    Args:
        now: what the task's clock shows until it waits; None for the time that it is.

    Attributes:
        value: what the body returned.
        exception: what made the task fail.
    """

    def __init__(
        self,
        details: StartupDetails,
        bundle: Bundle,
        channel: Channel,
        logs: Logs,
        signals: Signals,
        *,
        now: datetime | None,
    ) -> None:
        super().__init__(details, bundle, channel, logs, signals)
        self._client = _UnhurriedClient(channel, logs, bundle.is_authors, now)
        self.value: Any = None
        self.exception: BaseException | None = None

    def run_to_its_end(self) -> None:
        """Run the task, report, and do what follows the report."""
        report = self.run()
        self._logs.flush()
        self._channel.report(report)
        self.finish()

    def _push_result(self, result: Any) -> None:
        super()._push_result(result)
        self.value = result

    def _within_its_time(self, operator: BaseOperator, context: Context) -> Any:
        with _alarm_kept():
            return super()._within_its_time(operator, context)

    def _conclude(self, error: BaseException) -> Message:
        if _is_the_tests(error):
            raise error
        return super()._conclude(error)

    def _failed(self, error: BaseException) -> Message:
        self.exception = None if isinstance(error, AirflowSkipException) else error
        return super()._failed(error)


def _is_the_tests(error: BaseException) -> bool:
    pytest = sys.modules.get("pytest")
    words = (pytest.fail.Exception, pytest.skip.Exception, pytest.exit.Exception) if pytest is not None else ()
    return isinstance(error, (KeyboardInterrupt, *words)) or type(error).__module__.partition(".")[0] in _OF_TESTS


class _UnhurriedClient(ChannelClient):
    """Its clock is the machine's, or stands still where a test says what it shows. It leaps when somebody waits."""

    def __init__(self, channel: Channel, logs: Logs, is_authors: Callable[[str], bool], now: datetime | None) -> None:
        super().__init__(channel, logs, is_authors)
        self._time = now
        self._waited = 0.0

    def now(self) -> datetime:
        return (self._time or datetime.now(UTC)) + timedelta(seconds=self._waited)

    def monotonic(self) -> float:
        return time.monotonic() + self._waited

    def sleep(self, seconds: float) -> None:
        self._waited += seconds
        if self._waited > LONGEST_WAIT:
            raise RuntimeError("the task has waited for more than a year, and would not have ended")


@contextmanager
def _alarm_kept() -> Iterator[None]:
    """Let an alarm of the test's, such as its timeout, ring in spite of the task's own: there is one in a process."""
    left, interval = signal.getitimer(signal.ITIMER_REAL)
    started = time.monotonic()
    try:
        yield
    finally:
        if left and not any(signal.getitimer(signal.ITIMER_REAL)):
            due = left - (time.monotonic() - started)
            signal.setitimer(signal.ITIMER_REAL, max(due, 0.001), interval)
