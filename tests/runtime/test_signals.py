"""SIGTERM, and the loss of the supervisor, at each moment of a real process's life."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from outboard.protocol import events
from outboard.protocol import messages as m
from outboard.runtime.signals import EXIT_PEER_LOST
from tests.runtime.child import Child, startup
from tests.runtime.test_task_runner import source

BUSY = """
def body():
    print('busy')
    while True:
        pass
"""
ASLEEP = """
def body():
    import time
    print('asleep')
    time.sleep(600)
"""
IN_A_REQUEST = """
def body():
    Variable.get('never answered')
"""
AWAITING = """
async def body():
    import anyio
    print('awaiting')
    try:
        await anyio.sleep(600)
    finally:
        print('cleaned up')
"""
STUBBORN = """
def body():
    said = False
    while True:
        try:
            if not said:
                said = True
                print('stubborn')
            while True:
                pass
        except BaseException:
            print('not now')
"""


def started(folder: Path, body: str) -> Child:
    """A child whose body has begun: it has printed, or asked."""
    child = Child(folder, source(body))
    child.greet(startup("body", should_retry=True))
    if body is IN_A_REQUEST:
        assert isinstance(child.next_event(), events.Request)
    else:
        child.next_record()
    return child


@pytest.mark.parametrize("body", [BUSY, ASLEEP, IN_A_REQUEST, AWAITING])
def test_sigterm_interrupts_the_body_and_the_retry_decision_follows(tmp_path: Path, body: str) -> None:
    with started(tmp_path, body) as child:
        os.kill(child.process.pid, signal.SIGTERM)
        report = child.serve()
        assert child.process.wait(30) == 0
    assert report.state == "up_for_retry"
    assert any("terminated" in event for event in child.logged("task"))


def test_a_coroutine_cleans_up_when_it_is_interrupted(tmp_path: Path) -> None:
    with started(tmp_path, AWAITING) as child:
        os.kill(child.process.pid, signal.SIGTERM)
        child.serve()
    assert "cleaned up" in child.logged("task.stdout")


def test_a_second_sigterm_ends_a_body_that_goes_on(tmp_path: Path) -> None:
    with started(tmp_path, STUBBORN) as child:
        os.kill(child.process.pid, signal.SIGTERM)
        assert child.next_record()["event"] == "not now"
        os.kill(child.process.pid, signal.SIGTERM)
        assert child.serve() is None
        assert child.process.wait(30) == 128 + signal.SIGTERM


def test_sigterm_before_the_greeting_ends_the_process_without_a_report(tmp_path: Path) -> None:
    with Child(tmp_path, source(BUSY)) as child:
        # The first thing that a file which does not exist yet could be waiting for is the greeting: prove it is there.
        while not _catches(child.process.pid, signal.SIGTERM):
            assert child.process.poll() is None
        os.kill(child.process.pid, signal.SIGTERM)
        assert child.serve() is None
        assert child.process.wait(30) == 128 + signal.SIGTERM


def _catches(pid: int, number: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("SigCgt:")]
    return bool(int(line.split()[1], 16) >> (number - 1) & 1)


# A timer that goes off again and again, wherever the body is, until its handler has run often enough.
STORM = """
import logging, random, signal, sys

log = logging.getLogger("author")
runs = 0
caught = False  # whether what the handler raises has somebody who catches it

class Timeout(Exception):
    pass

def storm(handle, work, times=150):
    def handler(number, frame):
        global runs
        runs += 1
        if runs < times:
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-4, 1e-3))
        handle()
    signal.signal(signal.SIGALRM, handler)
    assert signal.getsignal(signal.SIGALRM) is handler
    global caught
    signal.setitimer(signal.ITIMER_REAL, 1e-4)
    while runs < times:
        try:
            caught = True
            while runs < times:
                work()
            caught = False
        except Timeout:
            pass
    return runs

def ask():
    Variable.get("k")

def complain():
    global caught
    if caught:
        caught = False
        raise Timeout
