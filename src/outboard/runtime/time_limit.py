"""``execution_timeout``: one try may run for so long. Loaded by tasks that have one.

The limit is enforced twice where that is possible: by an alarm in this process, which lets the body clean up, and by a
supervisor whose schema has a message for it, which also ends what no alarm reaches, such as a loop in C code.
"""

from __future__ import annotations

from outboard.errors import ServerError
from outboard.protocol import messages as m
from outboard.protocol.versions import LATEST_SCHEMA
from outboard.sdk.exceptions import AirflowTaskTimeout

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    from outboard.comms.channel import Channel
    from outboard.runtime.logs import Logs
    from outboard.runtime.signals import Signals
else:
    import _signal  # the module around it loads enum

__all__ = ("limited",)


def limited(call: Callable[[], Any], seconds: float, channel: Channel, signals: Signals, logs: Logs) -> Any:
    """Call, and interrupt the call when the time is up, also where it waits for a coroutine.

    Args:
        call: the body.
        seconds: how long it may take.
        channel: to the supervisor, which is told where it can be.
        signals: how the body is interrupted.
        logs: where it stands that the supervisor did not take the limit; the task's own alarm goes off all the same.

    Raises:
        AirflowTaskTimeout: the time is up, or there was none to begin with.
    """
    if seconds <= 0:
        raise AirflowTaskTimeout(f"the execution timeout is {seconds:g} seconds, so there was no time at all")
    if channel.conversation.schema >= LATEST_SCHEMA:
        try:
            channel.request(m.SetExecutionTimeout(timeout_seconds=seconds))
        except ServerError as error:
            logs.emit("warning", f"only the task itself enforces its execution timeout: {error}")

    def ring(_number: int, _frame: FrameType | None) -> None:
        signals.interrupt(
            AirflowTaskTimeout(f"the task ran for longer than its execution timeout, {seconds:g} seconds")
        )

    previous = _signal.signal(_signal.SIGALRM, ring)
    _signal.setitimer(_signal.ITIMER_REAL, seconds)
    try:
        return call()
    finally:
        _signal.setitimer(_signal.ITIMER_REAL, 0)
        _signal.signal(_signal.SIGALRM, previous)
