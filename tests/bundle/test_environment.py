"""Environments are built with the real uv; packages come from wheels that the tests make, so nothing is fetched."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from outboard.bundle.environment import cache_folder, environment_for, own_requirements
from outboard.bundle.inline_metadata import InlineMetadata
from outboard.bundle.uv import find_uv
from outboard.errors import EnvironmentBuildError, OutboardError, UsageError
from tests.bundle.package_index import PASSWORD, USER, PrivateIndex, own_wheels, private_index, wheel
from tests.bundle.small_disk import may_mount

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(autouse=True)
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the whole index; outboard's own libraries are in it, under the names that it declares."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    own_wheels(folder)
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return folder


@pytest.fixture
def build(tmp_path: Path):
    """Build an environment in a cache of this test's own; `build.told` is what a person would have read."""
    told: list[str] = []

    def run(*dependencies: str, requires_python: str | None = None, **options: Any) -> Path:
        metadata = InlineMetadata(requires_python=requires_python, dependencies=dependencies)
        return environment_for(metadata, "weather.py", cache=tmp_path / "cache", tell=told.append, **options)

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


def test_the_versions_behind_such_stand_ins_are_found(build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_ins, version = tmp_path / "manager" / "shims", tmp_path / "manager" / "versions" / HERE / "bin"
    for folder in (stand_ins, version):
        folder.mkdir(parents=True)
    (stand_ins / f"python{HERE}").write_text("#!/bin/sh\necho 'no version is chosen' >&2\nexit 127\n")
    (stand_ins / f"python{HERE}").chmod(0o755)
    (version / "python3").symlink_to(Path(sys.executable).resolve())
    monkeypatch.setenv("PATH", str(stand_ins))
    # Otherwise the interpreter that runs outboard comes first.
    monkeypatch.setattr(sys, "prefix", "")
    monkeypatch.chdir(tmp_path)
    assert (build(python=HERE) / "bin" / "python").resolve() == Path(sys.executable).resolve()


def test_a_wish_that_is_no_version_specifier_is_told(build) -> None:
    with pytest.raises(EnvironmentBuildError, match=r"'newest', which is no version specifier"):
        build(requires_python="newest")


def test_an_interpreter_below_our_floor_does_not_fit(build) -> None:
    with pytest.raises(EnvironmentBuildError, match="no such interpreter"):
        build(requires_python="<3.10")


@pytest.mark.parametrize(
    "wish",
    [HERE, f"{HERE}.{sys.version_info[2]}", sys.executable, sys.prefix],
    ids=["minor", "micro", "path", "folder"],
)
def test_a_wish_of_the_caller_is_a_version_or_a_place(build, wish: str) -> None:
    assert (build(python=wish) / "bin" / "python").resolve() == Path(sys.executable).resolve()


def test_a_wish_of_the_caller_may_be_a_command(build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python-of-mine").symlink_to(Path(sys.executable).resolve())
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert (build(python="python-of-mine") / "bin" / "python").resolve() == Path(sys.executable).resolve()


@pytest.mark.parametrize("wish", [HERE, sys.executable], ids=["version", "path"])
def test_a_wish_of_the_caller_must_fulfil_the_files(build, wish: str) -> None:
    with pytest.raises(UsageError) as caught:
        build(python=wish, requires_python=">=3.99")
    assert str(caught.value) == f"weather.py requires Python >=3.99, which --python {wish} is not"
    assert build(python=wish, requires_python=">=3.10,<4")


def test_a_version_that_is_not_here_is_one_clear_line(build) -> None:
    with pytest.raises(EnvironmentBuildError) as caught:
        build(python="3.99")
    assert str(caught.value) == "there is no Python 3.99 here; install it, or give the path of one to --python"


@pytest.mark.parametrize("wish", ["newest", "3.x", "/nowhere/python"])
def test_a_wish_that_is_neither_is_told(build, wish: str) -> None:
    with pytest.raises(UsageError, match=f"--python {wish}: there is neither a file nor a command"):
        build(python=wish)


def test_a_file_that_is_no_interpreter_is_told(build, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("Hello")
    (tmp_path / "text").chmod(0o755)
    with pytest.raises(EnvironmentBuildError, match="text does not start"):
        build(python=str(tmp_path / "text"))


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


# ── a lock ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def lock(tmp_path: Path, wheels: Path) -> Callable[..., Path]:
    """Have uv write a lock."""

    def write(*requirements: str) -> Path:
        path = tmp_path / "lock.txt"
        subprocess.run(
            [find_uv(), "pip", "compile", "-", "--quiet", "--generate-hashes", "--python", sys.executable, "-o", path],
            input="\n".join(requirements),
            text=True,
            timeout=60,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return path

    return write


def version_of(home: Path, module: str) -> str:
    command = [home / "bin" / "python", "-I", "-c", f"import {module}; print({module}.version)"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()


def test_a_lock_decides_the_versions(build, wheels: Path, lock) -> None:
    wheel(wheels, "outboard-test-a", "1.0")
    path = lock("outboard-test-a")
    wheel(wheels, "outboard-test-a", "2.0")
    assert version_of(build("outboard-test-a", lock=path), "outboard_test_a") == "1.0"
    assert version_of(build("outboard-test-a"), "outboard_test_a") == "2.0"
    assert not [line for line in build.told if "warning" in line]


def test_a_lock_decides_the_versions_of_outboards_own_libraries_too(build, wheels: Path, lock) -> None:
    path = lock("msgpack", "anyio")
    wheel(wheels, "msgpack", "99.0")
    home = build(lock=path)
    assert version_of(home, "msgpack") != "99.0"
    assert importable(home, "structlog")


def test_a_file_with_another_hash_fails_with_the_packages_name(build, wheels: Path, lock) -> None:
    wheel(wheels, "outboard-test-a", "1.0")
    path = lock("outboard-test-a")
    path.write_text(re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", path.read_text()))
    with pytest.raises(EnvironmentBuildError) as caught:
        build("outboard-test-a", lock=path)
    assert str(caught.value).startswith(f"weather.py: its lock {path}: outboard-test-a==1.0 is not what was locked: ")


def test_nobody_switches_the_check_off(build, wheels: Path, lock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_NO_VERIFY_HASHES", "1")
    test_a_file_with_another_hash_fails_with_the_packages_name(build, wheels, lock)


def test_a_lock_that_lacks_what_it_needs_itself_is_told(build, wheels: Path, lock) -> None:
    wheel(wheels, "outboard-test-b", "1.0")
    wheel(wheels, "outboard-test-a", "1.0", "outboard-test-b")
    path = lock("outboard-test-a")
    path.write_text(path.read_text().partition("outboard-test-b==")[0])
    with pytest.raises(EnvironmentBuildError, match=r"its lock .*no trusted hash was provided for: `outboard-test-b`"):
        build("outboard-test-a", lock=path)


def drifting(wheels: Path, lock) -> tuple[Path, list[str]]:
    """A lock, and requirements of which it holds the first alone: another name, another extra, another version of Python."""
    wheel(wheels, "outboard-test-a", "1.0", "outboard-test-c; extra == 'more'")
    for name in ("outboard-test-b", "outboard-test-c"):
        wheel(wheels, name, "1.0")
    path = lock("outboard-test-a")
    here = f"outboard-test-d; python_version < '{HERE}'"
    return path, ["outboard-test-a>=1", here, "outboard-test-b", "outboard-test-a[more]"]


def test_what_a_file_asks_for_beyond_its_lock_comes_with_a_warning_each_time(build, wheels: Path, lock) -> None:
    path, wanted = drifting(wheels, lock)
    home = build(*wanted, lock=path)
    assert importable(home, "outboard_test_b")
    assert importable(home, "outboard_test_c")
    warning = (
        f"warning: weather.py asks for what the lock {path} does not hold: outboard-test-b, outboard-test-a[more]; "
        "that comes without a check of its hash; lock it again"
    )
    assert build.told[1:] == [warning]
    assert build(*wanted, lock=path) == home
    assert build.told[1:] == [warning, warning]


def test_with_locked_it_is_an_error_each_time(build, wheels: Path, lock) -> None:
    path, wanted = drifting(wheels, lock)
    expected = (
        f"weather.py asks for what the lock {path} does not hold: outboard-test-b, outboard-test-a[more]; "
        "lock it again, or leave out --locked"
    )
    for _ in range(2):
        with pytest.raises(UsageError) as caught:
            build(*wanted, lock=path, locked=True)
        assert str(caught.value) == expected
        build(*wanted, lock=path)  # from now on it is in the cache
    assert build(*wanted[:2], lock=path, locked=True)


def test_a_file_that_contradicts_its_lock_fails(build, wheels: Path, lock) -> None:
    wheel(wheels, "outboard-test-a", "1.0")
    path = lock("outboard-test-a")
    wheel(wheels, "outboard-test-a", "2.0")
    with pytest.raises(EnvironmentBuildError, match=r"weather.py: its requirements cannot be .*outboard-test-a>=2"):
        build("outboard-test-a>=2", lock=path)


def test_a_lock_that_contradicts_outboard_names_both_sides(build, lock) -> None:
    path = lock("msgpack==0.1")
    with pytest.raises(EnvironmentBuildError) as caught:
        build("msgpack", lock=path)
    assert str(caught.value).startswith(
        f"weather.py has the lock {path}, which clashes with what outboard itself requires, msgpack>="
    )


def test_another_lock_is_another_environment(build, wheels: Path, lock) -> None:
    wheel(wheels, "outboard-test-a", "1.0")
    one = build("outboard-test-a", lock=lock("outboard-test-a"))
    assert build("outboard-test-a") != one
    assert build("outboard-test-a", lock=lock("outboard-test-a", "attrs")) != one
    assert build("outboard-test-a", lock=lock("outboard-test-a")) == one


def test_locked_without_a_lock_is_a_usage_error(build) -> None:
    with pytest.raises(UsageError, match="--locked needs --lock FILE"):
        build(locked=True)


# ── an index that asks who is there ───────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def index(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[PrivateIndex]:
    """All packages come from an index with a password, over HTTP."""
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.delenv("UV_NO_INDEX")
    wheel(wheels, "outboard-test-a", "1.0")
    with private_index(wheels) as served:
        # Whatever a test forgets to configure must not reach another index.
        monkeypatch.setenv("UV_DEFAULT_INDEX", served.address)
        yield served


def by_default_index(index: PrivateIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.address_for())
    return {}


def by_index_url(index: PrivateIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    monkeypatch.setenv("UV_INDEX_URL", index.address_for())
    return {}


def by_extra_index_url(index: PrivateIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", index.address_for())
    return {}


def by_variables_of_an_index(index: PrivateIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"mine={index.address}")
    monkeypatch.setenv("UV_INDEX_MINE_USERNAME", USER)
    monkeypatch.setenv("UV_INDEX_MINE_PASSWORD", PASSWORD)
    return {}


def by_netrc(index: PrivateIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login {USER} password {PASSWORD}\n")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    return {}


def by_the_lock(index: PrivateIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    done = subprocess.run(
        [find_uv(), "pip", "compile", "-", "-q", "--generate-hashes", "--emit-index-url", "--python", sys.executable],
        env=os.environ | {"UV_DEFAULT_INDEX": index.address_for()},
        input="outboard-test-a",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (tmp_path / "private.lock").write_text(done.stdout)
    assert PASSWORD in done.stdout
    monkeypatch.delenv("UV_DEFAULT_INDEX")
    return {"lock": tmp_path / "private.lock"}


ROUTES = [by_default_index, by_index_url, by_extra_index_url, by_variables_of_an_index, by_netrc, by_the_lock]


def planted(folder: Path) -> list[Path]:
    """The files of a folder, or their names, that hold the password."""
    files = [path for path in folder.rglob("*") if PASSWORD in path.name]
    return files + [path for path in folder.rglob("*") if path.is_file() and PASSWORD.encode() in path.read_bytes()]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
def test_a_password_opens_the_index_and_stays_nowhere(
    build, index: PrivateIndex, route, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = route(index, monkeypatch, tmp_path)
    assert importable(build("outboard-test-a", **options), "outboard_test_a")
    assert index.asked
    assert not planted(tmp_path / "cache")
    assert PASSWORD not in "".join(build.told)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
def test_a_failure_does_not_tell_the_password(
    build, index: PrivateIndex, route, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = route(index, monkeypatch, tmp_path)
    with pytest.raises(OutboardError) as caught:
        build("outboard-test-a", "outboard-test-missing", **options)
    assert "outboard-test-missing" in str(caught.value)
    assert PASSWORD not in str(caught.value) + "".join(build.told)
    assert not planted(tmp_path / "cache")


def test_a_password_in_a_requirement_stays_nowhere(build, index: PrivateIndex, tmp_path: Path) -> None:
    address = index.address_for(path="files/outboard_test_a-1.0-py3-none-any.whl")
    home = build(f"outboard-test-a @ {address}", requires_python=None)
    assert importable(home, "outboard_test_a")
    assert build.told == [
        "building the environment of weather.py: outboard-test-a @ "
        f"http://****@127.0.0.1:{index.port}/files/outboard_test_a-1.0-py3-none-any.whl"
    ]
    assert not planted(tmp_path / "cache")
    # It is the same environment whoever fetches it.
    assert build(f"outboard-test-a @ {address.replace(PASSWORD, 'another')}") == home


@pytest.fixture
def with_password(index: PrivateIndex, monkeypatch: pytest.MonkeyPatch) -> PrivateIndex:
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.address_for())
    return index


@pytest.mark.parametrize(
    "path",
    ["files/outboard_test_a-1.0-py3-none-any.whl?token=SECRET", "files/outboard_test_b", "files/missing-1.0.tar.gz"],
    ids=["another package, signed", "no package", "not there"],
)
def test_no_complaint_of_uv_about_a_requirement_tells_its_password(
    build, with_password: PrivateIndex, path: str
) -> None:
    """uv itself shows the password in the first two."""
    address = with_password.address_for(path=path.replace("SECRET", PASSWORD))
    with pytest.raises(EnvironmentBuildError) as caught:
        build(f"outboard-test-b @ {address}")
    assert "http://" in str(caught.value)
    assert PASSWORD not in str(caught.value) + "".join(build.told)


def test_a_requirement_may_name_variables_with_the_password(
    build, with_password: PrivateIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WHO", USER)
    monkeypatch.setenv("WHAT", PASSWORD)
    address = with_password.address_for("${WHO}:${WHAT}", "files/outboard_test_a-1.0-py3-none-any.whl")
    assert importable(build(f"outboard-test-a @ {address}"), "outboard_test_a")
    assert not planted(tmp_path / "cache")


def test_nobody_else_on_the_machine_reads_a_requirement_in_the_list_of_processes(
    build, with_password: PrivateIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for uv notes what it is called with, and calls it."""
    (tmp_path / "tools").mkdir()
    uv = tmp_path / "tools" / "uv"
    uv.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\nexec {find_uv()} "$@"\n')
    uv.chmod(0o755)
    monkeypatch.setattr("outboard.bundle.uv.sysconfig.get_path", lambda name: str(uv.parent))
    build(f"outboard-test-a @ {with_password.address_for(path='files/outboard_test_a-1.0-py3-none-any.whl')}")
    assert "pip install" in (tmp_path / "calls").read_text()
    assert PASSWORD not in (tmp_path / "calls").read_text()


def test_offline_asks_nobody_and_takes_what_uv_has(build, with_password: PrivateIndex, tmp_path: Path) -> None:
    home = build("outboard-test-a")
    shutil.rmtree(home)
    before = list(with_password.asked)
    assert build("outboard-test-a", offline=True) == home
    assert with_password.asked == before


def test_offline_names_the_package_that_uv_has_not(build, with_password: PrivateIndex, wheels: Path) -> None:
    build()
    wheel(wheels, "outboard-test-b", "1.0")
    before = list(with_password.asked)
    with pytest.raises(EnvironmentBuildError) as caught:
        build("outboard-test-b", offline=True)
    assert str(caught.value) == (
        "weather.py: its requirements cannot be installed without a network: uv's cache has no outboard-test-b; "
        "leave out --offline once"
    )
    assert with_password.asked == before


def test_offline_names_the_package_of_a_lock_that_uv_has_not(
    build, index: PrivateIndex, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    options = by_the_lock(index, monkeypatch, tmp_path)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    with pytest.raises(EnvironmentBuildError, match=r"its lock .* uv's cache has no outboard-test-a; leave out"):
        build("outboard-test-a", offline=True, **options)


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
