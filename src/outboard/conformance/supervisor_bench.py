"""Where checks of a supervisor stand: it makes a bundle that plays a scene, and has the supervisor under test run it.

The supervisor is reached through an adapter, a small command: one JSON document on stdin, one on stdout. Knows that, and
what the bundle wrote down. It decides nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

import outboard
from outboard.bundle.format import compose
from outboard.bundle.metadata import write_metadata
from outboard.conformance.check import Failure, NotOffered
from outboard.conformance.probes import DAG_ID
from outboard.conformance.transcript import Transcript
from outboard.errors import UsageError
from outboard.protocol.versions import DEFAULT_SCHEMA
from outboard.supervisor import kinship

__all__ = ("RUN_DEADLINE", "SupervisorBench", "SupervisorRun")

RUN_DEADLINE = 180.0
"""Seconds for one run of a supervisor, with all that it waits for: stock's own waits add up to more than a minute."""

PATIENCE = 20.0
"""Seconds that a bundle waits for what the supervisor owes it. Only one that never answers needs them."""

STARTER = "import sys; sys.path.insert(0, {root!r}); from outboard.conformance.actor import main; main()"

# What makes a supervisor quick where it would wait for a peer that is gone; it may ignore that.
HASTE = {"startup": 10.0, "overtime": 2.0}


@attrs.frozen(kw_only=True)
class SupervisorRun:
    """What came of one scene.

    Attributes:
        outcome: the state that the supervisor told whoever schedules; None if it told nobody.
        log: the task's log records, in order.
        error: what the supervisor itself failed with; empty if it did not.
        facts: what the bundle found out.
    """

    outcome: str | None
    log: Sequence[Mapping[str, Any]]
    error: str
    facts: Mapping[str, Any]

    def expect(self, *outcomes: str) -> None:
        """The outcome is one of these, and the supervisor has not failed itself."""
        told = f"it told {self.outcome or 'nobody anything'}, not {' or '.join(outcomes)}"
        if self.outcome not in outcomes:
            raise Failure(f"{told}; it failed itself: {last_line(self.error)}" if self.error else told)
        if self.error:
            raise Failure(f"it failed itself: {last_line(self.error)}")

    def expect_answers(self) -> None:
        """Everything that the bundle asked for was answered, under its own id."""
        if "silence" in self.facts:
            raise Failure(f"the bundle waited in vain: {self.facts['silence']}")
        if "wrong_id" in self.facts:
            sent, got = self.facts["wrong_id"]
            raise Failure(f"the request {sent} was answered under the id {got}")

    def records(self, event: str) -> list[Mapping[str, Any]]:
        """The records whose event this is."""
        return [record for record in self.log if record.get("event") == event]

    def expect_logged(self, event: str) -> Mapping[str, Any]:
        """The one record of this text."""
        found = self.records(event)
        if len(found) != 1:
            raise Failure(f"{len(found)} records of {len(self.log)} say {event!r}, not one")
        return found[0]


def last_line(text: str) -> str:
    """Of a traceback, what was raised."""
    return text.strip().splitlines()[-1] if text.strip() else ""


class SupervisorBench:
    """Has a supervisor run bundles that play scenes.

    Attributes:
        transcript: what was said, as the bundles saw it: from the supervisor ``◀──``, to it ``──▶``.
    """

    def __init__(
        self,
        adapter: Sequence[str],
        *,
        schema: str = DEFAULT_SCHEMA,
        deadline: float = RUN_DEADLINE,
        patience: float = PATIENCE,
    ) -> None:
        if not adapter:
            raise UsageError("name the command of the supervisor's adapter")
        self.adapter = list(adapter)
        self.schema = schema
        self.deadline = deadline
        self.patience = patience
        self.transcript = Transcript()
        self._folder = Path(tempfile.mkdtemp(prefix="outboard-conformance-"))

    def run(
        self, scene: str, *, should_retry: bool = False, variables: Mapping[str, str] | None = None
    ) -> SupervisorRun:
        """Have the supervisor run one scene to its end.

        Raises:
            Failure: it does not come to an end, or says nothing that can be read.
            NotOffered: the scene cannot be played over its transport.
        """
        script, bundles = self._folder / "script", self._folder / "bundles"
        bundles.mkdir()
        bundle = bundles / "conformance"
        self._write_bundle(bundle, scene, script)
        job = {
            **{"bundle": str(bundle), "dag_id": DAG_ID, "task_id": scene, "schema": self.schema},
            **{"should_retry": should_retry, "variables": dict(variables or {}), "haste": HASTE},
        }
        report = self._ask(job, script)
        facts = self._read_script(script)
        if "missing" in facts:
            raise NotOffered(f"the supervisor has not {facts['missing']}")
        return SupervisorRun(
            outcome=report.get("outcome"), log=report.get("log") or [], error=report.get("error") or "", facts=facts
        )

    def _write_bundle(self, path: Path, scene: str, script: Path) -> None:
        starter = STARTER.format(root=str(Path(outboard.__file__).parents[1]))
        words = map(shlex.quote, (sys.executable, "-P", "-c", starter, scene, str(script), str(self.patience)))
        program = f'#!/bin/sh\nexec {" ".join(words)} "$@"\nexit 126\n'
        path.write_bytes(compose(program.encode(), b"", write_metadata([DAG_ID], self.schema)))
        path.chmod(0o755)

    def _ask(self, job: Mapping[str, object], script: Path) -> dict[str, Any]:
        try:
            process = subprocess.Popen(
                self.adapter,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as problem:
            raise UsageError(f"{self.adapter[0]} cannot be started: {problem.strerror}") from problem
        try:
            out, errors = process.communicate(json.dumps(job).encode() + b"\n", timeout=self.deadline)
        except subprocess.TimeoutExpired:
            self._read_script(script)
            raise Failure(f"the supervisor has not come to an end within {self.deadline:g} seconds") from None
        finally:
            if process.returncode is None:
                for one in kinship.family(process.pid):
                    _kill(one.pid)
                process.kill()
                process.communicate()
        try:
            report = json.loads(out)
        except ValueError:
            self._read_script(script)
            said = last_line(errors.decode(errors="replace"))
            raise Failure(
                f"the adapter said nothing that is JSON, and ended with {process.returncode}: {said}"
            ) from None
        if not isinstance(report, dict):
            raise Failure(f"the adapter said {report!r}, which is no JSON object")
        return report

    def _read_script(self, script: Path) -> dict[str, Any]:
        """Take over the bundle's transcript; returns its facts."""
        facts: dict[str, Any] = {}
        if not script.exists():
            self.transcript.note("the bundle was never started")
            return facts
        for line in script.read_bytes().splitlines():
            entry = json.loads(line)
            facts |= entry.get("fact", {})
            if "line" in entry:
                self.transcript.lines.append(entry["line"])
        self._pids = [facts[key] for key in ("pid", "left") if key in facts]
        return facts

    _pids: Sequence[int] = ()

    def close(self) -> None:
        """End what is left of the bundles, and remove everything."""
        for pid in self._pids:
            with contextlib.suppress(OSError):
                if str(self._folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                    _kill(pid)
        shutil.rmtree(self._folder, ignore_errors=True)


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
