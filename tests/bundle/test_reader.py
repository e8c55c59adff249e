"""Damage, made systematically: to a file that was really packed, and to ones sealed anew around a fault."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
from pathlib import Path

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from outboard.bundle import reader
from outboard.bundle.archive import Archive
from outboard.bundle.format import MAGIC, TRAILER_SIZE, compose
from outboard.bundle.manifest import Manifest, SourceFile
from outboard.bundle.metadata import write_metadata
from outboard.errors import DamagedBundleError, UsageError

SOURCE = b"x = 1\n"
MANIFEST = Manifest(
    name="small",
    digest="0" * 64,
    dag_ids=("a", "b"),
    sources=(SourceFile(module="small", file="small.py", sha256=hashlib.sha256(SOURCE).hexdigest()),),
    outboard_version=importlib.metadata.version("outboard"),
    python_version="3.11",
    interpreter="/bin/sh",
    environment="/",
)

# One file is changed over and over; hypothesis would rather have a new one for each example.
changes_one_file = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def copy(hello: Path, tmp_path: Path) -> Path:
    """A packed file that may be broken."""
    return Path(shutil.copy(hello, tmp_path / "hello"))


def sealed(
    path: Path,
    *,
    inner: dict[str, bytes] | None = None,
    outer: dict[str, bytes] | None = None,
    text: bytes | None = None,
    gap: bytes = b"",
    head: bytes = b"#!/bin/sh\nexit 2\n",
) -> Path:
    """A file that has a right trailer, whatever else is wrong with it."""
    archive = Archive()
    inner = {"manifest.json": MANIFEST.to_json()} if inner is None else inner
    executable = head
    for name, content in inner.items():
        executable += archive.member(name, content, len(executable))
    whole = executable
    for name, content in ({"small.py": SOURCE} if outer is None else outer).items():
        whole += archive.member(name, content, len(whole))
    whole += gap
    whole += archive.directory(len(whole))
    text = write_metadata(MANIFEST.dag_ids, "2026-06-16") if text is None else text
    path.write_bytes(compose(executable, whole[len(executable) :], text))
    path.chmod(0o755)
    return path


CARRIED = b"stands for a zip, of which nobody here looks inside"


def damage_of(path: Path) -> DamagedBundleError:
    with pytest.raises(DamagedBundleError) as caught:
        reader.verify(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.advice
    return caught.value


# ── sound files ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_packed_file_is_sound_and_says_what_is_in_it(hello: Path) -> None:
    found = reader.verify(hello)
    assert found.sha256 == hashlib.sha256(hello.read_bytes()).hexdigest() == reader.sha256_of(hello)
    assert found.size == hello.stat().st_size
    assert found.manifest.dag_ids == found.metadata.dag_ids == ("hello",)
    assert {"manifest.json", "hello.py", "outboard/__init__.py"} <= {member.name for member in found.members}
    assert os.access(found.program, os.X_OK)


def test_the_smallest_sealed_file_is_sound(tmp_path: Path) -> None:
    """So that what the tests below find wrong is what they did."""
    found = reader.verify(sealed(tmp_path / "small"))
    assert found.manifest == MANIFEST
    assert found.program == "/bin/sh"


# ── any damage at all ─────────────────────────────────────────────────────────────────────────────────────────────


def write_flipped(path: Path, sound: bytes, place: int, flip: int) -> None:
    path.write_bytes(sound[:place] + bytes([sound[place] ^ flip]) + sound[place + 1 :])


FLIPS = st.integers(min_value=1, max_value=255)


@changes_one_file
@given(place=st.integers(min_value=0), flip=FLIPS)
def test_any_changed_byte_anywhere_is_found(copy: Path, hello: Path, place: int, flip: int) -> None:
    sound = hello.read_bytes()
    write_flipped(copy, sound, place % len(sound), flip)
    damage_of(copy)


@changes_one_file
@given(from_end=st.integers(min_value=0), flip=FLIPS)
def test_any_changed_byte_that_airflows_hash_does_not_cover_is_found(
    copy: Path, hello: Path, from_end: int, flip: int
) -> None:
    """Sources, zip directory, metadata and trailer."""
    sound = hello.read_bytes()
    unhashed = len(sound) - reader.verify(hello).regions.source_start
    write_flipped(copy, sound, len(sound) - 1 - from_end % unhashed, flip)
    damage_of(copy)


def test_every_byte_behind_the_executable_matters(tmp_path: Path) -> None:
    path = sealed(tmp_path / "small")
    sound = path.read_bytes()
    start = reader.verify(path).regions.source_start
    for place in range(start, len(sound)):
        write_flipped(path, sound, place, 0x20)
        damage_of(path)


@changes_one_file
@given(size=st.integers(min_value=0))
def test_any_truncation_is_found(copy: Path, hello: Path, size: int) -> None:
    sound = hello.read_bytes()
    copy.write_bytes(sound[: size % len(sound)])
    damage_of(copy)


@changes_one_file
@given(start=st.integers(min_value=0), size=st.integers(min_value=1, max_value=5000))
def test_any_missing_piece_is_found(copy: Path, hello: Path, start: int, size: int) -> None:
    sound = hello.read_bytes()
    start %= len(sound)
    copy.write_bytes(sound[:start] + sound[start + size :])
    damage_of(copy)


@changes_one_file
@given(place=st.integers(min_value=0), extra=st.binary(min_size=1, max_size=100))
def test_anything_put_in_is_found(copy: Path, hello: Path, place: int, extra: bytes) -> None:
    sound = hello.read_bytes()
    place %= len(sound) + 1
    copy.write_bytes(sound[:place] + extra + sound[place:])
    damage_of(copy)


@changes_one_file
@given(data=st.binary(max_size=300), sign=st.sampled_from([b"", MAGIC, bytes(12) + MAGIC]))
def test_arbitrary_bytes_are_damage_and_nothing_else(copy: Path, data: bytes, sign: bytes) -> None:
    copy.write_bytes(data + sign)
    damage_of(copy)


# ── each kind by its name ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_shorter_than_a_trailer_says_so(copy: Path) -> None:
    copy.write_bytes(b"#!/bin/sh\n")
    error = damage_of(copy)
    assert (error.region, error.file) == ("trailer", str(copy))
    assert "10 bytes" in error.problem


def test_something_appended_and_a_file_cut_short_are_named_as_possible(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes() + b"\n")
    error = damage_of(copy)
    assert error.region == "trailer"
    assert "was cut short, or something was appended" in error.advice


@pytest.mark.parametrize(
    ("place", "problem"),
    [
        (0, "executable region: .* is not the trailer's"),
        (3, "trailer: .*which leaves no executable"),
        (8, "trailer: it is of layout 254"),
        (20, "executable region: .*SHA-256"),
        (50, "trailer: its reserved bytes are not zero"),
        (60, "trailer: the file ends with"),
    ],
)
def test_each_field_of_the_trailer_has_its_own_error(copy: Path, place: int, problem: str) -> None:
    data = bytearray(copy.read_bytes())
    data[place - TRAILER_SIZE] ^= 0xFF
    copy.write_bytes(data)
    with pytest.raises(DamagedBundleError, match=problem):
        reader.verify(copy)


@pytest.mark.parametrize("line", [b"\n", b"#!\n", b"\x7fELF"])
def test_an_executable_that_names_no_program_is_damage(tmp_path: Path, line: bytes) -> None:
    assert damage_of(sealed(tmp_path / "small", head=line)).region == "executable region"


def test_a_zip_without_its_directory_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "small"
    path.write_bytes(compose(b"#!/bin/sh\n", b"some text", write_metadata(["a"], "2026-06-16")))
    error = damage_of(path)
    assert (error.region, error.problem) == ("zip directory", "its end record is not where it belongs")


def test_a_member_whose_content_was_changed_is_named(tmp_path: Path) -> None:
    path = sealed(tmp_path / "small")
    path.write_bytes(path.read_bytes().replace(SOURCE, b"x = 2\n"))
    error = damage_of(path)
    assert error.region == "zip directory"
    assert "small.py: its header or its checksum" in error.problem


def test_bytes_between_the_sources_are_damage(tmp_path: Path) -> None:
    assert "belong to no file" in damage_of(sealed(tmp_path / "small", gap=b"stowaway")).problem


def test_a_member_listed_twice_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "small"
    archive = Archive()
    whole = b"#!/bin/sh\n"
    for _ in range(2):
        whole += archive.member("manifest.json", MANIFEST.to_json(), len(whole))
    path.write_bytes(compose(whole, archive.directory(len(whole)), write_metadata(MANIFEST.dag_ids, "2026-06-16")))
    assert "twice" in damage_of(path).problem


def test_a_missing_manifest_is_damage(tmp_path: Path) -> None:
    error = damage_of(sealed(tmp_path / "small", inner={}))
    assert (error.region, error.advice) == ("manifest", "pack it with outboard")


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"{}", b'{"manifest_version": 99}', b"\xff", json.dumps({"manifest_version": 1}).encode()]
)
def test_an_unreadable_manifest_is_damage(tmp_path: Path, text: bytes) -> None:
    assert damage_of(sealed(tmp_path / "small", inner={"manifest.json": text})).region == "manifest"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "a mapping belongs there"),
        (b"{", "neither JSON nor YAML"),
        (b"\xff", "neither JSON nor YAML"),
        (b"[]", "a mapping belongs there, not list"),
        (write_metadata(["a"], "2026-06-16"), "it names the Dags a, and the manifest a, b"),
        (write_metadata(["b", "a"], "2026-06-16"), "it names the Dags b, a, and the manifest a, b"),
        (write_metadata([], "2026-06-16"), "it names the Dags none, and the manifest a, b"),
        (write_metadata(["a", "b"], "2026-10-30"), "its schema date is 2026-10-30, and the manifest's 2026-06-16"),
        (write_metadata(["a", "b"], "2031-01-01"), "2031-01-01, and this outboard knows 2026-06-16 and 2026-10-30"),
        (write_metadata(["a", "b"], ""), "names no schema date"),
        (write_metadata(["a", "b"], "2026-06-16") + b" ", "not in the form in which outboard writes it"),
        (b"dags: {a: , b: }", "names no schema date"),
        (
            b"dags: {a: , b: }\nsdk: {supervisor_schema_version: '2026-06-16'}",
            "not in the form in which outboard writes it",
        ),
    ],
)
def test_metadata_that_is_wrong_or_contradicts_the_manifest_is_damage(
    tmp_path: Path, text: bytes, problem: str
) -> None:
    error = damage_of(sealed(tmp_path / "small", text=text))
    assert error.region == "metadata"
    assert problem in error.problem


def test_a_source_that_is_missing_or_another_is_damage(tmp_path: Path) -> None:
    assert "small.py is missing" in damage_of(sealed(tmp_path / "small", outer={})).problem
    error = damage_of(sealed(tmp_path / "small", outer={"small.py": b"x = 2\n"}))
    assert (error.region, error.problem) == ("sources", "small.py is not the file that was packed")


# ── files that are something else, and what is no damage ──────────────────────────────────────────────────────────


def test_another_languages_bundle_is_no_damage_but_not_ours(tmp_path: Path) -> None:
    path = tmp_path / "native"
    path.write_bytes(compose(b"\x7fELF", b"", b"sdk: {language: go}\ndags: {a: {}}\n"))
    with pytest.raises(UsageError, match="native was packed for go"):
        reader.verify(path)


def test_a_file_that_cannot_be_read_is_no_damage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="missing cannot be read: No such file"):
        reader.verify(tmp_path / "missing")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(UsageError, match=f"{path} is no file"):
            reader.verify(path)


def test_a_file_that_nobody_may_execute_is_found_apart_from_its_content(copy: Path) -> None:
    copy.chmod(0o644)
    reader.verify(copy)
    with pytest.raises(DamagedBundleError, match=r"permissions: nobody here may execute it.*chmod 755"):
        reader.check_executable(copy)
    copy.chmod(0o755)
    reader.check_executable(copy)


@pytest.mark.parametrize(("name", "field"), [("environment.zip", "environment_digest"), ("files.zip", "files_digest")])
def test_what_will_be_unpacked_is_what_was_packed(tmp_path: Path, name: str, field: str) -> None:
    """It is not in the region that the trailer's hash covers, since Airflow reads all of that."""
    manifest = attrs.evolve(MANIFEST, **{field: hashlib.sha256(CARRIED).hexdigest()})
    inner = {"manifest.json": manifest.to_json()}
    whole = sealed(tmp_path / "whole", inner=inner, outer={"small.py": SOURCE, name: CARRIED})
    assert reader.verify(whole).manifest == manifest
    other = sealed(tmp_path / "other", inner=inner, outer={"small.py": SOURCE, name: CARRIED[::-1]})
    assert (damage_of(other).region, damage_of(other).problem) == ("sources", f"{name} is not the file that was packed")
    missing = sealed(tmp_path / "missing", inner=inner)
    assert damage_of(missing).problem == f"{name} is missing, which the manifest lists"


