from __future__ import annotations

import sys
from pathlib import Path

import pytest

from outboard.bundle.imports import Import, find_imports
from outboard.errors import LoadError

PYTHON = Path(sys.executable)


def found_in(text: str | bytes) -> list[tuple[int, str, tuple[str, ...], bool]]:
    data = text.encode() if isinstance(text, str) else text
    (found,) = find_imports(PYTHON, [("file.py", data)])
    assert not isinstance(found, LoadError)
    return [(each.level, each.base, each.names, each.optional) for each in found]


def names(text: str) -> list[str]:
    return ["." * level + base for level, base, _, _ in found_in(text)]


def optional(text: str) -> dict[str, bool]:
    return {base: is_optional for _, base, _, is_optional in found_in(text)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import a", (0, "a", ())),
        ("import a.b.c as d", (0, "a.b.c", ())),
        ("from a.b import c, d as e", (0, "a.b", ("c", "d"))),
        ("from a import *", (0, "a", ("*",))),
        ("from . import a", (1, "", ("a",))),
        ("from ..a.b import (\n    c,\n    d,\n)", (2, "a.b", ("c", "d"))),
        ("import importlib\nimportlib.import_module('a.b')", (0, "a.b", ())),
        ("from importlib import import_module\nimport_module(name='x') or import_module('a')", (0, "a", ())),
        ("__import__('a')", (0, "a", ())),
        ("import_module('.a', __package__)", (1, "a", ())),
        ("import_module('..a.b', package=__name__)", (2, "a.b", ())),
        ("import_module('.a', 'x.y')", (0, "x.y.a", ())),
        ("import_module('..a', 'x.y')", (0, "x.a", ())),
    ],
)
def test_every_way_to_write_an_import_is_seen(text: str, found: tuple[int, str, tuple[str, ...]]) -> None:
    assert (*found, False) in [each for each in found_in(text) if each[1] != "importlib"]


@pytest.mark.parametrize(
    "text",
    ["import_module(name)", "import_module('.a')", "import_module('.a', package)", "import_module('a/b')", "f()('a')"],
)
def test_what_is_known_only_when_it_runs_is_not_guessed(text: str) -> None:
    assert found_in(text) == []


def test_imports_count_wherever_they_stand() -> None:
    text = """
import a
def f():
    import b
    class C:
        async def g(self):
            from c import d
            match self:
                case 1:
                    import e
for _ in ():
    import f
else:
    with g: import h
x = [__import__("i") for _ in ()]
"""
    assert names(text) == ["a", "b", "c", "e", "f", "h", "i"]


def test_a_line_is_that_of_the_statement() -> None:
    (found,) = find_imports(PYTHON, [("file.py", b"\n\nfrom a import (\n  b,\n)\n")])
    assert found == (Import(line=3, level=0, base="a", names=("b",), optional=False),)


@pytest.mark.parametrize("caught", ["ImportError", "(KeyError, ModuleNotFoundError)", "Exception as error", ""])
def test_an_import_whose_failure_is_caught_is_optional_and_so_is_what_stands_in(caught: str) -> None:
    text = f"try:\n  import a\nexcept {caught}:\n  import b\nelse:\n  import c\nfinally:\n  import d\n"
    assert optional(text) == {"a": True, "b": True, "c": True, "d": False}


def test_an_import_in_a_block_that_catches_something_else_is_needed() -> None:
    assert optional("try:\n  import a\nexcept KeyError:\n  import b\n") == {"a": False, "b": False}


def test_a_suppressed_failure_is_optional() -> None:
    assert optional("with suppress(ImportError):\n  import a\n")["a"]
    assert optional("with contextlib.suppress(ModuleNotFoundError):\n  import a\n")["a"]
    assert not optional("with suppress(KeyError), open(x):\n  import a\n")["a"]


@pytest.mark.parametrize(
    ("test", "body", "other"),
    [
        ("TYPE_CHECKING", True, False),
        ("typing.TYPE_CHECKING", True, False),
        ("not TYPE_CHECKING", False, True),
        ("__name__ == '__main__'", True, False),
        ("sys.version_info >= (3, 11)", True, True),
        ("sys.platform == 'win32'", True, True),
        ("os.name == 'nt'", True, True),
        ("settings.platform == 'x'", False, False),
        ("debug", False, False),
    ],
)
def test_an_import_that_a_task_may_never_get_to_is_optional(test: str, body: bool, other: bool) -> None:
    assert optional(f"if {test}:\n  import a\nelse:\n  import b\n") == {"a": body, "b": other}


def test_a_declared_encoding_is_honoured() -> None:
    assert [each[1] for each in found_in("# coding: latin-1\nimport é".encode("latin-1"))] == ["é"]


def test_an_expression_deeper_than_calls_can_be_is_no_obstacle() -> None:
    assert names(f"x = {' + '.join(['1'] * 2000)}\nimport a") == ["a"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"x = 1\nfor\n", r"^file\.py, line 2: invalid syntax$"),
        (b"return 3", r"^file\.py, line 1: 'return' outside function$"),
        (b"x = '\xff'\n", r"^file\.py.*utf-8"),
        (b"x = 1\0", r"^file\.py.*null bytes"),
    ],
)
def test_a_file_that_does_not_compile_has_a_reason_and_the_others_their_imports(text: bytes, said: str) -> None:
    fine, broken = find_imports(PYTHON, [("fine.py", b"import a"), ("file.py", text)])
    assert isinstance(fine, tuple)
    assert isinstance(broken, LoadError)
    with pytest.raises(LoadError, match=said):
        raise broken
