"""`runtime.dag_parser`: what a ``DagFileParseRequest`` is answered with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from outboard.protocol import messages as m
from outboard.protocol.codec import decode_body, encode_body
from outboard.protocol.serialized_dag import read
from outboard.runtime import author_file, dag_parser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from outboard.protocol.messages import DagFileParsingResult

REQUEST = m.DagFileParseRequest(file="/bundles/team/sales", bundle_path="/bundles", bundle_name="team")


@pytest.fixture
def parsed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., DagFileParsingResult]]:
    """Parse files, given by module and source; the answer has been over the wire."""
    monkeypatch.syspath_prepend(tmp_path)

    def parse(**sources: str) -> DagFileParsingResult:
        for module, source in sources.items():
            (tmp_path / f"{module}.py").write_text("from outboard import DAG, TaskRegistry, dag, task\n" + source)
        loaded, failed = author_file.load_each(list(sources))
        answer = dag_parser.parse(REQUEST, list(loaded.values()), failed)
        decoded: Any = decode_body(encode_body(answer))
        return decoded  # type: ignore[no-any-return]

    yield parse
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


def dag_ids(answer: DagFileParsingResult) -> list[str]:
    return [read(dag.data).dag_id for dag in answer.serialized_dags]


def test_dags_come_in_the_order_of_their_declaration(parsed: Callable[..., DagFileParsingResult]) -> None:
    answer = parsed(
        author_a="with DAG('zebra'): pass\nwith DAG('ant'): pass\n",
        author_b="with DAG('monkey'): pass\n",
    )
    assert dag_ids(answer) == ["zebra", "ant", "monkey"]
    assert answer.import_errors is None
    assert answer.fileloc == REQUEST.file


def test_a_dag_stands_under_the_file_that_was_asked_for(parsed: Callable[..., DagFileParsingResult]) -> None:
    """Airflow knows the bundle, not the author's file inside of it."""
    answer = parsed(author_a="with DAG('d'): pass\n")
    dag: Any = answer.serialized_dags[0].data["dag"]
    assert dag["fileloc"] == "/bundles/team/sales"
    assert dag["relative_fileloc"] == "team/sales"


def test_no_body_runs(parsed: Callable[..., DagFileParsingResult]) -> None:
    answer = parsed(
        author_a="""
@task
def explode():
    raise SystemExit("a body has run")

with DAG("d"):
    explode()
"""
    )
    assert dag_ids(answer) == ["d"]


def test_a_broken_file_hides_no_good_one(parsed: Callable[..., DagFileParsingResult]) -> None:
    answer = parsed(author_a="with DAG('a'): pass\n", author_bad="1 / 0\n", author_c="with DAG('c'): pass\n")
    assert dag_ids(answer) == ["a", "c"]
    assert answer.import_errors is not None
    assert list(answer.import_errors) == ["team/sales"]
    text = answer.import_errors["team/sales"]
    assert 'author_bad.py", line 2, in <module>' in text
    assert text.endswith("ZeroDivisionError: division by zero")


def test_the_errors_of_several_files_are_one_entry(parsed: Callable[..., DagFileParsingResult]) -> None:
    answer = parsed(author_a="1 / 0\n", author_b="import author_nowhere\n")
    assert answer.import_errors is not None
    (text,) = answer.import_errors.values()
    assert "author_a.py" in text
    assert "ZeroDivisionError" in text
    assert "author_b.py" in text
    assert "No module named 'author_nowhere'" in text


def test_a_dag_with_a_cycle_hides_no_good_one(parsed: Callable[..., DagFileParsingResult]) -> None:
    answer = parsed(
        author_a="""
@task
def step():
    pass

with DAG("round"):
    first, second = step(), step()
    first >> second >> first

with DAG("straight"):
    step() >> step()
"""
    )
    assert dag_ids(answer) == ["straight"]
    assert answer.import_errors == {
        "team/sales": "AirflowDagCycleException: Dag 'round' has a cycle: step → step__1 → step"
    }


def test_a_dag_id_that_two_files_use_is_an_error_that_names_both(parsed: Callable[..., DagFileParsingResult]) -> None:
    answer = parsed(author_a="with DAG('d'): pass\n", author_b="with DAG('d'): pass\n")
    assert dag_ids(answer) == ["d"]
    assert answer.import_errors is not None
    text = answer.import_errors["team/sales"]
    assert "two Dags have the id 'd'" in text
    assert "author_a.py" in text
    assert "author_b.py" in text


def test_a_dag_that_another_file_imports_is_one_dag(parsed: Callable[..., DagFileParsingResult]) -> None:
    loop = "with DAG('loop') as broken:\n    @task\n    def step(): pass\n    x, y = step(), step()\n    x >> y >> x\n"
    answer = parsed(author_a="from author_b import sound, broken\n", author_b="with DAG('d') as sound: pass\n" + loop)
    assert dag_ids(answer) == ["d"]
    assert answer.import_errors is not None
    assert answer.import_errors["team/sales"].count("\n") == 0
    assert "'loop' has a cycle" in answer.import_errors["team/sales"]


def test_handlers_alone_are_answered_with_nothing(parsed: Callable[..., DagFileParsingResult]) -> None:
    answer = parsed(author_a="handlers = TaskRegistry()\n@handlers.task('sales')\ndef load(): pass\n")
    assert answer.serialized_dags == []
    assert answer.import_errors is None


def test_handlers_that_clash_are_an_error_that_names_them(parsed: Callable[..., DagFileParsingResult]) -> None:
    answer = parsed(
        author_a="""
one, other = TaskRegistry(), TaskRegistry()
one.register("sales", "load", lambda: None)
other.register("sales", "load", lambda: None)

with DAG("d"):
    pass
"""
    )
    assert dag_ids(answer) == ["d"]
    assert answer.import_errors == {"team/sales": "DuplicateTaskIdFound: task 'load' of Dag 'sales' has two handlers"}


def test_no_file_is_answered_with_nothing(parsed: Callable[..., DagFileParsingResult]) -> None:
    answer = parsed()
    assert answer.serialized_dags == []
    assert answer.import_errors is None


def test_a_dag_function_that_nobody_calls_is_an_error_where_it_is_all_there_is(
    parsed: Callable[..., DagFileParsingResult],
) -> None:
    answer = parsed(author_a="@dag\ndef forgotten(): pass\n")
    assert answer.import_errors is not None
    assert "forgotten is under @dag, but is never called" in answer.import_errors["team/sales"]
    answer = parsed(author_b="@dag\ndef spare(): pass\nwith DAG('d'): pass\n")
    assert answer.import_errors is None
