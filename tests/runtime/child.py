"""A runtime in a process of its own, driven frame by frame through the supervisor's side of the protocol."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from outboard.protocol import events
from outboard.protocol import messages as m
from outboard.protocol.conversation import SUPERVISOR, Conversation

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UUID = str(uuid.UUID(int=7))

STARTER = """
import sys
sys.path.insert(0, sys.argv.pop(1))
class bundle:
    file = name = "author"; modules = ("author",); dag_ids = ("example",); digest = "0" * 64
    metadata = staticmethod(lambda: b"{}")
    schema = "2026-06-16"; about = {"revision": "r7"}; complete = staticmethod(lambda: None)
    modules_of = staticmethod(lambda dag_id: ("author",)); is_authors = staticmethod(lambda module: module == "author")
from outboard.runtime.server import main
main(sys.argv[1:], bundle)
"""

Answer = Callable[[Any], object]


def startup(task_id: str, **context: Any) -> m.StartupDetails:
    """The greeting for one try of a task of the Dag ``example``."""
    run = m.DagRun(
        dag_id="example", run_id="r1", logical_date=NOW, data_interval_start=NOW, data_interval_end=NOW, run_after=NOW,
        start_date=NOW, end_date=None, run_type="manual", state="running", conf={}, consumed_asset_events=[],
        partition_key=None,
    )  # fmt: skip
    ti = m.TaskInstance(
        id=UUID,
        task_id=task_id,
        dag_id="example",
        run_id="r1",
        try_number=context.pop("try_number", 1),
        dag_version_id=UUID,
    )
    return m.StartupDetails(
        ti=ti,
        dag_rel_path="author.py",
        bundle_info=m.BundleInfo(name="tests"),
        start_date=NOW,
        ti_context=m.TIRunContext(dag_run=run, max_tries=context.pop("max_tries", 0), **context),
        sentry_integration="",
    )


class Child:
    """One process. Everything that it says is kept: ``requests``, ``records``, ``stderr``."""

    def __init__(
        self,
        folder: Path,
        source: str,
        *flags: str,
        python: str = sys.executable,
        schema: str = "2026-06-16",
        **options: Any,
    ) -> None:
        folder.joinpath("author.py").write_text(source)
        self.process = subprocess.Popen(
            [python, "-c", STARTER.replace("2026-06-16", schema), str(folder), *(flags or ("--stdio",))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            **options,
        )
        self.conversation = Conversation(SUPERVISOR)
        self.requests: list[Any] = []
        self.records: list[dict[str, Any]] = []
        self.answers: dict[str, Answer] = {}
        self._events: list[events.Event] = []
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        os.write(self.process.stdin.fileno(), data)

    def greet(self, message: Any) -> None:
        self.write(self.conversation.send_greeting(message))

    def next_event(self) -> events.Event | None:
        """The next request or the end; log records are kept and passed over."""
        assert self.process.stdout is not None
        while not self._ended:
            while self._events:
                event = self._events.pop(0)
                if not isinstance(event, events.LogRecord):
                    return event
                self.records.append(event.record)
            data = os.read(self.process.stdout.fileno(), 65536)
            self._events += self.conversation.receive_data(data) if data else self.conversation.receive_eof()
            self._ended = not data and not self._events
        return None

    def next_record(self) -> dict[str, Any]:
        """Wait for the task's next log record. Anything else is an error."""
        seen = len(self.said())
        assert self.process.stdout is not None
        while len(self.said()) == seen:
            data = os.read(self.process.stdout.fileno(), 65536)
            assert data, "the runtime left"
            for event in self.conversation.receive_data(data):
                if isinstance(event, events.LogRecord):
                    self.records.append(event.record)
                else:
                    self._events.append(event)
        return self.said()[seen]

    def answer(self, request: events.Request) -> None:
        """Answer by ``answers[type]``: a message, an ErrorResponse, or nothing."""
        reply = self.answers.get(type(request.message).__name__, lambda _: None)(request.message)
        self.write(self.conversation.send_reply(request.id, reply))  # type: ignore[arg-type]

    def serve(self) -> Any:
        """Answer requests until the terminal message, which is answered too and returned; None if there was none."""
        report = None
        while (event := self.next_event()) is not None:
            if isinstance(event, events.Request):
                self.requests.append(event.message)
                self.answer(event)
                if type(event.message).__name__ in {*m.TERMINAL, *m.TRIGGER_REPORTS, m.PARSE_RESULT}:
                    report = event.message
            elif isinstance(event, events.PeerClosed):
                break
            else:
                raise AssertionError(event)
        return report

    def run(self, task_id: str = "body", **context: Any) -> Any:
        """Greet with one try of the task, serve it, and wait for the exit. Returns the terminal message."""
        self.greet(startup(task_id, **context))
        report = self.serve()
        self.process.wait(30)
        return report

    def said(self) -> list[dict[str, Any]]:
        """The records of the task, without those of the runtime about it."""
        return [record for record in self.records if record["logger"] != "outboard"]

    def logged(self, logger: str | None = None) -> list[str]:
        return [r["event"] for r in self.records if logger is None or r["logger"] == logger]