def test_the_form_that_another_version_of_outboard_wrote_is_no_damage_but_what_it_says_is(tmp_path: Path) -> None:
    """Or nobody could roll back to what was packed before outboard was upgraded."""
    older = attrs.evolve(MANIFEST, outboard_version="0.0.1")
    inner = {"manifest.json": older.to_json()}
    text = b"dags: {%b}\nsdk: {supervisor_schema_version: '2026-06-16'}"
    assert reader.verify(sealed(tmp_path / "small", inner=inner, text=text % b"a: , b: ")).manifest == older
    assert "names the Dags a, c" in damage_of(sealed(tmp_path / "other", inner=inner, text=text % b"a: , c: ")).problem


def lacking(tmp_path: Path, *, head: bytes = b"#!/bin/sh\n", **changes: object) -> tuple[str, ...]:
    """What this machine lacks of what a bundle with another manifest needs."""
    manifest = attrs.evolve(MANIFEST, **changes)
    outer = {"small.py": SOURCE, **({"environment.zip": CARRIED} if manifest.is_fat else {})}
    bundle = sealed(tmp_path / "small", inner={"manifest.json": manifest.to_json()}, outer=outer, head=head)
    return reader.warnings_here(reader.verify(bundle))


def test_a_missing_interpreter_is_a_warning_since_another_machine_may_have_it(tmp_path: Path) -> None:
    assert lacking(tmp_path) == ()
    [warning] = lacking(tmp_path, interpreter="/gone/bin/python")
    assert "needs Python 3.11, and this machine has none where it looks: /gone/bin/python" in warning
    [warning] = lacking(tmp_path, head=b"#!/lost/python -IS\n")
    assert "needs /lost/python" in warning
    [warning] = lacking(tmp_path, head=b"#!/lost/python -IS\n", interpreter="/lost/python")
    assert "needs /lost/python" in warning


