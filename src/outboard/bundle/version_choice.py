"""Which of a bundle's kept versions is meant: by "the one before", by some digits, or by age.

Pure. Knows the journal's entries of one bundle and the names of the versions that are kept. Must not know files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from outboard.bundle.journal import FOUND, ROLLED_BACK, Entry

__all__ = ("digests", "earlier", "latest_first", "matching")


def earlier(entries: Sequence[Entry], kept: Collection[str], present: str | None) -> str | None:
    """The version that the present one was deployed over; where it is not kept, the next older one; or None.

    A rollback goes back along that line, so that two of them go back twice, rather than to where the first came from. An
    earlier version that was found in place was brought back by somebody too.

    Args:
        entries: the bundle's, oldest first.
        kept: the SHA-256 of what is kept.
        present: the SHA-256 of what is in place, or None.
    """
    line: list[str] = []
    for entry in entries:
        if entry.sha256 is None:
            continue
        if entry.action in (ROLLED_BACK, FOUND) and entry.sha256 in line:
            del line[len(line) - line[::-1].index(entry.sha256) :]
        elif line[-1:] != [entry.sha256]:
            line.append(entry.sha256)
    return next((sha256 for sha256 in reversed(line) if sha256 in kept and sha256 != present), None)


def matching(entries: Sequence[Entry], kept: Collection[str], digits: str) -> list[str]:
    """The kept versions whose digest or SHA-256 begins with these digits, the last deployed first."""
    known = digests(entries)
    return [
        sha256
        for sha256 in latest_first(entries, kept)
        if sha256.startswith(digits) or known.get(sha256, "").startswith(digits)
    ]


def latest_first(entries: Sequence[Entry], kept: Collection[str]) -> list[str]:
    """The kept versions by when they were last in place; those that nobody wrote down come last."""
    seen: dict[str, None] = {}
    for entry in reversed(entries):
        seen |= dict.fromkeys(sha256 for sha256 in (entry.sha256, entry.replaced) if sha256 and sha256 in kept)
    return [*seen, *sorted(set(kept) - seen.keys())]


def digests(entries: Sequence[Entry]) -> Mapping[str, str]:
    """The manifest's digest of each file, where it has one."""
    return {entry.sha256: entry.digest for entry in entries if entry.sha256 and entry.digest}
