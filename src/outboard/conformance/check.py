"""What a check is, and what came of one. Pure data: no process, no wire.

A check has one idea. It passes by returning, fails by raising `Failure`, and says that the peer does not offer what it asks
for by raising `NotOffered`, which counts as neither.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs

__all__ = (
    "FAILED",
    "MAY",
    "MUST",
    "NOT_OFFERED",
    "PASSED",
    "SHOULD",
    "TIERS",
    "Check",
    "Failure",
    "NotOffered",
    "Result",
    "counts_against",
    "register",
)

MUST, SHOULD, MAY = "MUST", "SHOULD", "MAY"

TIERS = (MUST, SHOULD, MAY)
"""As in RFC 2119, the strictest first."""

PASSED, FAILED, NOT_OFFERED = "passed", "failed", "not offered"

SPECIFICATION = "docs/reference/protocol.md"


class Failure(Exception):
    """The peer does not do what the check asks for; the text says what it did instead."""


class NotOffered(Exception):
    """The peer has nothing to try the check on; the text says what is missing."""


@attrs.frozen(kw_only=True)
class Check:
    """One thing that can be true of a peer.

    Attributes:
        id: stable: ``group.idea``.
        tier: one of `TIERS`.
        idea: one sentence that is true of a peer that passes.
        source: where the protocol says so: a heading of its specification, as ``page#heading``.
        body: what finds out; it gets a bench.
    """

    id: str
    tier: str
    idea: str
    source: str
    body: Callable[[Any], None] = attrs.field(repr=False)

    @property
    def group(self) -> str:
        """What the check is about: its id up to the first dot."""
        return self.id.partition(".")[0]


@attrs.frozen(kw_only=True)
class Result:
    """What came of one check.

    Attributes:
        check: which.
        verdict: ``passed``, ``failed`` or ``not offered``.
        reason: one sentence for what did not pass; otherwise empty.
        transcript: what both sides sent, in order, a line each.
        seconds: how long it took.
    """

    check: Check
    verdict: str
    reason: str = ""
    transcript: Sequence[str] = ()
    seconds: float = 0.0


def register(checks: list[Check]) -> Callable[[str, str, str], Callable[[Callable[[Any], None]], Check]]:
    """Make the decorator that adds checks to a list. It takes the id, the tier and a heading of the specification.

    The idea is the first line of the function's docstring. Raises ValueError for an id that is taken.
    """

    def check(id: str, tier: str, heading: str) -> Callable[[Callable[[Any], None]], Check]:
        def add(body: Callable[[Any], None]) -> Check:
            if any(id == other.id for other in checks):
                raise ValueError(f"two checks have the id {id}")
            idea = " ".join((body.__doc__ or "").split())
            made = Check(id=id, tier=tier, idea=idea, source=f"{SPECIFICATION}#{heading}", body=body)
            checks.append(made)
            return made

        return add

    return check


def counts_against(results: Iterable[Result], tier: str) -> list[Result]:
    """The results for which a run has to fail, if this tier and those above it are what is asked for.

    A MUST that is not offered is one of them: nothing has shown that it holds.
    """
    asked = TIERS[: TIERS.index(tier) + 1]
    return [
        result
        for result in results
        if result.check.tier in asked
        and (result.verdict == FAILED or (result.verdict == NOT_OFFERED and result.check.tier == MUST))
    ]
