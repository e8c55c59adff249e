"""What a type checker sees of an author's file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_an_authors_file_is_checked_as_it_should_be(tmp_path: Path) -> None:
    (tmp_path / "author.py").write_text(AUTHOR_FILE)
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
    expected = {
        number: line.split("  # ")[1] for number, line in enumerate(AUTHOR_FILE.splitlines(), 1) if "  # " in line
    }
    assert sorted(reported) == sorted(expected), done.stdout + done.stderr
    for number, text in expected.items():
        assert text in reported[number]
