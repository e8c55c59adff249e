"""The bundles that a supervisor under test is given: a process that plays one scene, sound or hostile.

Runs in the process that the supervisor starts. What it sends, gets and finds out goes line by line into a file that the kit
reads afterwards. It speaks over whichever transport the supervisor starts it with.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from outboard.conformance.transcript import FROM_PEER, NOTE, TO_PEER, cut, show_bytes, show_elements, show_frame
from outboard.conformance.wire import frame
from outboard.protocol.frames import Frame, FrameDecoder

__all__ = ("SCENES", "Actor", "main", "scene")

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)

SUCCESS = {"type": "SucceedTask", "state": "success", "end_date": NOW, "task_outlets": [], "outlet_events": []}

# How long a scene that never ends by itself lasts, should its supervisor forget it.
FOREVER = 600.0

Scene = Callable[["Actor"], None]

SCENES: dict[str, Scene] = {}


def scene(function: Scene) -> Scene:
    """Make a function a scene, under its own name."""
    SCENES[function.__name__] = function
    return function


class SilenceError(Exception):
    """The supervisor owes something, and does not send it."""


class Actor:
    """The process's ends of its channels, and the file that it writes into.

    Attributes:
        greeting: the greeting's body, once it is here.
    """

    def __init__(self, script: str, flags: dict[str, str], patience: float) -> None:
        self.greeting: dict[str, Any] = {}
        self._script = os.open(script, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._decoder = FrameDecoder()
        self._unread: deque[Frame] = deque()
        self._flags = flags
        self._patience = patience
        self._last_id = 0
        self.reading, self.writing, self.logs = 0, 1, -1
        self.is_over_stdio = "comm" not in flags

    # ── what the kit reads ────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, **fact: object) -> None:
        """Tell the kit a fact."""
        self._write_line(fact=fact)

    def note(self, text: str) -> None:
        """Put something into the transcript that is no frame."""
        self._write_line(line=f"{NOTE} {cut(text)}")

    def _write_line(self, **entry: object) -> None:
        os.write(self._script, json.dumps(entry, default=str).encode() + b"\n")

    # ── the wire ──────────────────────────────────────────────────────────────────────────────────────────────────

    def dial(self) -> None:
        """Connect, if the transport wants it."""
        if not self.is_over_stdio:
            self.logs = _connect(self._flags["logs"])
            self.reading = self.writing = _connect(self._flags["comm"])
        self.tell(pid=os.getpid(), transport="stdio" if self.is_over_stdio else "sockets")

    def start(self) -> None:
        """Connect, and wait for the greeting."""
        self.dial()
        self.greeting = self.receive().body or {}

    def send(self, *elements: Any) -> None:
        """Send one frame of these elements."""
        self._write_line(line=f"{TO_PEER} {show_elements(elements)}")
        self._write(frame(*elements))

    def send_bytes(self, data: bytes) -> None:
        """Send bytes, whatever they are."""
        self._write_line(line=f"{TO_PEER} {show_bytes(data)}")
        self._write(data)

    def _write(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self.writing, rest) :]

    def receive(self) -> Frame:
        """The next frame.

        Raises:
            SilenceError: none comes, or the stream ends.
        """
        until = time.monotonic() + self._patience
        while not self._unread:
            ready, _, _ = select.select([self.reading], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise SilenceError(f"nothing came within {self._patience:g} seconds")
            data = os.read(self.reading, 1 << 16)
            if not data:
                raise SilenceError("the supervisor has hung up")
            self._unread += self._decoder.feed(data)
        found = self._unread.popleft()
        self._write_line(line=f"{FROM_PEER} {show_frame(found)}")
        return found

    def ask(self, body: Any, *more: object, id: int | None = None) -> Frame:
        """Send one request and wait for its reply, whose id is told if it is another one."""
        self._last_id += 1
        number = self._last_id if id is None else id
        self.send(number, body, *more)
        reply = self.receive()
        if reply.id != number:
            self.tell(wrong_id=[number, reply.id])
        return reply

    def get_variable(self, key: str = "conformance") -> object:
        """The value of a variable; None if there is none."""
        return (self.ask({"type": "GetVariable", "key": key}).body or {}).get("value")

    def succeed(self) -> None:
        """Report a success, wait for the answer, and leave."""
        self.ask(SUCCESS)
        self.leave(0)

    def leave(self, code: int) -> None:
        """End the process at once."""
        self.note(f"leaves with {code}")
        os._exit(code)

    def stay(self) -> None:
        """Do nothing, as long as it takes the supervisor to end this."""
        time.sleep(FOREVER)

    def log(self, event: str, level: str = "info", **extras: object) -> None:
        """Log one sound record."""
        record = {"event": event, "level": level, "logger": "actor", "timestamp": NOW.isoformat(), **extras}
        if self.is_over_stdio:
            self._write(frame(-1, {"type": "LogRecord", **record}))
        else:
            os.write(self.logs, json.dumps(record).encode() + b"\n")

    def log_line(self, line: bytes) -> None:
        """Write one line into the log channel, whatever it is. Over stdio there is none, so the scene ends."""
        if self.is_over_stdio:
            self.tell(missing="a log channel: the supervisor speaks over stdio")
            self.succeed()
        rest = memoryview(line + b"\n")
        while rest:
            rest = rest[os.write(self.logs, rest) :]


def _connect(address: str) -> int:
    host, _, port = address.rpartition(":")
    connection = socket.create_connection((host.strip("[]"), int(port)))
    connection.settimeout(None)
    return connection.detach()


def main() -> None:
    """Play the scene that the arguments name: SCENE SCRIPT PATIENCE, and what the supervisor adds."""
    from outboard.conformance import supervisor_checks

    assert supervisor_checks.SUPERVISOR_CHECKS  # the scenes are beside the checks
    name, script, patience, *rest = sys.argv[1:]
    flags = dict(argument[2:].split("=", 1) for argument in rest if "=" in argument)
    actor = Actor(script, flags, float(patience))
    try:
        SCENES[name](actor)
    except (SilenceError, OSError) as error:
        with contextlib.suppress(OSError):
            actor.tell(silence=str(error))
        os._exit(3)
