"""A runtime for the supervisor's tests: a real process that behaves, or misbehaves, in one named way.

Run as ``python peer.py SCENARIO [ARGUMENT…] [--comm=… --logs=…]``. It speaks through `outboard.protocol` alone, and its
sound parts know nothing that a runtime in another language would not know.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NoReturn

from outboard.protocol import messages as m
from outboard.protocol.conversation import RUNTIME, Conversation
from outboard.protocol.events import Greeting, Reply
from outboard.protocol.log_records import encode_line, make_record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FOREVER = 3600
SUCCESS = m.SucceedTask(end_date=NOW, task_outlets=[], outlet_events=[])

SCENARIOS: dict[str, Callable[..., object]] = {}


def scenario(function: Callable[..., object]) -> Callable[..., object]:
    SCENARIOS[function.__name__] = function
    return function


class Wire:
    """The runtime's end, over descriptors 0 and 1 or over two sockets."""

    def __init__(self) -> None:
        flags = dict(argument[2:].split("=", 1) for argument in sys.argv if argument.startswith("--"))
        self.conversation = Conversation(RUNTIME)
        self.unread: list[Any] = []
        self.read_end, self.write_end, self.logs = 0, 1, -1
        if "comm" in flags:
            self.logs = dial(flags["logs"]).detach()
            self.read_end = self.write_end = dial(flags["comm"]).detach()

    def write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self.write_end, data) :]

    def event(self) -> Any:
        while not self.unread:
            data = os.read(self.read_end, 65_536)
            self.unread += self.conversation.receive_data(data) if data else self.conversation.receive_eof()
        return self.unread.pop(0)

    def greeting(self) -> Any:
        event = self.event()
        assert isinstance(event, Greeting), event
        return event.message

    def send(self, message: Any) -> None:
        self.write(self.conversation.send_request(message)[1])

    def reply(self) -> Reply:
        event = self.event()
        assert isinstance(event, Reply), event
        return event

    def ask(self, message: Any) -> Reply:
        self.send(message)
        return self.reply()

    def log(self, event: str, **fields: object) -> None:
        self.write(self.conversation.send_log({"event": event, "level": "info", "logger": "peer", **fields}))


def dial(address: str) -> socket.socket:
    host, _, port = address.partition(":")
    return socket.create_connection((host, int(port)))


def say(text: str) -> None:
    """Print where the runtime's stray output goes."""
    os.write(2, text.encode())


def sleep() -> NoReturn:
    while True:
        time.sleep(FOREVER)


