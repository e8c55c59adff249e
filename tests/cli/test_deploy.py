from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from outboard.bundle import target
from outboard.bundle.contents import CHILD_LIBRARIES
from outboard.bundle.reader import verify
from outboard.cli.exit_codes import BAD_INPUT, NO_ENVIRONMENT, SUCCESS
from tests.bundle.versions import pack_version


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "bundles"
    folder.mkdir()
    return folder


@pytest.fixture(scope="session")
def versions(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two versions of one bundle."""
    here = target.inspect(Path(sys.prefix), libraries=CHILD_LIBRARIES)
    folder = tmp_path_factory.mktemp("versions")
    return [pack_version(number, folder, here) for number in range(2)]


def label(bundle: Path) -> str:
    return verify(bundle).manifest.digest[:12]


def test_a_bundle_goes_there_and_back_and_every_step_is_told(outboard, versions: list[Path], root: Path) -> None:
    old, new = map(label, versions)
    place = f"{root}/weather"
    steps = [
        (("deploy", versions[0], root), f"{place}: version {old}\n"),
        (("deploy", versions[0], root), f"{place}: version {old} is in place already\n"),
        (("deploy", versions[1], root), f"{place}: version {new}, instead of {old}\n"),
        (("rollback", root, "weather"), f"{place}: version {old}, instead of {new}\n"),
        (("rollback", root, "weather", "--to", new[:6]), f"{place}: version {new}, instead of {old}\n"),
    ]
    for arguments, told in steps:
        done = outboard(*arguments)
        assert (done.code, done.out, done.err) == (SUCCESS, "", told)
    lines = [line.split() for line in outboard("history", root).out.splitlines()]
    assert [(line[1], line[2], line[3], " ".join(line[5:])) for line in lines] == [
        ("deploy", "weather", old, ""),
        ("deploy", "weather", new, ""),
        ("rollback", "weather", old, "kept"),
        ("rollback", "weather", new, "in place"),
    ]


def test_the_history_of_one_bundle_leaves_the_others_out(
    outboard, hello: Path, versions: list[Path], root: Path
) -> None:
    outboard("deploy", hello, root)
    outboard("deploy", versions[0], root)
    assert "weather" in outboard("history", root).out
    assert "weather" not in outboard("history", root, "hello").out
    done = outboard("history", root, "nothing")
    assert (done.code, done.err) == (BAD_INPUT, f"outboard: nothing was ever deployed to {root} as nothing\n")


def test_the_history_is_a_document_too(outboard, hello: Path, root: Path) -> None:
    outboard("deploy", hello, root)
    document = json.loads(outboard("history", root, "--json").out)
    found = verify(hello)
    assert document["root"] == str(root)
    assert document["bundles"] == {
        "hello": {
            "live": {"sha256": found.sha256, "digest": found.manifest.digest, "dag_ids": ["hello"]},
            "kept": [],
        }
    }
    [entry] = document["entries"]
    assert (entry["action"], entry["name"], entry["dag_ids"]) == ("deploy", "hello", ["hello"])


def test_a_file_that_was_changed_since_is_told_by_the_history(outboard, hello: Path, root: Path) -> None:
    outboard("deploy", hello, root)
    (root / "hello").write_bytes(b"something else")
    assert outboard("history", root).out.endswith("hello: another file is in place, not by outboard\n")
    (root / "hello").unlink()
    assert outboard("history", root).out.endswith("hello: no file is there any more, not by outboard\n")


def test_a_refusal_is_one_line_and_exit_code_2(outboard, hello: Path, root: Path, tmp_path: Path) -> None:
    outboard("deploy", hello, root)
    rival = shutil.copy(hello, tmp_path / "rival")
    done = outboard("deploy", rival, root)
    assert done.code == BAD_INPUT
    assert done.err.startswith(f"outboard: rival: {root}/hello has tasks for the Dag hello already")
    assert done.err.count("\n") == 1
    assert outboard("deploy", hello, root, "--keep", "-1").code == BAD_INPUT
    assert outboard("rollback", root, "hello").code == BAD_INPUT


def test_what_the_machine_refuses_is_exit_code_3(outboard, hello: Path, root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = outboard("deploy", hello, root, "--history", tmp_path / "file" / "kept")
    assert done.code == NO_ENVIRONMENT
    assert "--history" in done.err
