"""stdout and stderr, whatever they are: closed, a pipe that nobody reads any more, or too simple for all characters."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
from datetime import datetime
from typing import IO

from rich.console import Console

from outboard.cli.interruption import interrupt

__all__ = ("Output", "plain", "prepare", "print_json", "silence")


class Output(Console):
    """A console on stdout or stderr. When nobody reads what it prints, the command is interrupted."""

    def print_plainly(self, line: str) -> None:
        """Print one line as it is. A task may say a hundred thousand of them, and rendering costs five times the rest."""
        try:
            self.file.write(f"{line}\n")
            self.file.flush()
        except BrokenPipeError:
            self.on_broken_pipe()

    def on_broken_pipe(self) -> None:
        """Called when a write has failed."""
        self.quiet = True
        silence(self.file)
        interrupt(signal.SIGPIPE)


def print_json(document: object) -> None:
    """Print one JSON document to stdout: in ASCII, which every encoding can show and every reader can read."""
    print(json.dumps(document, indent=2, default=plain))


def plain(value: object) -> object:
    """What stands in JSON for a value that has no form there: of a timestamp, its text."""
    return value.isoformat() if isinstance(value, datetime) else repr(value)


def silence(stream: IO[str]) -> None:
    """Let all that is still written to a stream go nowhere, the interpreter's last flush included."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def prepare() -> None:
    """Give the process a stdout and a stderr that take any text."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115  # as long as the process
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
