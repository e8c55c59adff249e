from __future__ import annotations

import pytest

from outboard.bundle.start_order import start_order


def order(*roots: str, **texts: str) -> list[str]:
    return start_order(roots, {name.replace("__", "."): text.encode() for name, text in texts.items()})


def test_what_a_module_imports_goes_before_it() -> None:
    assert order("a", a="import b, c", b="import d", c="from d import x", d="", e="") == ["d", "b", "c", "a"]


def test_a_package_goes_before_what_is_in_it() -> None:
    assert order("a.b.c", a="", a__b="", a__b__c="", a__other="") == ["a", "a.b", "a.b.c"]


def test_a_name_that_is_taken_from_a_package_may_be_a_module_of_it() -> None:
    assert order("z", z="from a import b, text", a="", a__b="") == ["a", "a.b", "z"]


def test_a_module_that_its_package_imports_goes_before_the_package() -> None:
    """Python begins with the package, and finishes the module first."""
    assert order("a.b", a="from a import b", a__b="") == ["a.b", "a"]


def test_each_module_goes_once_and_modules_that_import_each_other_end() -> None:
    assert order("a", "b", "a", a="import b", b="import a") == ["b", "a"]


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n  import b",
        "if TYPE_CHECKING:\n  import b",
        "try:\n  import b\nexcept ImportError: ...",
        "import elsewhere",
    ],
)
def test_what_is_not_loaded_with_a_module_and_what_is_not_among_the_texts_is_left_out(text: str) -> None:
    assert order("a", a=text, b="") == ["a"]
