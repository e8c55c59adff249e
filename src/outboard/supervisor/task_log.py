"""What a process says, as records of its task's log: its output, its log channel, and the records among its frames.

Secrets are masked here, so that no record reaches a sink without that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import attrs
import structlog

from outboard.comms.descriptors import DescriptorReader
from outboard.protocol.log_records import decode_line, make_record
from outboard.protocol.masking import Masker
from outboard.supervisor.limits import Limits
from outboard.supervisor.lines import Line, LineSplitter
from outboard.supervisor.ports import Ports, TaskKey

__all__ = ("OUTPUT_LEVELS", "TaskLog")

_log = structlog.get_logger(__name__)

# What Airflow makes of what a process prints. Over stdio the two cannot be told apart, so nothing is called an error.
OUTPUT_LEVELS = {"task.stdout": "info", "task.stderr": "error", "task.output": "info"}

CUT_LOGGER = "task.log"

# How a line begins that `outboard.protocol.log_records.encode_line` has made, and what is in it.
RECORD_START = b'{"event":'
RECORD_FIELDS = frozenset({"event", "level", "logger", "timestamp"})


@attrs.define(eq=False, kw_only=True)
class TaskLog:
    """Writes records of one process.

    Attributes:
        task: whose they are.
        ports: where they go.
        limits: how long a line may be.
        secrets: what no record may show.
    """

    task: TaskKey
    ports: Ports
    limits: Limits
    secrets: Masker = attrs.field(factory=Masker)
    _sink_failed: bool = attrs.field(default=False, init=False)

    async def drain_output(self, logger: str, stream: DescriptorReader) -> None:
        """Write each line that the process prints, until the stream ends."""
        async for line in _lines(stream, self.limits.line):
            record = _record_in(line) or make_record(line.text, OUTPUT_LEVELS[logger], logger, self.ports.clock.now())
            self.write(record)

    async def drain_records(self, stream: DescriptorReader) -> None:
        """Write each record of a log channel, until the stream ends."""
        async for line in _lines(stream, self.limits.record):
            if line.was_cut:
                self.write(make_record(line.text, "warning", CUT_LOGGER, self.ports.clock.now()))
            elif line.data:
                self.write(decode_line(line.data))

    def write(self, record: dict[str, object]) -> None:
        """Write one record."""
        record.setdefault("timestamp", self.ports.clock.now())
        try:
            self.ports.logs.write(self.task, self.secrets.record(record))
        except Exception:
            # The task must not fail because its log cannot be kept; say so once, not for each record.
            if not self._sink_failed:
                self._sink_failed = True
                _log.exception("log records are being lost", **attrs.asdict(self.task))


def _record_in(line: Line) -> dict[str, object] | None:
    """The record that a runtime has printed, or None if the line is something else.

    A runtime whose channel is lost falls back to stderr, and so does a forked copy of one, to which the channel is closed.
    """
    if line.was_cut or not line.data.startswith(RECORD_START):
        return None
    record = decode_line(line.data)
    return record if record.keys() >= RECORD_FIELDS and "problem" not in record else None


async def _lines(stream: DescriptorReader, limit: int) -> AsyncIterator[Line]:
    """Yield the lines of a stream until it ends."""
    splitter = LineSplitter(limit)
    while True:
        try:
            chunk = await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            break
        for line in splitter.feed(chunk):
            yield line
    for line in splitter.flush():
        yield line
