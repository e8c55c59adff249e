"""Which of the classes that an XCom may name are made."""

from __future__ import annotations

import sys
from fractions import Fraction
from types import ModuleType

import pytest

from outboard.runtime.known_classes import find_class
from outboard.sdk import allowed_classes

SOURCE = """
from subprocess import Popen
from dataclasses import dataclass

@dataclass
class Row:
    n: int

    class Inside:
        pass

Alias = Row
number = 1
"""


@pytest.fixture(autouse=True)
def author(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("author_of_classes")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr(allowed_classes, "_allowed", {})
    exec(SOURCE, vars(module))
    return module


def found(name: str, own: str = "author_of_classes") -> type | None:
    return find_class(name, lambda module: module == own)


def test_a_class_of_the_authors_module_is_found(author: ModuleType) -> None:
    assert found("author_of_classes.Row") is author.Row


@pytest.mark.parametrize(
    "name",
    [
        "author_of_classes.Popen",
        "author_of_classes.Alias",
        "author_of_classes.number",
        "author_of_classes.absent",
        "author_of_classes.Row.Inside",
        "author_of_classes",
        "subprocess.Popen",
        "builtins.eval",
        "",
        ".",
    ],
)
def test_what_is_not_the_authors_class_under_its_own_name_is_not_found(name: str) -> None:
    assert found(name) is None


def test_a_module_that_is_not_the_authors_has_no_classes_to_find() -> None:
    assert found("author_of_classes.Row", own="another") is None


def test_nothing_is_imported_to_find_a_class() -> None:
    assert "this" not in sys.modules
    assert found("this.Zen", own="this") is None
    assert "this" not in sys.modules


def test_an_allowed_class_is_found_whosoever_it_is() -> None:
    assert found("fractions.Fraction") is None
    allowed_classes.allow_class(Fraction)
    assert found("fractions.Fraction") is Fraction
