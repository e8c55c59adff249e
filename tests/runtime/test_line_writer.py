"""What stands in for ``sys.stdout`` and ``sys.stderr`` in a task."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runtime.child import Child
from tests.runtime.test_task_runner import source


def printed(folder: Path, body: str) -> list[str]:
    with Child(folder, source(f"def body():\n    import sys\n    {body}")) as child:
        report = child.run()
    assert report.state == "success", child.records
    return child.logged("task.stdout")


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("name", "<stdout>"),
        ("mode", "w"),
        ("encoding", "utf-8"),
        ("errors", "backslashreplace"),
        ("line_buffering", True),
        ("write_through", False),
        ("closed", False),
        ("isatty()", False),
        ("writable()", True),
        ("readable()", False),
        ("fileno()", 1),
    ],
)
def test_it_has_what_libraries_ask_of_a_text_stream(tmp_path: Path, attribute: str, value: object) -> None:
    assert printed(tmp_path, f"print(repr(sys.stdout.{attribute}))") == [repr(value)]


def test_it_can_be_told_to_change_and_stays_as_it_is(tmp_path: Path) -> None:
    body = "sys.stdout.reconfigure(encoding='latin-1', errors='strict', line_buffering=False); print('é')"
    assert printed(tmp_path, body) == ["é"]


def test_bytes_that_are_no_text_are_shown_escaped(tmp_path: Path) -> None:
    assert printed(tmp_path, r"sys.stdout.buffer.write(b'caf\xe9\n')") == [r"caf\xe9"]


def test_a_character_may_come_in_several_pieces(tmp_path: Path) -> None:
    body = "[sys.stdout.buffer.write(bytes([each])) for each in 'é☃\\n'.encode()]"
    assert printed(tmp_path, body) == ["é☃"]


def test_a_stream_of_the_authors_in_front_of_it_is_flushed(tmp_path: Path) -> None:
    body = "import io; sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8'); print('one\\ntwo', end='')"
    assert printed(tmp_path, body) == ["one", "two"]


@pytest.mark.parametrize("end", ["sys.stdout = None", "sys.stdout.close(); sys.stderr.close()"])
def test_an_author_may_do_away_with_it(tmp_path: Path, end: str) -> None:
    assert printed(tmp_path, f"print('one'); {end}") == ["one"]


def test_a_line_without_end_comes_in_pieces(tmp_path: Path) -> None:
    pieces = printed(tmp_path, "print('x' * 1_000_000, end='')")
    assert "".join(pieces) == "x" * 1_000_000
    assert max(map(len, pieces)) == 64 * 1024
