"""What a successful sync task loads, which is most of what it costs.

No clock is needed to keep the child lean: a module that isn't in the list below fails the test, whoever imported it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from outboard.bundle.contents import child_modules
from outboard.bundle.uv import find_uv
from outboard.protocol import messages as m
from tests.benchmarks.import_profile import imported_modules
from tests.benchmarks.packed import PackedFile, environment_with_msgpack, pack
from tests.benchmarks.plain_supervisor import TaskRun, greeting, run_task

AUTHOR_FILE = Path(__file__).with_name("author_file_that_tells_its_modules.py")
AUTHOR_MODULE = f"tests.runtime.{AUTHOR_FILE.stem}"

# Airflow's own floor, and the newest that the pins are tested on.
OLDEST, NEWEST = (3, 10), (3, 13)

# C modules that cost next to nothing, and what hides behind `datetime`, sockets and signals without the modules around them.
ALLOWED = frozenset(
    {
        *("_datetime", "_json", "_signal", "_socket", "_thread"),
        *("atexit", "errno", "fcntl", "gc", "select", "time"),
        *("__main__", "__mp_main__"),
    }
)
# The author's file lies in a package, which comes along.
OURS = frozenset({"outboard", "tests"})
# What of ours a task without arguments, hooks, limits and waits has no use for.
UNUSED = frozenset(
    {
        *(f"outboard.runtime.{name}" for name in ("configuration", "coroutine_body", "dag_parser", "dag_run_trigger")),
        *(f"outboard.runtime.{name}" for name in ("hooks", "rendered_fields", "retry_decision", "suspension")),
        *("outboard.runtime.time_limit", "outboard.runtime.tracebacks"),
        *(f"outboard.sdk.{name}" for name in ("async_operator", "branch", "condition", "connection", "hitl", "hook")),
        *(
            f"outboard.sdk.{name}"
            for name in ("notifier", "param", "params", "sensor", "skip_mixin", "states", "trigger_dag_run")
        ),
    }
)


def interpreters() -> dict[str, str]:
    """The interpreter for each minor version that this machine has, by that version."""
    found = {sys.version_info[:2]: sys.executable}
    for version, path in installed_interpreters():
        if OLDEST <= version <= NEWEST:
            found.setdefault(version, path)
    return {".".join(map(str, version)): found[version] for version in sorted(found)}


def installed_interpreters() -> list[tuple[tuple[int, int], str]]:
    """The minor version and the path of each CPython that uv finds on the path, or beside the one that runs this."""
    # Version managers keep versions side by side, and put stand-ins on the path that refuse to start most of them.
    siblings = [str(path.parent) for path in sorted(Path(sys.base_prefix).parent.glob("*/bin/python3"))]
    search = os.pathsep.join([*siblings, os.environ.get("PATH", "")])
    listed = subprocess.run(
        [find_uv(), "python", "list", "--only-installed", "--output-format", "json", "--no-config"],
        **{"capture_output": True, "text": True, "check": True},
        env={**os.environ, "PATH": search, "UV_PYTHON_DOWNLOADS": "never"},
    )
    pythons = [python for python in json.loads(listed.stdout) if python["implementation"] == "cpython"]
    return [((each["version_parts"]["major"], each["version_parts"]["minor"]), each["path"]) for each in pythons]


INTERPRETERS = interpreters()


@pytest.fixture(scope="module", params=[*INTERPRETERS, "with msgpack's C code"])
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PackedFile:
    """The author's file, packed for a bare environment of each interpreter, and for one that has msgpack compiled."""
    folder = tmp_path_factory.mktemp("modules")
    environment = folder / "environment"
    interpreter = INTERPRETERS.get(request.param)
    if interpreter is None:
        environment_with_msgpack(environment)
    else:
        subprocess.run([interpreter, "-m", "venv", "--without-pip", environment], check=True)
    return pack(AUTHOR_FILE, folder / "modules", environment)


def test_a_sync_task_loads_nothing_but_what_it_needs(bundle: PackedFile) -> None:
    run, stopwatch = run_with_stopwatch(bundle)
    bare_modules, bare_stopwatch = bare_start(bundle.interpreter)
    told = run.returned
    assert isinstance(told, dict)
    bare = bare_modules | imported_modules(bare_stopwatch)
    assert surplus(told["started"], bare) == set(), "when the body started"
    assert surplus(told["ended"], bare) == set(), "when the body ended"
    # The stopwatch also saw what was loaded after the body, and what has been taken out of sys.modules since.
    assert surplus(imported_modules(stopwatch), bare) == set(), "until the process ended"
    assert {*told["ended"], *imported_modules(stopwatch)} & UNUSED == set()


def test_the_stopwatch_sees_what_the_task_loads(bundle: PackedFile) -> None:
    """Otherwise the test above could not fail."""
    run, stopwatch = run_with_stopwatch(bundle)
    assert isinstance(run.returned, dict)
    assert {"_datetime", AUTHOR_MODULE} <= imported_modules(stopwatch) & {*run.returned["started"]}


def test_every_task_loads_of_outboard_what_is_executed_in_one_go_and_the_names_that_its_file_asks_for(
    bundle: PackedFile,
) -> None:
    """What is not, takes its way through the import system, which is dear."""
    run, _ = run_with_stopwatch(bundle)
    assert isinstance(run.returned, dict)
    at_once = {module.name for module in child_modules() if not module.is_cold}
    loaded = {name for name in run.returned["started"] if name.partition(".")[0] == "outboard"}
    assert loaded == at_once | {"outboard.sdk.variable"}


def surplus(modules: object, bare: set[str]) -> set[str]:
    assert isinstance(modules, (list, frozenset))
    new = {name for name in modules if name not in bare | ALLOWED}
    return {name for name in new if name.split(".")[0] not in OURS}


def run_with_stopwatch(bundle: PackedFile) -> tuple[TaskRun, str]:
    def answer(_pid: int, message: m.Message) -> m.Message | None:
        return m.VariableResult(key="region", value="north") if type(message).__name__ == "GetVariable" else None

    with tempfile.TemporaryFile() as stderr:
        command = bundle.with_option("-X", "importtime")
        run = run_task(command, greeting("modules", "tell"), answer=answer, stderr=stderr.fileno())
        stderr.seek(0)
        stopwatch = stderr.read().decode()
    assert (run.terminal, run.exit_code) == ("SucceedTask", 0), (run.records, stopwatch)
    assert [record["event"] for record in run.records] == ["the task starts", "a line", "the task ends"]
    return run, stopwatch


def bare_start(interpreter: str) -> tuple[set[str], str]:
    command = [interpreter, "-I", "-S", "-X", "importtime", "-c", "import sys; print(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(done.stdout.split()), done.stderr
