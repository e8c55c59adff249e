"""With the real Git, where there is one."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from outboard.bundle.revision import revision_of

needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="there is no Git here")


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=A", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    folder = tmp_path / "checkout"
    (folder / "dags").mkdir(parents=True)
    (folder / "dags" / "weather.py").write_text("x = 1\n")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "One")
    return folder


@needs_git
def test_it_is_the_commit_or_the_tag_and_says_whether_something_was_changed(checkout: Path) -> None:
    file = checkout / "dags" / "weather.py"
    first = revision_of(file)
    assert len(first) == 12
    git(checkout, "tag", "-a", "v1", "-m", "One")
    assert revision_of(file) == revision_of(file.parent) == "v1"
    file.write_text("x = 2\n")
    assert revision_of(file) == "v1-dirty"
    git(checkout, "commit", "-aqm", "Two")
    assert revision_of(file).startswith("v1-1-g")


@needs_git
def test_the_variables_of_a_hook_do_not_lead_elsewhere(
    checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = revision_of(checkout)
    git(tmp_path, "init", "-q", "other")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert revision_of(checkout) == expected


@needs_git
@pytest.mark.parametrize("initialised", [False, True], ids=["no checkout", "no commit"])
def test_without_a_commit_there_is_none(tmp_path: Path, initialised: bool) -> None:
    if initialised:
        git(tmp_path, "init", "-q")
    assert revision_of(tmp_path) == ""


def test_without_git_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision_of(Path(__file__)) == ""


def test_a_file_that_is_not_there_has_none(tmp_path: Path) -> None:
    assert revision_of(tmp_path / "missing" / "file.py") == ""
