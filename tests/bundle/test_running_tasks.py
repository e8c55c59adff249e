"""A task that runs while its bundle is replaced: it stays the one that was started, to its last import and traceback."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest

from outboard.bundle import packer
from outboard.bundle.contents import collect
from outboard.bundle.deployment import deploy
from outboard.bundle.target import Target
from outboard.supervisor.coordinator import run_task
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.outcome import Outcome
from tests.supervisor.conftest import Records, startup

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

# The text above the task makes every offset in the file another one in every version.
_AUTHOR = """
import os
import time
from outboard import dag, task

PADDING = "{padding}"

@dag
def d():
    @task
    {kind} t():
        print("started")
        while not os.path.exists(os.environ["MEETING_PLACE"] + "/go"):
            time.sleep(0.01)
        {body}
        return {number}

    t()

d()
"""


@attrs.frozen
class Finished:
    """What came of a task."""

    outcome: Outcome
    records: Records
    result: object


Replaced = Callable[..., Awaitable[Finished]]


@pytest.fixture
def replaced_while_it_runs(tmp_path: Path, here: Target) -> Replaced:
    """Run a task of version 1; once its body runs, deploy version 2, and only then let it go on."""

    async def run(body: str, *, kind: str = "def", target: Target = here) -> Finished:
        root, meeting_place = tmp_path / "bundles", tmp_path / "meeting"
        root.mkdir()
        meeting_place.mkdir()
        old, new = (packed(number, tmp_path, target, body=body, kind=kind) for number in (1, 2))
        deploy(old, root)
        started, finished = anyio.Event(), []
        records, store = Records(on_record=lambda record: started.set()), LocalStore()

        async def running() -> None:
            command, environment = [str(root / "bundle"), "--stdio"], {"MEETING_PLACE": str(meeting_place)}
            finished.append(await run_task(command, startup(), ports=store.ports(records), env=environment))
            started.set()

        async with anyio.create_task_group() as group:
            group.start_soon(running)
            with anyio.fail_after(30):
                await started.wait()
            deploy(new, root, keep=0)
            (meeting_place / "go").touch()
        assert (root / "bundle").read_bytes() == new.read_bytes()
        return Finished(finished[0], records, store.run_xcoms("d", "r").get("t", {}).get("return_value"))

    return run


def packed(number: int, folder: Path, target: Target, **author: Any) -> Path:
    source, output = folder / "bundle.py", folder / str(number) / "bundle"
    body = author.pop("body").format(number=number)
    source.write_text(_AUTHOR.format(number=number, padding="." * (number * 5000), body=body, **author))
    output.parent.mkdir()
    packer.write(packer.draft(collect([source], [], target), target), output, {"d": ()})
    return output


async def test_it_returns_what_its_own_version_returns(replaced_while_it_runs: Replaced) -> None:
    done = await replaced_while_it_runs("pass")
    assert (done.outcome.state, done.result) == ("success", 1)


async def test_what_it_imports_later_is_of_its_own_version(replaced_while_it_runs: Replaced) -> None:
    """The bridge from `logging` stays in the file until the author's code imports it."""
    done = await replaced_while_it_runs("import logging; logging.getLogger('author').warning('still here')")
    assert (done.outcome.state, done.result) == ("success", 1)
    assert done.records.texts("author") == ["still here"]


async def test_its_traceback_shows_the_lines_that_ran(replaced_while_it_runs: Replaced) -> None:
    body = "import traceback; print(traceback.format_stack()[-1])  # version {number}"
    done = await replaced_while_it_runs(body)
    assert done.outcome.state == "success"
    assert any("# version 1" in text for text in done.records.texts())


async def test_a_library_that_the_bundle_carries_is_of_its_own_version(
    replaced_while_it_runs: Replaced, here: Target
) -> None:
    bare = attrs.evolve(here, libraries=frozenset(), import_path=(), start_files=())
    done = await replaced_while_it_runs("import idna; assert idna.encode('ü')", target=bare)
    assert (done.outcome.state, done.result) == ("success", 1)


async def test_the_next_task_runs_the_new_version(tmp_path: Path, here: Target) -> None:
    root = tmp_path / "bundles"
    root.mkdir()
    for number in (1, 2):
        deploy(packed(number, tmp_path, here, body="pass", kind="def"), root)
    (tmp_path / "go").touch()
    store = LocalStore()
    environment = {"MEETING_PLACE": os.fspath(tmp_path)}
    outcome = await run_task([str(root / "bundle"), "--stdio"], startup(), ports=store.ports(), env=environment)
    assert outcome.state == "success"
    assert store.run_xcoms("d", "r")["t"]["return_value"] == 2
