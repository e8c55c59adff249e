"""What the cache holds: environments, and bundles that were unpacked. How large, used when, by whom; and room made.

Knows both kinds together, and that what is in use stays. Must not know how either came to be there.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Literal

import attrs

from outboard.bundle import cache
from outboard.bundle.environment_store import ENVIRONMENTS, Place, is_in_use, places
from outboard.bundle.unpack import Entry, entries, limit, remove

__all__ = ("Holding", "holdings", "prune")

Kind = Literal["environment", "bundle"]

_SECONDS_PER_DAY = 86_400


@attrs.frozen(kw_only=True)
class Holding:
    """One thing in the cache.

    Attributes:
        kind: what it is.
        name: its folder's name.
        folder: where it is.
        size: bytes of its files, and of what belongs to it.
        last_used: seconds since the epoch, to the hour.
        in_use: whether a process uses it now.
        about: what it is for; empty if nobody knows.
    """

    kind: Kind
    name: str
    folder: Path
    size: int
    last_used: float
    in_use: bool
    about: str = ""
    _remove: Callable[[], bool] = attrs.field(repr=False, eq=False)

    def remove(self) -> bool:
        """Remove it, unless a process uses it. Returns whether it is gone."""
        return self._remove()


def holdings(environment_cache: Path, environment: Mapping[str, str]) -> list[Holding]:
    """All that is in the cache, the least recently used first.

    Args:
        environment_cache: the folder with the environments.
        environment: the variables that say where bundles are unpacked.
    """
    found = [_environment(place) for place in places(environment_cache) if place.home.is_dir()]
    found += [_bundle(entry) for root in _roots(environment) for entry in entries(root)]
    return sorted(found, key=lambda holding: (holding.last_used, holding.name))


def prune(
    environment_cache: Path,
    environment: Mapping[str, str],
    *,
    everything: bool = False,
    older_than: float | None = None,
) -> list[Holding]:
    """Make room: by default until all is within OUTBOARD_CACHE_SIZE, the least recently used first.

    Args:
        environment_cache: the folder with the environments.
        environment: the variables that say where bundles are unpacked, and how large all may be.
        everything: remove whatever is not in use.
        older_than: remove what was not used for so many days.

    Returns:
        What was removed.
    """
    _clear(environment_cache, environment)
    present = holdings(environment_cache, environment)
    total = sum(holding.size for holding in present)
    removed = []
    for holding in present:
        if everything:
            wanted = True
        elif older_than is not None:
            wanted = time.time() - holding.last_used > older_than * _SECONDS_PER_DAY
        else:
            wanted = total > limit(environment)
        if wanted and not holding.in_use and holding.remove():
            total -= holding.size
            removed.append(holding)
    return removed


def _environment(place: Place) -> Holding:
    note = place.note
    about = f"{note.file}: {', '.join(note.requirements) or 'no dependencies'}" if note else ""
    home = Entry(str(place.home))
    packed = place.packed.stat().st_size if place.packed.is_file() else 0
    return Holding(
        kind="environment",
        name=place.key,
        folder=place.home,
        size=home.size + packed,
        last_used=home.last_used,
        in_use=place.in_use,
        about=about,
        remove=place.remove,
    )


def _bundle(entry: Entry) -> Holding:
    return Holding(
        kind="bundle",
        name=entry.digest,
        folder=Path(entry.folder),
        size=entry.size,
        last_used=entry.last_used,
        in_use=is_in_use(Path(entry.folder)),
        remove=lambda: remove(entry),
    )


def _roots(environment: Mapping[str, str]) -> Iterator[str]:
    """The folders that bundles are unpacked to, as far as they are there and ours."""
    for root in cache.roots(environment):
        try:
            if cache.is_trusted(os.lstat(root)) and cache.is_trusted(os.lstat(f"{root}/{cache.UNPACKED}")):
                yield root
        except OSError:
            continue


def _clear(environment_cache: Path, environment: Mapping[str, str]) -> None:
    """Remove what was on its way in or out when somebody was stopped."""
    for place in places(environment_cache):
        if not place.home.is_dir():
            place.remove()
    for remains in (environment_cache / ENVIRONMENTS).glob(".evicted-*"):
        shutil.rmtree(remains, ignore_errors=True)
    for folder in (Path(root, cache.UNPACKED) for root in _roots(environment)):
        for remains in folder.glob(".*-*"):
            if not is_in_use(folder / f"{remains.name.rpartition('-')[0]}.lock"):
                shutil.rmtree(remains, ignore_errors=True)
