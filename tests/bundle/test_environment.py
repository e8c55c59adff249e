"""Environments are built with the real uv; packages come from wheels that the tests make, so nothing is fetched."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from outboard.bundle import environment
from outboard.bundle.environment import cache_folder, environment_for, find_uv, own_requirements
from outboard.bundle.inline_metadata import InlineMetadata
from outboard.errors import EnvironmentBuildError
from tests.bundle.small_disk import may_mount


def wheel(folder: Path, name: str, version: str, *requires: str) -> None:
    """Write a wheel with one module and nothing else."""
    stem = f"{name.replace('-', '_')}-{version}"
    module, info = name.replace("-", "_"), f"{stem}.dist-info"
    metadata = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    files = {
        f"{module}.py": f"version = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{path},sha256={digest(text)},{len(text.encode())}\n" for path, text in files.items()]
    files[f"{info}/RECORD"] = "".join(record) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as opened:
        for path, text in files.items():
            opened.writestr(path, text)


def digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the whole index; outboard's own libraries are in it, under the names that it declares."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    for requirement in own_requirements():
        name, _, version = requirement.partition(">=")
        wheel(folder, name, version)
        wheel(folder, name, "0.1")
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    return folder


@pytest.fixture
def build(tmp_path: Path):
    """Build an environment in a cache of this test's own; `build.told` is what a person would have read."""
    told: list[str] = []

    def run(*dependencies: str, requires_python: str | None = None) -> Path:
        metadata = InlineMetadata(requires_python=requires_python, dependencies=dependencies)
        return environment_for(metadata, "weather.py", cache=tmp_path / "cache", tell=told.append)

    run.told = told  # type: ignore[attr-defined]
    return run


def importable(home: Path, name: str) -> bool:
    command = [home / "bin" / "python", "-I", "-c", f"import {name}"]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0


# ── building ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_it_holds_what_the_file_asks_for_and_what_outboard_needs(build, wheels: Path) -> None:
    wheel(wheels, "outboard-test-a", "1.0")
    home = build("outboard-test-a==1.0")
    assert importable(home, "outboard_test_a")
    assert importable(home, "msgpack")
    assert not importable(home, "outboard")
    assert list(home.rglob("outboard_test_a*.pyc")), "not compiled"


def test_the_second_time_it_is_there_at_once(build, wheels: Path) -> None:
    home = build()
    assert build.told == ["building the environment of weather.py: no dependencies"]
    shutil.rmtree(wheels)
    assert build() == home
    assert len(build.told) == 1


def test_the_order_of_requirements_makes_no_other_environment_and_their_versions_do(build, wheels: Path) -> None:
    for version in ("1.0", "2.0"):
        wheel(wheels, "outboard-test-a", version)
        wheel(wheels, "outboard-test-b", version)
    one = build("outboard-test-a==1.0", "outboard-test-b")
    assert build("outboard-test-b", "outboard-test-a==1.0") == one
    assert build("outboard-test-a==2.0", "outboard-test-b") != one


def test_builders_of_one_environment_at_once_build_it_once(wheels: Path, tmp_path: Path) -> None:
    program = """
import sys
from pathlib import Path
from outboard.bundle.environment import environment_for
from outboard.bundle.inline_metadata import InlineMetadata
print(environment_for(InlineMetadata(), "weather.py", cache=Path(sys.argv[1]), tell=lambda line: print(line[:8])))
"""
    command = [sys.executable, "-c", program, tmp_path / "cache"]
    builders = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(3)]
    said = [builder.communicate(timeout=100)[0].splitlines() for builder in builders]
    assert len({lines[-1] for lines in said}) == 1
    assert [line for lines in said for line in lines].count("building") == 1
    assert importable(Path(said[0][-1]), "msgpack")


def test_what_a_killed_builder_left_is_cleared_away(build, tmp_path: Path) -> None:
    home = build()
    shutil.rmtree(home)
    remains = home.parent / f".{home.name}-killed"
    remains.mkdir()
    (home / "bin").mkdir(parents=True)
    (home / "bin" / "python").symlink_to(tmp_path / "an interpreter that is gone")
    assert build() == home
    assert importable(home, "msgpack")
    assert not remains.exists()


def test_a_failed_build_leaves_no_environment(build, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentBuildError):
        build("outboard-test-missing")
    assert [path.suffix for path in (tmp_path / "cache" / "environments").iterdir()] == [".lock"]


# ── the interpreter ───────────────────────────────────────────────────────────────────────────────────────────────


def test_without_a_wish_the_interpreter_is_the_one_that_runs_outboard(build) -> None:
    assert (build() / "bin" / "python").resolve() == Path(sys.executable).resolve()


def test_a_wish_that_the_running_interpreter_fulfils_takes_it(build) -> None:
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert (build(requires_python=f"=={version}.*") / "bin" / "python").resolve() == Path(sys.executable).resolve()


