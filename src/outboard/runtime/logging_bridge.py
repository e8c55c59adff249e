"""``logging`` → records. Loaded when the author's code has imported logging, and only then."""

from __future__ import annotations

import logging

from outboard.protocol.log_records import level_of
from outboard.runtime.tracebacks import exception_chain, message_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from outboard.runtime.logs import Logs

__all__ = ("RecordHandler", "install")

# What a record has by itself; everything else was given as ``extra``.
STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def install(logs: Logs) -> None:
    """Let the root logger's records come to ``logs``, at the levels that are configured there."""
    root = logging.getLogger()
    root.addHandler(RecordHandler(logs))
    root.setLevel(_number(logs.default_level))
    for namespace, level in logs.namespace_levels.items():
        logging.getLogger(namespace).setLevel(_number(level))


def _number(level: str) -> int:
    number: int = getattr(logging, (level_of(level) or "info").upper())
    return number


class RecordHandler(logging.Handler):
    """Makes records for ``logs`` of what it is given."""

    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record."""
        extra = {name: value for name, value in vars(record).items() if name not in STANDARD_FIELDS}
        if record.exc_info and record.exc_info[1] is not None:
            extra["exception"] = exception_chain(record.exc_info[1])
        if record.stack_info:
            extra["stack_trace"] = record.stack_info
        level = _name(record.levelno)
        if level_of(record.levelname) is None:
            extra["level_name"] = record.levelname  # the author's own
        self._logs.emit(level, _message(record), record.name, extra)


def _name(number: int) -> str:
    """The level of ours that a number belongs to: the highest one that it reaches."""
    for name in ("critical", "error", "warning", "info"):
        if number >= _number(name):
            return name
    return "debug"


def _message(record: logging.LogRecord) -> str:
    """The record's text. A wrong format, or an object that cannot be shown, must not cost the author the record."""
    try:
        return record.getMessage()
    except Exception as error:
        trouble = message_of(error)
    if isinstance(record.msg, str):
        return f"{record.msg} {_shown(record.args)} (the arguments do not fit the message: {trouble})"
    return f"<{type(record.msg).__name__}> (it cannot be shown: {trouble})"


def _shown(arguments: object) -> str:
    try:
        return repr(arguments)
    except Exception:
        return "<arguments>"
