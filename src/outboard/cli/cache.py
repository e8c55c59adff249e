"""``outboard cache list``, ``prune`` and ``dir``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App, Parameter
from rich import box
from rich.console import Console
from rich.table import Table

from outboard.bundle import holdings
from outboard.bundle.environment import cache_folder
from outboard.bundle.holdings import Holding
from outboard.bundle.unpack import limit
from outboard.cli.exit_codes import SUCCESS
from outboard.cli.output import print_json
from outboard.errors import UsageError

__all__ = ("cache",)

_DIGITS_TOLD = 12
_PIPE_WIDTH = 200
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_UNIT = 1024

cache = App(
    name="cache",
    help="The environments that were built and the bundles that were unpacked on this machine.",
    help_format="plaintext",
)


@cache.command(name="list")
def list_cache(
    *,
    json: Annotated[bool, Parameter(negative="", show_default=False, help="Print one JSON document.")] = False,
) -> int:
    """Show what is in the cache: size, last use, whether a process uses it now."""
    found = holdings.holdings(cache_folder(), os.environ)
    if json:
        print_json(_document(found))
    else:
        _print_table(found)
    return SUCCESS


@cache.command
def prune(
    *,
    everything: Annotated[
        bool, Parameter(name="--all", negative="", show_default=False, help="Remove all that is not in use.")
    ] = False,
    older_than: Annotated[
        float | None, Parameter(help="Remove what was not used for so many days.", show_default=False)
    ] = None,
) -> int:
    """Make room: by default until all is within OUTBOARD_CACHE_SIZE. What a process uses stays."""
    if everything and older_than is not None:
        raise UsageError("--all removes what is new, too; leave out --older-than, or --all")
    if older_than is not None and not older_than >= 0:
        raise UsageError(f"--older-than {older_than:g}: give a number of days from 0 on")
    removed = holdings.prune(cache_folder(), os.environ, everything=everything, older_than=older_than)
    left = holdings.holdings(cache_folder(), os.environ)
    print(f"removed {_told(removed)}; left {_told(left)}, {_told([each for each in left if each.in_use])} in use",
          file=sys.stderr)  # fmt: skip
    return SUCCESS


@cache.command(name="dir")
def folder() -> int:
    """Print the folder of the cache."""
    print(cache_folder())
    return SUCCESS


def _document(found: Sequence[Holding]) -> dict[str, object]:
    entries = [
        {
            "kind": each.kind,
            "name": each.name,
            "folder": str(each.folder),
            "size": each.size,
            "last_used": _time(each).isoformat(),
            "in_use": each.in_use,
            "about": each.about,
        }
        for each in found
    ]
    total = sum(each.size for each in found)
    return {"folder": str(cache_folder()), "limit": limit(os.environ), "size": total, "entries": entries}


def _print_table(found: Sequence[Holding]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("kind", "name", "size", "last used", "in use", "for"):
        table.add_column(heading, justify="right" if heading == "size" else "left", overflow="fold")
    for each in found:
        used = _time(each).astimezone().strftime("%Y-%m-%d %H:%M")
        table.add_row(
            each.kind, each.name[:_DIGITS_TOLD], _size(each.size), used, "yes" if each.in_use else "", each.about
        )
    # A pipe has no width of its own, and nobody wants it folded.
    console = Console(highlight=False, markup=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)
    console.print(table)
    console.print(f"{_told(found)} in {cache_folder()}, where bundles may take {_size(limit(os.environ))}")


def _time(holding: Holding) -> datetime:
    return datetime.fromtimestamp(holding.last_used, UTC)


def _told(found: Sequence[Holding]) -> str:
    noun = "entry" if len(found) == 1 else "entries"
    return f"{len(found)} {noun} ({_size(sum(each.size for each in found))})"


def _size(number: float) -> str:
    """Bytes in the unit that a person would choose."""
    for unit in _UNITS[:-1]:
        if number < _UNIT:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= _UNIT
    return f"{number:.1f} {_UNITS[-1]}"
