"""Bundles into the folder that Airflow looks them up in, and back to what ran there before.

Knows which version belongs in place: a sound one, whose Dags nobody else in the folder has. Either the folder holds the old
file or the new one, whole, at any moment and whatever fails; a process that runs keeps the file that it was started from.
Must not know how files are kept and swapped (`outboard.bundle.version_store`), nor who asks.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import attrs

from outboard.bundle import reader, version_choice
from outboard.bundle.journal import DEPLOYED, FOUND, ROLLED_BACK, Entry, now, who_we_are
from outboard.bundle.lookup import Unreadable, look_up
from outboard.bundle.packer import check_name
from outboard.bundle.version_store import VersionStore, opened_store, store_of
from outboard.errors import BundleError, DamagedBundleError, UsageError

__all__ = ("DEFAULT_KEEP", "SHORTEST_DIGEST", "Change", "History", "Version", "deploy", "history", "rollback")

DEFAULT_KEEP = 5
"""Earlier versions of each bundle: a bad week's worth, and a bound for bundles that carry their dependencies."""

SHORTEST_DIGEST = 4
"""Digits of a digest that a person must give: fewer fit too much."""

_DIGITS_TOLD = 12
_FULL_DISK = (errno.ENOSPC, errno.EDQUOT)


@attrs.frozen(kw_only=True)
class Version:
    """One state of one bundle.

    Attributes:
        sha256: of the whole file, in hexadecimal.
        digest: the manifest's; None for a file that is no sound bundle.
        dag_ids: the Dags that it has tasks for.
    """

    sha256: str
    digest: str | None = None
    dag_ids: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """How a person is told of it."""
        return (self.digest or self.sha256)[:_DIGITS_TOLD]


@attrs.frozen(kw_only=True)
class Change:
    """What a deployment or a rollback came to.

    Attributes:
        path: the bundle's place.
        version: what is there now.
        replaced: what was there before, or None.
        changed: False where it was there already.
        notes: what somebody should know, a sentence each.
    """

    path: Path
    version: Version
    replaced: Version | None
    changed: bool
    notes: tuple[str, ...]


@attrs.frozen(kw_only=True)
class History:
    """What happened to the bundles of a folder.

    Attributes:
        root: the folder.
        folder: where its earlier versions are kept.
        entries: what happened, oldest first.
        live: what is in place, by bundle; None for a bundle that is gone.
        kept: the SHA-256 of the versions that a rollback can bring back, by bundle.
    """

    root: Path
    folder: Path
    entries: tuple[Entry, ...]
    live: Mapping[str, Version | None]
    kept: Mapping[str, frozenset[str]]


def deploy(bundle: Path, root: Path, *, keep: int = DEFAULT_KEEP, store: Path | None = None) -> Change:
    """Put a bundle in place under its own name.

    Args:
        bundle: the file, anywhere.
        root: the folder that Airflow looks bundles up in.
        keep: how many earlier versions of it stay.
        store: where to keep them; beside the folder by default.

    Raises:
        UsageError: a name that Airflow passes over, no such folder, or a Dag that another bundle there has.
        DamagedBundleError: it is not what was packed.
        BundleError: the disk is full or cannot be written; the old version is in place as before.
    """
    if keep < 0:
        raise UsageError(f"--keep {keep}: the number of earlier versions to keep cannot be negative")
    check_name(bundle)
    sound = reader.verify(bundle)
    version = _version_of(sound)
    with opened_store(root, store) as opened:
        place = _Place(store=opened, name=bundle.name)
        live = place.live()
        place.note_strangers(live)
        notes = place.refuse_taken(version.dag_ids)
        if live == version and os.access(place.path, os.X_OK):
            return Change(path=place.path, version=version, replaced=live, changed=False, notes=tuple(notes))
        place.deploy(live, bundle, version)
        notes += [*reader.warnings_here(sound), *_lost(live, version), *place.prune(version, keep)]
        return Change(path=place.path, version=version, replaced=live, changed=True, notes=tuple(notes))


