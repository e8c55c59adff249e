"""How a task's process begins.

It leads a session and group of its own, inherits nothing but descriptors 0 to 2, gets an environment from an allow-list
and a temporary directory that is removed after it.

The descriptors are also the lifeline. Nobody but the supervisor holds the other ends, so that a supervisor that is killed
hangs up, which is what its children notice.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Literal, TypeAlias

import anyio
import anyio.to_thread
import attrs
import structlog

from outboard.comms.descriptors import DescriptorReader, DescriptorWriter
from outboard.supervisor.environment import child_environment
from outboard.supervisor.process import TaskProcess

__all__ = ("Launch", "SpawnError", "Transport", "spawn")

_log = structlog.get_logger(__name__)

Transport: TypeAlias = Literal["stdio", "sockets"]

LOOPBACK = "127.0.0.1"

SCRATCH_PREFIX = "outboard-"


class SpawnError(Exception):
    """The process could not be started; the text says why."""


@attrs.frozen(kw_only=True)
class Launch:
    """What to start, and how.

    Attributes:
        command: the program and its arguments. For sockets, ``--comm`` and ``--logs`` are appended.
        transport: ``stdio`` for frames over descriptors 0 and 1, ``sockets`` for two loopback connections that it dials.
        environment: what to add to the allow-list.
        directory: where it starts; by default where the supervisor is.
    """

    command: Sequence[str]
    transport: Transport = "stdio"
    environment: Mapping[str, str] = attrs.field(factory=dict)
    directory: str | None = None


@asynccontextmanager
async def spawn(launch: Launch, *, host_environment: Mapping[str, str], grace: float) -> AsyncIterator[TaskProcess]:
    """Start a process; on leaving, however that comes about, end all of it and leave nothing behind.

    Args:
        launch: what to start, and how.
        host_environment: the supervisor's environment, of which an allow-list passes.
        grace: how many seconds it gets between SIGTERM and SIGKILL, should it still run on leaving.

    Raises:
        SpawnError: there is no such program, or it cannot be executed.
    """
    scratch = _make_scratch()
    try:
        environment = child_environment(host_environment, launch.environment, scratch)
        # In the event loop's own thread, though it takes a millisecond: from a worker thread, the process could be lost
        # to a cancellation that arrives before its handle does.
        process = _start(launch, environment, scratch)
        try:
            yield process
        finally:
            try:
                with anyio.CancelScope(shield=True):
                    await process.end(grace)
            finally:
                process.abandon()
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(_remove, scratch)


def _start(launch: Launch, environment: Mapping[str, str], scratch: str) -> TaskProcess:
    """Start the process and keep our ends of its channels. Blocks until the program is loaded."""
    with contextlib.ExitStack() as failed, contextlib.ExitStack() as theirs:
        try:
            listeners = [failed.enter_context(_listen()) for _ in range(2 if launch.transport == "sockets" else 0)]
            replies, stdin = _input_pipe(failed, theirs) if not listeners else (None, subprocess.DEVNULL)
            stdout_end, stdout = _output_pipe(failed, theirs)
            stderr_end, stderr = _output_pipe(failed, theirs)
            popen = subprocess.Popen(
                [*launch.command, *_flags(listeners)],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=environment,
                cwd=launch.directory,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise SpawnError(f"cannot be started: {_reason(error)}") from error
        failed.pop_all()
        # Over stdio, descriptor 1 carries frames, and the runtime points whatever else is printed at descriptor 2.
        printed = [("task.stdout", stdout_end)] if listeners else []
        return TaskProcess(
            pid=popen.pid,
            scratch=scratch,
            requests=None if listeners else stdout_end,
            replies=replies,
            output=[*printed, ("task.stderr" if listeners else "task.output", stderr_end)],
            popen=popen,
            listeners=listeners,
            pidfd=_open_pidfd(popen.pid),
        )


def _input_pipe(failed: contextlib.ExitStack, theirs: contextlib.ExitStack) -> tuple[DescriptorWriter, int]:
    read, write = os.pipe()
    theirs.callback(os.close, read)
    ours = DescriptorWriter(write)
    failed.callback(ours.close)
    return ours, read


def _output_pipe(failed: contextlib.ExitStack, theirs: contextlib.ExitStack) -> tuple[DescriptorReader, int]:
    read, write = os.pipe()
    theirs.callback(os.close, write)
    ours = DescriptorReader(read)
    failed.callback(ours.close)
    return ours, write


def _listen() -> socket.socket:
    """Open an ephemeral port on the loopback interface."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.bind((LOOPBACK, 0))
    listener.listen()
    listener.setblocking(False)
    return listener


def _flags(listeners: Iterable[socket.socket]) -> list[str]:
    return [
        f"{flag}={LOOPBACK}:{listener.getsockname()[1]}"
        for flag, listener in zip(("--comm", "--logs"), listeners, strict=False)
    ]


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, OSError) and error.strerror:
        # For a script it is the interpreter that is missing, and Python names the wrong file.
        return f"{error.strerror} ({error.filename})" if error.filename else error.strerror
    return str(error)


def _open_pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1  # not Linux, an old kernel, or a sandbox that does not know it


def _make_scratch() -> str:
    try:
        return tempfile.mkdtemp(prefix=SCRATCH_PREFIX)
    except OSError as error:
        raise SpawnError(f"has no temporary directory: {_reason(error)}") from error


def _remove(scratch: str) -> None:
    shutil.rmtree(scratch, ignore_errors=True)
    if os.path.lexists(scratch):
        _log.warning("a temporary directory cannot be removed", path=scratch)
