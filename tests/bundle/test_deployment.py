"""Real bundles, real folders, real processes: what is in place, what is kept, and what is refused."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from outboard.bundle import reader
from outboard.bundle.deployment import Change, History, deploy, history, rollback
from outboard.bundle.lookup import Candidate, look_up
from outboard.bundle.target import Target
from outboard.errors import BundleError, DamagedBundleError, UsageError
from tests.bundle.versions import pack_version

# Starting a Python that imports outboard, twice over on a busy machine.
PROCESS_SECONDS = 60


@pytest.fixture(scope="session")
def packed(here: Target, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Four versions of one bundle; the index is the version."""
    folder = tmp_path_factory.mktemp("versions")
    return [pack_version(number, folder, here) for number in range(4)]


@pytest.fixture(scope="session")
def rival(here: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another bundle that has tasks for the same Dag."""
    return pack_version(9, tmp_path_factory.mktemp("rival"), here, name="rival")


@pytest.fixture(scope="session")
def other(here: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a Dag of its own."""
    return pack_version(1, tmp_path_factory.mktemp("other"), here, name="other", dag_id="other")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that Airflow looks bundles up in."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    return folder


def store_of(root: Path) -> Path:
    return root.parent / ".bundles.outboard-history"


def kept(root: Path, name: str = "weather") -> set[str]:
    folder = store_of(root) / "versions" / name
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


def sha256s(packed: list[Path]) -> list[str]:
    return [reader.sha256_of(path) for path in packed]


def live(root: Path, name: str = "weather") -> str:
    return reader.verify(root / name).sha256


# ── deploying ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_first_deployment_puts_the_file_in_place_and_nothing_else(packed: list[Path], root: Path) -> None:
    change = deploy(packed[0], root)
    assert [path.name for path in root.iterdir()] == ["weather"]
    assert (root / "weather").read_bytes() == packed[0].read_bytes()
    assert (change.path, change.changed, change.replaced, change.notes) == (root / "weather", True, None, ())
    assert change.version.dag_ids == ("weather",)
    assert kept(root) == set()


def test_the_version_that_was_replaced_is_kept_under_its_digest_and_not_where_airflow_looks(
    packed: list[Path], root: Path
) -> None:
    first, second, *_ = sha256s(packed)
    deploy(packed[0], root)
    change = deploy(packed[1], root)
    assert live(root) == second
    assert change.replaced is not None
    assert change.replaced.sha256 == first
    assert kept(root) == {first}
    assert reader.sha256_of(store_of(root) / "versions" / "weather" / first) == first
    assert [path.name for path in root.iterdir()] == ["weather"]


def test_the_present_version_shares_its_bytes_with_no_kept_one(packed: list[Path], root: Path) -> None:
    """Or whoever writes into the file in place would spoil what a rollback needs."""
    for path in packed:
        deploy(path, root)
    assert (root / "weather").stat().st_nlink == 1


@pytest.mark.parametrize("reason", [errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK])
def test_where_files_cannot_be_linked_the_present_version_is_copied(
    packed: list[Path], root: Path, monkeypatch: pytest.MonkeyPatch, reason: int
) -> None:
    """Another user's file, or a file system without links: neither can be had in every test run."""

    def refuse(*paths: Path) -> None:
        raise OSError(reason, os.strerror(reason))

    monkeypatch.setattr(os, "link", refuse)
    first, second, *_ = sha256s(packed)
    deploy(packed[0], root)
    deploy(packed[1], root)
    assert (live(root), kept(root)) == (second, {first})
    assert rollback(root, "weather").version.sha256 == first


def test_deploying_what_is_in_place_changes_nothing_and_is_not_written_down(packed: list[Path], root: Path) -> None:
    deploy(packed[0], root)
    before = (root / "weather").stat()
    change = deploy(packed[0], root)
    assert not change.changed
    assert (root / "weather").stat().st_ino == before.st_ino
    assert len(history(root).entries) == 1


def test_a_lost_execute_bit_comes_back_with_the_same_version(packed: list[Path], root: Path, tmp_path: Path) -> None:
    download = Path(shutil.copy(packed[0], tmp_path / "weather"))
    download.chmod(0o600)
    deploy(download, root)
    assert stat.S_IMODE((root / "weather").stat().st_mode) == 0o755
    (root / "weather").chmod(0o644)
    assert deploy(download, root).changed
    assert os.access(root / "weather", os.X_OK)


def test_the_dags_that_nobody_has_any_more_are_told(
    here: Target, packed: list[Path], root: Path, tmp_path: Path
) -> None:
    deploy(packed[0], root)
    renamed = pack_version(1, tmp_path, here, dag_id="forecast")
    assert deploy(renamed, root).notes == ("no bundle here has tasks for the Dag weather any more",)


def test_an_interpreter_that_this_machine_lacks_is_told_and_no_obstacle(
    here: Target, root: Path, tmp_path: Path
) -> None:
    bundle = pack_version(1, tmp_path, here)
    manifest = reader.verify(bundle).manifest
    data = bundle.read_bytes()
    gone = manifest.interpreter.replace("/bin/", "/b1n/")
    assert len(gone) == len(manifest.interpreter) != 0
    moved = _sealed_again(data, manifest.interpreter.encode(), gone.encode())
    bundle.write_bytes(moved)
    [note] = deploy(bundle, root).notes
    assert f"needs {gone}" in note


def _sealed_again(data: bytes, old: bytes, new: bytes) -> bytes:
    """A bundle with other text in it, as if it had been packed so."""
    from outboard.bundle.archive import Archive, read_directory
    from outboard.bundle.format import compose, parse

    layout = parse(data)
    start = len(layout.executable)
    members, directory = read_directory(lambda offset, size: data[offset : offset + size], start + len(layout.sources))
    changed = bytearray(data[:directory].replace(old, new))
    archive = Archive()
    for member in members:
        content = bytes(changed[member.end - member.size : member.end])
        changed[member.offset : member.end] = archive.member(member.name, content, member.offset)
    whole = bytes(changed) + archive.directory(directory)
    return compose(whole[:start], whole[start:], layout.metadata)


# ── what is refused ───────────────────────────────────────────────────────────────────────────────────────────────


def refused(
    action: Callable[[], Change | History], root: Path, match: str, error: type[Exception] = UsageError
) -> None:
    """The action fails with one line, and the folder is as it was."""
    before = {path: path.lstat().st_ino for path in root.rglob("*")} if root.is_dir() else {}
    with pytest.raises(error, match=match) as caught:
        action()
    assert "\n" not in str(caught.value)
    if root.is_dir():
        assert {path: path.lstat().st_ino for path in root.rglob("*")} == before


def test_a_damaged_bundle_is_refused(packed: list[Path], root: Path, tmp_path: Path) -> None:
    deploy(packed[0], root)
    broken = tmp_path / "weather"
    broken.write_bytes(packed[1].read_bytes()[:-1])
    refused(lambda: deploy(broken, root), root, "weather is damaged: trailer", DamagedBundleError)


def test_a_dag_that_another_bundle_has_is_refused_naming_both(packed: list[Path], rival: Path, root: Path) -> None:
    deploy(packed[0], root)
    refused(lambda: deploy(rival, root), root, "rival: .*/bundles/weather has tasks for the Dag weather already")


@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_a_dag_is_taken_also_in_a_folder_below_and_by_a_file_that_is_not_executable(
    packed: list[Path], rival: Path, root: Path, mode: int
) -> None:
    """Airflow walks down to the last leaf, and 3.4 sets the execute bit itself."""
    (root / "team" / "a").mkdir(parents=True)
    shutil.copy(rival, root / "team" / "a" / "rival")
    (root / "team" / "a" / "rival").chmod(mode)
    refused(lambda: deploy(packed[0], root), root, "team/a/rival has tasks for the Dag weather")


def test_a_link_to_the_bundle_itself_is_no_rival(packed: list[Path], root: Path) -> None:
    deploy(packed[0], root)
    (root / "alias").symlink_to("weather")
    assert deploy(packed[1], root).changed


def test_bundles_of_other_languages_are_compared_and_broken_ones_are_told(packed: list[Path], root: Path) -> None:
    from outboard.bundle.format import compose

    native = root / "native"
    native.write_bytes(compose(b"\x7fELF", b"", b"sdk:\n  language: go\ndags:\n  weather:\n    tasks: []\n"))
    refused(lambda: deploy(packed[0], root), root, "native has tasks for the Dag weather")
    native.write_bytes(compose(b"\x7fELF", b"", b"dags: [unclosed"))
    [note] = deploy(packed[0], root).notes
    assert note.startswith(f"{native} was not compared: metadata: neither JSON nor YAML")


def test_a_name_with_a_dot_or_a_folder_is_refused(packed: list[Path], root: Path, tmp_path: Path) -> None:
    dotted = Path(shutil.copy(packed[0], tmp_path / "weather.v2"))
    refused(lambda: deploy(dotted, root), root, "a bundle's name has no dot")
    refused(lambda: rollback(root, "../weather"), root, "file name alone")
    refused(lambda: rollback(root, f"{root}/weather"), root, "file name alone")


def test_a_folder_that_is_not_there_is_refused(packed: list[Path], tmp_path: Path) -> None:
    refused(lambda: deploy(packed[0], tmp_path / "typo"), tmp_path / "typo", "there is no folder .*typo")
    refused(lambda: history(tmp_path / "typo"), tmp_path / "typo", "there is no folder .*typo")


def test_earlier_versions_are_never_kept_where_airflow_looks(packed: list[Path], root: Path) -> None:
    refused(lambda: deploy(packed[0], root, store=root / "old"), root, "is inside")


def test_a_link_or_a_folder_under_the_bundles_name_is_refused(packed: list[Path], root: Path, tmp_path: Path) -> None:
    (root / "weather").symlink_to(tmp_path / "somewhere")
    refused(lambda: deploy(packed[0], root), root, "weather is a link")
    (root / "weather").unlink()
    (root / "weather").mkdir()
    refused(lambda: deploy(packed[0], root), root, "weather is no file")


def test_a_negative_number_of_versions_is_refused(packed: list[Path], root: Path) -> None:
    refused(lambda: deploy(packed[0], root, keep=-1), root, "cannot be negative")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_store_that_somebody_else_made_is_refused(packed: list[Path], root: Path) -> None:
    store_of(root).mkdir()
    os.chown(store_of(root), 12345, 12345)
    refused(lambda: deploy(packed[0], root), root, "belongs to somebody else", BundleError)


def test_a_store_that_is_a_link_is_refused(packed: list[Path], root: Path, tmp_path: Path) -> None:
    (tmp_path / "planted").mkdir()
    store_of(root).symlink_to(tmp_path / "planted")
    refused(lambda: deploy(packed[0], root), root, "belongs to somebody else", BundleError)


# ── rolling back ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_each_rollback_goes_one_deployment_further_back(packed: list[Path], root: Path) -> None:
    sums = sha256s(packed)
    for path in packed[:3]:
        deploy(path, root)
    for expected in (sums[1], sums[0]):
        change = rollback(root, "weather")
        assert live(root) == change.version.sha256 == expected
        assert [path.name for path in root.iterdir()] == ["weather"]
    refused(
        lambda: rollback(root, "weather"), root, "no earlier version of weather is kept, only .*: name it with --to"
    )


def test_the_version_that_was_rolled_back_from_can_be_had_again(packed: list[Path], root: Path) -> None:
    sums = sha256s(packed)
    for path in packed[:3]:
        deploy(path, root)
    rollback(root, "weather")
    assert kept(root) == {sums[0], sums[2]}
    rollback(root, "weather", to=sums[2])
    assert live(root) == sums[2]
    assert kept(root) == {sums[0], sums[1]}


def test_a_deployment_after_a_rollback_goes_back_to_what_it_replaced(packed: list[Path], root: Path) -> None:
    sums = sha256s(packed)
    deploy(packed[0], root)
    deploy(packed[1], root)
    rollback(root, "weather")
    deploy(packed[2], root)
    rollback(root, "weather")
    assert live(root) == sums[0]


def test_a_version_is_named_by_the_digest_that_task_logs_show_or_by_its_files_sum(
    packed: list[Path], root: Path
) -> None:
    sums = sha256s(packed)
    digests = [reader.verify(path).manifest.digest for path in packed]
    for path in packed:
        deploy(path, root)
    assert rollback(root, "weather", to=digests[0][:12]).version.sha256 == sums[0]
    assert rollback(root, "weather", to=sums[2][:12].upper()).version.sha256 == sums[2]


def test_digits_that_fit_none_several_or_the_present_version_are_refused(packed: list[Path], root: Path) -> None:
    for path in packed[:2]:
        deploy(path, root)
    present = reader.verify(packed[1]).manifest.digest
    refused(lambda: rollback(root, "weather", to="abc"), root, "at least 4 digits")
    refused(
        lambda: rollback(root, "weather", to="zzzz"), root, "no version zzzz of weather is kept; there is [0-9a-f]{12}$"
    )
    refused(lambda: rollback(root, "weather", to=present[:8]), root, "is in place already")


def test_a_bundle_that_was_never_deployed_has_nothing_to_go_back_to(packed: list[Path], root: Path) -> None:
    refused(lambda: rollback(root, "weather"), root, "no earlier version of weather is kept$")
    deploy(packed[0], root)
    refused(lambda: rollback(root, "weather"), root, "no earlier version of weather is kept$")


def test_a_rollback_to_a_dag_that_another_bundle_has_by_now_is_refused(
    here: Target, packed: list[Path], rival: Path, root: Path, tmp_path: Path
) -> None:
    deploy(packed[0], root)
    deploy(pack_version(1, tmp_path, here, dag_id="forecast"), root)
    deploy(rival, root)
    refused(lambda: rollback(root, "weather"), root, "rival has tasks for the Dag weather already")


def test_a_kept_version_that_was_damaged_is_refused(packed: list[Path], root: Path) -> None:
    first, second, *_ = sha256s(packed)
    deploy(packed[0], root)
    deploy(packed[1], root)
    version = store_of(root) / "versions" / "weather" / first
    version.write_bytes(packed[0].read_bytes() + b"x")
    refused(lambda: rollback(root, "weather"), root, f"{first} is damaged: trailer", DamagedBundleError)
    shutil.copy(packed[2], version)
    refused(lambda: rollback(root, "weather"), root, "not the file that was kept", DamagedBundleError)
    assert live(root) == second


def test_a_bundle_that_somebody_removed_comes_back_as_far_as_it_is_kept(packed: list[Path], root: Path) -> None:
    first, *_ = sha256s(packed)
    deploy(packed[0], root)
    deploy(packed[1], root)
    (root / "weather").unlink()
    assert rollback(root, "weather").version.sha256 == first
    assert [entry.action for entry in history(root).entries] == ["deploy", "deploy", "found", "rollback"]


# ── what somebody else did to the file ────────────────────────────────────────────────────────────────────────────


def test_a_file_that_was_copied_there_by_hand_is_noticed_and_kept(packed: list[Path], root: Path) -> None:
    first, second, *_ = sha256s(packed)
    shutil.copy(packed[0], root / "weather")
    deploy(packed[1], root)
    found, deployed = history(root).entries
    assert (found.action, found.sha256, found.replaced, found.dag_ids) == ("found", first, None, ("weather",))
    assert (deployed.action, deployed.sha256, deployed.replaced) == ("deploy", second, first)
    assert rollback(root, "weather").version.sha256 == first


def test_a_file_that_was_written_over_in_place_can_be_replaced_and_left(packed: list[Path], root: Path) -> None:
    first, second, *_ = sha256s(packed)
    deploy(packed[0], root)
    deploy(packed[1], root)
    (root / "weather").write_bytes(b"half a bun")
    broken = reader.sha256_of(root / "weather")
    assert rollback(root, "weather").version.sha256 == first
    assert kept(root) == {broken}
    entries = history(root).entries
    assert [(entry.action, entry.sha256, entry.digest is None) for entry in entries[2:]] == [
        ("found", broken, True),
        ("rollback", first, False),
    ]
    assert second not in kept(root)


# ── how many are kept ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("keep", [0, 1, 2, 5])
def test_so_many_earlier_versions_are_kept_the_latest_ones(packed: list[Path], root: Path, keep: int) -> None:
    sums = sha256s(packed)
    for path in packed:
        deploy(path, root, keep=keep)
    assert kept(root) == set(sums[:3][-keep:] if keep else [])
    assert live(root) == sums[3]


def test_age_is_when_a_version_was_last_in_place_not_when_it_was_first(packed: list[Path], root: Path) -> None:
    sums = sha256s(packed)
    for path in packed[:3]:
        deploy(path, root)
    rollback(root, "weather", to=sums[0])
    deploy(packed[3], root, keep=2)
    assert kept(root) == {sums[0], sums[2]}


def test_the_versions_of_other_bundles_are_left_alone(
    packed: list[Path], other: Path, root: Path, tmp_path: Path
) -> None:
    deploy(other, root)
    changed = tmp_path / "other"
    shutil.copy(other, changed)
    (root / "other").write_bytes(b"changed by hand")
    deploy(changed, root)
    deploy(packed[0], root)
    deploy(packed[1], root, keep=0)
    assert len(kept(root, "other")) == 1
    assert kept(root) == set()


def test_without_its_journal_nothing_that_is_kept_is_called_newer_than_what_is_known(
    packed: list[Path], root: Path
) -> None:
    sums = sha256s(packed)
    deploy(packed[0], root)
    deploy(packed[1], root)
    (store_of(root) / "journal.jsonl").unlink()
    deploy(packed[2], root, keep=1)
    assert kept(root) == {sums[1]}


# ── the record ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_history_says_what_when_who_and_what_is_still_there(packed: list[Path], other: Path, root: Path) -> None:
    sums = sha256s(packed)
    deploy(packed[0], root)
    deploy(other, root)
    deploy(packed[1], root, keep=1)
    deploy(packed[2], root, keep=1)
    rollback(root, "weather")
    told = history(root, "weather")
    assert [(entry.action, entry.sha256, entry.replaced) for entry in told.entries] == [
        ("deploy", sums[0], None),
        ("deploy", sums[1], sums[0]),
        ("deploy", sums[2], sums[1]),
        ("rollback", sums[1], sums[2]),
    ]
    assert all(entry.at.endswith("+00:00") and "@" in entry.by for entry in told.entries)
    assert [entry.at for entry in told.entries] == sorted(entry.at for entry in told.entries)
    assert told.live["weather"].sha256 == sums[1]
    assert told.kept == {"weather": frozenset({sums[2]})}
    assert set(history(root).live) == {"weather", "other"}


def test_looking_at_the_history_makes_nothing(root: Path) -> None:
    assert history(root).entries == ()
    assert not store_of(root).exists()
    refused(lambda: history(root, "weather"), root, "nothing was ever deployed to .*/bundles as weather")


def test_the_journal_is_a_json_line_for_each_change(packed: list[Path], root: Path) -> None:
    deploy(packed[0], root)
    deploy(packed[1], root)
    lines = (store_of(root) / "journal.jsonl").read_text().splitlines()
    assert [json.loads(line)["action"] for line in lines] == ["deploy", "deploy"]
    assert json.loads(lines[1])["digest"] == reader.verify(packed[1]).manifest.digest


# ── places and permissions ────────────────────────────────────────────────────────────────────────────────────────


def test_the_store_is_open_to_those_that_the_folder_is_open_to(packed: list[Path], root: Path) -> None:
    root.chmod(0o2770)
    deploy(packed[0], root)
    deploy(packed[1], root)
    modes = {path.relative_to(store_of(root)).parts[0]: path.stat().st_mode for path in store_of(root).iterdir()}
    assert {name: stat.S_IMODE(mode) for name, mode in modes.items()} == {
        "journal.jsonl": 0o660,
        "lock": 0o660,
        "staging": 0o770,
        "versions": 0o770,
    }
    assert stat.S_IMODE(store_of(root).stat().st_mode) == 0o770


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to a group that it is not in")
def test_what_is_deployed_has_the_group_of_the_folder(packed: list[Path], root: Path) -> None:
    os.chown(root, -1, 12345)
    deploy(packed[0], root)
    deploy(packed[1], root)
    assert {path.stat().st_gid for path in (root / "weather", *store_of(root).rglob("*"))} == {12345}


def test_a_folder_that_is_a_link_has_its_store_beside_what_it_leads_to(
    packed: list[Path], root: Path, tmp_path: Path
) -> None:
    link = tmp_path / "elsewhere" / "link"
    link.parent.mkdir()
    link.symlink_to(root)
    deploy(packed[0], link)
    assert store_of(root).is_dir()
    assert [path.name for path in link.parent.iterdir()] == ["link"]


def test_the_store_may_be_another_folder(packed: list[Path], root: Path, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    store = tmp_path / "deep" / "kept"
    deploy(packed[0], root, store=store)
    deploy(packed[1], root, store=store)
    assert not store_of(root).exists()
    assert rollback(root, "weather", store=store).version.sha256 == reader.sha256_of(packed[0])
    assert len(history(root, store=store).entries) == 3


def test_a_store_that_cannot_be_made_is_named(packed: list[Path], root: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(
        lambda: deploy(packed[0], root, store=tmp_path / "file" / "store"),
        root,
        "file/store, where .* --history",
        BundleError,
    )


# ── processes ─────────────────────────────────────────────────────────────────────────────────────────────────────

DEPLOY_MANY = """
import sys
from pathlib import Path
from outboard.bundle.deployment import deploy
from outboard.errors import UsageError
root, *bundles = map(Path, sys.argv[1:])
print("ready", flush=True)
sys.stdin.readline()
for bundle in bundles:
    try:
        deploy(bundle, root, keep=2)
        print("deployed", bundle.name, flush=True)
    except UsageError as error:
        print("refused", bundle.name, flush=True)
"""


def started(program: str, *arguments: Path) -> subprocess.Popen[str]:
    """A process that has imported everything and waits for a line."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def go(processes: list[subprocess.Popen[str]]) -> None:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()


def test_whoever_looks_while_many_deploy_finds_one_sound_bundle(packed: list[Path], root: Path) -> None:
    deploy(packed[0], root)
    sums = set(sha256s(packed))
    orders = ([1, 2, 3, 0, 1], [3, 1, 0, 2, 3], [2, 0, 3, 1, 0])
    processes = [started(DEPLOY_MANY, root, *(packed[number] for number in order)) for order in orders]
    go(processes)
    looks = 0
    while any(process.poll() is None for process in processes):
        [found] = look_up(root)
        assert isinstance(found, Candidate)
        assert found.metadata.dag_ids == ("weather",)
        assert reader.verify(found.path).sha256 in sums
        looks += 1
    assert looks > 0
    assert [process.communicate(timeout=PROCESS_SECONDS)[0].count("deployed") for process in processes] == [5, 5, 5]
    entries = history(root).entries
    assert all(entry.action == "deploy" for entry in entries)
    assert [entry.replaced for entry in entries[1:]] == [entry.sha256 for entry in entries[:-1]]
    assert entries[-1].sha256 == live(root)
    assert len(kept(root)) == 2
    assert list((store_of(root) / "staging").iterdir()) == []


def test_of_two_bundles_with_one_dag_that_are_deployed_at_once_one_is_refused(
    packed: list[Path], rival: Path, root: Path
) -> None:
    processes = [started(DEPLOY_MANY, root, bundle) for bundle in (packed[0], rival, packed[0], rival)]
    go(processes)
    said = [process.communicate(timeout=PROCESS_SECONDS)[0] for process in processes]
    [found] = look_up(root)
    winner = found.path.name
    assert sorted(said) == sorted(
        f"{'deployed' if name == winner else 'refused'} {name}\n" for name in ("weather", "rival", "weather", "rival")
    )


KILLED_AT = """
import os, signal, sys
from pathlib import Path
from outboard.bundle import version_store
from outboard.bundle.deployment import deploy
from outboard.bundle.journal import Journal
from outboard.bundle.version_store import VersionStore

def die(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)

moment, root, bundle = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
if moment == "copying":
    version_store.os.fsync = die
elif moment == "before the old one is kept":
    VersionStore.keep = die
elif moment == "before it is written down":
    Journal.append = die
elif moment == "before the swap":
    VersionStore.put_in_place = die
elif moment == "after the swap":
    version_store._sync = die
elif moment == "before old versions go":
    VersionStore.prune = die
deploy(bundle, root)
"""


@pytest.mark.parametrize(
    ("moment", "swapped"),
    [
        ("copying", False),
        ("before the old one is kept", False),
        ("before it is written down", False),
        ("before the swap", False),
        ("after the swap", True),
        ("before old versions go", True),
    ],
)
def test_a_deployment_that_is_killed_leaves_a_whole_version_and_the_way_free(
    packed: list[Path], root: Path, moment: str, swapped: bool
) -> None:
    sums = sha256s(packed)
    deploy(packed[0], root)
    command = [sys.executable, "-c", KILLED_AT, moment, root, packed[1]]
    assert subprocess.run(command, timeout=PROCESS_SECONDS, check=False).returncode == -signal.SIGKILL
    assert live(root) == sums[1 if swapped else 0]
    assert len(list(look_up(root))) == 1
    deploy(packed[2], root)
    assert live(root) == sums[2]
    assert sums[1 if swapped else 0] in kept(root)
    assert list((store_of(root) / "staging").iterdir()) == []
    last = history(root).entries[-1]
    assert (last.action, last.sha256, last.replaced) == ("deploy", sums[2], sums[1 if swapped else 0])
    assert (root / "weather").stat().st_nlink == 1


def test_who_waits_too_long_for_the_lock_says_for_what(root: Path) -> None:
    import fcntl

    from outboard.bundle.version_store import opened_store

    with opened_store(root):
        refused(
            lambda: opened_store(root, timeout=0.01).__enter__(),
            root,
            "another process has been deploying",
            BundleError,
        )
    with open(store_of(root) / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


# ── a full disk ───────────────────────────────────────────────────────────────────────────────────────────────────

ON_A_SMALL_DISK = """
import subprocess, sys
from pathlib import Path
from outboard.bundle import reader
from outboard.bundle.deployment import deploy, history, rollback
from outboard.errors import BundleError

disk, old, new = map(Path, sys.argv[1:])
size = old.stat().st_size
subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size * 7 // 2}", "none", disk], check=True)
root = disk / "bundles"
root.mkdir()
deploy(old, root)
filler = disk / "filler"

def fill():
    journal = disk / ".bundles.outboard-history" / "journal.jsonl"
    journal.write_text(journal.read_text() + "\\n" * (-journal.stat().st_size % 4096))
    try:
        with open(filler, "wb", buffering=0) as stream:
            while True:
                stream.write(bytes(4096))
    except OSError:
        pass

fill()
try:
    deploy(new, root)
except BundleError as error:
    print(error)
assert reader.verify(root / "weather").sha256 == reader.sha256_of(old)
assert [path.name for path in root.iterdir()] == ["weather"]
assert len(history(root).entries) == 1
assert list((disk / ".bundles.outboard-history" / "staging").iterdir()) == []
filler.unlink()
assert deploy(new, root).changed
fill()
change = rollback(root, "weather")
assert reader.verify(root / "weather").sha256 == reader.sha256_of(old)
print(*change.notes)
filler.unlink()
deploy(new, root)
assert [entry.action for entry in history(root).entries] == ["deploy", "deploy", "found", "deploy"]
"""


def test_on_a_full_disk_the_old_version_stays_and_a_rollback_still_works(packed: list[Path], tmp_path: Path) -> None:
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", tmp_path]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody but its administrator mount a small disk")
    command = ["unshare", "-rm", sys.executable, "-c", ON_A_SMALL_DISK, tmp_path, packed[0], packed[1]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROCESS_SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    refusal, note = done.stdout.splitlines()
    assert refusal.startswith(f"{tmp_path}/bundles/weather was not changed: the disk is full (")
    assert note == "the rollback could not be written down: No space left on device"


def test_a_store_in_another_file_system_is_refused(packed: list[Path], tmp_path: Path) -> None:
    probe = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", tmp_path]
    if shutil.which("unshare") is None or subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody but its administrator mount a disk")
    program = """
import subprocess, sys
from pathlib import Path
from outboard.bundle.deployment import deploy
disk, bundle = map(Path, sys.argv[1:])
subprocess.run(["mount", "-t", "tmpfs", "none", disk], check=True)
deploy(bundle, disk)
"""
    root = tmp_path / "mounted"
    root.mkdir()
    command = ["unshare", "-rm", sys.executable, "-c", program, root, packed[0]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROCESS_SECONDS, check=False)
    assert "is in another file system than" in done.stderr.splitlines()[-1]
    assert list(root.iterdir()) == []
