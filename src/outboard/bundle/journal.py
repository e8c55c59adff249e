"""What happened to the bundles of a folder: one JSON line for each deployment, oldest first.

Knows the lines, and how a line stays whole whatever happens while it is written. Must not know what the lines are about to do,
nor who may write: whoever appends holds the lock of `outboard.bundle.version_store`.
"""

from __future__ import annotations

import json
import os
import pwd
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs

__all__ = ("DEPLOYED", "FOUND", "ROLLED_BACK", "Entry", "Journal", "now", "who_we_are")

DEPLOYED = "deploy"
ROLLED_BACK = "rollback"
FOUND = "found"
"""Somebody else put this file there, or took it away; noticed when the next deployment came by."""

_MODE = 0o644


@attrs.frozen(kw_only=True)
class Entry:
    """One line.

    Attributes:
        at: when, as RFC 3339 text in UTC.
        by: who, as ``user@host``.
        action: `DEPLOYED`, `ROLLED_BACK` or `FOUND`.
        name: the bundle's file name.
        sha256: of the whole file that has been in place since, in hexadecimal; None where there is none any more.
        digest: the manifest's, which a task's log names; None for a file that is no sound bundle.
        dag_ids: the Dags that this file has tasks for.
        replaced: the SHA-256 of the file that was in place before, or None.
    """

    at: str
    by: str
    action: str
    name: str
    sha256: str | None
    digest: str | None = None
    dag_ids: tuple[str, ...] = ()
    replaced: str | None = None

    def to_json(self) -> str:
        """The entry as one line, without its end: ASCII, since a file's name may be no text at all."""
        return json.dumps(attrs.asdict(self))

    @classmethod
    def from_json(cls, line: str) -> Entry:
        """Read a line; what a newer version has added to it is left out.

        Raises:
            ValueError: it is no entry.
        """
        document: Any = json.loads(line)
        if not isinstance(document, dict):
            raise ValueError("no mapping")
        known = {field.name: document[field.name] for field in attrs.fields(cls) if field.name in document}
        if not all(isinstance(known.get(name), str) for name in ("at", "by", "action", "name")):
            raise ValueError("a field is missing")
        return cls(**known | {"sha256": known.get("sha256"), "dag_ids": tuple(known.get("dag_ids") or ())})


@attrs.frozen
class Journal:
    """A journal file, which need not exist yet."""

    path: Path

    def entries(self) -> list[Entry]:
        """Every entry, oldest first. A line that cannot be read is left out: a record must never block a rollback.

        Raises:
            OSError: there is a journal, and it cannot be read.
        """
        try:
            lines = self.path.read_text(encoding="utf-8", errors="replace").split("\n")
        except FileNotFoundError:
            return []
        entries = []
        for line in lines:
            try:
                entries.append(Entry.from_json(line))
            except (ValueError, TypeError):
                continue
        return entries

    def append(self, entry: Entry) -> int:
        """Write an entry down, on the disk itself.

        Returns:
            How long the journal was before; `cut` takes the entry back with it.

        Raises:
            OSError: the entry could not be written; nothing of it stays.
        """
        handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        try:
            size = os.lseek(handle, 0, os.SEEK_END)
            # Half a line of a process that died becomes a line that cannot be read, instead of spoiling this one.
            text = ("\n" if size and os.pread(handle, 1, size - 1) != b"\n" else "") + entry.to_json() + "\n"
            try:
                _write_all(handle, text.encode())
                os.fsync(handle)
            except OSError:
                os.ftruncate(handle, size)
                raise
        finally:
            os.close(handle)
        return size

    def cut(self, size: int) -> None:
        """Take back what was appended since the journal was this long."""
        os.truncate(self.path, size)


def who_we_are() -> str:
    """The user of this process and its machine; behind ``sudo``, the user who called it."""
    identity = os.getuid()
    try:
        user = pwd.getpwuid(identity).pw_name
    except KeyError:  # as in a container with a random user
        user = str(identity)
    caller = os.environ.get("SUDO_USER") if identity == 0 else None
    return f"{caller or user}@{socket.gethostname()}"


def now() -> str:
    """This moment, as an entry has it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data) :]
