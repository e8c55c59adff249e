from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from outboard.bundle.reader import verify
from outboard.cli.exit_codes import BAD_INPUT, SUCCESS
from tests.cli.conftest import DAGS


def test_the_text_says_what_is_inside(outboard, hello: Path) -> None:
    found = verify(hello)
    done = outboard("inspect", hello)
    assert (done.code, done.err) == (SUCCESS, "")
    for told in (
        str(hello),
        found.sha256,
        found.manifest.digest,
        "Dag hello",
        "schema 2026-06-16: Airflow 3.3 or newer",
        f"python version {found.manifest.python_version}",
        "hello.py",
        "module hello",
        "region executable",
        f"{len(found.members)} inside",
    ):
        assert told in " ".join(done.out.split()), told


def test_the_document_accounts_for_every_byte_and_every_file(outboard, hello: Path) -> None:
    done = outboard("inspect", hello, "--json")
    document = json.loads(done.out)
    assert (done.code, done.err) == (SUCCESS, "")
    assert document["size"] == hello.stat().st_size == sum(region["size"] for region in document["regions"].values())
    assert document["dag_ids"] == ["hello"]
    assert document["schema"] == {"date": "2026-06-16", "airflow": ["3.3", "3.4"]}
    assert (document["tasks"], document["handlers"], document["warnings"]) == (None, None, [])
    assert document["manifest"]["sources"][0]["file"] == "hello.py"
    sources = [member for member in document["members"] if member["region"] == "sources"]
    [source] = [member for member in sources if member["name"] == "hello.py"]
    text = hello.read_bytes()[source["offset"] : source["offset"] + source["size"]]
    assert text == (DAGS / "hello.py").read_bytes()


def test_asked_it_starts_the_bundle_and_tells_tasks_and_handlers(outboard, author_file, tmp_path: Path) -> None:
    source = author_file(
        """
from outboard import TaskRegistry, dag, task

registry = TaskRegistry()

@registry.task(dag_id="elsewhere")
def handles(): ...

@dag
def mine():
    @task
    def first(): ...
    first()
mine()
"""
    )
    assert outboard("pack", source, "-o", "tasks", "--thin", sys.prefix).code == SUCCESS
    document = json.loads(outboard("inspect", "tasks", "--ask", "--json").out)
    assert (document["tasks"], document["handlers"]) == ({"mine": ["first"]}, {"elsewhere": ["handles"]})
    text = outboard("inspect", "tasks", "--ask").out
    assert "mine: tasks first\n" in text
    assert "elsewhere: handlers of handles\n" in text


@pytest.mark.parametrize("as_json", [(), ("--json",)])
def test_a_damaged_bundle_is_one_line_and_exit_code_2(outboard, hello: Path, tmp_path: Path, as_json) -> None:
    broken = Path(shutil.copy(hello, tmp_path / "broken"))
    broken.write_bytes(broken.read_bytes()[:-1])
    done = outboard("inspect", broken, *as_json)
    assert (done.code, done.out) == (BAD_INPUT, "")
    assert done.err.startswith(f"outboard: {broken} is damaged: trailer: ")
    assert done.err.count("\n") == 1
