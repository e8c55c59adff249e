"""A try of a task in a process of its own: from a bundle of the file that declares it, under the supervisor of local runs.

Knows how to find that file, and the steps to a bundle that the command line takes, too.
"""

from __future__ import annotations

import functools
import sys
import tempfile
import threading
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from outboard.bundle import contents, environment, packer, target
from outboard.bundle.disk import refusal
from outboard.bundle.entry import first_line_here
from outboard.errors import BundleError, UsageError
from outboard.runtime.client import CLOCK_OFFSET_VARIABLE
from outboard.sdk.dag import DAG, DagFactory
from outboard.sdk.registry import TaskRegistry
from outboard.supervisor import coordinator
from outboard.supervisor.outcome import Outcome
from outboard.testing import structlog_tap
from outboard.testing.ended_task import EndedTask
from outboard.testing.record_list import RecordList
from outboard.testing.run_facts import Facts
from outboard.testing.structlog_tap import Proceed
from outboard.testing.supervisor_thread import supervisor_thread
from outboard.testing.task_result import RemoteTaskError
from outboard.testing.task_under_test import TaskUnderTest
from outboard.testing.world import Leftovers, World

__all__ = ("run_in_bundle",)

_RETURN_KEY = "return_value"

_TASK_LOGGER = "task"

# The last one only where a retry policy says so.
_AFTER_FAILURE = ("failed", "up_for_retry", "up_for_reschedule")

# How the runtime's records begin that tell of a body which has raised something.
_FAILURES = ("the task raised an exception", "timed out: ")


def run_in_bundle(facts: Facts, world: World) -> EndedTask:
    """Run one try of a task there.

    Raises:
        UsageError: no file declares the task, or the file cannot be packed.
        LoadError: the file has a syntax error.
        BundleError: the bundle cannot be written.
    """
    file = _file_of(facts.task)
    records = RecordList()
    with _scratch_folder() as folder:
        bundle = _pack(file, folder)
        ended, leftovers = _supervise(bundle, facts, world, records)
    return EndedTask(
        outcome=ended,
        records=records.records,
        leftovers=leftovers,
        witness=world.witness,
        value=leftovers.xcoms.get(_RETURN_KEY) if ended.state == "success" else None,
        exception=_exception(ended.state, records.records),
    )


def _supervise(bundle: Path, facts: Facts, world: World, records: RecordList) -> tuple[Outcome, Leftovers]:
    async def supervise() -> tuple[Outcome, Leftovers]:
        await world.furnish()
        greeting = facts.greeting(world.own_xcom_keys())
        ended = await coordinator.run_task(
            [str(bundle), "--stdio"], greeting, ports=world.ports(records), env=_clock(facts)
        )
        return ended, await world.leftovers()

    # In a thread, since an event loop may run in this one. An interruption of this one ends the process.
    own_threads: set[int] = set()
    with (
        structlog_tap.listening(functools.partial(_but_not_from, own_threads)),
        supervisor_thread(own_threads) as portal,
    ):
        return portal.call(supervise)


def _but_not_from(
    threads: Container[int], logger: structlog.BoundLoggerBase, method: str, fields: Mapping[str, Any], proceed: Proceed
) -> Any:
    """Keep to itself what the supervisor logs about its work: in a test it is nobody's."""
    return None if threading.get_ident() in threads else proceed()


def _clock(facts: Facts) -> dict[str, str]:
    if facts.now is None:
        return {}
    return {CLOCK_OFFSET_VARIABLE: str((facts.now - datetime.now(UTC)).total_seconds())}


def _exception(state: str, records: list[Mapping[str, Any]]) -> RemoteTaskError | None:
    """What the runtime has said about why it failed."""
    if state not in _AFTER_FAILURE:
        return None
    errors = [each for each in records if each["logger"] == _TASK_LOGGER and each["level"] == "error"]
    # A callback that fails is told of later, and in the same way.
    told = [each for each in errors if str(each["event"]).startswith(_FAILURES)] or errors
    if not told or (state == "up_for_reschedule" and told is errors):
        return None
    record = told[-1]
    chain = tuple(record.get("exception") or ())
    if not chain:
        return RemoteTaskError(str(record["event"]))
    name, said = str(chain[0]["exc_type"]), str(chain[0]["exc_value"])
    return RemoteTaskError(f"{name}: {said}", name, chain)


# ── the bundle ────────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _scratch_folder() -> Iterator[Path]:
    """A folder in the cache, where files can be executed."""
    cache = environment.cache_folder()
    home = cache / "bundles"
    try:
        # Whatever the umask: bundles trust a cache only if nobody else can write to it.
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.mkdir(mode=0o700, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=home)
    except OSError as error:
        raise BundleError(refusal(home, error)) from error
    with folder as name:
        yield Path(name)


def _pack(file: Path, folder: Path) -> Path:
    """Pack a file for the environment that the tests run in."""
    here = target.inspect(Path(sys.prefix), libraries=contents.CHILD_LIBRARIES)
    sketch = packer.draft(contents.collect([file], [], here), here, first_line=first_line_here())
    bundle = folder / sketch.name
    # Without Dag ids: they are for whoever looks for a bundle by them, and this one is known by its path.
    packer.write(sketch, bundle, {})
    return bundle


# ── the file ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _file_of(task: TaskUnderTest) -> Path:
    """The file that declares a task.

    Raises:
        UsageError: none does, or a file of tests.
    """
    label = f"real=True runs {task.operator.label} from a bundle of the file that declares it"
    if not task.is_declared:
        raise UsageError(
            f"{label}, and it is in no Dag; give run_task a task of a file's Dag, dag.get_task(…), or a handler"
        )
    found = [file for file in _files_with(task) if file.is_file()]
    if not found:
        raise UsageError(
            f"{label}, but none does: the Dag or registry was made in a function, or at a prompt; declare it at the top of "
            "a file of its own, and import that"
        )
    # Other modules may have imported it, tests for one; what is imported is loaded after what imports it.
    files = [file for file in found if not _is_test(file)]
    if not files:
        raise UsageError(
            f"{label}, and {found[-1].name} is a file of tests, which no bundle holds; declare it in a file of its own"
        )
    return files[-1]


def _is_test(file: Path) -> bool:
    return file.stem.startswith("test_") or file.stem.endswith("_test") or file.stem == "conftest"


def _files_with(task: TaskUnderTest) -> Iterator[Path]:
    for module in list(sys.modules.values()):
        # Past the module's own __getattr__, which may load something.
        values = getattr(module, "__dict__", {})
        file = values.get("__file__")
        if isinstance(file, str) and any(_declares(value, task) for value in list(values.values())):
            yield Path(file)


def _declares(value: object, task: TaskUnderTest) -> bool:
    if isinstance(value, DAG):
        return value is task.declaration
    if isinstance(value, DagFactory):
        return value.called and task.operator.dag is not None and value.dag_id == task.dag_id
    if isinstance(value, TaskRegistry):
        return any(handler.operator is task.operator for handler in value.handlers)
    return False
