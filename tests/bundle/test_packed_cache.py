from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from outboard.bundle import contents, packed_cache, target
from outboard.bundle.credentials import Credentials
from outboard.bundle.dependencies import PackedEnvironment
from outboard.bundle.environment_store import ENVIRONMENTS, Place
from outboard.bundle.target import Target
from outboard.bundle.uv import Uv, find_uv
from outboard.errors import BundleError

NO_CREDENTIALS = Credentials()


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """An environment with one module and one distribution in it."""
    (tmp_path / ENVIRONMENTS).mkdir()
    found = Place(tmp_path / ENVIRONMENTS, "0" * 16)
    with found.filling() as folder:
        uv = Uv(program=find_uv(), credentials=NO_CREDENTIALS, offline=True)
        made = uv.run(
            "venv", "--no-project", "--relocatable", "--allow-existing", "--python", sys.executable, str(folder)
        )
        assert made.succeeded, made.complaint
        packages = next(folder.glob("lib/python*/site-packages"))
        (packages / "thing.py").write_text("value = 1\n")
        (packages / "thing-1.0.dist-info").mkdir()
        (packages / "thing-1.0.dist-info" / "METADATA").write_text("Name: thing\nVersion: 1.0\n")
    yield found
    found.release()


@pytest.fixture
def here(place: Place) -> Target:
    return target.inspect(place.home, libraries=contents.CHILD_LIBRARIES)


@pytest.fixture
def packed(place: Place, here: Target):
    """Ask for the packed environment; `packed.told` counts how often it was packed."""
    told: list[str] = []

    def run(credentials: Credentials = NO_CREDENTIALS) -> PackedEnvironment:
        return packed_cache.packed_environment(place, here, credentials=credentials, tell=told.append)

    run.told = told  # type: ignore[attr-defined]
    return run


def test_it_is_packed_once(packed) -> None:
    first = packed()
    assert [(each.name, each.version) for each in first.distributions] == [("thing", "1.0")]
    assert packed() == first
    assert packed.told == ["packing the environment"]


@pytest.mark.parametrize("damage", [b"", b"{}\n", b"[]\n", b"no JSON"], ids=["empty", "no fields", "a list", "no JSON"])
def test_what_is_damaged_is_packed_again(packed, place: Place, damage: bytes) -> None:
    first = packed()
    place.packed.write_bytes(damage)
    assert packed() == first
    assert packed() == first
    assert len(packed.told) == 2


def test_a_changed_byte_is_found(packed, place: Place) -> None:
    first = packed()
    data = bytearray(place.packed.read_bytes())
    data[-100] ^= 1
    place.packed.write_bytes(bytes(data))
    assert packed() == first
    assert len(packed.told) == 2


def test_what_another_version_of_the_packing_code_wrote_is_packed_again(
    packed, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed()
    monkeypatch.setattr(packed_cache, "_MODULES_THAT_PACK", (packed_cache,))
    packed()
    assert len(packed.told) == 2


def test_a_package_that_wrote_down_a_credential_is_refused_and_named(packed, place: Place) -> None:
    packages = next(place.home.glob("lib/python*/site-packages"))
    (packages / "thing.py").write_text("built_from = 'https://me:s3cret@host/simple'\n")
    known = Credentials.collect({}, ["https://me:s3cret@host/simple"])
    for _ in range(2):
        with pytest.raises(BundleError, match=r"site-packages/thing.py: this file .* holds a credential") as caught:
            packed(known)
        assert "s3cret" not in str(caught.value)
    assert not place.packed.exists()


def test_where_it_cannot_be_kept_it_is_packed_each_time(packed, place: Place) -> None:
    first = packed()
    place.packed.unlink()
    place.packed.mkdir()
    (place.parent / f"{place.key}.lock").unlink()
    (place.parent / f"{place.key}.lock").mkdir()
    assert packed() == packed() == first
    assert len(packed.told) == 3
    assert [path for path in place.parent.iterdir() if path.name.startswith(".")] == []
