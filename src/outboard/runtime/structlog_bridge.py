"""``structlog`` → records. Loaded when the author's code has imported structlog, and only then."""

from __future__ import annotations

import sys

import structlog

from outboard.runtime.tracebacks import exception_chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping
    from typing import Any, NoReturn

    from outboard.runtime.logs import Logs

__all__ = ("install", "record_event")

DEFAULT_LOGGER = "task"

# The methods that structlog's wrapper classes call in the end, and what each of them means.
METHODS = {
    "debug": "debug",
    "info": "info",
    "msg": "info",
    "log": "info",
    "warn": "warning",
    "warning": "warning",
    "err": "error",
    "error": "error",
    "exception": "error",
    "failure": "error",
    "critical": "critical",
    "fatal": "critical",
}


def install(logs: Logs) -> None:
    """Configure structlog so that its events come to ``logs``.

    An author who configures it later has the last word: what other processors make of an event becomes the record's text,
    and another factory's loggers write where they like, which mostly is stdout.
    """

    def emit(logger: object, method: str, event: MutableMapping[str, Any]) -> NoReturn:
        record_event(logs, logger, method, event)
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, emit],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=lambda *names: _Logger(logs, *names),
        cache_logger_on_first_use=False,
    )


def record_event(logs: Logs, logger: object, method: str, event: Mapping[str, Any]) -> None:
    """Send one event as a record.

    Args:
        logs: where it goes.
        logger: what structlog has wrapped; its name, if it has one, is the record's.
        method: what was called, such as ``warning``.
        event: the event and its fields, not rendered.
    """
    fields = dict(event)
    error = _exception(fields.pop("exc_info", None) or (method == "exception"))
    if error is not None:
        fields["exception"] = exception_chain(error)
    given = fields.pop("logger", None) or fields.pop("logger_name", None)
    name = given or getattr(logger, "name", None) or DEFAULT_LOGGER
    logs.emit(fields.pop("level", method), fields.pop("event", ""), str(name), fields)


class _Logger:
    """Takes what the author's processors have rendered: a text, or the arguments of a call as `logging` has them."""

    disabled = False

    def __init__(self, logs: Logs, name: str = DEFAULT_LOGGER, *_: object) -> None:
        self.name = name
        self._logs = logs

    def isEnabledFor(self, level: int) -> bool:  # as processors for logging ask
        """Always: what is below the configured level is dropped further on."""
        return True

    def __getattr__(self, method: str) -> Callable[..., None]:
        level = METHODS.get(method)
        if level is None:
            raise AttributeError(f"a logger has no method {method!r}")

        def write(event: object = "", *values: object, **fields: Any) -> None:
            if isinstance(event, (bytes, bytearray)):
                event = event.decode("utf-8", "backslashreplace")
            event = fields.pop("msg", fields.pop("event", event))
            error = _exception(fields.pop("exc_info", None))
            if error is not None:
                fields["exception"] = exception_chain(error)
            fields.update(fields.pop("extra", None) or {})
            self._logs.emit(level, event % values if values else event, self.name, fields)  # type: ignore[operator]

        return write


def _exception(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
        return exc_info if isinstance(exc_info, BaseException) else None
    return sys.exc_info()[1] if exc_info else None
