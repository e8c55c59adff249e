"""``outboard deploy``, ``rollback`` and ``history``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import attrs
from cyclopts import Parameter

from outboard.bundle import deployment
from outboard.bundle.deployment import DEFAULT_KEEP, Change, History
from outboard.bundle.journal import Entry
from outboard.cli.exit_codes import SUCCESS
from outboard.cli.output import print_json

__all__ = ("deploy", "history", "rollback")

_DIGITS_TOLD = 12

Root = Annotated[Path, Parameter(help="The folder that Airflow looks bundles up in.")]
Store = Annotated[
    Path | None,
    Parameter(name="--history", help="Where earlier versions are kept, instead of beside ROOT; the same file system."),
]


def deploy(
    bundle: Annotated[Path, Parameter(help="The bundle; its file name is its name in ROOT.")],
    root: Root,
    /,
    *,
    keep: Annotated[int, Parameter(help="How many earlier versions of it to keep.")] = DEFAULT_KEEP,
    store: Store = None,
) -> int:
    """Put a bundle in place, at once and whole, and keep the version that it replaces."""
    _tell(deployment.deploy(bundle, root, keep=keep, store=store))
    return SUCCESS


def rollback(
    root: Root,
    name: Annotated[str, Parameter(help="The bundle's file name in ROOT.")],
    /,
    *,
    to: Annotated[
        str | None, Parameter(help="The version's digest, or how it begins. By default the one deployed before.")
    ] = None,
    store: Store = None,
) -> int:
    """Put an earlier version of a bundle in place again."""
    _tell(deployment.rollback(root, name, to=to, store=store))
    return SUCCESS


def history(
    root: Root,
    name: Annotated[str | None, Parameter(help="Only this bundle.")] = None,
    /,
    *,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="Print one JSON document.")] = False,
    store: Store = None,
) -> int:
    """Show what was deployed, when and by whom, and which versions a rollback can bring back."""
    told = deployment.history(root, name, store=store)
    if json:
        print_json(_document(told))
    else:
        for line in _lines(told):
            print(line)
    return SUCCESS


def _tell(change: Change) -> None:
    version = change.version.label
    if not change.changed:
        print(f"{change.path}: version {version} is in place already", file=sys.stderr)
    elif change.replaced is None:
        print(f"{change.path}: version {version}", file=sys.stderr)
    else:
        print(f"{change.path}: version {version}, instead of {change.replaced.label}", file=sys.stderr)
    for note in change.notes:
        print(f"outboard: note: {note}", file=sys.stderr)


def _document(told: History) -> dict[str, Any]:
    return {
        "root": str(told.root),
        "history": str(told.folder),
        "bundles": {
            name: {"live": attrs.asdict(live) if live else None, "kept": sorted(told.kept[name])}
            for name, live in told.live.items()
        },
        "entries": [attrs.asdict(entry) for entry in told.entries],
    }


def _lines(told: History) -> Iterator[str]:
    rows = [_row(told, entry, told.entries[number + 1 :]) for number, entry in enumerate(told.entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for name, live in told.live.items():
        last = [entry.sha256 for entry in told.entries if entry.name == name][-1]
        if last != (live.sha256 if live else None):
            yield f"{name}: {'another file is in place' if live else 'no file is there any more'}, not by outboard"


def _row(told: History, entry: Entry, later: tuple[Entry, ...]) -> tuple[str, ...]:
    version = (entry.digest or entry.sha256 or "gone")[:_DIGITS_TOLD]
    return (entry.at, entry.action, entry.name, version, entry.by, _fate(told, entry, later))


def _fate(told: History, entry: Entry, later: tuple[Entry, ...]) -> str:
    """What became of a version, told where it was last in place."""
    if any((other.name, other.sha256) == (entry.name, entry.sha256) for other in later):
        return ""
    live = told.live[entry.name]
    if live and live.sha256 == entry.sha256:
        return "in place"
    return "kept" if entry.sha256 in told.kept[entry.name] else ""
