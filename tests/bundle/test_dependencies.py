"""What an environment says about the machines that it runs on."""

from __future__ import annotations

import os
from pathlib import Path

import attrs
import pytest

from outboard.bundle.dependencies import PackedEnvironment, pack_environment
from outboard.bundle.target import Target
from outboard.errors import BundleError
from tests.bundle.fat import Carried

HERE = (os.confstr("CS_GNU_LIBC_VERSION") or "").rpartition(" ")[2]


@pytest.fixture
def packages(here: Target, tmp_path: Path) -> Path:
    """The folder in which packages are installed."""
    folder = tmp_path / "environment" / "lib" / "python3" / "site-packages"
    folder.mkdir(parents=True)
    return folder


def install(packages: Path, name: str, *tags: str, files: tuple[str, ...] = ()) -> None:
    info = packages / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "WHEEL").write_text("Wheel-Version: 1.0\n" + "".join(f"Tag: {tag}\n" for tag in tags))
    for file in files:
        (packages / file).parent.mkdir(exist_ok=True)
        (packages / file).write_bytes(b"\x7fELF")


def packed(here: Target, packages: Path) -> PackedEnvironment:
    return pack_environment(attrs.evolve(here, prefix=packages.parents[2]))


def test_a_wheel_needs_the_lowest_c_library_that_it_names(here: Target, packages: Path) -> None:
    """auditwheel lists every policy that a wheel fulfils; any of them will do."""
    tags = [f"cp311-cp311-{tag}_x86_64" for tag in ("manylinux_2_17", "manylinux2014", "manylinux_2_28")]
    install(packages, "one", *tags, files=("one/_fast.so",))
    assert packed(here, packages).glibc == "2.17"


def test_an_environment_needs_what_the_most_demanding_of_its_wheels_needs(here: Target, packages: Path) -> None:
    install(packages, "old", "cp311-cp311-manylinux2010_x86_64", files=("old/_fast.so",))
    install(packages, "new", "cp311-cp311-manylinux_2_34_x86_64", files=("new/_fast.so",))
    install(packages, "pure", "py3-none-any")
    assert packed(here, packages).glibc == "2.34"


def test_what_was_built_here_needs_the_c_library_that_is_here(here: Target, packages: Path) -> None:
    install(packages, "built", "cp311-cp311-linux_x86_64", files=("built/_fast.so",))
    assert packed(here, packages).glibc == HERE


def test_wheels_for_another_c_library_need_no_glibc(here: Target, packages: Path) -> None:
    install(packages, "small", "cp311-cp311-musllinux_1_2_x86_64", files=("small/_fast.so",))
    found = packed(here, packages)
    assert (found.glibc, found.machine) == ("", os.uname().machine)


def test_the_native_part_of_msgpack_ties_a_bundle_to_no_machine(pure: Carried) -> None:
    found = pure.packed
    assert (found.machine, found.glibc, found.needs_execution) == ("", "", False)
    assert list(found.start_natives) == ["msgpack._cmsgpack"]


def test_what_is_installed_is_told_by_name_and_version(here: Target, packages: Path) -> None:
    for name in ("b", "a"):
        install(packages, name, "py3-none-any")
    assert [(each.name, each.version) for each in packed(here, packages).distributions] == [("a", "1.0"), ("b", "1.0")]


def test_a_file_that_cannot_be_read_is_told_by_name(here: Target, packages: Path) -> None:
    (packages / "gone.py").symlink_to(packages / "nowhere.py")
    with pytest.raises(BundleError, match=r"gone\.py cannot be read: No such file or directory"):
        packed(here, packages)
