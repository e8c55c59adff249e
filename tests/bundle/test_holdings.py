"""What the cache holds and how room is made, with folders that stand for environments and unpacked bundles."""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from outboard.bundle import cache
from outboard.bundle.environment_store import ENVIRONMENTS, Note, Place
from outboard.bundle.holdings import Holding, holdings, prune

NOW = int(time.time())
DAY = 86_400
OLD, NEW, BUNDLE = "0" * 16, "1" * 16, "b" * 64


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """A cache with an environment of ten days ago, a bundle of five, and an environment of now: 1000 bytes each."""
    (tmp_path / ENVIRONMENTS).mkdir()
    for key, days in ((OLD, 10), (NEW, 0)):
        place = Place(tmp_path / ENVIRONMENTS, key)
        with place.filling() as folder:
            (folder / "bin").mkdir()
            (folder / "bin" / "python").symlink_to(sys.executable)
            (folder / "data").write_bytes(bytes(600 - len(sys.executable)))
            place.write_note(Note(file="weather.py", requirements=("pandas", "x"), python=sys.executable))
        place.write(place.packed, bytes(400))
        os.utime(place.home, (NOW - days * DAY,) * 2)
    folder = tmp_path / cache.UNPACKED / BUNDLE
    folder.mkdir(parents=True)
    (folder / "data").write_bytes(bytes(1000))
    os.utime(folder, (NOW - 5 * DAY,) * 2)
    return tmp_path


def present(root: Path, **variables: str) -> list[Holding]:
    return holdings(root, {cache.CACHE_VARIABLE: str(root), **variables})


def pruned(root: Path, *, size: str = "", **options: object) -> list[str]:
    environment = {cache.CACHE_VARIABLE: str(root), "OUTBOARD_CACHE_SIZE": size}
    return [holding.name for holding in prune(root, environment, **options)]  # type: ignore[arg-type]


@contextmanager
def using(path: Path) -> Iterator[None]:
    """As a task does, or whoever builds."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT if path.suffix else os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def test_both_kinds_are_told_the_least_recently_used_first(full: Path) -> None:
    told = [(each.kind, each.name, each.size, each.last_used, each.in_use, each.about) for each in present(full)]
    assert told == [
        ("environment", OLD, 1000, NOW - 10 * DAY, False, "weather.py: pandas, x"),
        ("bundle", BUNDLE, 1000, NOW - 5 * DAY, False, ""),
        ("environment", NEW, 1000, NOW, False, "weather.py: pandas, x"),
    ]


@pytest.mark.parametrize("used", [f"{ENVIRONMENTS}/{OLD}", f"{ENVIRONMENTS}/{OLD}.lock", f"{cache.UNPACKED}/{BUNDLE}"])
def test_what_somebody_uses_is_told_and_stays_whatever_is_asked_for(full: Path, used: str) -> None:
    name = Path(used).stem
    with using(full / used):
        assert [each.name for each in present(full) if each.in_use] == [name]
        assert name not in pruned(full, everything=True)
        assert name not in pruned(full, older_than=0)
        assert pruned(full, size="0") == []
        assert [each.name for each in present(full)] == [name]
    assert pruned(full, size="0") == [name]


@pytest.mark.parametrize(
    ("size", "expected"),
    [("3000", []), ("2999", [OLD]), ("2K", [OLD]), ("1999", [OLD, BUNDLE]), ("0", [OLD, BUNDLE, NEW]), ("", [])],
)
def test_by_default_the_least_recently_used_go_until_the_rest_is_small_enough(
    full: Path, size: str, expected: list[str]
) -> None:
    assert pruned(full, size=size) == expected
    assert len(present(full)) == 3 - len(expected)


@pytest.mark.parametrize(("days", "expected"), [(11, []), (7, [OLD]), (4.5, [OLD, BUNDLE])])
def test_age_alone_may_decide(full: Path, days: float, expected: list[str]) -> None:
    assert pruned(full, older_than=days, size="0") == expected


def test_all_goes_with_all_that_belongs_to_it(full: Path) -> None:
    assert pruned(full, everything=True) == [OLD, BUNDLE, NEW]
    assert [path.name for path in full.rglob("*")] in (
        [ENVIRONMENTS, cache.UNPACKED],
        [cache.UNPACKED, ENVIRONMENTS],
    )


def test_what_killed_processes_left_goes_always_and_what_others_are_at_stays(full: Path) -> None:
    environments, bundles = full / ENVIRONMENTS, full / cache.UNPACKED
    third, fourth = "3" * 16, "4" * 16
    for remains in (
        environments / f".{third}-killed",
        environments / ".evicted-abc",
        bundles / ".evicted-abc",
        bundles / ".cccc-killed",
        bundles / ".dddd-writing",
        environments / f".{fourth}-building",
    ):
        (remains / "data").mkdir(parents=True)
    with using(bundles / ".dddd.lock"), using(environments / f"{fourth}.lock"):
        assert pruned(full) == []
        assert {path.name for path in bundles.iterdir()} == {BUNDLE, ".dddd-writing", ".dddd.lock"}
        names = {path.name.partition(".")[0] or path.name for path in environments.iterdir()}
        assert names == {OLD, NEW, fourth, f".{fourth}-building"}


def test_what_others_could_have_planted_is_left_alone(full: Path) -> None:
    full.chmod(0o777)
    assert [each.kind for each in present(full)] == ["environment", "environment"]
    assert pruned(full, everything=True) == [OLD, NEW]
    assert (full / cache.UNPACKED / BUNDLE).is_dir()


def test_an_empty_cache_holds_nothing(tmp_path: Path) -> None:
    assert present(tmp_path / "missing") == []
    assert pruned(tmp_path / "missing", everything=True) == []