def test_no_interpreter_that_fits_is_one_clear_line(build) -> None:
    with pytest.raises(EnvironmentBuildError) as caught:
        build(requires_python=">=3.99")
    assert str(caught.value) == (
        "weather.py requires Python >=3.99, and there is no such interpreter here; install one"
    )


def test_stand_ins_of_a_version_manager_that_do_not_start_are_passed_over(
    build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_ins = tmp_path / "shims"
    stand_ins.mkdir()
    (stand_ins / "python3.99").write_text("#!/bin/sh\necho 'python3.99: command not found' >&2\nexit 127\n")
    (stand_ins / "python3.99").chmod(0o755)
    monkeypatch.setenv("PATH", f"{stand_ins}:/usr/bin:/bin")
    with pytest.raises(EnvironmentBuildError, match="there is no such interpreter here"):
        build(requires_python=">=3.99")


def test_a_wish_that_is_no_version_specifier_is_told(build) -> None:
    with pytest.raises(EnvironmentBuildError, match=r"'newest', which is no version specifier"):
        build(requires_python="newest")


def test_an_interpreter_below_our_floor_does_not_fit(build) -> None:
    with pytest.raises(EnvironmentBuildError, match="no such interpreter"):
        build(requires_python="<3.10")


# ── requirements ──────────────────────────────────────────────────────────────────────────────────────────────────


def refused(build, *dependencies: str) -> str:
    with pytest.raises(EnvironmentBuildError) as caught:
        build(*dependencies)
    text = str(caught.value)
    assert text.startswith("weather.py")
    assert "\n" not in text
    return text


def test_a_requirement_that_nobody_offers_is_named(build) -> None:
    assert "outboard-test-missing" in refused(build, "outboard-test-missing==1.0")


def test_requirements_that_contradict_each_other_are_named(build, wheels: Path) -> None:
    wheel(wheels, "outboard-test-a", "1.0")
    wheel(wheels, "outboard-test-b", "1.0", "outboard-test-a>=2")
    text = refused(build, "outboard-test-a==1.0", "outboard-test-b")
    assert "its requirements cannot be installed" in text
    assert "outboard-test-a" in text
    assert "outboard-test-b" in text


def test_a_clash_with_outboards_own_libraries_names_both_sides(build) -> None:
    text = refused(build, "msgpack==0.1")
    ours = next(requirement for requirement in own_requirements() if requirement.startswith("msgpack"))
    assert text.startswith(
        f"weather.py requires msgpack==0.1, which clashes with what outboard itself requires, {ours}:"
    )


def test_a_clash_through_another_library_names_both_sides(build, wheels: Path) -> None:
    wheel(wheels, "outboard-test-old", "1.0", "anyio<1")
    text = refused(build, "outboard-test-old")
    assert text.startswith(
        "weather.py requires outboard-test-old, which clashes with what outboard itself requires, anyio"
    )


def test_a_requirement_that_is_none_is_told(build) -> None:
    assert "msgpack=1" in refused(build, "msgpack=1")


# ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_full_disk_is_one_clear_line_that_names_the_folder(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    if not may_mount(cache):
        pytest.skip("this machine lets nobody but its administrator mount a small disk")
    program = """
import subprocess, sys
from pathlib import Path
from outboard.bundle.environment import environment_for
from outboard.bundle.inline_metadata import InlineMetadata
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", sys.argv[1]], check=True)
environment_for(InlineMetadata(), "weather.py", cache=Path(sys.argv[1]), tell=lambda line: None)
"""
    command = ["unshare", "-rm", sys.executable, "-c", program, cache]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.stderr.splitlines()[-1] == (
        f"outboard.errors.EnvironmentBuildError: the disk that holds {cache}/environments is full; "
        "free some space, or name another folder in OUTBOARD_CACHE_DIR"
    )


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    taken = tmp_path / "a file"
    taken.touch()
    with pytest.raises(EnvironmentBuildError, match="a file/environments cannot be written"):
        environment_for(InlineMetadata(), "weather.py", cache=taken, tell=print)


def test_without_uv_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment.sysconfig, "get_path", lambda name: str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EnvironmentBuildError, match=r"pip install 'outboard\[cli\]'"):
        find_uv()


def test_uv_beside_the_interpreter_goes_before_the_one_on_the_path(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("scripts", "path"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "uv").touch(mode=0o755)
    monkeypatch.setattr(environment.sysconfig, "get_path", lambda name: str(tmp_path / "scripts"))
    monkeypatch.setenv("PATH", str(tmp_path / "path"))
    assert find_uv() == tmp_path / "scripts" / "uv"
    os.unlink(tmp_path / "scripts" / "uv")
    assert find_uv() == tmp_path / "path" / "uv"


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"OUTBOARD_CACHE_DIR": "/c"}, "/c"),
        ({"XDG_CACHE_HOME": "/x"}, "/x/outboard"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/outboard"),
        ({"HOME": "/h"}, "/h/.cache/outboard"),
    ],
)
def test_the_cache_is_where_the_user_keeps_caches(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected: str
) -> None:
    for name in ("OUTBOARD_CACHE_DIR", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(expected)
