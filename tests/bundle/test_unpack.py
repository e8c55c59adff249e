"""Where bundles are unpacked: under concurrency, on hostile ground, and kept in bounds."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from outboard.bundle import cache
from outboard.bundle.archive import Archive
from outboard.bundle.nested import compress
from outboard.bundle.unpack import DEFAULT_CACHE_SIZE, entries, evict, limit, unpack
from outboard.errors import BundleError

FILES = {"lib/module.py": b"value = 1\n", "lib/deep/data.bin": bytes(range(256)) * 400, "share/tool": b"#!/bin/sh\n"}
EXECUTABLE = ("share/tool",)


def digest_of(files: dict[str, bytes]) -> str:
    return hashlib.sha256(compress(files, EXECUTABLE)).hexdigest()


DIGEST = digest_of(FILES)


def bundle_of(folder: Path, files: dict[str, bytes] = FILES) -> str:
    """A file with a nested zip, behind bytes that are no zip, as in a bundle."""
    archive = Archive()
    whole = bytearray(b"#!/bin/sh\nexit 1\n\0\1\2")
    whole += archive.member("environment.zip", compress(files, EXECUTABLE), len(whole))
    whole += archive.directory(len(whole))
    path = folder / "bundle"
    path.write_bytes(bytes(whole))
    return str(path)


def unpack_into(root: Path, bundle: str, digest: str = DIGEST, **options: object) -> tuple[str, bool]:
    environment = {cache.CACHE_VARIABLE: str(root), **options.pop("environment", {})}  # type: ignore[dict-item]
    return unpack(bundle, "environment.zip", digest, needs_execution=False, environment=environment)


def contents(folder: str) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_what_is_unpacked_is_what_was_packed_with_its_execute_bits(tmp_path: Path) -> None:
    folder, is_private = unpack_into(tmp_path / "cache", bundle_of(tmp_path))
    assert (folder, is_private) == (str(tmp_path / "cache" / "unpacked" / DIGEST), False)
    assert contents(folder) == FILES
    assert os.access(f"{folder}/share/tool", os.X_OK)
    assert not os.stat(f"{folder}/lib/module.py").st_mode & stat.S_IXUSR


def test_a_second_start_finds_it_and_needs_no_bundle(tmp_path: Path) -> None:
    unpack_into(tmp_path, bundle_of(tmp_path))
    (tmp_path / "bundle").unlink()
    assert cache.find(DIGEST, {cache.CACHE_VARIABLE: str(tmp_path)}) == str(tmp_path / "unpacked" / DIGEST)
    assert cache.find("e" * 64, {cache.CACHE_VARIABLE: str(tmp_path)}) is None


def test_twenty_processes_at_once_unpack_it_once(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path)
    program = (
        "import sys, os\nfrom outboard.bundle.unpack import unpack\n"
        "sys.stdin.read(1)\n"
        "bundle, digest = sys.argv[1:]\n"
        "print(*unpack(bundle, 'environment.zip', digest, needs_execution=False, environment=os.environ))\n"
        "print(os.stat(os.environ['OUTBOARD_CACHE_DIR'] + '/unpacked/' + digest).st_ino)"
    )
    environment = {**os.environ, cache.CACHE_VARIABLE: str(tmp_path / "cache")}
    running = [
        subprocess.Popen(
            [sys.executable, "-c", program, bundle, DIGEST],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )
        for _ in range(20)
    ]  # fmt: skip
    for process in running:  # all are started before any is let go
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.flush()
    said = {process.communicate(timeout=60)[0] for process in running}
    assert len(said) == 1
    assert contents(str(tmp_path / "cache" / "unpacked" / DIGEST)) == FILES
    assert [name for name in os.listdir(tmp_path / "cache" / "unpacked") if "-" in name] == []


def test_what_a_killed_process_left_half_done_is_removed(tmp_path: Path) -> None:
    remains = tmp_path / "unpacked" / f".{DIGEST}-abc"
    remains.mkdir(parents=True)
    (remains / "half").write_text("half")
    tmp_path.chmod(0o700)
    unpack_into(tmp_path, bundle_of(tmp_path))
    assert not remains.exists()


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o757])
@pytest.mark.parametrize("what", ["", "unpacked", f"unpacked/{DIGEST}"])
def test_nothing_is_used_that_others_could_have_written_to(tmp_path: Path, what: str, mode: int) -> None:
    root = tmp_path / "cache"
    unpack_into(root, bundle_of(tmp_path))
    (root / what).chmod(mode)
    assert cache.find(DIGEST, {cache.CACHE_VARIABLE: str(root)}) is None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_nothing_is_used_that_belongs_to_somebody_else(tmp_path: Path) -> None:
    root = tmp_path / "cache"
    unpack_into(root, bundle_of(tmp_path))
    os.chown(root / "unpacked" / DIGEST, 65534, 65534)
    assert cache.find(DIGEST, {cache.CACHE_VARIABLE: str(root)}) is None


def test_a_link_in_the_place_of_an_entry_is_not_followed(tmp_path: Path) -> None:
    root, elsewhere = tmp_path / "cache", tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    (root / "unpacked").mkdir(parents=True, mode=0o755)
    (root / "unpacked" / DIGEST).symlink_to(elsewhere)
    assert cache.find(DIGEST, {cache.CACHE_VARIABLE: str(root)}) is None


def test_a_link_in_the_place_of_the_cache_is_not_followed_for_writing(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache").symlink_to(tmp_path / "elsewhere")
    folder, is_private = unpack_into(tmp_path / "cache", bundle_of(tmp_path))
    try:
        assert is_private
        assert os.listdir(tmp_path / "elsewhere") == []
    finally:
        shutil.rmtree(folder)


def test_a_file_that_would_leave_the_folder_is_refused(tmp_path: Path) -> None:
    files = {"lib/../../escaped": b"x"}
    with pytest.raises(
        BundleError, match=r"there is no place to unpack the bundle: .*it holds a file called 'lib/\.\./\.\./escaped'"
    ):
        unpack_into(tmp_path / "cache", bundle_of(tmp_path, files), digest_of(files))
    assert not list(tmp_path.rglob("escaped"))


@pytest.mark.parametrize("damage", ["changed", "cut short"])
def test_what_is_not_what_was_packed_is_not_unpacked(tmp_path: Path, damage: str) -> None:
    bundle = Path(bundle_of(tmp_path))
    data = bytearray(bundle.read_bytes())
    if damage == "changed":
        data[100:140] = bytes(40)
    bundle.write_bytes(data if damage == "changed" else data[:-100])
    with pytest.raises(BundleError) as caught:
        unpack_into(tmp_path / "cache", str(bundle))
    assert str(caught.value) == (
        "the bundle is damaged: its environment.zip is not the one that was packed; copy it again"
    )
    assert not (tmp_path / "cache").exists()


def test_where_nothing_can_be_kept_it_is_unpacked_for_this_process_alone(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")
    folder, is_private = unpack_into(occupied, bundle_of(tmp_path))
    try:
        assert is_private
        assert contents(folder) == FILES
    finally:
        shutil.rmtree(folder)


def test_a_full_disk_leaves_nothing_behind_and_says_so(small_disk: Path, tmp_path: Path) -> None:
    files = {"big": os.urandom(4 * 1024 * 1024)}
    bundle = bundle_of(tmp_path, files)
    environment = {cache.CACHE_VARIABLE: str(small_disk)}
    os_temporary = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = str(small_disk)
    import tempfile

    tempfile.tempdir = str(small_disk)
    try:
        with pytest.raises(BundleError, match="the disk is full"):
            unpack(bundle, "environment.zip", digest_of(files), needs_execution=False, environment=environment)
    finally:
        tempfile.tempdir = None
        if os_temporary is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = os_temporary
    assert [name for name in os.listdir(small_disk / "unpacked") if not name.endswith(".lock")] == []


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of one megabyte."""
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=700", "tmpfs", place], check=False)
    if done.returncode:
        pytest.skip("only root may mount")
    yield place
    subprocess.run(["umount", place], check=True)


