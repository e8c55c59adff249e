"""Hides in log records what a task has declared to be secret.

A runtime masks its own records; this is for what it cannot see, such as the output of programs that the task starts. A
secret that is cut in two by the end of a line is not found.
"""

from __future__ import annotations

import re
import threading

from outboard.supervisor.ports import LogRecord

__all__ = ("MASK", "MIN_SECRET_LENGTH", "SecretSet")

MASK = "***"

# Airflow's default: a shorter one would blank out ordinary words and digits.
MIN_SECRET_LENGTH = 5


class SecretSet:
    """The secrets of one task, growing while it runs."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._secrets: set[str] = set()
        self._pattern: re.Pattern[str] | None = None

    def add(self, value: object) -> None:
        """Take a secret: a text, or texts anywhere inside lists and maps."""
        found = {text for text in _texts(value) if len(text) >= MIN_SECRET_LENGTH}
        with self._lock:
            if found <= self._secrets:
                return
            self._secrets |= found
            # The longest first, so that a secret that contains another one is hidden as a whole.
            ordered = sorted(self._secrets, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, ordered)))

    def mask(self, record: LogRecord) -> LogRecord:
        """Return the record with every secret hidden, or the record itself if there is none to hide."""
        pattern = self._pattern
        if pattern is None:
            return record
        return {name: _masked(value, pattern) for name, value in record.items()}


def _texts(value: object) -> set[str]:
    if isinstance(value, str):
        return {value}
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return set().union(*map(_texts, value))
    return set()


def _masked(value: object, pattern: re.Pattern[str]) -> object:
    if isinstance(value, str):
        return pattern.sub(MASK, value)
    if isinstance(value, dict):
        return {name: _masked(item, pattern) for name, item in value.items()}
    if isinstance(value, list):
        return [_masked(item, pattern) for item in value]
    return value
