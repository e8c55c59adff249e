from __future__ import annotations

import io
import zipfile
import zipimport
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.bundle import archive as archive_module
from outboard.bundle.archive import Archive, ArchiveError, read_directory
from outboard.errors import BundleError

NAMES = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="/\\"), min_size=1, max_size=20)


def laid_out(members: dict[str, bytes], gap: bytes = b"") -> bytes:
    archive = Archive()
    data = bytearray(b"#!/bin/true\n")
    for name, content in members.items():
        data += archive.member(name, content, len(data)) + gap
    return bytes(data) + archive.directory(len(data))


@given(members=st.dictionaries(NAMES, st.binary(max_size=100), max_size=5), gap=st.binary(max_size=9))
def test_the_standard_library_reads_every_member_back(members: dict[str, bytes], gap: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(laid_out(members, gap))) as opened:
        assert opened.testzip() is None
        assert {name: opened.read(name) for name in opened.namelist()} == members


def test_python_imports_from_it_with_bytes_behind_the_end_record(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_bytes(laid_out({"greeting.py": b"text = 'hello'"}) + b"metadata and trailer" * 10)
    assert zipimport.zipimporter(str(path)).get_source("greeting") == "text = 'hello'"


def test_the_same_members_give_the_same_bytes() -> None:
    members = {"a.py": b"1", "b/ü.py": b"2"}
    assert laid_out(members) == laid_out(members)


def test_more_than_a_zip_can_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "MAX_SIZE", 100)
    archive = Archive()
    archive.member("fits", b"x" * 50, 0)
    with pytest.raises(BundleError, match="full"):
        archive.member("too much", b"x" * 50, 51)


def read_back(data: bytes) -> list[str]:
    members, _ = read_directory(lambda offset, size: data[offset : offset + size], len(data))
    return [member.name for member in members]


@given(members=st.dictionaries(NAMES, st.binary(max_size=100), max_size=5), gap=st.binary(max_size=9))
def test_the_reader_proves_every_member_that_was_written(members: dict[str, bytes], gap: bytes) -> None:
    data = laid_out(members, gap)
    found, start = read_directory(lambda offset, size: data[offset : offset + size], len(data))
    assert {member.name: data[member.end - member.size : member.end] for member in found} == members
    assert data[start : start + 4] in (b"PK\x01\x02", b"PK\x05\x06")


@pytest.mark.parametrize("place", range(len(laid_out({"a": b"1", "b": b"22"})) - len(b"#!/bin/true\n")))
def test_any_changed_byte_of_a_member_or_the_directory_is_refused(place: int) -> None:
    data = bytearray(laid_out({"a": b"1", "b": b"22"}))
    data[len(b"#!/bin/true\n") + place] ^= 0xFF
    with pytest.raises(ArchiveError):
        read_back(bytes(data))


@given(data=st.binary(max_size=100))
def test_arbitrary_bytes_are_no_directory(data: bytes) -> None:
    with pytest.raises(ArchiveError):
        read_back(data)