# ── bounds ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def three_entries(root: Path) -> None:
    for name, when in (("a", 1_000), ("b", 2_000), ("c", 3_000)):
        folder = root / "unpacked" / name
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(bytes(100))
        os.utime(folder, (when, when))


def test_the_least_recently_used_go_first(tmp_path: Path) -> None:
    three_entries(tmp_path)
    assert [entry.digest for entry in entries(str(tmp_path))] == ["a", "b", "c"]
    assert [entry.digest for entry in evict(str(tmp_path), 150)] == ["a", "b"]
    assert [entry.digest for entry in entries(str(tmp_path))] == ["c"]


def test_what_a_running_task_uses_stays(tmp_path: Path) -> None:
    three_entries(tmp_path)
    used = os.open(tmp_path / "unpacked" / "a", os.O_RDONLY)
    fcntl.flock(used, fcntl.LOCK_SH)
    try:
        assert [entry.digest for entry in evict(str(tmp_path), 0)] == ["b", "c"]
    finally:
        os.close(used)
    assert [entry.digest for entry in evict(str(tmp_path), 0)] == ["a"]
    assert os.listdir(tmp_path / "unpacked") == []


def test_an_entry_that_is_found_cannot_be_evicted_any_more(tmp_path: Path) -> None:
    unpack_into(tmp_path, bundle_of(tmp_path))
    program = (
        "import sys, os\nfrom outboard.bundle import cache\n"
        "print(cache.find(sys.argv[1], os.environ), flush=True)\nsys.stdin.read()"
    )
    environment = {**os.environ, cache.CACHE_VARIABLE: str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", program, DIGEST],
        **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment},
    ) as user:
        assert user.stdout is not None
        assert user.stdout.readline().strip().endswith(DIGEST)
        assert evict(str(tmp_path), 0) == []
        user.communicate("", timeout=30)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("", DEFAULT_CACHE_SIZE),
        ("1000", 1000),
        ("2K", 2048),
        ("3g", 3 * 1024**3),
        ("1GB", 1024**3),
        ("much", DEFAULT_CACHE_SIZE),
    ],
)
def test_the_limit_is_read_with_its_unit(text: str, size: int) -> None:
    assert limit({"OUTBOARD_CACHE_SIZE": text}) == size