def grandchild(code: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start another Python, and wait until it says that it is up."""
    read, write = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-S", "-c", f"import os,signal,time\n{code}", str(write)], pass_fds=(write,), **options
    )
    os.close(write)
    assert os.read(read, 1)
    os.close(read)
    return process


STAY = "import sys\nfd = int(sys.argv[1])\nos.write(fd, b'.')\nos.close(fd)\ntime.sleep(3600)"
STAY_STUBBORN = f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{STAY}"


# ── sound ───────────────────────────────────────────────────────────────────────────────────────────────────────


@scenario
def succeed() -> None:
    wire = Wire()
    wire.greeting()
    wire.ask(SUCCESS)


@scenario
def report(state: str) -> None:
    wire = Wire()
    wire.greeting()
    wire.ask(m.TaskState(state=state, end_date=NOW))


@scenario
def retry() -> None:
    wire = Wire()
    wire.greeting()
    wire.ask(m.RetryTask(end_date=NOW, retry_delay_seconds=7.5, retry_reason="the moon is wrong"))


@scenario
def reschedule() -> None:
    wire = Wire()
    wire.greeting()
    wire.ask(m.RescheduleTask(reschedule_date=NOW, end_date=NOW))


@scenario
def fail_with_reason() -> None:
    wire = Wire()
    wire.greeting()
    wire.ask(m.TaskState(state="failed", end_date=NOW, retry_reason="the moon is gone"))


@scenario
def fire(*asked: str) -> None:
    """A trigger that tells what it was given, and the values of the variables that are named."""
    wire = Wire()
    request = wire.greeting()
    values = [wire.ask(m.GetVariable(key=key)).message.value for key in asked]
    wire.log(f"watching for {request.ti.task_id}")
    wire.ask(m.TriggerFired(payload=[request.classpath, request.trigger_kwargs, values]))


@scenario
def fire_never() -> None:
    """A trigger that waits, and cleans up when it is told to stop."""
    wire = Wire()
    wire.greeting()

    def leave(*_: object) -> None:
        wire.log("cleaned up")
        wire.ask(m.TriggerFailed(error="terminated", traceback=[]))
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)
    wire.log("waiting")
    sleep()


@scenario
def announce_a_limit(seconds: str) -> None:
    """Say how long it will take at most, and hang."""
    wire = Wire()
    wire.greeting()
    assert wire.ask(m.SetExecutionTimeout(timeout_seconds=float(seconds))).error is None
    sleep()


@scenario
def environment() -> None:
    """Push the environment and the descriptors as an XCom."""
    wire = Wire()
    ti = wire.greeting().ti
    open_now = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    value = {
        "environ": dict(os.environ),
        "descriptors": open_now,
        "pid": os.getpid(),
        "session": os.getsid(0),
        "group": os.getpgid(0),
        "scratch_is_there": os.path.isdir(os.environ["TMPDIR"]),
    }
    with open(os.path.join(os.environ["TMPDIR"], "left-behind"), "w") as file:
        file.write("x")
    wire.ask(m.SetXCom(key="seen", value=value, dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id))
    wire.ask(SUCCESS)


@scenario
def pipeline() -> None:
    """Send a hundred requests before reading any reply."""
    wire = Wire()
    ti = wire.greeting().ti
    where = {"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id}
    for number in range(100):
        wire.send(m.SetXCom(key=f"k{number}", value=number, **where))
    wire.send(SUCCESS)
    for _ in range(101):
        wire.reply()


@scenario
def flood_logs_under_a_large_reply() -> None:
    """Ask for more than a pipe holds, and log more than a pipe holds before reading it."""
    wire = Wire()
    wire.greeting()
    wire.send(m.GetVariable(key="large"))
    for number in range(2_000):
        wire.log("x" * 1_000, number=number)
    reply = wire.reply()
    assert len(reply.message.value) == 4 * 1024 * 1024
    wire.ask(SUCCESS)


@scenario
def log_lines() -> None:
    """Over sockets: write to the log socket whatever the arguments say."""
    wire = Wire()
    wire.greeting()
    for line in sys.argv[2:]:
        if not line.startswith("--"):
            os.write(wire.logs, line.encode().decode("unicode_escape").encode("latin-1"))
    wire.ask(SUCCESS)


@scenario
def parse() -> None:
    wire = Wire()
    request = wire.greeting()
    wire.ask(m.DagFileParsingResult(fileloc=request.file, serialized_dags=[]))


@scenario
def ask_unserved() -> None:
    wire = Wire()
    wire.greeting()
    for request in (m.GetTaskBreadcrumbs(dag_id="d", run_id="r"), m.GetVariable(key="")):
        wire.log(wire.ask(request).error.detail["message"])
    wire.ask(SUCCESS)


@scenario
def tell_secret() -> None:
    wire = Wire()
    wire.greeting()
    wire.ask(m.MaskSecret(value="correct horse"))
    wire.log("it is correct horse, as ever")
    say("correct horse battery\n")
    wire.ask(SUCCESS)


# ── hostile, or unlucky ─────────────────────────────────────────────────────────────────────────────────────────


@scenario
def never_reads() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say("up\n")
    sleep()


@scenario
def never_dials() -> None:
    sleep()


@scenario
def dial_when_told(signal_file: str) -> None:
    """Tell where to dial, and do so only after somebody else has."""
    say(" ".join(sys.argv[-2:]) + "\n")
    while not os.path.exists(signal_file):
        time.sleep(0.005)
    wire = Wire()
    wire.greeting()
    wire.ask(SUCCESS)


@scenario
def dial_from_a_child() -> None:
    """A wrapper that forks, as a shell does, and lets its child do the work."""
    if os.fork() == 0:
        succeed()
        os._exit(0)
    os.wait()


@scenario
def exit_at_once(code: str) -> None:
    say("a last word\n")
    os._exit(int(code))


@scenario
def exit_silently(code: str) -> None:
    Wire().greeting()
    os._exit(int(code))


@scenario
def die(number: str) -> None:
    Wire().greeting()
    os.kill(os.getpid(), int(number))
    sleep()


@scenario
def die_in_a_frame() -> None:
    wire = Wire()
    wire.greeting()
    wire.write(b"\x00\x00\x01\x00\x92")
    os.kill(os.getpid(), signal.SIGKILL)


@scenario
def send_raw(text: str) -> None:
    wire = Wire()
    wire.greeting()
    wire.write(bytes.fromhex(text))
    sleep()


@scenario
def send_raw_and_exit(text: str = "") -> None:
    wire = Wire()
    wire.greeting()
    wire.write(bytes.fromhex(text))
    os._exit(0)


@scenario
def report_then_send_raw(text: str) -> None:
    wire = Wire()
    wire.greeting()
    wire.ask(SUCCESS)
    wire.write(bytes.fromhex(text))
    sleep()


@scenario
def send_invalid() -> None:
    """A request with a wrong field, one of an unknown type, one without: each must be answered by name."""
    wire = Wire()
    wire.greeting()
    for body in ({"type": "GetVariable", "key": 7}, {"type": "MakeCoffee"}, {"kind": "none"}, None):
        from outboard.protocol.frames import encode_frame

        request_id = wire.conversation._last_id = wire.conversation._last_id + 1
        wire.conversation._pending.add(request_id)
        wire.write(encode_frame(request_id, body))  # type: ignore[arg-type]
        wire.log(wire.reply().error.detail["message"])
    wire.ask(SUCCESS)


@scenario
def report_twice() -> None:
    wire = Wire()
    wire.greeting()
    wire.ask(SUCCESS)
    wire.conversation.state = "running"
    second = wire.ask(m.TaskState(state="failed", end_date=NOW))
    wire.log(second.error.detail["message"])


@scenario
def report_then_exit(code: str) -> None:
    wire = Wire()
    wire.greeting()
    wire.ask(SUCCESS)
    os._exit(int(code))


@scenario
def report_then_die() -> None:
    wire = Wire()
    wire.greeting()
    wire.ask(SUCCESS)
    os.kill(os.getpid(), signal.SIGKILL)


@scenario
def report_then_linger() -> None:
    wire = Wire()
    wire.greeting()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wire.ask(SUCCESS)
    sleep()


@scenario
def report_without_reading_the_reply() -> None:
    wire = Wire()
    wire.greeting()
    wire.send(SUCCESS)
    os._exit(0)


@scenario
def busy() -> None:
    wire = Wire()
    wire.greeting()
    wire.log("busy")
    sleep()


@scenario
def ignore_sigterm() -> None:
    wire = Wire()
    wire.greeting()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wire.log("deaf")
    sleep()


@scenario
def report_on_sigterm(message: str) -> None:
    wire = Wire()
    wire.greeting()

    def leave(*_: object) -> None:
        reports = {
            "retry": m.RetryTask(end_date=NOW, retry_delay_seconds=3.0),
            "failed": m.TaskState(state="failed", end_date=NOW),
            "success": SUCCESS,
        }
        wire.log("told to stop")
        wire.ask(reports[message])
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)
    wire.log("waiting")
    sleep()


@scenario
def hang_up() -> None:
    wire = Wire()
    wire.greeting()
    os.close(1)
    sleep()


@scenario
def leave_grandchild(kind: str) -> None:
    """Report, and leave somebody behind who holds our descriptors."""
    wire = Wire()
    wire.greeting()
    if kind == "in_group":
        left = grandchild(STAY)
    elif kind == "stubborn":
        left = grandchild(STAY_STUBBORN)
    elif kind == "in_session":
        left = grandchild(STAY_STUBBORN, start_new_session=True)
    else:
        left = grandchild(
            f"if os.fork():\n    os._exit(0)\nos.setsid()\nopen('pid', 'w').write(str(os.getpid()))\n{STAY}",
            cwd=os.environ["TMPDIR"],
        )
        left.wait()
        with open(os.path.join(os.environ["TMPDIR"], "pid")) as file:
            left.pid = int(file.read())
    wire.log("left", pid=left.pid)
    wire.ask(SUCCESS)
    os._exit(0)


@scenario
def die_with_grandchild() -> None:
    wire = Wire()
    wire.greeting()
    wire.log("left", pid=grandchild(STAY_STUBBORN).pid)
    os.kill(os.getpid(), signal.SIGKILL)


@scenario
def fall_back_to_stderr() -> None:
    """What a runtime does that has lost its channel, or a forked copy of one: its records are lines on stderr."""
    wire = Wire()
    wire.greeting()
    record = make_record("words", "warning", "author", NOW, {"rows": 3})
    os.write(2, encode_line(record) + b'{"event":"half a record"}\n{"event":broken\n')
    wire.ask(SUCCESS)


@scenario
def print_stray() -> None:
    wire = Wire()
    wire.greeting()
    os.write(2, b"plain\nwindows\r\n\xff\xfe not text\n" + b"y" * 10_000_000 + b"\nno newline at the end")
    wire.ask(SUCCESS)


@scenario
def flood_output() -> None:
    """Print for ever: the supervisor must go on reading frames."""
    wire = Wire()
    wire.greeting()
    if os.fork() == 0:
        while True:
            os.write(2, b"z" * 65_536)
    for number in range(20):
        wire.ask(m.GetVariable(key=f"k{number}"))
    wire.ask(SUCCESS)
    os._exit(0)


@scenario
def never_reads_replies() -> None:
    wire = Wire()
    wire.greeting()
    data = wire.conversation.send_request(m.GetVariable(key="large"))[1]
    while True:
        wire.write(data)


if __name__ == "__main__":
    arguments = [argument for argument in sys.argv[2:] if not argument.startswith("--")]
    SCENARIOS[sys.argv[1]](*([] if sys.argv[1] == "log_lines" else arguments))
