"""Feeds log lines to the reader of a stock Airflow supervisor, and tells what became of them.

Runs inside the Airflow environment. Each line on standard input is the hex of one line of a log socket; the answer is one
JSON object: ``raised`` (the traceback, or null), ``written`` (the lines of the task's log file) and ``console`` (for each
console format, how many characters it wrote).
"""

from __future__ import annotations

import io
import json
import logging
import sys
import traceback

import structlog
from airflow.sdk.execution_time.supervisor import process_log_messages_from_subprocess
from airflow.sdk.log import configure_logging, logging_processors

# What executors show on their own console when they forward a task's log, in each of the formats that can be set.
CONSOLE_FORMATS = (
    "",
    "[%(asctime)s] {%(filename)s:%(lineno)d} %(levelname)s - %(message)s",
    "%(process)d %(thread)d %(name)s %(log_color)s%(funcName)s%(reset)s %(message)s",
)


class Reader:
    """The generator to which a supervisor's loop sends each line, with a log file and consoles behind it."""

    def __init__(self) -> None:
        self.file = io.BytesIO()
        self.consoles = [io.StringIO() for _ in CONSOLE_FORMATS]
        targets = [self._logger(structlog.BytesLogger(self.file), logging_processors(json_output=True))]
        for console, log_format in zip(self.consoles, CONSOLE_FORMATS, strict=True):
            processors = logging_processors(json_output=False, log_format=log_format, colors=False)
            targets.append(self._logger(structlog.WriteLogger(console), processors))
        self.lines = process_log_messages_from_subprocess(tuple(targets))
        next(self.lines)

    def _logger(self, target, processors):
        return structlog.wrap_logger(target, processors=processors, logger_name="task").bind()

    def read(self, line: bytes) -> dict[str, object]:
        for stream in (self.file, *self.consoles):
            stream.seek(0)
            stream.truncate()
        raised = None
        try:
            self.lines.send(bytearray(line))
        except Exception:
            raised = traceback.format_exc()
            self.__init__()
        return {
            "raised": raised,
            "written": [json.loads(written) for written in self.file.getvalue().splitlines()],
            "console": [len(console.getvalue()) for console in self.consoles],
        }


def main() -> None:
    answers = sys.stdout
    # Airflow's own messages, such as those about lines that it cannot read, must not mix with the answers.
    sys.stdout = sys.stderr
    configure_logging(json_output=False)
    logging.disable(logging.CRITICAL)
    reader = Reader()
    print(json.dumps({"ready": True}), file=answers, flush=True)
    for request in sys.stdin:
        print(json.dumps(reader.read(bytes.fromhex(request))), file=answers, flush=True)


if __name__ == "__main__":
    main()
