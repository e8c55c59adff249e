"""What a process has around a task, and how it is afterwards what it was before.

In a bundle a task has a process of its own, and whatever it does to that ends with it. Here it is the caller's, in which other
tests follow. Threads that a body leaves behind, and files that it leaves open, stay: nobody but the body can end them.
"""

from __future__ import annotations

import copy
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import structlog

from outboard.sdk import client
from outboard.sdk.dag import take_registered

if TYPE_CHECKING:
    from outboard.sdk.operator import BaseOperator

__all__ = ("kept", "operator_kept")


@contextmanager
def kept() -> Iterator[None]:
    """Put everything back in the end: handlers of signals, streams, logging, structlog, environment, paths, and our own."""
    with ExitStack() as stack:
        for part in _parts():
            stack.enter_context(part)
        yield


@contextmanager
def operator_kept(operator: BaseOperator) -> Iterator[None]:
    """Put back what an operator is in the end: a bundle makes it anew for each try, and here one may run several times."""
    before = dict(vars(operator))
    if operator.params:
        # Filled in by an answer, they would be the values of the next question.
        operator.params = copy.deepcopy(operator.params)
    try:
        yield
    finally:
        vars(operator).clear()
        vars(operator).update(before)


def _parts() -> tuple[AbstractContextManager[None], ...]:
    return _signals(), _streams(), _logging(), _structlog(), _environment(), _paths(), _author_api()


@contextmanager
def _signals() -> Iterator[None]:
    # Nobody can change them in another thread.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            # Those that are not Python's cannot be told, and cannot be put back.
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)


@contextmanager
def _streams() -> Iterator[None]:
    before = sys.stdin, sys.stdout, sys.stderr
    try:
        yield
    finally:
        sys.stdin, sys.stdout, sys.stderr = before


@contextmanager
def _logging() -> Iterator[None]:
    manager = logging.root.manager
    disabled, before = manager.disable, {logger: _settings(logger) for logger in _loggers()}
    try:
        yield
    finally:
        manager.disable = disabled
        for logger in _loggers():
            _restore(logger, *before.get(logger, (logging.NOTSET, [], [], True, False)))


def _loggers() -> list[logging.Logger]:
    known = list(logging.root.manager.loggerDict.values())
    return [logging.root, *(logger for logger in known if isinstance(logger, logging.Logger))]


def _settings(logger: logging.Logger) -> tuple[int, list[Any], list[Any], bool, bool]:
    return logger.level, logger.handlers[:], logger.filters[:], logger.propagate, logger.disabled


def _restore(
    logger: logging.Logger, level: int, handlers: list[Any], filters: list[Any], propagate: bool, disabled: bool
) -> None:
    if logger.level != level:
        logger.setLevel(level)  # which also forgets what has been worked out from the level
    logger.handlers[:], logger.filters[:] = handlers, filters
    logger.propagate, logger.disabled = propagate, disabled


@contextmanager
def _structlog() -> Iterator[None]:
    before, was_configured = structlog.get_config(), structlog.is_configured()
    processors = list(before["processors"])
    try:
        yield
    finally:
        before["processors"][:] = processors  # a list that loggers share
        now = structlog.get_config()
        if was_configured and any(now[name] is not value for name, value in before.items()):
            structlog.configure(**before)
        elif not was_configured and structlog.is_configured():
            structlog.reset_defaults()


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    try:
        yield
    finally:
        for name in os.environ.keys() - before.keys():
            del os.environ[name]
        for name, value in before.items():
            if os.environ.get(name) != value:
                os.environ[name] = value


@contextmanager
def _paths() -> Iterator[None]:
    before, folder = sys.path[:], _folder()
    try:
        yield
    finally:
        if sys.path != before:
            sys.path[:] = before
        if folder is not None and _folder() != folder:
            os.chdir(folder)


def _folder() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None


@contextmanager
def _author_api() -> Iterator[None]:
    try:
        before: client.Client | None = client.current()
    except RuntimeError:
        before = None
    registered = take_registered()
    try:
        yield
    finally:
        client.use(before)
        take_registered()
        for dag in registered:
            with dag:  # which registers it again
                pass
