"""``structlog`` → records. Loaded when the author's code has imported structlog, and only then."""

from __future__ import annotations

import sys

import structlog

from outboard.runtime.tracebacks import exception_chain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from typing import Any, NoReturn

    from outboard.runtime.logs import Logs

__all__ = ("install",)

DEFAULT_LOGGER = "task"


def install(logs: Logs) -> None:
    """Configure structlog so that its events come to ``logs``. An author who configures it later has the last word."""

    def emit(logger: _Named, method: str, event: MutableMapping[str, Any]) -> NoReturn:
        fields = dict(event)
        error = _exception(fields.pop("exc_info", None) or (method == "exception"))
        if error is not None:
            fields["exception"] = exception_chain(error)
        name = fields.pop("logger", None) or fields.pop("logger_name", None) or logger.name
        logs.emit(fields.pop("level", method), fields.pop("event", ""), str(name), fields)
        raise structlog.DropEvent

    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, emit],
        wrapper_class=structlog.make_filtering_bound_logger(0),
        logger_factory=lambda *names: _Named(*names),
        cache_logger_on_first_use=False,
    )


class _Named:
    def __init__(self, name: str = DEFAULT_LOGGER, *_: object) -> None:
        self.name = name


def _exception(exc_info: object) -> BaseException | None:
    if isinstance(exc_info, BaseException):
        return exc_info
    if isinstance(exc_info, tuple):
        exc_info = exc_info[1]
        return exc_info if isinstance(exc_info, BaseException) else None
    return sys.exc_info()[1] if exc_info else None
