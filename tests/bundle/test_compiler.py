from __future__ import annotations

import marshal
import sys
from pathlib import Path

import pytest

from outboard.bundle.compiler import Unit, compile_units, join_codes
from outboard.errors import BundleError, LoadError

PYTHON = Path(sys.executable)


def test_code_runs_and_shows_the_name_it_was_given() -> None:
    (code,) = compile_units(PYTHON, [Unit("weather.py", b"answer = 6 * 7")])
    loaded = marshal.loads(code)
    names: dict[str, object] = {}
    exec(loaded, names)
    assert names["answer"] == 42
    assert loaded.co_filename == "weather.py"


def test_a_set_among_the_constants_does_not_change_the_bytes() -> None:
    """The order of a set of texts depends on the hash seed, which differs from process to process."""
    unit = Unit("a.py", b"x in {'a', 'b', 'c', 'd', 'e', 'f', 'g'}")
    assert len({compile_units(PYTHON, [unit])[0] for _ in range(3)}) == 1


def test_a_declared_encoding_is_honoured() -> None:
    (code,) = compile_units(PYTHON, [Unit("a.py", "# coding: latin-1\nname = 'é'".encode("latin-1"))])
    names: dict[str, object] = {}
    exec(marshal.loads(code), names)
    assert names["name"] == "é"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"x = 1\nfor\n", r"^broken.py, line 2: invalid syntax$"),
        (b"x = '\xff'\n", r"^broken.py.*utf-8"),
        (b"x = 1\0", r"^broken.py.*null bytes"),
    ],
)
def test_a_file_that_does_not_compile_is_named_with_its_line(text: bytes, said: str) -> None:
    with pytest.raises(LoadError, match=said) as caught:
        compile_units(PYTHON, [Unit("fine.py", b""), Unit("broken.py", text)])
    assert "\n" not in str(caught.value)


def test_an_interpreter_that_fails_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho out of order >&2\nexit 1\n")
    broken.chmod(0o755)
    with pytest.raises(BundleError, match="out of order"):
        compile_units(broken, [])


LEAN = b'''
"""Says what it is."""
from __future__ import annotations
TYPE_CHECKING = False
if TYPE_CHECKING:
    from nowhere import Nothing
else:
    Nothing = "from the other branch"
class Kept:
    """Says what it is."""
    bare: Nothing
    given: int = 3
def function(a: Nothing, *b: Nothing, c: Nothing = 1, **d: Nothing) -> Nothing:
    """Says what it is."""
    if TYPE_CHECKING:
        import nowhere
    local: int = a
    assert a is None, "is left out"
    return local
'''


def test_a_stripped_module_does_what_it_did_without_what_only_people_and_type_checkers_read() -> None:
    (code,) = compile_units(Path(sys.executable), [Unit("lean.py", LEAN, stripped=True)])
    module: dict[str, object] = {"__name__": "lean"}
    exec(marshal.loads(code), module)
    function, kept = module["function"], module["Kept"]
    assert (function(7), kept.given, module["Nothing"]) == (7, 3, "from the other branch")  # type: ignore[operator, attr-defined]
    assert (function.__annotations__, function.__doc__, kept.__doc__) == ({}, None, None)  # type: ignore[attr-defined]
    assert "annotations" not in module


def test_an_authors_module_is_compiled_as_it_is() -> None:
    (code,) = compile_units(Path(sys.executable), [Unit("author.py", b'"""Mine."""\nassert True\nx: int = 1\n')])
    module: dict[str, object] = {"__name__": "author"}
    exec(marshal.loads(code), module)
    assert (module["__doc__"], module["__annotations__"]) == ("Mine.", {"x": int})


def test_the_code_of_several_modules_in_one_piece_is_that_of_each_in_the_given_order() -> None:
    units = [Unit(f"{name}.py", f"text = 'shared'\nanswer = {name!r}".encode()) for name in "cab"]
    codes = compile_units(PYTHON, units)
    joined = join_codes(PYTHON, [(unit.name, code) for unit, code in zip(units, codes, strict=True)])
    assert joined == join_codes(PYTHON, [(unit.name, code) for unit, code in zip(units, codes, strict=True)])
    loaded = marshal.loads(joined)
    assert [*loaded] == ["c.py", "a.py", "b.py"]
    assert [*loaded.values()] == [marshal.loads(code) for code in codes]