def test_a_fat_bundle_looks_for_its_interpreter_in_several_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OUTBOARD_PYTHON", raising=False)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    fat = {
        "environment_digest": hashlib.sha256(CARRIED).hexdigest(),
        "interpreter": "/gone/bin/python",
        "python_version": "3.99",
    }
    [warning] = lacking(tmp_path, **fat)
    assert warning.endswith("/gone/bin/python, python3.99, /usr/local/bin/python3.99, /usr/bin/python3.99")
    (folder / "python3.99").symlink_to("/bin/sh")
    assert lacking(tmp_path, **fat) == ()
    monkeypatch.setenv("OUTBOARD_PYTHON", "/chosen/python")
    [warning] = lacking(tmp_path, **fat)
    assert warning.endswith("where it looks: /chosen/python")


def test_native_code_for_another_kind_of_machine_is_a_warning(tmp_path: Path) -> None:
    here = os.uname().machine
    assert lacking(tmp_path, machine=here) == ()
    [warning] = lacking(tmp_path, machine="pdp11")
    assert f"native code for pdp11, and this machine is {here}" in warning
    [warning] = lacking(tmp_path, machine=here, glibc="99.0")
    assert "needs glibc 99.0 or newer" in warning


def test_nothing_in_a_file_is_run_or_imported_to_judge_it(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    reader.verify(sealed(tmp_path / "small", head=f"#!/bin/sh\ntouch {mark}\n".encode()))
    assert not mark.exists()
