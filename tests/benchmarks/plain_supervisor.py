"""A supervisor without features: starts one packed task over stdio, answers it, and tells what the process cost.

It adds nothing to what it measures: one `posix_spawn`, blocking reads, the exit status from `wait4`. Knows our protocol
and no other part of outboard, so it can look at a child that the real supervisor would hide behind its own work.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs

from outboard.protocol import events
from outboard.protocol import messages as m
from outboard.protocol.conversation import SUPERVISOR, Conversation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from resource import struct_rusage

__all__ = ("ENVIRONMENT", "TaskRun", "cpu_milliseconds", "greeting", "run_process", "run_task", "spawn")

# What the parent happens to have set must not be measured.
ENVIRONMENT = {"PATH": os.defpath, "LANG": "C.UTF-8", "HOME": "/nonexistent"}

READ_SIZE = 64 * 1024
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
SOME_UUID = "0198c2b4-8f6e-7c3a-9d51-3b6f0c7ae219"


@attrs.frozen(kw_only=True)
class TaskRun:
    """What one task sent, and what its process cost."""

    requests: list[m.Message]
    records: list[dict[str, object]]
    exit_code: int
    usage: struct_rusage

    @property
    def terminal(self) -> str:
        """The type of the last request, which is the outcome; empty if there was none."""
        return type(self.requests[-1]).__name__ if self.requests else ""

    @property
    def returned(self) -> object:
        """The value that was pushed as the return value."""
        [value] = [r.value for r in self.requests if isinstance(r, m.SetXCom) and r.key == "return_value"]
        return value


def greeting(dag_id: str, task_id: str) -> m.Message:
    """The greeting for one task of one Dag, with a run context like a scheduled one's."""
    what = m.TaskInstance(
        id=SOME_UUID, task_id=task_id, dag_id=dag_id, run_id="bench", try_number=1, dag_version_id=SOME_UUID
    )
    dates = ("logical_date", "data_interval_start", "data_interval_end", "run_after", "start_date")
    dag_run = m.DagRun(
        **dict.fromkeys(dates, EPOCH),
        **{"dag_id": dag_id, "run_id": "bench", "end_date": None, "run_type": "scheduled", "state": "running"},
        **{"consumed_asset_events": [], "partition_key": None, "conf": {}},
    )
    return m.StartupDetails(
        ti=what,
        dag_rel_path="hello.py",
        bundle_info=m.BundleInfo(name="bench"),
        start_date=EPOCH,
        ti_context=m.TIRunContext(dag_run=dag_run, max_tries=0),
        sentry_integration="",
    )


def _nothing(_pid: int, _message: m.Message) -> None:
    """The reply to what only wants to be heard."""


def run_task(
    command: Sequence[str],
    hello: m.Message,
    *,
    answer: Callable[[int, m.Message], m.Message | None] = _nothing,
    stderr: int = -1,
    environment: Mapping[str, str] = ENVIRONMENT,
) -> TaskRun:
    """Run one task to its end.

    Args:
        command: the packed file, and how to start it; ``--stdio`` is added.
        hello: the greeting.
        answer: called with the pid and each request, while the task waits; what it returns is the reply.
        stderr: the descriptor that becomes the child's stderr; -1 drops what it writes.
        environment: the child's.
    """
    pid, reading, writing = spawn([*command, "--stdio"], stderr, environment)
    conversation = Conversation(SUPERVISOR)
    requests: list[m.Message] = []
    records: list[dict[str, object]] = []
    try:
        os.write(writing, conversation.send_greeting(hello))
        while data := os.read(reading, READ_SIZE):
            for event in conversation.receive_data(data):
                if isinstance(event, events.Request):
                    requests.append(event.message)
                    os.write(writing, conversation.send_reply(event.id, answer(pid, event.message)))
                elif isinstance(event, events.LogRecord):
                    records.append(event.record)
    finally:
        os.close(reading)
        os.close(writing)
        _, status, usage = os.wait4(pid, 0)
    return TaskRun(requests=requests, records=records, exit_code=os.waitstatus_to_exitcode(status), usage=usage)


def run_process(command: Sequence[str]) -> struct_rusage:
    """Run a process that talks to nobody to its end; what it cost. Raises RuntimeError when it fails."""
    pid, reading, writing = spawn(command)
    os.close(reading)
    os.close(writing)
    _, status, usage = os.wait4(pid, 0)
    if status:
        raise RuntimeError(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return usage


def spawn(
    command: Sequence[str], stderr: int = -1, environment: Mapping[str, str] = ENVIRONMENT
) -> tuple[int, int, int]:
    """Start a process with a pipe at its stdin and its stdout: its pid, and our ends to read from and to write to."""
    child_reads, writing = os.pipe()
    reading, child_writes = os.pipe()
    nothing = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, *pair) for pair in ((child_reads, 0), (child_writes, 1))]
    actions.append((os.POSIX_SPAWN_DUP2, nothing if stderr < 0 else stderr, 2))
    try:
        pid = os.posix_spawn(command[0], [str(word) for word in command], environment, file_actions=actions)
    finally:
        for fd in (child_reads, child_writes, nothing):
            os.close(fd)
    return pid, reading, writing


def cpu_milliseconds(usage: struct_rusage) -> float:
    """User and system time."""
    return (usage.ru_utime + usage.ru_stime) * 1000
