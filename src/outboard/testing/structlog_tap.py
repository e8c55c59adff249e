"""Listening to structlog without configuring it.

Whoever configures structlog does so for the whole process, and loggers that were used before may keep what was configured
then, processors and output alike. All of them come through one method of structlog's for classes of loggers, so that is
where to listen: whatever was configured when, nothing is missed, and nothing is changed for those who come later.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, TypeAlias

import structlog

__all__ = ("Listener", "Proceed", "listening")

Proceed: TypeAlias = Callable[[], Any]

Listener: TypeAlias = Callable[[structlog.BoundLoggerBase, str, dict[str, Any], Proceed], Any]
"""Called for each event with the logger, the method, the event and its own fields, and with what lets it go its way."""

_lock = threading.Lock()
_listeners: list[Listener] = []
_proxy_to_logger: Any = structlog.BoundLoggerBase._proxy_to_logger


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Let a listener hear all events of all threads."""
    with _lock:
        _listeners.append(listener)
        _install(_listen)
    try:
        yield
    finally:
        with _lock:
            _listeners.remove(listener)
            if not _listeners:
                _install(_proxy_to_logger)


def _install(method: Any) -> None:
    structlog.BoundLoggerBase._proxy_to_logger = method  # type: ignore[method-assign]


def _listen(logger: structlog.BoundLoggerBase, method_name: str, event: str | None = None, **event_kw: Any) -> Any:
    fields = event_kw if event is None else {**event_kw, "event": event}
    proceed: Proceed = partial(_proxy_to_logger, logger, method_name, event, **event_kw)
    for listener in tuple(_listeners):
        proceed = partial(listener, logger, method_name, fields, proceed)
    return proceed()
