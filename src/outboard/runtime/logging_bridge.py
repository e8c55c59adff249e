"""``logging`` → records. Loaded when the author's code has imported logging, and only then."""

from __future__ import annotations

import logging

from outboard.protocol.log_records import level_of
from outboard.runtime.logs import exception_chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from outboard.runtime.logs import Logs

__all__ = ("install",)

# What a record has by itself; everything else was given as ``extra``.
STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def install(logs: Logs) -> None:
    """Let the root logger's records come to ``logs``, at the levels that are configured there."""
    root = logging.getLogger()
    root.addHandler(_Handler(logs))
    root.setLevel(_number(logs.default_level))
    for namespace, level in logs.namespace_levels.items():
        logging.getLogger(namespace).setLevel(_number(level))


def _number(level: str) -> int:
    number: int = getattr(logging, (level_of(level) or "info").upper())
    return number


class _Handler(logging.Handler):
    def __init__(self, logs: Logs) -> None:
        super().__init__()
        self._logs = logs

    def emit(self, record: logging.LogRecord) -> None:
        extra = {name: value for name, value in vars(record).items() if name not in STANDARD_FIELDS}
        if record.exc_info and record.exc_info[1] is not None:
            extra["exception"] = exception_chain(record.exc_info[1])
        if record.stack_info:
            extra["stack_trace"] = record.stack_info
        try:
            message = record.getMessage()
        except (TypeError, ValueError) as error:
            # A wrong format string must not cost the author the message.
            message = f"{record.msg} {record.args!r} (the arguments do not fit the message: {error})"
        self._logs.emit(record.levelname, message, record.name, extra)
