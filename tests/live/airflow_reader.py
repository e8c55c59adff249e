"""A process in the Airflow environment that reads one thing at a time as Airflow would, and answers in JSON."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ("AirflowReader", "started_reader")


class AirflowReader:
    """Asks a script of this folder that runs in the Airflow environment."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, question: str) -> dict[str, Any]:
        """Send one line, wait for the answer."""
        assert self._process.stdin is not None
        self._process.stdin.write(question + "\n")
        self._process.stdin.flush()
        return self.answer()

    def answer(self) -> dict[str, Any]:
        """Wait for the next answer."""
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer


@contextmanager
def started_reader(script: str, python: Path, home: Path) -> Iterator[AirflowReader]:
    """Run a script of this folder until the block ends."""
    command = [str(python), str(Path(__file__).with_name(script))]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "AIRFLOW_HOME": str(home)},
    ) as process:
        try:
            reader = AirflowReader(process)
            assert reader.answer() == {"ready": True}
            yield reader
        finally:
            process.kill()
