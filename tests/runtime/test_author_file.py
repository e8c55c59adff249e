"""`runtime.author_file`: real files, imported as a bundle's bootstrap makes them importable."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from outboard.runtime.author_file import AuthorError, load, load_each

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GOOD = """
from outboard import dag, task

@task
def extract():
    raise AssertionError("no body runs while a file is loaded")

@dag
def {name}():
    extract()

{name}()
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., list[str]]]:
    """Write files, given by module and source, where they can be imported from; returns the modules."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(**sources: str) -> list[str]:
        for module, source in sources.items():
            (tmp_path / f"{module}.py").write_text(source)
        return list(sources)

    yield write
    for path in tmp_path.glob("*.py"):
        sys.modules.pop(path.stem, None)


def test_each_module_gives_what_it_declares(written: Callable[..., list[str]], tmp_path: Path) -> None:
    first, second = load(written(author_a=GOOD.format(name="one"), author_b=GOOD.format(name="two")))
    assert [dag.dag_id for dag in first.dags] == ["one"]
    assert [dag.dag_id for dag in second.dags] == ["two"]
    assert first.file == first.dags[0].fileloc == str(tmp_path / "author_a.py")


def test_a_module_that_fails_hides_nothing_of_the_others(written: Callable[..., list[str]]) -> None:
    modules = written(author_a=GOOD.format(name="one"), author_bad="1 / 0", author_c=GOOD.format(name="three"))
    loaded, failed = load_each(modules)
    assert [dag.dag_id for declarations in loaded.values() for dag in declarations.dags] == ["one", "three"]
    assert [error.module for error in failed] == ["author_bad"]


def test_what_a_failed_module_declared_before_it_failed_is_not_the_next_ones(
    written: Callable[..., list[str]],
) -> None:
    modules = written(author_bad=GOOD.format(name="half") + "1 / 0", author_b=GOOD.format(name="two"))
    loaded, _ = load_each(modules)
    assert [dag.dag_id for declarations in loaded.values() for dag in declarations.dags] == ["two"]


def test_the_error_names_the_file_and_what_was_raised_and_keeps_the_cause(written: Callable[..., list[str]]) -> None:
    modules = written(author_bad="1 / 0")
    with pytest.raises(
        AuthorError, match="'author_bad' cannot be loaded: ZeroDivisionError: division by zero"
    ) as caught:
        load(modules)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)


def test_the_report_begins_at_the_authors_code(written: Callable[..., list[str]]) -> None:
    modules = written(author_bad="def deeper():\n    return 1 / 0\n\ndeeper()\n")
    _, (error,) = load_each(modules)
    lines = error.report.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert 'author_bad.py", line 4, in <module>' in lines[1]
    assert 'author_bad.py", line 2, in deeper' in error.report
    assert lines[-1] == "ZeroDivisionError: division by zero"


def test_the_report_ends_at_the_authors_code_when_outboard_raised(written: Callable[..., list[str]]) -> None:
    modules = written(author_bad="from outboard import task\n\ntask(retreis=1)(print)\n")
    _, (error,) = load_each(modules)
    assert 'author_bad.py", line 3' in error.report
    assert "outboard/sdk" not in error.report
    assert "there is no argument 'retreis'" in error.report.splitlines()[-1]


def test_frames_of_libraries_stay_in_the_report(written: Callable[..., list[str]]) -> None:
    modules = written(author_bad="import json\njson.loads('{')\n")
    _, (error,) = load_each(modules)
    assert "json/decoder.py" in error.report


def test_the_causes_of_an_error_are_trimmed_as_well(written: Callable[..., list[str]]) -> None:
    source = """
from outboard import task

try:
    task(retreis=1)(print)
except TypeError as error:
    raise RuntimeError("no luck") from error
"""
    _, (error,) = load_each(written(author_bad=source))
    assert 'author_bad.py", line 5' in error.report
    assert "there is no argument 'retreis'" in error.report
    assert "outboard/sdk" not in error.report
    assert error.report.endswith("RuntimeError: no luck")


def test_a_syntax_error_is_shown_with_its_place(written: Callable[..., list[str]]) -> None:
    _, (error,) = load_each(written(author_bad="x = (1,\ny = 2\n"))
    assert 'author_bad.py", line 1' in error.report
    assert "SyntaxError" in str(error)
    assert "outboard" not in error.report


@pytest.mark.parametrize("source", ["import sys; sys.exit(3)", "raise SystemExit"])
def test_a_file_that_leaves_cannot_be_loaded(written: Callable[..., list[str]], source: str) -> None:
    with pytest.raises(AuthorError, match="SystemExit"):
        load(written(author_bad=source))


def test_an_interrupt_is_not_taken_for_a_mistake_of_the_author(written: Callable[..., list[str]]) -> None:
    with pytest.raises(KeyboardInterrupt):
        load_each(written(author_bad="raise KeyboardInterrupt"))


def test_a_missing_module_is_an_error_of_the_file() -> None:
    with pytest.raises(AuthorError, match="No module named 'author_nowhere'"):
        load(["author_nowhere"])


def test_a_module_inside_a_package_is_loaded_by_its_dotted_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "author_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "tasks.py").write_text(GOOD.format(name="packed"))
    monkeypatch.syspath_prepend(tmp_path)
    (declarations,) = load(["author_package.tasks"])
    assert [dag.dag_id for dag in declarations.dags] == ["packed"]


def test_dags_of_a_module_that_the_file_imports_count(written: Callable[..., list[str]]) -> None:
    """As in Airflow: a module that builds Dags in `with` blocks declares them for whoever imports it."""
    written(author_factory=GOOD.format(name="made_elsewhere"))
    (declarations,) = load(written(author_a="import author_factory\n"))
    assert [dag.dag_id for dag in declarations.dags] == ["made_elsewhere"]