def rollback(root: Path, name: str, *, to: str | None = None, store: Path | None = None) -> Change:
    """Put an earlier version of a bundle in place again.

    Args:
        root: the folder that Airflow looks bundles up in.
        name: the bundle's file name there.
        to: the first digits of the version's digest or SHA-256. By default the version that the present one was deployed
            over; rolling back again goes further back.
        store: where earlier versions are kept; beside the folder by default.

    Raises:
        UsageError: no such version, several, or one with a Dag that another bundle has by now.
        DamagedBundleError: the kept file is not what it was.
        BundleError: the disk cannot be written; everything is as before.
    """
    _check_place(name)
    with opened_store(root, store) as opened:
        place = _Place(store=opened, name=name)
        live = place.live()
        place.note_strangers(live)
        sha256 = place.find(to, live) if to is not None else place.earlier(live)
        kept = opened.kept(name)[sha256]
        sound = reader.verify(kept)
        if sound.sha256 != sha256:
            problem = "it is not the file that was kept"
            raise DamagedBundleError(str(kept), "whole file", problem, "roll back to another version with --to")
        version = _version_of(sound)
        notes = place.refuse_taken(version.dag_ids)
        notes += place.bring_back(live, kept, version)
        notes += [*reader.warnings_here(attrs.evolve(sound, path=place.path)), *_lost(live, version)]
        return Change(path=place.path, version=version, replaced=live, changed=True, notes=tuple(notes))


def history(root: Path, name: str | None = None, *, store: Path | None = None) -> History:
    """What happened to the bundles of a folder, or to one of them. Changes nothing and waits for nobody.

    Raises:
        UsageError: no such folder, or nothing is known of such a bundle.
        BundleError: the record cannot be read.
    """
    found = store_of(root, store)
    try:
        entries = [entry for entry in found.journal.entries() if name in (None, entry.name)]
    except OSError as error:
        raise BundleError(f"{found.journal.path} cannot be read: {error.strerror or error}") from error
    names = dict.fromkeys(entry.name for entry in entries)
    if name is not None and not names:
        raise UsageError(f"nothing was ever deployed to {found.root} as {name}")
    return History(
        root=found.root,
        folder=found.folder,
        entries=tuple(entries),
        live={each: _Place(store=found, name=each).seen() for each in names},
        kept={each: frozenset(found.kept(each)) for each in names},
    )


def _check_place(name: str) -> None:
    if Path(name).name != name:
        raise UsageError(f"{name}: give the bundle's file name alone, as it is called in the folder")
    check_name(Path(name))


