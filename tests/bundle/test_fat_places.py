"""Where bundles unpack what they carry when the usual place is of no use: the task runs, or its log says why it cannot.

Such places are made in mount namespaces, in which the bundle is then started; some of them take root to make.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bundle.fat import Carried, run
from tests.bundle.small_disk import may_mount

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

# As OpenShift starts containers: a number of its own choosing, in the root group, without an entry anywhere.
NOBODY_KNOWN, ROOT_GROUP = 1_000_670_002, 0
SOMEBODY_ELSE = 65534

READ_ONLY, NOEXEC = "ro", "noexec"

PURE_AUTHOR = """
import sys
from outboard import dag, task

@dag
def d():
    @task
    def t():
        import anyio, msgpack
        return {"prefix": sys.prefix, "msgpack": msgpack.Packer.__module__, "anyio": anyio.__file__}
    t()

d()
"""

only_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture(scope="module")
def bundle(native: Carried, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with native code."""
    return native.bundle(tmp_path_factory.mktemp("fat"))


@pytest.fixture(scope="module")
def pure_bundle(pure: Carried, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle without any."""
    return pure.bundle(tmp_path_factory.mktemp("pure"), PURE_AUTHOR)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """An empty cache folder of this test's own."""
    folder = tmp_path / "cache"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """An empty folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir(mode=0o700)
    return folder


def after(script: str, bundle: Path) -> list[str | Path]:
    """The command that starts a bundle in mounts of its own, which a script makes first."""
    return ["unshare", "--map-root-user", "--mount", "sh", "-ec", f'{script}\nexec "$0" "$@"', bundle]


def mounted(options: str, *folders: Path) -> str:
    """The script that makes folders what the options say."""
    if not may_mount(folders[0]):
        pytest.skip("making such a place takes mount namespaces")
    lines = [f"mount --bind '{each}' '{each}'; mount -o remount,bind,{options} '{each}'" for each in folders]
    return "\n".join(lines)


def tiny(*folders: Path) -> str:
    """The script that puts a small disk in each folder."""
    if not may_mount(folders[0]):
        pytest.skip("making such a place takes mount namespaces")
    return "\n".join(f"mount -t tmpfs -o size=256k,mode=700 none '{each}'" for each in folders)


# ── another place is found ────────────────────────────────────────────────────────────────────────────────────────


async def test_beside_a_read_only_cache_a_task_unpacks_for_itself_and_leaves_nothing(
    bundle: Path, store: Path, temporary: Path
) -> None:
    command = after(mounted(READ_ONLY, store), bundle)
    done = await run(command, OUTBOARD_CACHE_DIR=store, TMPDIR=temporary)
    assert (done.outcome.state, done.troubles) == ("success", [])
    assert Path(done.result["native"]).is_relative_to(temporary)
    assert list(temporary.iterdir()) == list(store.iterdir()) == []


async def test_a_read_only_cache_that_was_filled_before_is_used(
    bundle: Path, native: Carried, store: Path, temporary: Path
) -> None:
    """Such as one that is part of a container's image, which was built a while ago."""
    await run(bundle, OUTBOARD_CACHE_DIR=store)
    folder = store / "unpacked" / native.packed.digest
    a_day_ago = time.time() - 86_400
    os.utime(folder, (a_day_ago, a_day_ago))
    command = after(mounted(READ_ONLY, store), bundle)
    done = await run(command, OUTBOARD_CACHE_DIR=store, TMPDIR=temporary)
    assert (done.outcome.state, done.troubles) == ("success", [])
    assert done.result["prefix"] == str(folder)


async def test_native_code_is_not_unpacked_where_it_cannot_be_run(bundle: Path, store: Path, temporary: Path) -> None:
    command = after(mounted(NOEXEC, store), bundle)
    done = await run(command, OUTBOARD_CACHE_DIR=store, TMPDIR=temporary)
    assert (done.outcome.state, done.troubles) == ("success", [])
    assert Path(done.result["native"]).is_relative_to(temporary)
    assert list(temporary.iterdir()) == []


async def test_pure_code_is_unpacked_where_nothing_can_be_run(
    pure_bundle: Path, pure: Carried, store: Path, temporary: Path
) -> None:
    """msgpack's native part is there, cannot be loaded, and is done without."""
    for _ in range(2):
        command = after(mounted(NOEXEC, store, temporary), pure_bundle)
        done = await run(command, OUTBOARD_CACHE_DIR=store, TMPDIR=temporary)
        assert (done.outcome.state, done.troubles) == ("success", [])
        assert done.result["prefix"] == str(store / "unpacked" / pure.packed.digest)
        assert done.result["msgpack"] == "msgpack.fallback"


async def test_a_full_disk_is_left_as_it_was_and_another_one_is_taken(
    bundle: Path, store: Path, temporary: Path
) -> None:
    script = f"{tiny(store)}\ntrap 'ls -A {store}/unpacked >&2' EXIT"
    command = ["unshare", "--map-root-user", "--mount", "sh", "-ec", f'{script}\n"$0" "$@"', bundle]
    done = await run(command, OUTBOARD_CACHE_DIR=store, TMPDIR=temporary)
    assert done.outcome.state == "success"
    assert Path(done.result["native"]).is_relative_to(temporary)
    listed = [line for line in done.records.texts("task.output") if line]
    assert [line for line in listed if not line.endswith(".lock")] == []


@only_root
async def test_a_cache_of_somebody_else_is_not_used(bundle: Path, store: Path, temporary: Path) -> None:
    os.chown(store, SOMEBODY_ELSE, SOMEBODY_ELSE)
    done = await run(bundle, OUTBOARD_CACHE_DIR=store, TMPDIR=temporary)
    assert (done.outcome.state, done.troubles) == ("success", [])
    assert Path(done.result["native"]).is_relative_to(temporary)
    assert list(store.iterdir()) == []


# ── no other place is found ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("should_retry", "state"), [(False, "failed"), (True, "up_for_retry")])
async def test_full_disks_everywhere_are_one_line_of_the_log(
    bundle: Path, store: Path, temporary: Path, should_retry: bool, state: str
) -> None:
    command = after(tiny(store, temporary), bundle)
    done = await run(command, should_retry=should_retry, OUTBOARD_CACHE_DIR=store, TMPDIR=temporary)
    assert (done.outcome.state, done.outcome.exit_code) == (state, 0)
    assert done.troubles == [
        f"there is no place to unpack the bundle: {store}: the disk is full; a temporary folder: the disk is full; "
        "name a folder that can be written and executed in OUTBOARD_CACHE_DIR"
    ]
    assert "the author's code" not in done.records.texts()


async def test_native_code_where_nothing_can_be_run_is_one_line_of_the_log(
    bundle: Path, store: Path, temporary: Path
) -> None:
    done = await run(after(mounted(NOEXEC, store, temporary), bundle), OUTBOARD_CACHE_DIR=store, TMPDIR=temporary)
    assert done.outcome.state == "failed"
    [line] = done.troubles
    assert line.count("it is mounted noexec, and the bundle holds native code") == 2
    assert list(temporary.iterdir()) == []


# ── a user that nobody knows ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def shared(tmp_path: Path) -> Iterator[Path]:
    """What takes the place of /var/tmp."""
    if not may_mount(tmp_path):
        pytest.skip("making such a place takes mount namespaces")
    folder = tmp_path / "var-tmp"
    folder.mkdir()
    folder.chmod(0o1777)
    # What follows /var/tmp cannot be replaced: the bundle is in it.
    shutil.rmtree(f"/tmp/outboard-{NOBODY_KNOWN}", ignore_errors=True)
    yield folder
    shutil.rmtree(f"/tmp/outboard-{NOBODY_KNOWN}", ignore_errors=True)


def as_nobody(shared: Path, bundle: Path) -> list[str | Path]:
    """The command that starts a bundle for a user without an entry or a home.

    Whoever runs the tests may keep the bundle and its interpreter where nobody else can look, so reading is allowed.
    """
    rights = "--no-new-privs --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search"
    script = f"""
mount --bind '{shared}' /var/tmp
unset HOME XDG_CACHE_HOME OUTBOARD_CACHE_DIR
cd /
exec setpriv --reuid {NOBODY_KNOWN} --regid {ROOT_GROUP} --clear-groups {rights} "$0" "$@"
"""
    return ["unshare", "--mount", "sh", "-ec", script, bundle]


@only_root
async def test_a_user_without_a_home_has_a_place_among_the_shared_ones(
    bundle: Path, native: Carried, shared: Path
) -> None:
    for number in range(2):
        done = await run(as_nobody(shared, bundle))
        assert (done.outcome.state, done.troubles) == ("success", [])
        assert done.result["prefix"] == f"/var/tmp/outboard-{NOBODY_KNOWN}/unpacked/{native.packed.digest}"
        assert ("outboard.bundle.unpack" in done.result["modules"]) == (number == 0)
    found = (shared / f"outboard-{NOBODY_KNOWN}").stat()
    assert (found.st_uid, found.st_mode & 0o777) == (NOBODY_KNOWN, 0o700)


@only_root
async def test_a_place_that_somebody_else_took_first_is_passed_over(
    bundle: Path, native: Carried, shared: Path
) -> None:
    planted = shared / f"outboard-{NOBODY_KNOWN}" / "unpacked" / native.packed.digest
    planted.mkdir(parents=True)
    for folder in (planted, planted.parent, planted.parents[1]):
        folder.chmod(0o777)
        os.chown(folder, SOMEBODY_ELSE, SOMEBODY_ELSE)
    done = await run(as_nobody(shared, bundle))
    assert (done.outcome.state, done.troubles) == ("success", [])
    assert done.result["prefix"] == f"/tmp/outboard-{NOBODY_KNOWN}/unpacked/{native.packed.digest}"
    assert list(planted.iterdir()) == []


@only_root
async def test_entries_of_root_are_used_by_everybody(bundle: Path, native: Carried, shared: Path, store: Path) -> None:
    """An administrator, or an image, can unpack for all users."""
    store.chmod(0o755)
    await run(bundle, OUTBOARD_CACHE_DIR=store)
    (store / "unpacked").chmod(0o755)
    command = [word.replace(" OUTBOARD_CACHE_DIR", "") if isinstance(word, str) else word for word in
               as_nobody(shared, bundle)]  # fmt: skip
    done = await run(command, OUTBOARD_CACHE_DIR=store)
    assert (done.outcome.state, done.troubles) == ("success", [])
    assert done.result["prefix"] == str(store / "unpacked" / native.packed.digest)
