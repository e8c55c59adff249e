"""What a type checker sees of an author's file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A line that is wrong says so in a comment: a part of what mypy must report for it. All other lines must be right.
AUTHOR_FILE = """
from datetime import timedelta

from outboard import DAG, Context, TaskRegistry, TriggerRule, chain, dag, get_current_context, task


@task
def extract(day: str) -> dict[str, int]:
    return {"rows": len(day)}


@task(retries=3, retry_delay=timedelta(minutes=1), trigger_rule=TriggerRule.ALL_DONE)
async def load(rows: dict[str, int], note: str | None = None, *, ds: str | None = None) -> None:
    context: Context = get_current_context()
    context["ti"].xcom_push("day", ds)


@task.run_if(lambda context: context["try_number"] > 1, "the first try")
@task.short_circuit
def again(day: str) -> bool:
    return bool(day)


@dag(schedule="@daily", tags=["example"])
def sales() -> None:
    rows = extract("today")
    load(rows, note="n") >> load.override(retries=1)(rows["rows"])
    chain(rows, [load(rows), load(extract("then"))])


sales()
rows: dict[str, int] = extract.function("today")
handlers = TaskRegistry()


@handlers.task("other", "count")
def count(rows: list[int]) -> int:
    return len(rows)


count([1]) + 1
with DAG("plain", schedule=None, default_args={"retries": 2}) as plain:
    plain.task(extract.function)("today")

again("today")
extract(5)  # expected "str"
again(5)  # expected "str"
load(nothing=1)  # Unexpected keyword argument "nothing"
task(retreis=1)  # did you mean "retries"?
load.override(queue=5)  # expected "str"
DAG("wrong", shedule=None)  # did you mean "schedule"?
sales(1)  # Too many arguments
context = get_current_context()["nonsense"]  # has no key "nonsense"
"""


VARIANTS = """
from datetime import timedelta

from outboard import DAG, PokeReturnValue, dag, task


@task.branch
def choose(rows: int, *, ds: str | None = None) -> str:
    return "load" if rows else "stop"


@task.branch(task_id="other", retries=2)
async def choose_awaiting(rows: int) -> list[str]:
    return ["load"]


@task.short_circuit(ignore_downstream_trigger_rules=False, retries=1)
def has_rows(rows: int) -> bool:
    return rows > 0


@task.sensor(poke_interval=timedelta(seconds=5), mode="reschedule", soft_fail=True)
def arrived(day: str) -> PokeReturnValue:
    return PokeReturnValue(True, day)


@task.sensor
def is_there() -> bool:
    return True


@task.python(retries=2)
def load(rows: int) -> None: ...


@dag
def sales() -> None:
    arrived("today") >> choose(3) >> [load(1), has_rows(2)]
    arrived.override(poke_interval=1, retries=2)("then") >> is_there()
    has_rows.override(ignore_downstream_trigger_rules=True)(2) >> choose.override(retries=1)(5)


chosen: str = choose.function(3)
condition: bool = has_rows.function(3)
found: PokeReturnValue = arrived.function("today")
with DAG("plain", schedule=None) as plain:
    plain.task.branch(choose.function)(3)

choose("many")  # expected "int"
choose_awaiting()  # Missing positional argument "rows"
has_rows(rows=[])  # expected "int"
arrived(3)  # expected "str"
is_there(1)  # Too many arguments
load.function("many")  # expected "int"
task.branch(poke_interval=5)  # Unexpected keyword argument "poke_interval"
task.short_circuit(mode="poke")  # Unexpected keyword argument "mode"
task.sensor(poke_intervall=5)  # did you mean "poke_interval"?
arrived.override(mode=3)  # expected "str"
"""

TESTS_OF_TASKS = """
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from outboard import Connection, DAG, TaskRegistry, task
from outboard.testing import Deferral, RunFacts, TaskResult, run_task


@task
def extract(day: str) -> dict[str, int]:
    return {"rows": len(day)}


@task
async def load(rows: int) -> int:
    return rows


def plain(ds: str) -> list[str]:
    return [ds]


with DAG("sales") as sales:
    extract("today")

handlers = TaskRegistry()
handlers.register("other", "plain", plain)

rows: dict[str, int] | None = run_task(extract).value
loaded: int | None = run_task(load, real=True).value
listed: list[str] | None = run_task(plain).value
anything = run_task(sales.get_task("extract"), variables={"a": "b"}, connections={"db": "postgres://host"})
called = run_task(extract("today"), connections={"db": Connection(conn_id="db", conn_type="postgres")})
handled = run_task(handlers.handlers[0], xcoms={"extract": 3, ("extract", "other"): [1], ("extract", "other", 2): None})
facts: RunFacts = {"logical_date": datetime(2026, 1, 1, tzinfo=UTC), "try_number": 2, "event": {"any": "thing"}}
resumed: TaskResult[Any] = run_task(handlers.handlers[0], context=facts)
deferral: Deferral | None = resumed.deferral
state: str = resumed.state


def test_with_the_fixture(run_task: Callable[..., TaskResult[Any]]) -> None:
    assert run_task(extract("today"), variables={"a": "b"}).state == "success"


run_task(extract).value + 1  # Unsupported operand types
run_task(3)  # No overload variant
run_task(extract, context={"try_numbr": 2})  # No overload variant
run_task(extract, variables={"a": 3})  # expected "str": "str"
run_task(extract).stat  # has no attribute "stat"
resumed.state = "failed"  # is read-only
"""


@pytest.mark.parametrize(
    "source", [AUTHOR_FILE, VARIANTS, TESTS_OF_TASKS], ids=["a Dag", "the variants of @task", "tests of tasks"]
)
def test_an_authors_file_is_checked_as_it_should_be(tmp_path: Path, source: str) -> None:
    (tmp_path / "author.py").write_text(source)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy",
            "--strict",
            "--no-error-summary",
            "--hide-error-context",
            tmp_path / "author.py",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    reported = {}
    for line in done.stdout.splitlines():
        place, kind, text = line.split(": ", 2)
        if kind == "error":
            reported[int(place.rsplit(":", 1)[1])] = text
    expected = {number: line.split("  # ")[1] for number, line in enumerate(source.splitlines(), 1) if "  # " in line}
    assert sorted(reported) == sorted(expected), done.stdout + done.stderr
    for number, text in expected.items():
        assert text in reported[number]
