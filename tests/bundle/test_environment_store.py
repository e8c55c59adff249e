"""Places, locks and notes, with folders that stand for environments, and processes that use them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outboard.bundle.environment_store import ENVIRONMENTS, Note, Place, places

KEY, OTHER = "0123456789abcdef", "fedcba9876543210"
NOTE = Note(file="weather.py", requirements=("pandas",), python="/usr/bin/python3", drift=())


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / ENVIRONMENTS).mkdir()
    found = Place(tmp_path / ENVIRONMENTS, KEY)
    yield found
    found.release()


def fill(place: Place) -> None:
    with place.filling() as folder:
        (folder / "bin").mkdir()
        (folder / "bin" / "python").symlink_to(sys.executable)
        place.write_note(NOTE)


def fill_the_disk(place: Place) -> None:
    with place.filling() as folder:
        (folder / "bin").mkdir()
        raise OSError("no space")


@contextmanager
def another_process(place: Place, action: str) -> Iterator[None]:
    """Somebody else does something with the same place, until the end of the block."""
    program = f"""
import sys
from pathlib import Path
from outboard.bundle.environment_store import Place
place = Place(Path({str(place.parent)!r}), {place.key!r})
{action}
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield
    finally:
        process.communicate("go\n", timeout=60)
    assert process.returncode == 0


HOLD = "assert place.hold(); print('ready', flush=True); sys.stdin.readline()"
LOCK = "with place.locked(print): print('ready', flush=True); sys.stdin.readline()"


def test_what_is_filled_is_there_with_its_note(place: Place) -> None:
    assert not place.hold()
    fill(place)
    assert place.hold()
    assert place.note == NOTE
    assert places(place.parent.parent) == [place]


def test_a_failure_leaves_nothing(place: Place) -> None:
    fill(place)
    with pytest.raises(OSError, match="no space"):
        fill_the_disk(place)
    assert not place.hold()
    assert list(place.parent.iterdir()) == []


def test_an_environment_whose_interpreter_is_gone_is_not_there(place: Place, tmp_path: Path) -> None:
    fill(place)
    assert place.hold()
    (place.home / "bin" / "python").unlink()
    (place.home / "bin" / "python").symlink_to(tmp_path / "gone")
    assert not place.hold()


def test_a_link_in_its_place_is_not_followed(place: Place, tmp_path: Path) -> None:
    fill(place)
    place.home.rename(tmp_path / "elsewhere")
    place.home.symlink_to(tmp_path / "elsewhere")
    assert not place.hold()


def test_what_another_process_uses_is_not_removed(place: Place) -> None:
    fill(place)
    with another_process(place, HOLD):
        assert place.in_use
        assert not place.remove()
        assert place.hold()
    place.release()
    assert not place.in_use
    assert place.remove()
    assert list(place.parent.iterdir()) == []


def test_what_this_process_uses_is_not_removed_until_it_is_released(place: Place) -> None:
    fill(place)
    assert place.hold()
    assert place.hold()
    assert not place.remove()
    place.release()
    assert place.remove()
    assert not place.hold()


def test_what_another_process_builds_is_not_removed(place: Place) -> None:
    fill(place)
    with another_process(place, LOCK):
        assert place.in_use
        assert not place.remove()
    assert place.remove()


def test_who_waited_for_the_lock_of_a_remover_gets_a_lock_that_others_see(place: Place) -> None:
    fill(place)
    with place.locked(print):
        lock = place.parent / f"{KEY}.lock"
        before = lock.stat().st_ino
        lock.unlink()
        with another_process(place, LOCK):
            assert not place.remove()
            assert lock.stat().st_ino != before


def test_an_environment_that_was_replaced_is_held_anew(place: Place) -> None:
    fill(place)
    assert place.hold()
    fill(place)
    assert place.hold()
    assert not place.remove()


def test_removing_takes_all_that_belongs_to_it_and_nothing_else(place: Place) -> None:
    other = Place(place.parent, OTHER)
    for each in (place, other):
        fill(each)
        each.write(each.packed, b"as ", b"packed")
        (each.parent / f".{each.key}-killed").mkdir()
        (each.parent / f".{each.key}-half").touch()
    assert place.remove()
    names = {path.name for path in place.parent.iterdir()}
    assert names == {OTHER, f"{OTHER}.json", f"{OTHER}.packed", f".{OTHER}-killed", f".{OTHER}-half"}
    assert other.packed.read_bytes() == b"as packed"


def test_the_remains_of_a_killed_builder_are_a_place_that_can_be_removed(place: Place) -> None:
    (place.parent / f".{KEY}-killed").mkdir()
    assert places(place.parent.parent) == [place]
    assert place.remove()
    assert places(place.parent.parent) == []


def test_use_is_noted_at_most_once_an_hour(place: Place) -> None:
    fill(place)
    os.utime(place.home, (1_000_000, 1_000_000))
    assert place.hold()
    used = place.home.stat().st_mtime
    assert used > 1_000_000
    os.utime(place.home, (used - 60, used - 60))
    assert place.hold()
    assert place.home.stat().st_mtime == used - 60


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"file": 3}'])
def test_a_note_that_nobody_can_read_is_none(place: Place, text: str) -> None:
    fill(place)
    (place.parent / f"{KEY}.json").write_text(text)
    assert place.note is None


def test_a_cache_without_environments_has_no_places(tmp_path: Path) -> None:
    assert places(tmp_path) == []
    (tmp_path / ENVIRONMENTS).mkdir()
    (tmp_path / ENVIRONMENTS / "README").touch()
    assert places(tmp_path) == []
