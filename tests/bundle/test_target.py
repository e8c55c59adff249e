from __future__ import annotations

import sys
import venv
from pathlib import Path

import pytest

from outboard.bundle import target
from outboard.errors import EnvironmentBuildError


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with nothing in it."""
    folder = tmp_path_factory.mktemp("environments") / "empty"
    venv.create(folder, symlinks=True)
    return folder


def packages(environment: Path) -> Path:
    return environment / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def test_an_environment_is_known_by_its_folder_or_its_interpreter(empty: Path) -> None:
    assert target.inspect(empty) == target.inspect(empty / "bin" / "python")


def test_it_tells_the_version_the_prefix_and_what_it_adds_to_the_import_path(empty: Path) -> None:
    found = target.inspect(empty)
    assert found.version == sys.version_info[:3]
    assert found.python_version == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert found.tag == sys.hexversion >> 16
    assert (found.executable, found.prefix) == (empty / "bin" / "python", empty)
    assert found.import_path == (str(packages(empty)),)
    assert "json" in found.standard_modules


def test_it_tells_which_libraries_are_there(here: target.Target, empty: Path) -> None:
    assert "msgpack" in here.libraries
    assert target.inspect(empty, libraries=("msgpack", "json", "a.b")).libraries == {"json"}


def test_folders_of_pth_files_are_on_the_path_and_only_files_that_run_code_are_left_to_the_start(
    empty: Path, tmp_path: Path
) -> None:
    added = tmp_path / "added"
    added.mkdir()
    folder = packages(empty)
    (folder / "plain.pth").write_text(f"{added}\n")
    (folder / "_virtualenv.pth").write_text("import sys\n")
    (folder / "noisy.pth").write_text("import sys; print('hello from a .pth file')\n")
    found = target.inspect(empty)
    assert found.import_path == (str(folder), str(added))
    assert found.start_files == ((str(folder), "noisy.pth"),)


def test_a_folder_without_an_interpreter_is_refused_by_the_path_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentBuildError, match=str(tmp_path / "bin" / "python")):
        target.inspect(tmp_path)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("echo 'no such library' >&2; exit 127", "no such library"),
        ("exit 3", "status 3"),
    ],
)
def test_an_interpreter_that_does_not_work_is_refused_with_its_last_words(tmp_path: Path, body: str, said: str) -> None:
    broken = tmp_path / "python"
    broken.write_text(f"#!/bin/sh\n{body}\n")
    broken.chmod(0o755)
    with pytest.raises(EnvironmentBuildError, match=said):
        target.inspect(broken)


def test_a_file_that_is_no_program_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_bytes(b"\x7fELF nonsense")
    broken.chmod(0o755)
    with pytest.raises(EnvironmentBuildError, match="does not start"):
        target.inspect(broken)


def test_what_can_be_imported_is_told_without_executing_any_of_it(empty: Path, tmp_path: Path) -> None:
    folder = packages(empty)
    for name in ("rude.py", "strict/__init__.py", "shared/core/__init__.py", "shared/open/leaf.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("raise SystemExit('executed')")
    wanted = ("rude", "strict", "strict.whatever", "shared", "shared.core", "shared.core.whatever", "shared.open")
    found = target.importable(empty / "bin" / "python", (*wanted, "shared.open.leaf", "shared.gone", "gone", "json"))
    assert found.modules == {
        "rude", "strict", "strict.whatever", "shared.core", "shared.core.whatever", "shared.open.leaf", "json",
    }  # fmt: skip
    assert found.namespaces == {"shared", "shared.open"}
