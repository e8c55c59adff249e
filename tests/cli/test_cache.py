from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path

import pytest

from outboard.bundle.cache import UNPACKED
from tests.cli.conftest import DAGS

DIGEST = "a" * 64


@pytest.fixture
def bundle_in_cache(tmp_path: Path) -> Path:
    """A folder that stands for an unpacked bundle, not used for a day."""
    folder = tmp_path / "cache" / UNPACKED / DIGEST
    folder.mkdir(parents=True)
    (folder / "data").write_bytes(bytes(3000))
    os.utime(folder, (time.time() - 86_400,) * 2)
    return folder


def test_the_folder_is_printed_for_scripts(outboard, tmp_path: Path) -> None:
    done = outboard("cache", "dir")
    assert (done.code, done.out, done.err) == (0, f"{tmp_path / 'cache'}\n", "")


def test_an_empty_cache_is_no_error(outboard, tmp_path: Path) -> None:
    assert outboard("cache", "list").out.splitlines()[-1].startswith(f"0 entries (0 B) in {tmp_path / 'cache'}, ")
    assert outboard("cache", "prune", "--all").err == (
        "removed 0 entries (0 B); left 0 entries (0 B), 0 entries (0 B) in use\n"
    )


def test_the_list_is_for_people(outboard, bundle_in_cache: Path) -> None:
    done = outboard("cache", "list")
    line = next(line for line in done.out.splitlines() if DIGEST[:12] in line)
    assert line.split()[:4] == ["bundle", DIGEST[:12], "2.9", "KiB"]
    assert done.out.splitlines()[-1].endswith("where bundles may take 10.0 GiB")


def test_the_list_is_for_programs(outboard, bundle_in_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTBOARD_CACHE_SIZE", "5M")
    document = json.loads(outboard("cache", "list", "--json").out)
    assert document["folder"] == str(bundle_in_cache.parents[1])
    assert (document["limit"], document["size"]) == (5 * 1024**2, 3000)
    [entry] = document["entries"]
    assert entry.pop("last_used").endswith("+00:00")
    assert entry == {
        "kind": "bundle",
        "name": DIGEST,
        "folder": str(bundle_in_cache),
        "size": 3000,
        "in_use": False,
        "about": "",
    }


@pytest.mark.parametrize(
    ("options", "size", "stays"),
    [([], "3K", True), ([], "2K", False), (["--older-than", "2"], "0", True), (["--older-than", "0.5"], "9G", False)],
)
def test_pruning_makes_room(outboard, bundle_in_cache: Path, monkeypatch, options, size: str, stays: bool) -> None:
    monkeypatch.setenv("OUTBOARD_CACHE_SIZE", size)
    done = outboard("cache", "prune", *options)
    assert (done.code, done.out) == (0, "")
    assert bundle_in_cache.exists() is stays
    assert done.err.startswith("removed 0 entries" if stays else "removed 1 entry (2.9 KiB); left 0 entries (0 B)")


@pytest.mark.parametrize("options", [["--all", "--older-than", "3"], ["--older-than", "-1"], ["--older-than", "nan"]])
def test_wishes_that_make_no_sense_are_usage_errors(outboard, options: list[str]) -> None:
    done = outboard("cache", "prune", *options)
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "--older-than" in done.err


def test_a_task_that_runs_keeps_its_bundle_whatever_is_pruned(outboard, tmp_path: Path) -> None:
    """A real fat bundle that waits for its supervisor, with the environment that it has unpacked."""
    assert outboard("pack", DAGS / "hello.py", "-o", "hello").code == 0
    subprocess.run([tmp_path / "hello", "--metadata"], stdout=subprocess.DEVNULL, timeout=60, check=True)
    [unpacked] = (tmp_path / "cache" / UNPACKED).glob("[0-9a-f]*")
    with subprocess.Popen([tmp_path / "hello", "--stdio"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as waiting:
        try:
            deadline = time.monotonic() + 60
            while not json.loads(outboard("cache", "list", "--json").out)["entries"][-1]["in_use"]:
                assert time.monotonic() < deadline
            outboard("cache", "prune", "--all")
            assert unpacked.is_dir()
        finally:
            waiting.kill()
    outboard("cache", "prune", "--all")
    assert not unpacked.exists()
