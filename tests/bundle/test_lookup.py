from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from outboard.bundle.format import compose
from outboard.bundle.lookup import Candidate, Unreadable, files_below, look_up, read_candidate
from outboard.bundle.metadata import write_metadata


def bundle_at(path: Path, *dag_ids: str, mode: int = 0o755) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(compose(b"#!/bin/true\n", b"", write_metadata(dag_ids, "2026-06-16")))
    path.chmod(mode)
    return path


def test_a_packed_file_is_found_with_its_dags(hello: Path, tmp_path: Path) -> None:
    shutil.copy(hello, tmp_path / "hello")
    (tmp_path / "notes.txt").write_text("no bundle")
    (tmp_path / "empty").touch()
    [found] = look_up(tmp_path)
    assert isinstance(found, Candidate)
    assert (found.path, found.executable, found.metadata.dag_ids) == (tmp_path / "hello", True, ("hello",))


def test_folders_below_and_links_are_followed_once(tmp_path: Path) -> None:
    bundle_at(tmp_path / "root" / "a" / "b" / "deep", "deep")
    bundle_at(tmp_path / "elsewhere" / "linked", "linked")
    (tmp_path / "root" / "link").symlink_to(tmp_path / "elsewhere" / "linked")
    (tmp_path / "root" / "folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "a" / "up").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "gone").symlink_to(tmp_path / "nothing")
    found = sorted(path.relative_to(tmp_path / "root").as_posix() for path in files_below(tmp_path / "root"))
    assert found == ["a/b/deep", "folder/linked", "link"]


def test_what_is_neither_file_nor_folder_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert list(look_up(tmp_path)) == []
    assert list(look_up(tmp_path / "missing")) == []


def test_a_file_without_its_execute_bit_is_told_as_such(tmp_path: Path) -> None:
    [found] = look_up(bundle_at(tmp_path / "quiet", "a", mode=0o644).parent)
    assert isinstance(found, Candidate)
    assert not found.executable


@pytest.mark.parametrize(
    ("position", "region"), [(-56, "trailer"), (-20, "trailer"), (-64, "trailer"), (-66, "metadata")]
)
def test_a_file_that_means_to_be_a_bundle_and_is_none_says_why(tmp_path: Path, position: int, region: str) -> None:
    path = bundle_at(tmp_path / "broken", "a")
    data = bytearray(path.read_bytes())
    data[position] = 0xFF
    path.write_bytes(data)
    found = read_candidate(path)
    assert isinstance(found, Unreadable)
    assert (found.path, found.error.region, found.error.file) == (path, region, str(path))
