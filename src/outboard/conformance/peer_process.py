"""A runtime's process and our ends of its channels: bytes out, frames, records and output in.

It reads everything that it is asked to read while it writes or waits, so that neither side can lock up the other, and
bounds each wait by one deadline. It knows frames and lines; no message, and no check.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import termios
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from outboard.conformance.check import Failure
from outboard.conformance.transcript import Transcript, show_bytes, show_frame
from outboard.errors import RemoteProtocolError
from outboard.protocol.frames import Frame, FrameDecoder
from outboard.supervisor import kinship

__all__ = ("DEADLINE", "PeerProcess", "Transport")

Transport: TypeAlias = Literal["stdio", "sockets"]

DEADLINE = 60.0
"""Seconds for each single step of a peer: generous, since only a peer that hangs ever waits for it."""

LOOPBACK = "127.0.0.1"
READ_SIZE = 1 << 16

# Between two looks at what the system does not tell by itself: whether a pipe was read.
LOOK_AGAIN = 0.001

LOG_ID, LOG_TYPE = -1, "LogRecord"


class PeerProcess:
    """One process under test.

    Attributes:
        frames: requests that have arrived and were not taken yet; log records are not among them.
        records: its log records, in order.
        strays: lines of its log channel that are no records.
        output: what it printed, by ``stdout`` and ``stderr``. Over stdio, all of it is on stderr.
        ended: the channels that have come to their end: ``comm``, ``logs``, ``stdout``, ``stderr``.
        peak_memory: the most that it ever had, in bytes; known once it is closed.
    """

    def __init__(
        self,
        command: Sequence[str],
        transcript: Transcript,
        *,
        transport: Transport,
        environment: Mapping[str, str],
        deadline: float,
        flags: Sequence[str] | None = None,
    ) -> None:
        self.transport = transport
        self.transcript = transcript
        self.deadline = deadline
        self.frames: deque[Frame] = deque()
        self.records: list[dict[str, object]] = []
        self.strays: list[bytes] = []
        self.output = {"stdout": bytearray(), "stderr": bytearray()}
        self.ended: set[str] = set()
        self.peak_memory = 0
        self._decoder = FrameDecoder()
        self._lines = bytearray()
        self._selector = selectors.DefaultSelector()
        self._open: set[int] = set()
        self._paused: list[tuple[int, str]] = []
        self._outgoing = -1
        self._listeners: dict[str, socket.socket] = {}
        self._start(command, environment, flags)

    # ── starting and connecting ───────────────────────────────────────────────────────────────────────────────────

    def _start(self, command: Sequence[str], environment: Mapping[str, str], flags: Sequence[str] | None) -> None:
        if self.transport == "sockets" and flags is None:
            for name in ("comm", "logs"):
                self._listeners[name] = socket.create_server((LOOPBACK, 0))
        ports = {name: listener.getsockname()[1] for name, listener in self._listeners.items()}
        if flags is None:
            flags = [f"--{name}={LOOPBACK}:{port}" for name, port in ports.items()] or ["--stdio"]
        with contextlib.ExitStack() as theirs:
            stdin = subprocess.DEVNULL
            if not self._listeners:
                stdin, self._outgoing = os.pipe()
                theirs.callback(os.close, stdin)
                self._own(self._outgoing)
            stdout = self._reading_pipe(theirs, "stdout" if self._listeners else "comm")
            stderr = self._reading_pipe(theirs, "stderr")
            self._process = subprocess.Popen(
                [*command, *flags],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                env=dict(environment),
                start_new_session=True,
            )
        self.transcript.note(f"started: {' '.join([*command, *flags])}")
        self._exit_watch = os.pidfd_open(self._process.pid)
        self._own(self._exit_watch)

    def _reading_pipe(self, theirs: contextlib.ExitStack, name: str) -> int:
        read, write = os.pipe()
        theirs.callback(os.close, write)
        self._own(read)
        self._listen_to(read, name)
        return write

    def _own(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._open.add(descriptor)

    def _listen_to(self, descriptor: int, name: str) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, name)

    def connect(self) -> None:
        """Wait until the process has dialled both sockets. Over stdio there is nothing to wait for."""
        for name, listener in self._listeners.items():
            self._wait_readable(listener.fileno(), f"has not connected to --{name}")
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            descriptor = connection.detach()
            self._own(descriptor)
            self._listen_to(descriptor, name)
            if name == "comm":
                self._outgoing = os.dup(descriptor)
                self._own(self._outgoing)
            listener.close()
        if self._listeners:
            self.transcript.note("both sockets are connected")
        self._listeners = {}

    def _wait_readable(self, descriptor: int, complaint: str) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, "")
        self._selector.register(self._exit_watch, selectors.EVENT_READ, "")
        until = time.monotonic() + self.deadline
        try:
            while True:
                ready = self._read_once(until)
                if descriptor in ready:
                    return
                if self._exit_watch in ready:
                    raise Failure(f"the process {complaint}, and ended: {self._end_in_words()}")
                if time.monotonic() > until:
                    raise Failure(f"the process {complaint} within {self.deadline:g} seconds")
        finally:
            self._selector.unregister(descriptor)
            self._selector.unregister(self._exit_watch)

    # ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────

    def wait_until(self, true: Callable[[], bool], what: str) -> None:
        """Read until something is true.

        Raises:
            Failure: it did not become so within the deadline, or cannot any more; ``what`` names it.
        """
        until = time.monotonic() + self.deadline
        while not true():
            if not self._selector.get_map():
                raise Failure(f"every channel ended without {what}: {self._end_in_words()}")
            self._read_once(until)
            if time.monotonic() > until:
                raise Failure(f"{what}: not within {self.deadline:g} seconds")

    def _read_once(self, until: float) -> set[int]:
        """Read what is there, or wait for something; returns the descriptors that are ready and are not read here."""
        others = set()
        for key, _ in self._selector.select(max(0.0, until - time.monotonic())):
            descriptor = key.fd
            if not key.data:
                others.add(descriptor)
                continue
            try:
                data = os.read(descriptor, READ_SIZE)
            except BlockingIOError:
                continue
            except ConnectionError:
                data = b""
            if data:
                self._take(key.data, data)
            else:
                self.ended.add(key.data)
                self.transcript.received(f"the end of {key.data}")
                self._selector.unregister(descriptor)
        return others

    def _take(self, channel: str, data: bytes) -> None:
        if channel == "comm":
            self._take_frames(data)
        elif channel == "logs":
            self._take_lines(data)
        else:
            self.output[channel] += data
            self.transcript.received(f"{channel}: {data[:200]!r}")

    def _take_frames(self, data: bytes) -> None:
        try:
            for frame in self._decoder.feed(data):
                if frame.id == LOG_ID and frame.body is not None and frame.body.get("type") == LOG_TYPE:
                    self._keep({key: value for key, value in frame.body.items() if key != "type"})
                else:
                    self.transcript.received(show_frame(frame))
                    self.frames.append(frame)
        except RemoteProtocolError as error:
            self.transcript.received(show_bytes(data))
            raise Failure(f"it sent what is no frame: {error}") from error

    def _take_lines(self, data: bytes) -> None:
        *whole, rest = (self._lines + data).split(b"\n")
        self._lines = bytearray(rest)
        for line in whole:
            try:
                record = json.loads(line)
            except ValueError:
                record = None
            if isinstance(record, dict):
                self._keep(record)
            else:
                self.transcript.received(f"log line: {bytes(line[:200])!r}")
                self.strays.append(bytes(line))

    def _keep(self, record: dict[str, object]) -> None:
        self.transcript.received(f"log: {record!r}")
        self.records.append(record)

    def pause(self, *channels: str) -> None:
        """Stop reading channels, until `resume`."""
        self._paused = [(key.fd, key.data) for key in list(self._selector.get_map().values()) if key.data in channels]
        for descriptor, _ in self._paused:
            self._selector.unregister(descriptor)

    def wait_unread(self, channel: str, size: int) -> None:
        """Wait until a paused channel holds this many bytes that nobody has read."""
        [descriptor] = [descriptor for descriptor, name in self._paused if name == channel]
        until = time.monotonic() + self.deadline
        while int.from_bytes(fcntl.ioctl(descriptor, termios.FIONREAD, bytes(4)), sys.byteorder) < size:
            if self.exit_code is not None:
                raise Failure(f"it ended before it had written {size} bytes: {self._end_in_words()}")
            if time.monotonic() > until:
                raise Failure(f"it has not written {size} bytes within {self.deadline:g} seconds")
            self._read_once(time.monotonic() + LOOK_AGAIN)

    def resume(self) -> None:
        """Read again what was paused."""
        for descriptor, name in self._paused:
            self._listen_to(descriptor, name)

    # ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, data: bytes, *, quietly: bool = False) -> bool:
        """Write bytes, whatever they are; false if the process does not take them any more."""
        if not quietly:
            self.transcript.sent(show_bytes(data))
        rest, until = memoryview(data), time.monotonic() + self.deadline
        while rest:
            try:
                rest = rest[os.write(self._outgoing, rest) :]
            except BlockingIOError:
                self._wait_writable(until)
            except ConnectionError:
                self.transcript.note("the process does not read any more")
                return False
        return True

    def _wait_writable(self, until: float) -> None:
        self._selector.register(self._outgoing, selectors.EVENT_WRITE, "")
        try:
            while self._outgoing not in self._read_once(until):
                if time.monotonic() > until:
                    raise Failure(f"it has not read what it was sent within {self.deadline:g} seconds")
        finally:
            self._selector.unregister(self._outgoing)

    def drip(self, data: bytes) -> None:
        """Write bytes one at a time, each once the one before has been taken (stdio), or has arrived (sockets)."""
        self.transcript.sent(f"byte by byte, {show_bytes(data)}")
        for position in range(len(data)):
            if not self.write(data[position : position + 1], quietly=True):
                return
            self._wait_taken()

    def write_in_two(self, data: bytes, position: int) -> None:
        """Write bytes in two parts, the second once the first has been taken."""
        self.transcript.sent(f"in two parts, behind byte {position}, {show_bytes(data)}")
        self.write(data[:position], quietly=True)
        self._wait_taken()
        self.write(data[position:], quietly=True)

    def _wait_taken(self) -> None:
        request = termios.TIOCOUTQ if self.transport == "sockets" else termios.FIONREAD
        until = time.monotonic() + self.deadline
        while int.from_bytes(fcntl.ioctl(self._outgoing, request, bytes(4)), sys.byteorder):
            if self.exit_code is not None:
                return
            if time.monotonic() > until:
                raise Failure(f"it has not read what it was sent within {self.deadline:g} seconds")
            self._read_once(time.monotonic() + LOOK_AGAIN)

    def hang_up(self) -> None:
        """Close our ends of every channel, of its output too: what the system does for a supervisor that is killed."""
        self.transcript.sent("the end of all channels")
        for key in list(self._selector.get_map().values()):
            self._selector.unregister(key.fd)
            self._close(key.fd)
        self._close(self._outgoing)

    def end_input(self) -> None:
        """End what goes to the process, and go on reading what it says."""
        self.transcript.sent("the end of comm")
        if self.transport == "sockets":
            with contextlib.suppress(OSError), socket.socket(fileno=os.dup(self._outgoing)) as connection:
                connection.shutdown(socket.SHUT_WR)
        self._close(self._outgoing)

    # ── ending ────────────────────────────────────────────────────────────────────────────────────────────────────

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        self.transcript.note(number.name)
        self._process.send_signal(number)

    def wait_exit(self) -> int:
        """Read until the process has ended: its exit code, or minus the signal that killed it.

        What it left in its channels is read too, unless somebody else holds them open.
        """
        self._selector.register(self._exit_watch, selectors.EVENT_READ, "")
        until = time.monotonic() + self.deadline
        try:
            while self._exit_watch not in self._read_once(until):
                if time.monotonic() > until:
                    raise Failure(f"the process has not ended within {self.deadline:g} seconds")
        finally:
            self._selector.unregister(self._exit_watch)
        while self._selector.get_map() and self._selector.select(0):
            self._read_once(time.monotonic())
        self.transcript.note(f"the process has ended: {self._end_in_words()}")
        code = self.exit_code
        assert code is not None
        return code

    @property
    def exit_code(self) -> int | None:
        """The process's exit code, or minus the signal that killed it; None while it runs. It is not reaped by this."""
        found = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is None:
            return None
        return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status

    def _end_in_words(self) -> str:
        code = self.exit_code
        said = bytes(self.output["stderr"][-300:]).decode(errors="replace").strip()
        end = "it still runs" if code is None else f"exit code {code}" if code >= 0 else f"killed by signal {-code}"
        return f"{end}; it printed: {said}" if said else end

    def wait_kin_gone(self) -> None:
        """Wait until nothing of its kin is left."""
        until = time.monotonic() + self.deadline
        while left := [one.pid for one in kinship.family(self._process.pid)]:
            if time.monotonic() > until:
                raise Failure(f"{len(left)} processes are left: {left}")
            self._read_once(time.monotonic() + LOOK_AGAIN)

    def close(self) -> None:
        """Kill what is left of the process and its kin, and close everything. The second call does nothing."""
        if self._process.returncode is not None:
            return
        for one in kinship.family(self._process.pid):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(one.pid, signal.SIGKILL)
        os.kill(self._process.pid, signal.SIGKILL)
        _, status, usage = os.wait4(self._process.pid, 0)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.peak_memory = usage.ru_maxrss * 1024
        self._selector.close()
        for descriptor in list(self._open):
            self._close(descriptor)
        for listener in self._listeners.values():
            listener.close()

    def _close(self, descriptor: int) -> None:
        # Once only: the number may mean something else by now.
        if descriptor in self._open:
            self._open.remove(descriptor)
            os.close(descriptor)
