"""A task's process and everything that it starts: how it connects, how its end is noticed, how all of it is ended.

Its end is noticed without reaping it, so that its pid means nobody else until the last of its kin is gone. This module
knows no message and decides no outcome; `outboard.supervisor.spawning` is where processes come from.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterable, Sequence

import anyio
import anyio.to_thread
import attrs
import structlog

from outboard.comms.descriptors import DescriptorReader, DescriptorWriter
from outboard.supervisor import kinship

__all__ = ("TaskProcess",)

_log = structlog.get_logger(__name__)

# A process that has just forked may not be visible as a descendant at once; Airflow waits as long.
KINSHIP_PATIENCE = 1.0
KINSHIP_INTERVAL = 0.02

# What stays behind when its leader has ended by itself: no one waits for it, so it gets a short time to leave.
LEFTOVER_GRACE = 2.0

# What SIGKILL does takes effect within milliseconds, except on a process that hangs in the kernel.
KILL_PATIENCE = 5.0

# A family that forks while it is being ended is ended again, this many times.
MAX_ROUNDS = 20

# Stands for an exit code that somebody else has taken: not zero, since nothing says that all went well.
LOST_EXIT_CODE = 255


@attrs.define(eq=False, kw_only=True)
class TaskProcess:
    """A spawned process, with our ends of its channels.

    Attributes:
        pid: its process id, which is also its group and its session.
        scratch: its private temporary directory.
        requests: what it sends us as frames; None until `connect` where it dials.
        replies: what we send it; None until `connect` where it dials.
        logs: its log channel; None over stdio, where log records are frames.
        output: what it and its children print: the logger's name and the stream, for each descriptor.
    """

    pid: int
    scratch: str
    requests: DescriptorReader | None
    replies: DescriptorWriter | None
    logs: DescriptorReader | None = None
    output: Sequence[tuple[str, DescriptorReader]]
    _popen: subprocess.Popen[bytes]
    _listeners: Sequence[socket.socket]
    _pidfd: int
    _exit_code: int | None = attrs.field(default=None, init=False)
    _is_reaped_elsewhere: bool = attrs.field(default=False, init=False)
    _waiting: anyio.Lock = attrs.field(factory=anyio.Lock, init=False)

    # ── connecting ────────────────────────────────────────────────────────────────────────────────────────────────

    async def connect(self) -> None:
        """Wait for the process to dial both sockets, in any order; a peer that is not of its kin is turned away.

        Over stdio there is nothing to wait for.
        """
        if not self._listeners:
            return
        comm, logs = self._listeners
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._accept_comm, comm)
            tasks.start_soon(self._accept_logs, logs)

    async def _accept_comm(self, listener: socket.socket) -> None:
        connection = await self._accept(listener)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.requests = DescriptorReader(connection.detach())
        self.replies = DescriptorWriter(os.dup(self.requests.fileno()))

    async def _accept_logs(self, listener: socket.socket) -> None:
        self.logs = DescriptorReader((await self._accept(listener)).detach())

    async def _accept(self, listener: socket.socket) -> socket.socket:
        """Accept one connection of our own kin, then stop listening."""
        while True:
            await anyio.wait_readable(listener)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                connection, (_, peer_port) = listener.accept()
                with contextlib.ExitStack() as rejected:
                    rejected.callback(connection.close)
                    if await self._is_kin(peer_port, listener.getsockname()[1]):
                        rejected.pop_all()
                        listener.close()
                        return connection
                _log.warning("connection refused: not from the task's process", pid=self.pid, peer_port=peer_port)

    async def _is_kin(self, peer_port: int, own_port: int) -> bool:
        with anyio.move_on_after(KINSHIP_PATIENCE):
            while True:
                owner = await anyio.to_thread.run_sync(kinship.owner_of_connection, self.pid, peer_port, own_port)
                if owner is not None:
                    return True
                await anyio.sleep(KINSHIP_INTERVAL)
        return False

    # ── ending ────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def exit_code(self) -> int | None:
        """How the process ended: its exit code, or minus the number of the signal that killed it; None while it runs."""
        if self._exit_code is None:
            self._exit_code = self._peek()
        return self._exit_code

    def _peek(self) -> int | None:
        try:
            found = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            # The host process ignores SIGCHLD or reaps everybody's children: the end is certain, its cause is lost, and
            # so is the meaning of the pid.
            self._is_reaped_elsewhere = True
            return LOST_EXIT_CODE
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    async def wait(self) -> int:
        """Wait for the process to end, without reaping it; returns its `exit_code`. Several tasks may wait."""
        async with self._waiting:
            while (code := self.exit_code) is None:
                await _wait_for_exit(self._pidfd, self.pid)
            return code

    def signal_group(self, number: int) -> None:
        """Send a signal to the process and to everything in its group."""
        # Not reaped yet, or the number would mean nobody, or somebody else.
        if self._popen.returncode is None and not self._is_reaped_elsewhere:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, number)

    async def end(self, grace: float) -> None:
        """End the process and all of its kin, and reap it. The second call finds nothing to do.

        Args:
            grace: how many seconds the process gets between SIGTERM and SIGKILL if it still runs.
        """
        if self._popen.returncode is not None:
            return
        if self.exit_code is None:
            self.signal_group(signal.SIGTERM)
            with anyio.move_on_after(grace):
                await self.wait()
        if self.exit_code is None:
            self.signal_group(signal.SIGKILL)
        await self.end_kin(min(grace, LEFTOVER_GRACE))
        with anyio.move_on_after(KILL_PATIENCE):
            await self.wait()
        if self._popen.poll() is None:
            _log.error("a process survives SIGKILL", pid=self.pid)

    async def end_kin(self, grace: float) -> None:
        """End what the process has left behind, in its group or elsewhere: SIGTERM, `grace` seconds, SIGKILL."""
        number, patience = signal.SIGTERM, grace
        for _ in range(MAX_ROUNDS):
            kin = await anyio.to_thread.run_sync(self._find_kin)
            if not kin:
                return
            _log.debug("ending leftover processes", pid=self.pid, leftover=[one.pid for one in kin], signal=number)
            self.signal_group(number)
            await _signal_and_wait(kin, number, patience)
            number, patience = signal.SIGKILL, KILL_PATIENCE
        _log.error("processes of a task survive SIGKILL", pid=self.pid)

    def _find_kin(self) -> list[kinship.Kin]:
        return kinship.family(self.pid, marker=self.scratch)

    def abandon(self) -> None:
        """Close every descriptor of ours, and kill at once what `end` has left, should it have been interrupted."""
        self.signal_group(signal.SIGKILL)
        for listener in self._listeners:
            listener.close()
        for stream in (self.requests, self.replies, self.logs, *(stream for _, stream in self.output)):
            if stream is not None:
                stream.close()
        pidfd, self._pidfd = self._pidfd, -1
        if pidfd >= 0:
            os.close(pidfd)
        self._popen.poll()

    def has_read_everything(self) -> bool:
        """Whether the process has taken out of its input whatever we wrote (stdio); true where that cannot be told."""
        if self._listeners or self.replies is None:
            return True
        return self.replies.unread == 0


async def _wait_for_exit(pidfd: int, pid: int) -> None:
    if pidfd >= 0:
        await anyio.wait_readable(pidfd)
        return
    with contextlib.suppress(ChildProcessError):
        await anyio.to_thread.run_sync(os.waitid, os.P_PID, pid, os.WEXITED | os.WNOWAIT, abandon_on_cancel=True)


async def _signal_and_wait(kin: Iterable[kinship.Kin], number: int, patience: float) -> None:
    """Signal each process, then wait for all of them to be gone, at most `patience` seconds."""
    with contextlib.ExitStack() as opened:
        pidfds = []
        for one in kin:
            with contextlib.suppress(OSError):
                pidfd = os.pidfd_open(one.pid)
                opened.callback(os.close, pidfd)
                # Opened first, compared second: the pid may have passed to somebody else before, but not between.
                if kinship.start_time(one.pid) == one.started:
                    signal.pidfd_send_signal(pidfd, number)
                    pidfds.append(pidfd)
        with anyio.move_on_after(patience):
            for pidfd in pidfds:
                await anyio.wait_readable(pidfd)
        if not pidfds:
            # They have ended meanwhile; or they cannot be watched here, and what was sent to the group needs its time.
            await anyio.sleep(KINSHIP_INTERVAL)
        for pidfd in pidfds:
            _reap_orphan(pidfd)


def _reap_orphan(pidfd: int) -> None:
    """Reap a process if it is ours to reap: where we are the init process, as in a container, or a subreaper."""
    with contextlib.suppress(ChildProcessError):
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG)
