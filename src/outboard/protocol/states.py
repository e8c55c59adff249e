"""The states of an exchange, as one table for both roles.

Two rules. Everything about states lives in this file; and nothing in it knows which role applies it: an event means the
same whether a side sends or receives it, so both sides of a sound exchange are always in the same state, save for what is
under way between them.

An exchange that ends before its report ends in `LOST`, which is a state of its own: an early end is never success.
"""

from __future__ import annotations

__all__ = (
    "BREAK",
    "BROKEN",
    "CLOSED",
    "EVENTS",
    "GREET_PARSE",
    "GREET_TASK",
    "GREET_TRIGGER",
    "HANG_UP",
    "LOG",
    "LOST",
    "PARSING",
    "REPLY",
    "REPORT",
    "REPORTED",
    "REQUEST",
    "RESULT",
    "RUNNING",
    "STATES",
    "TRANSITIONS",
    "TRIGGERING",
    "TRIGGER_END",
    "WAITING",
    "next_state",
)

# States.
WAITING = "waiting"  # nothing but log records has passed
RUNNING = "running"  # a task was handed over
PARSING = "parsing"  # the Dags of a file were asked for
TRIGGERING = "triggering"  # a trigger was handed over
REPORTED = "reported"  # the terminal message has passed
CLOSED = "closed"  # the stream ended after the report
LOST = "lost"  # the stream ended before it
BROKEN = "broken"  # what came was not the protocol
STATES = (WAITING, RUNNING, PARSING, TRIGGERING, REPORTED, CLOSED, LOST, BROKEN)

# Events.
GREET_TASK = "StartupDetails"
GREET_PARSE = "DagFileParseRequest"
GREET_TRIGGER = "RunTrigger"
REQUEST = "request"
REPLY = "reply"
REPORT = "terminal message of a task"
RESULT = "DagFileParsingResult"
TRIGGER_END = "TriggerFired or TriggerFailed"
LOG = "log record"
HANG_UP = "end of stream"
BREAK = "protocol error"
EVENTS = (GREET_TASK, GREET_PARSE, GREET_TRIGGER, REQUEST, REPLY, REPORT, RESULT, TRIGGER_END, LOG, HANG_UP, BREAK)

# A request after the report is allowed: callbacks and finalizers run then. A second report is not.
TRANSITIONS = {
    (WAITING, GREET_TASK): RUNNING,
    (WAITING, GREET_PARSE): PARSING,
    (WAITING, GREET_TRIGGER): TRIGGERING,
    (WAITING, LOG): WAITING,
    (WAITING, HANG_UP): LOST,
    (WAITING, BREAK): BROKEN,
    (RUNNING, REQUEST): RUNNING,
    (RUNNING, REPLY): RUNNING,
    (RUNNING, LOG): RUNNING,
    (RUNNING, REPORT): REPORTED,
    (RUNNING, HANG_UP): LOST,
    (RUNNING, BREAK): BROKEN,
    (PARSING, REQUEST): PARSING,
    (PARSING, REPLY): PARSING,
    (PARSING, LOG): PARSING,
    (PARSING, RESULT): REPORTED,
    (PARSING, HANG_UP): LOST,
    (PARSING, BREAK): BROKEN,
    (TRIGGERING, REQUEST): TRIGGERING,
    (TRIGGERING, REPLY): TRIGGERING,
    (TRIGGERING, LOG): TRIGGERING,
    (TRIGGERING, TRIGGER_END): REPORTED,
    (TRIGGERING, HANG_UP): LOST,
    (TRIGGERING, BREAK): BROKEN,
    (REPORTED, REQUEST): REPORTED,
    (REPORTED, REPLY): REPORTED,
    (REPORTED, LOG): REPORTED,
    (REPORTED, HANG_UP): CLOSED,
    (REPORTED, BREAK): BROKEN,
}


def next_state(state: str, event: str) -> str | None:
    """The state that an event leads to, or None when the event is not allowed now."""
    return TRANSITIONS.get((state, event))
