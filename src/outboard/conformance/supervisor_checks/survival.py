"""What must cost a supervisor no more than the one task: frames that are none, log lines that break readers, odd processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from outboard.conformance.actor import Actor, scene
from outboard.conformance.check import MUST, SHOULD, Check, Failure, register
from outboard.conformance.supervisor_bench import SupervisorBench
from outboard.conformance.wire import frame, pack, prefixed
from outboard.supervisor import kinship

__all__ = ("CHECKS",)

CHECKS: list[Check] = []
check = register(CHECKS)


def make_broken_check(name: str, data: bytes, idea: str, *, leaves: bool = False) -> None:
    """One check for each kind of frame that is none. The process stays, or leaves at once."""

    def play(actor: Actor) -> None:
        actor.start()
        actor.send_bytes(data)
        if leaves:
            actor.leave(0)
        actor.stay()

    play.__name__ = f"broken_{name.replace('-', '_')}"
    scene(play)

    def judge(bench: SupervisorBench) -> None:
        bench.run(play.__name__).expect("failed")

    judge.__doc__ = f"{idea} fails the task, which is told, and not the supervisor."
    check(f"broken.{name}", MUST, "frames")(judge)


make_broken_check("empty", prefixed(b""), "An empty frame")
make_broken_check("no-array", prefixed(pack({"type": "SucceedTask"})), "A map instead of an array")
make_broken_check("no-msgpack", prefixed(b"\xc1\xc1\xc1"), "A payload that is no msgpack")
make_broken_check("trailing", prefixed(pack([1, None]) + b"\xc0"), "A frame that goes on behind its array")
make_broken_check("text-id", frame("1", {"type": "GetVariable", "key": "x"}), "An id that is text")
make_broken_check("list-body", frame(1, ["GetVariable"]), "A body that is a list")
make_broken_check("huge", b"\xff\xff\xff\xff\x92", "A length of four gigabytes, and an end,", leaves=True)
make_broken_check(
    "cut-short", frame(1, {"type": "GetVariable", "key": "x"})[:-3], "A frame that is cut short", leaves=True
)


# ── log lines ─────────────────────────────────────────────────────────────────────────────────────────────────────


def make_line_check(tier: str, name: str, line: bytes, idea: str) -> None:
    """One check for each careless line: the task goes on, and so does its log."""

    def play(actor: Actor) -> None:
        actor.start()
        actor.log_line(line)
        actor.log("the line after it")
        actor.succeed()

    play.__name__ = f"line_{name.replace('-', '_')}"
    scene(play)

    def judge(bench: SupervisorBench) -> None:
        run = bench.run(play.__name__)
        run.expect_answers()
        run.expect("success")
        run.expect_logged("the line after it")

    judge.__doc__ = f"A log line {idea} costs neither the task nor the lines after it."
    check(f"line.{name}", tier, "log-records")(judge)


SOUND = b'"event": "careless", "timestamp": "2026-03-29T01:30:00Z"'

make_line_check(MUST, "no-json", b"this is no JSON", "that is no JSON")
make_line_check(MUST, "no-object", b"[1, 2, 3]", "that is no object")
make_line_check(MUST, "no-level", b"{" + SOUND + b"}", "without a level")
make_line_check(MUST, "level-list", b"{" + SOUND + b', "level": ["info"]}', "whose level is a list")
make_line_check(MUST, "level-unknown", b"{" + SOUND + b', "level": "LOUD"}', "whose level nobody knows")
make_line_check(MUST, "msg", b"{" + SOUND + b', "level": "info", "msg": "x"}', "with an extra named msg")
make_line_check(MUST, "self", b"{" + SOUND + b', "level": "info", "self": "x"}', "with an extra named self")
make_line_check(MUST, "timestamp", b'{"event": "careless", "level": "info", "timestamp": 7}', "whose time is a number")
make_line_check(MUST, "no-event", b'{"level": "info"}', "without an event")
make_line_check(MUST, "bytes", b'{"event": "\xff\xfe", "level": "info"}', "that is no UTF-8")
make_line_check(MUST, "empty", b"", "that is empty")
make_line_check(MUST, "exception", b"{" + SOUND + b', "level": "error", "exception": 7}', "whose exception is a number")
make_line_check(SHOULD, "long", b'{"event": "' + b"y" * 4_000_000 + b'", "level": "info"}', "of four megabytes")


# ── processes ─────────────────────────────────────────────────────────────────────────────────────────────────────


@scene
def exit_at_once(actor: Actor) -> None:
    actor.tell(pid=os.getpid())
    os.write(2, b"a last word\n")
    actor.leave(5)


@check("process.exits-at-once", MUST, "the-end")
def _(bench: SupervisorBench) -> None:
    """A process that ends before it has connected, or read its greeting, is a failure that is told."""
    bench.run("exit_at_once").expect("failed")


@scene
def never_dial(actor: Actor) -> None:
    actor.tell(pid=os.getpid())
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    actor.stay()


@check("process.never-connects", MUST, "limits")
def _(bench: SupervisorBench) -> None:
    """A process that never connects, or never reads its greeting, is ended after a while; the task fails, which is told."""
    run = bench.run("never_dial")
    run.expect("failed")
    expect_gone(run.facts["pid"], "the process")


@scene
def hang_up(actor: Actor) -> None:
    actor.start()
    os.close(actor.writing)
    if not actor.is_over_stdio:
        os.close(actor.logs)
    actor.stay()


@check("process.hangs-up", SHOULD, "the-end")
def _(bench: SupervisorBench) -> None:
    """A process that closes its channels and goes on without them is ended; the task fails, which is told."""
    bench.run("hang_up").expect("failed")


STAY = "import time; time.sleep(600)"


@scene
def leave_grandchild(actor: Actor) -> None:
    actor.start()
    grandchild = subprocess.Popen([sys.executable, "-S", "-c", STAY, sys.argv[2]], close_fds=False)
    actor.tell(left=grandchild.pid)
    actor.succeed()


@check("process.grandchild", MUST, "the-end")
def _(bench: SupervisorBench) -> None:
    """A grandchild that holds the descriptors of an ended process does not keep the task from ending."""
    bench.run("leave_grandchild").expect("success")


@check("process.grandchild-is-ended", SHOULD, "stock-and-ours")
def _(bench: SupervisorBench) -> None:
    """What a task leaves behind is ended with it."""
    expect_gone(bench.run("leave_grandchild").facts["left"], "the grandchild")


@scene
def look_around(actor: Actor) -> None:
    opened = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    actor.tell(opened=opened)
    actor.start()
    actor.succeed()


@check("process.inherits-nothing", SHOULD, "starting-a-runtime")
def _(bench: SupervisorBench) -> None:
    """A process has the three standard descriptors, and no other of its supervisor's."""
    # Its own: the file that it writes for the kit, and the folder that it looks into.
    others = [number for number in bench.run("look_around").facts["opened"] if number > 2]
    if len(others) > 2:
        raise Failure(f"it has {len(others) - 2} more: {others}")


def expect_gone(pid: int, what: str) -> None:
    """There is no such process any more, or it only waits to be reaped by whoever adopted it."""
    found = kinship.process(pid)
    if found is not None and not found.ended:
        raise Failure(f"{what} is still there")