@attrs.frozen(kw_only=True)
class _Place:
    """One name in the folder, whose store is open."""

    store: VersionStore
    name: str

    @property
    def path(self) -> Path:
        return self.store.root / self.name

    def live(self) -> Version | None:
        """What is there, sound or not, or None."""
        try:
            kind = self.path.lstat().st_mode
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(kind):
            what = "a link" if stat.S_ISLNK(kind) else "no file"
            raise UsageError(f"{self.path} is {what}; only files are deployed and replaced, so move it away")
        try:
            return _version_of(reader.verify(self.path))
        except (DamagedBundleError, UsageError):
            try:
                return Version(sha256=reader.sha256_of(self.path))
            except OSError as error:
                raise BundleError(f"{self.path} cannot be read: {error.strerror or error}") from error

    def seen(self) -> Version | None:
        """What is there, for a look: one name that was misused must not hide the others."""
        try:
            return self.live()
        except UsageError:
            return None

    def entries(self) -> list[Entry]:
        return [entry for entry in self.store.journal.entries() if entry.name == self.name]

    def note_strangers(self, live: Version | None) -> None:
        """Write down what somebody did to the file without us, or what a deployment that died did."""
        entries = self.entries()
        known = entries[-1].sha256 if entries else None
        if known != (live.sha256 if live else None):
            # If the disk is full, it is noticed again next time; whether that stops anything is decided where files change.
            with contextlib.suppress(OSError):
                self.store.journal.append(self._entry(FOUND, live, known))

    def refuse_taken(self, dag_ids: Sequence[str]) -> list[str]:
        """Make sure that nobody else has one of these Dags; what could not be compared is told."""
        notes = []
        for other in look_up(self.store.root):
            if other.path.resolve() == self.path:
                continue
            if isinstance(other, Unreadable):
                notes.append(f"{other.path} was not compared: {other.error.region}: {other.error.problem}")
                continue
            taken = sorted(set(dag_ids).intersection(other.metadata.dag_ids))
            if taken:
                raise UsageError(
                    f"{self.name}: {other.path} has tasks for the Dag {', '.join(taken)} already, and Airflow would take "
                    "whichever it meets first; remove that file, or pack this one without the Dag"
                )
        return notes

    def deploy(self, live: Version | None, source: Path, version: Version) -> None:
        """Put a copy of a bundle in place, written down and with the present one kept.

        Raises:
            BundleError: it did not work, and nothing has changed.
        """
        with self._all_or_nothing() as undo:
            staged = self.store.stage(source, version.sha256)
            self._keep(live, version, undo)
            size = self.store.journal.append(self._entry(DEPLOYED, version, live.sha256 if live else None))
            undo.callback(self.store.journal.cut, size)
            self.store.put_in_place(staged, self.path)

    def bring_back(self, live: Version | None, kept: Path, version: Version) -> list[str]:
        """Put a kept version in place, the present one being kept; return what went wrong without stopping it.

        Raises:
            BundleError: it did not work, and nothing has changed.
        """
        with self._all_or_nothing() as undo:
            self._keep(live, version, undo)
            self.store.put_in_place(kept, self.path)
        try:
            self.store.journal.append(self._entry(ROLLED_BACK, version, live.sha256 if live else None))
        except OSError as error:
            # Somebody is in a hurry: the next deployment will write down that it found the file.
            return [f"the rollback could not be written down: {error.strerror or error}"]
        return []

    @contextlib.contextmanager
    def _all_or_nothing(self) -> Iterator[contextlib.ExitStack]:
        undo = contextlib.ExitStack()
        try:
            yield undo
        except OSError as error:
            with contextlib.suppress(OSError):
                undo.close()
            reason = "the disk is full" if error.errno in _FULL_DISK else error.strerror or str(error)
            where = error.filename2 or error.filename or self.store.folder
            raise BundleError(f"{self.path} was not changed: {reason} ({where})") from error

    def _keep(self, live: Version | None, version: Version, undo: contextlib.ExitStack) -> None:
        kept = self.store.keep(self.path, live.sha256) if live and live != version else None
        if kept is not None:
            undo.callback(kept.unlink)

    def earlier(self, live: Version | None) -> str:
        """The version to go back to."""
        kept = self.store.kept(self.name)
        found = version_choice.earlier(self.entries(), kept, live.sha256 if live else None)
        if found is None:
            others = f", only {self._told(kept)}: name it with --to" if kept else ""
            raise UsageError(f"no earlier version of {self.name} is kept{others}")
        return found

    def find(self, digits: str, live: Version | None) -> str:
        """The kept version whose digest or SHA-256 begins like this."""
        wanted = digits.lower()
        if len(wanted) < SHORTEST_DIGEST:
            raise UsageError(f"--to {digits}: give at least {SHORTEST_DIGEST} digits of the version's digest")
        entries, kept = self.entries(), self.store.kept(self.name)
        matches = [
            sha256 for sha256 in version_choice.matching(entries, kept, wanted) if live is None or sha256 != live.sha256
        ]
        if not matches:
            if live and (live.sha256.startswith(wanted) or (live.digest or "").startswith(wanted)):
                raise UsageError(f"{self.name}: version {live.label} is in place already")
            raise UsageError(f"no version {digits} of {self.name} is kept; there is {self._told(kept) or 'nothing'}")
        known = version_choice.digests(entries)
        if len({known.get(sha256, sha256) for sha256 in matches}) > 1:
            raise UsageError(
                f"--to {digits} fits several versions of {self.name}: {self._told(matches)}; give more digits"
            )
        # Files of one digest behave alike; the last one is the one that somebody saw.
        return matches[0]

    def prune(self, version: Version, keep: int) -> list[str]:
        """Let go of the oldest versions; that it failed is no reason to call the deployment a failure."""
        latest = version_choice.latest_first(self.entries(), self.store.kept(self.name))
        earlier = [sha256 for sha256 in latest if sha256 != version.sha256]
        try:
            self.store.prune(self.name, sparing=set(earlier[:keep]))
        except OSError as error:
            return [f"old versions of {self.name} could not be removed: {error.strerror or error}"]
        return []

    def _told(self, versions: Iterable[str]) -> str:
        known = version_choice.digests(self.entries())
        return ", ".join(dict.fromkeys(known.get(sha256, sha256)[:_DIGITS_TOLD] for sha256 in versions))

    def _entry(self, action: str, version: Version | None, replaced: str | None) -> Entry:
        return Entry(
            at=now(),
            by=who_we_are(),
            action=action,
            name=self.name,
            sha256=version.sha256 if version else None,
            digest=version.digest if version else None,
            dag_ids=version.dag_ids if version else (),
            replaced=replaced,
        )


def _version_of(sound: reader.BundleFile) -> Version:
    return Version(sha256=sound.sha256, digest=sound.manifest.digest, dag_ids=sound.manifest.dag_ids)


def _lost(live: Version | None, version: Version) -> list[str]:
    gone = [dag_id for dag_id in live.dag_ids if dag_id not in version.dag_ids] if live else []
    return [f"no bundle here has tasks for the Dag {', '.join(gone)} any more"] if gone else []
