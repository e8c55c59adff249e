"""How much a task's process may take: of time, and of the supervisor's memory. One value, decided at the boundary."""

from __future__ import annotations

import attrs

from outboard.protocol.frames import DEFAULT_MAX_FRAME_SIZE, LARGEST_FRAME_SIZE

__all__ = ("Limits",)

# Airflow's own default for a coordinator's `task_startup_timeout`.
DEFAULT_STARTUP = 10.0

# Between SIGTERM and SIGKILL. Long enough for an `on_kill` that cancels a remote query, short enough for a person at a
# terminal; a deployment that needs Airflow's 60 seconds says so.
DEFAULT_GRACE = 10.0

# Airflow's `task_success_overtime`: how long a process may linger after its report.
DEFAULT_OVERTIME = 20.0

# Below the 120 seconds after which a runtime gives up on a request, so that it hears our reason and not only silence.
DEFAULT_REQUEST = 100.0

# What is still in the pipes of a process that has ended is read within milliseconds, unless something that we could
# not end holds them open.
DEFAULT_DRAIN = 5.0

# A line longer than this is a dump, not a message. 10 MB lines have been seen; they are cut and say so. It stays below
# what the text of a log record holds, so that nothing is cut twice.
DEFAULT_LINE = 60_000

# A record of the log socket, with its extras, and every character of it escaped.
DEFAULT_RECORD = 1024 * 1024


def _positive(instance: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not value > 0:
        raise ValueError(f"Limits.{attribute.name} is {value!r}, but must be above zero")


def _not_negative(instance: object, attribute: attrs.Attribute[float], value: float) -> None:
    if not value >= 0:
        raise ValueError(f"Limits.{attribute.name} is {value!r}, but must not be negative")


@attrs.frozen(kw_only=True)
class Limits:
    """The limits of one process. Times are in seconds, sizes in bytes.

    Attributes:
        startup: from the spawn to both connections (sockets), or to the reading of the greeting (stdio).
        execution: from the greeting to the report; infinite by default.
        grace: between SIGTERM and SIGKILL.
        overtime: from the report to the end of the process.
        request: for the ports to answer one request.
        drain: for reading what an ended process left in its pipes.
        frame: the largest payload of a frame, in either direction.
        line: the longest line of output that is kept whole.
        record: the longest line of a log socket.
    """

    startup: float = attrs.field(default=DEFAULT_STARTUP, validator=_positive)
    execution: float = attrs.field(default=float("inf"), validator=_positive)
    grace: float = attrs.field(default=DEFAULT_GRACE, validator=_not_negative)
    overtime: float = attrs.field(default=DEFAULT_OVERTIME, validator=_positive)
    request: float = attrs.field(default=DEFAULT_REQUEST, validator=_positive)
    drain: float = attrs.field(default=DEFAULT_DRAIN, validator=_positive)
    frame: int = attrs.field(
        default=DEFAULT_MAX_FRAME_SIZE, validator=[attrs.validators.ge(1), attrs.validators.le(LARGEST_FRAME_SIZE)]
    )
    line: int = attrs.field(default=DEFAULT_LINE, validator=attrs.validators.ge(1))
    record: int = attrs.field(default=DEFAULT_RECORD, validator=attrs.validators.ge(1))
