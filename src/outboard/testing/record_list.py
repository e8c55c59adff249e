"""A log that is kept as it comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outboard.protocol.log_records import LEVELS
from outboard.runtime.logs import RUNTIME_LOGGER
from outboard.supervisor.ports import LogRecord, TaskKey

__all__ = ("RecordList",)

# What the runtime says of each task is for logs that are kept: which code ran, and what it took.
_LOWEST_OF_RUNTIME = "warning"


class RecordList:
    """The records of one task.

    Attributes:
        records: in the order in which they came, without what the runtime says of itself if all goes well.
    """

    def __init__(self) -> None:
        self.records: list[Mapping[str, Any]] = []

    def write(self, task: TaskKey, record: LogRecord) -> None:
        """Keep one record."""
        if record.get("logger") != RUNTIME_LOGGER or _rank(record) >= LEVELS.index(_LOWEST_OF_RUNTIME):
            self.records.append(record)


def _rank(record: LogRecord) -> int:
    return LEVELS.index(str(record["level"]))
