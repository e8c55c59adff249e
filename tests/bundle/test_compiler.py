from __future__ import annotations

import marshal
import sys
from pathlib import Path

import pytest

from outboard.bundle.compiler import Unit, compile_units
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
