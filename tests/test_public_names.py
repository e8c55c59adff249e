"""The author API: its names, and what importing them loads."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import outboard

SOURCE = Path(outboard.__file__).parent

# What a sync task may not load between the interpreter's start and its own end, since each costs as much as the rest.
FORBIDDEN = (
    *("anyio", "asyncio", "attr", "attrs", "contextlib", "dataclasses", "enum", "functools", "inspect", "json"),
    *("logging", "pathlib", "re", "socket", "structlog", "subprocess", "threading", "traceback", "typing"),
)

PROGRAM = f"""
import sys
before = set(sys.modules)
sys.path.insert(0, {str(SOURCE.parent)!r})

from datetime import datetime, timedelta, timezone
from outboard import DAG, TaskRegistry, TriggerRule, Variable, XComArg, chain, dag, get_current_context, task

@task(retries=2, retry_delay=timedelta(minutes=1), trigger_rule=TriggerRule.ALL_DONE)
def extract() -> "dict[str, int]":
    return {{"rows": 3}}

@task
async def load(rows, ds=None, **context):
    pass

@dag(schedule="@daily", start_date=datetime(2026, 1, 1, tzinfo=timezone.utc), default_args={{"owner": "me"}})
def sales():
    rows = extract()
    load.override(task_id="other")([rows["rows"]]) >> load(rows)

sales()
handlers = TaskRegistry()

@handlers.task("elsewhere")
def handle(ti):
    pass

from outboard.protocol import serde
from outboard.runtime import author_file
from outboard.sdk.registry import collect
from outboard.sdk.task_instance import TaskInstance

declarations = collect(globals())
declarations.validate()
operator = declarations.find("sales", "other").with_references_resolved(lambda task_id, key: (True, 3))
assert operator.is_async
assert operator.bind({{"ds": "x"}}) == (([3],), {{"ds": "x"}})
assert declarations.find("elsewhere", "handle").bind({{"ti": 1}}) == ((), {{"ti": 1}})
assert serde.deserialize(serde.serialize({{"a": (1, datetime(2026, 1, 1, tzinfo=timezone.utc))}}))
print(*sorted(set(sys.modules) - before))
"""


@pytest.mark.parametrize("name", outboard.__all__)
def test_every_name_resolves_and_is_what_its_home_defines(name: str) -> None:
    home = importlib.import_module(f"outboard.sdk.{outboard._HOMES[name]}")
    assert getattr(outboard, name) is getattr(home, name)
    assert name in dir(outboard)


def test_a_name_that_does_not_exist_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'outboard' has no attribute 'tusk'"):
        outboard.tusk  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'tusk'"):
        from outboard import tusk  # type: ignore[attr-defined]  # noqa: F401


def test_type_checkers_and_the_running_program_see_the_same_names() -> None:
    tree = ast.parse((SOURCE / "__init__.py").read_text())
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    shown = {
        alias.name: statement.module
        for statement in block.body
        if isinstance(statement, ast.ImportFrom)
        for alias in statement.names
    }
    assert shown == {name: f"outboard.sdk.{home}" for name, home in outboard._HOMES.items()}
    assert set(shown) == set(outboard.__all__)


@pytest.mark.parametrize("module", sorted(path.stem for path in (SOURCE / "sdk").glob("[a-z]*.py")))
def test_what_a_module_declares_public_it_defines(module: str) -> None:
    found = importlib.import_module(f"outboard.sdk.{module}")
    assert isinstance(found.__all__, tuple)
    assert all(hasattr(found, name) for name in found.__all__)


def test_declaring_and_binding_a_dag_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", PROGRAM], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert "outboard.sdk.task" in loaded
    assert sorted(loaded & set(FORBIDDEN)) == []
    # What nothing here asked for is not paid for.
    assert "outboard.sdk.connection" not in loaded
    assert "outboard.sdk.xcom" not in loaded


def test_importing_the_package_loads_nothing_at_all() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(SOURCE.parent)!r}); before = set(sys.modules); import outboard; "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, timeout=30, check=True
    )
    assert set(done.stdout.split()) <= {"outboard", "__future__"}
