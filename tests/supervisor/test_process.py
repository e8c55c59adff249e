"""The process alone: how it begins, how its end is noticed, and what is done where the kernel offers less."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import anyio.to_thread
import pytest

from outboard.supervisor.process import LOST_EXIT_CODE, TaskProcess
from outboard.supervisor.spawning import Launch, SpawnError, spawn
from tests.supervisor.conftest import World, is_alive

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]


def python(code: str, **options: Any) -> AbstractAsyncContextManager[TaskProcess]:
    launch = Launch(command=[sys.executable, "-S", "-c", code], **options)
    return spawn(launch, host_environment=os.environ, grace=0.1)


@pytest.mark.parametrize(
    ("code", "exit_code"),
    [
        ("pass", 0),
        ("raise SystemExit(3)", 3),
        ("import os; os.kill(os.getpid(), 9)", -9),
        ("import os; os.abort()", -6),
    ],
)
async def test_an_end_is_noticed_and_told(code: str, exit_code: int) -> None:
    async with python(code) as process:
        with anyio.fail_after(20):
            assert await process.wait() == exit_code
        # Not reaped yet: the pid is still its own.
        assert os.path.exists(f"/proc/{process.pid}")
    assert process.exit_code == exit_code
    assert not os.path.exists(f"/proc/{process.pid}")


async def test_several_may_wait_for_one_end() -> None:
    async with python("import time; time.sleep(3600)") as process:
        found: list[int] = []

        async def wait() -> None:
            found.append(await process.wait())

        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(wait)
                await anyio.wait_all_tasks_blocked()
                process.signal_group(signal.SIGKILL)
    assert found == [-9, -9, -9]


async def test_leaving_ends_a_process_that_still_runs() -> None:
    async with python("import time; time.sleep(3600)") as process:
        assert process.exit_code is None
    assert process.exit_code == -15
    process.signal_group(signal.SIGKILL)  # means nobody any more


async def test_an_exception_of_ours_ends_the_process_too() -> None:
    with pytest.raises(ZeroDivisionError):
        async with python("import time; time.sleep(3600)") as process:
            raise ZeroDivisionError
    assert not is_alive(process.pid)


async def test_an_end_that_somebody_else_has_taken_note_of_is_an_end_and_no_success() -> None:
    async with python("pass") as process:
        await anyio.to_thread.run_sync(os.waitpid, process.pid, 0)
        with anyio.fail_after(20):
            assert await process.wait() == LOST_EXIT_CODE


async def test_it_starts_where_it_is_told() -> None:
    async with python("import os; os.write(2, os.getcwd().encode())", directory="/") as process:
        ((_, output),) = process.output
        assert await output.receive() == b"/"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/no/such"], r"^cannot be started: No such file or directory \(/no/such\)$"),
        (["a\0b"], "^cannot be started: embedded null byte$"),
    ],
)
async def test_what_cannot_be_started_says_why(command: list[str], reason: str) -> None:
    with pytest.raises(SpawnError, match=reason):
        async with spawn(Launch(command=command), host_environment={}, grace=1):
            pass


async def test_without_a_place_for_its_files_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/no/such/folder")
    with pytest.raises(SpawnError, match=r"^has no temporary directory: No such file or directory"):
        async with python("pass"):
            pass


def refuse(*_: object) -> int:
    raise OSError(38, "Function not implemented")


@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        (("succeed",), "reported success"),
        (("die", 9), "killed by signal 9 (SIGKILL) while running"),
        (("leave_grandchild", "stubborn"), "reported success"),
    ],
)
async def test_without_pidfds_an_end_is_noticed_and_the_group_is_ended(
    world: World, monkeypatch: pytest.MonkeyPatch, scenario: tuple[str, ...], reason: str
) -> None:
    monkeypatch.setattr(os, "pidfd_open", refuse)
    assert (await world.run(*scenario)).reason == reason