"""
PRINT, LOG, ASK, RAISE = "lambda: print('words')", "lambda: log.info('words')", "ask", "complain"


@pytest.mark.parametrize("work", [PRINT, LOG, ASK])
@pytest.mark.parametrize("handle", [PRINT, LOG, RAISE])
def test_a_handler_of_the_authors_may_log_and_raise_wherever_it_interrupts(
    tmp_path: Path, handle: str, work: str
) -> None:
    with Child(tmp_path, source(f"def body():\n    return storm({handle}, {work})", head=STORM)) as child:
        child.answers["GetVariable"] = lambda _: m.VariableResult(key="k", value="v")
        report = child.run()
    assert report.state == "success", child.records
    assert child.requests[-2].value >= 150
    if handle == LOG:
        assert child.logged("author").count("words") >= 150


def test_a_handler_that_asks_in_the_middle_of_a_request_is_told_so_and_the_request_goes_on(tmp_path: Path) -> None:
    body = """
def body():
    import signal
    from outboard.errors import InterruptedCallError
    def handler(number, frame):
        try:
            Variable.get('other')
        except InterruptedCallError as error:
            print(error.message)
    signal.signal(signal.SIGUSR1, handler)
    return Variable.get('k')
"""
    with Child(tmp_path, source(body)) as child:
        child.greet(startup("body"))
        request = child.next_event()
        assert isinstance(request, events.Request)
        os.kill(child.process.pid, signal.SIGUSR1)
        assert child.next_record()["event"] == "GetVariable"
        child.answers["GetVariable"] = lambda _: m.VariableResult(key="k", value="v")
        child.answer(request)
        child.serve()
    assert [type(each).__name__ for each in child.requests] == ["SetXCom", "SucceedTask"]
    assert child.requests[0].value == "v"


@pytest.mark.parametrize("body", [BUSY, ASLEEP, IN_A_REQUEST, AWAITING, STUBBORN])
def test_a_child_that_loses_its_supervisor_leaves(tmp_path: Path, body: str) -> None:
    with started(tmp_path, body) as child:
        for stream in (child.process.stdin, child.process.stdout, child.process.stderr):
            assert stream is not None
            stream.close()
        # It leads a session of its own, so it ends its group, itself included.
        assert child.process.wait(30) in (-signal.SIGKILL, EXIT_PEER_LOST)


def test_a_child_that_loses_its_supervisor_before_the_greeting_leaves(tmp_path: Path) -> None:
    with Child(tmp_path, source(BUSY)) as child:
        for stream in (child.process.stdin, child.process.stdout, child.process.stderr):
            assert stream is not None
            stream.close()
        assert child.process.wait(30) != 0


def test_the_processes_that_a_lost_child_started_end_with_it(tmp_path: Path) -> None:
    body = """
def body():
    import subprocess
    print(subprocess.Popen(['sleep', '600']).pid)
    while True:
        pass
"""
    with Child(tmp_path, source(body)) as child:
        child.greet(startup("body"))
        grandchild = int(child.next_record()["event"])
        for stream in (child.process.stdin, child.process.stdout, child.process.stderr):
            assert stream is not None
            stream.close()
        child.process.wait(30)
    # Whoever adopts it reaps it; until then it is a zombie, which is as dead.
    stat = Path(f"/proc/{grandchild}/stat")
    assert not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] in "ZX"


def test_an_answer_that_is_no_greeting_is_a_protocol_error_with_its_own_exit_code(tmp_path: Path) -> None:
    from outboard.protocol.codec import encode_body
    from outboard.protocol.frames import encode_frame

    with Child(tmp_path, source(BUSY)) as child:
        child.write(encode_frame(0, encode_body(m.OKResponse(ok=True))))
        assert child.serve() is None
        assert child.process.wait(30) == 70
        assert child.process.stderr is not None
        assert b"the first message is StartupDetails or DagFileParseRequest" in child.process.stderr.read()
