from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.bundle.journal import DEPLOYED, Entry, Journal, now, who_we_are

TEXT = st.text(max_size=20)
MAYBE = st.none() | TEXT
ENTRIES = st.builds(
    Entry,
    at=TEXT,
    by=TEXT,
    action=TEXT,
    name=TEXT,
    sha256=MAYBE,
    digest=MAYBE,
    dag_ids=st.lists(TEXT, max_size=3).map(tuple),
    replaced=MAYBE,
)


def entry(name: str = "weather", sha256: str | None = "00") -> Entry:
    return Entry(at=now(), by="me@here", action=DEPLOYED, name=name, sha256=sha256)


@given(entry=ENTRIES)
def test_an_entry_is_one_line_and_comes_back(entry: Entry) -> None:
    line = entry.to_json()
    assert "\n" not in line
    assert Entry.from_json(line) == entry


def test_entries_come_back_in_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    assert journal.entries() == []
    written = [entry(name) for name in ("a", "b\n", "ü\x85\u2028", "\udcff")]
    for each in written:
        journal.append(each)
    assert journal.entries() == written


def test_an_entry_can_be_taken_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(entry("a"))
    before = journal.path.read_bytes()
    size = journal.append(entry("b"))
    journal.cut(size)
    assert journal.path.read_bytes() == before


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "7", '{"at": "1"}', '{"at": 1, "by": "", "action": "", "name": ""}', "\ufffd", "\0"]
)
def test_a_line_that_cannot_be_read_hides_no_other(tmp_path: Path, line: str) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(entry("a"))
    with open(journal.path, "a", encoding="utf-8") as stream:
        stream.write(line + "\n")
    journal.append(entry("b"))
    assert [each.name for each in journal.entries()] == ["a", "b"]


def test_half_a_line_of_a_writer_that_died_spoils_no_other(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(entry("a"))
    with open(journal.path, "ab") as stream:
        stream.write(b'{"at": "2026-01-01", "by": "\xc3')
    journal.append(entry("b"))
    assert [each.name for each in journal.entries()] == ["a", "b"]


def test_what_a_newer_version_adds_is_left_out() -> None:
    line = json.dumps(json.loads(entry("a").to_json()) | {"ticket": "OPS-7"})
    assert Entry.from_json(line).name == "a"


def test_a_line_that_does_not_fit_leaves_the_journal_as_it_was(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.append(entry("a"))
    before = journal.path.read_bytes()
    program = """
import resource, signal, sys
from pathlib import Path
from outboard.bundle.journal import Entry, Journal
journal = Journal(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = journal.path.stat().st_size + 10
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    journal.append(Entry(at="", by="", action="", name="b", sha256=None))
except OSError as error:
    print(error.strerror)
"""
    done = subprocess.run(
        [sys.executable, "-c", program, journal.path], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.stdout, done.stderr) == ("File too large\n", "")
    assert journal.path.read_bytes() == before


def test_a_user_without_a_name_is_a_number_and_sudo_is_seen_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SUDO_USER", raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 3_456_789)
    assert who_we_are().startswith("3456789@")
    monkeypatch.setenv("SUDO_USER", "alice")
    assert who_we_are().startswith("3456789@")
    monkeypatch.setattr(os, "getuid", lambda: 0)
    assert who_we_are().startswith("alice@")
