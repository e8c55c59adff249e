"""Claiming fd 0 and 1, in a process that has nothing to lose."""

from __future__ import annotations

import subprocess
import sys

import pytest

CLAIM = """
import os, subprocess, sys
{before}
from outboard.comms.stdio import claim
reading, writing = claim()
"""


def run(code: str, *, before: str = "", stdin: bytes = b"wire in") -> subprocess.CompletedProcess[bytes]:
    script = CLAIM.format(before=before) + code
    done = subprocess.run([sys.executable, "-c", script], input=stdin, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done


def test_the_wire_is_what_fd_0_and_1_were() -> None:
    done = run("os.write(writing, b'got ' + os.read(reading, 99))")
    assert (done.stdout, done.stderr) == (b"got wire in", b"")


def test_what_a_task_reads_is_empty_and_what_it_prints_goes_to_stderr() -> None:
    done = run("print(repr(sys.stdin.read()), flush=True); os.write(1, b'and from C\\n')")
    assert (done.stdout, done.stderr) == (b"", b"''\nand from C\n")


def test_child_processes_do_not_get_the_wire() -> None:
    code = """
listing = subprocess.run(["ls", "-l", "/proc/self/fd"], capture_output=True, text=True, close_fds=False).stdout
ours = {os.readlink(f"/proc/self/fd/{fd}") for fd in (reading, writing)}
assert not [line for line in listing.splitlines() if any(pipe in line for pipe in ours)], listing
assert reading > 2 and writing > 2
"""
    run(code)


def test_the_wire_stays_clear_of_standard_descriptors_that_the_parent_closed() -> None:
    code = "os.write(writing, f'{reading > 2} {writing > 2}'.encode())"
    assert run(code, before="os.dup2(os.open(os.devnull, os.O_WRONLY), 2)").stdout == b"True True"


@pytest.mark.parametrize("fd", [0, 1])
def test_a_closed_fd_is_an_error(fd: int) -> None:
    script = f"import os; os.close({fd})\nfrom outboard.comms.stdio import claim\nclaim()"
    done = subprocess.run([sys.executable, "-c", script], input=b"", capture_output=True, timeout=60, check=False)
    assert done.returncode == 1
    assert b"Bad file descriptor" in done.stderr
