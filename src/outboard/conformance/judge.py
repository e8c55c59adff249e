"""Runs checks, each on a bench of its own, and says what came of them.

Whatever a peer does, a check ends with a verdict. What a check did not foresee of its peer is a failure too, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Protocol

from outboard.conformance.check import FAILED, NOT_OFFERED, PASSED, Check, Failure, NotOffered, Result
from outboard.conformance.transcript import Transcript
from outboard.errors import UsageError

__all__ = ("Bench", "judge", "judge_all", "selected")


class Bench(Protocol):
    """What a check gets: it starts peers, keeps what is said, and ends everything."""

    transcript: Transcript

    def close(self) -> None:
        """End everything that was started."""


def judge(check: Check, bench: Bench) -> Result:
    """Run one check on a fresh bench, and close it.

    Raises:
        UsageError: the peer cannot even be started.
    """
    started = time.monotonic()
    verdict, reason = PASSED, ""
    try:
        check.body(bench)
    except Failure as failure:
        verdict, reason = FAILED, str(failure)
    except NotOffered as missing:
        verdict, reason = NOT_OFFERED, str(missing)
    except UsageError:
        raise
    except Exception as error:
        verdict, reason = FAILED, f"it did what the check did not foresee: {type(error).__name__}: {error}"
    finally:
        bench.close()
    lines = () if verdict == PASSED else tuple(bench.transcript.lines)
    return Result(check=check, verdict=verdict, reason=reason, transcript=lines, seconds=time.monotonic() - started)


def judge_all(checks: Iterable[Check], bench: Callable[[], Bench]) -> Iterator[Result]:
    """Run checks one after the other, each on a bench of its own."""
    for check in checks:
        yield judge(check, bench())


def selected(checks: Sequence[Check], wanted: Sequence[str]) -> list[Check]:
    """The checks of these ids or groups, in their own order; all of them if none is named.

    Raises:
        UsageError: there is no such check.
    """
    for name in wanted:
        if not any(name in (check.id, check.group) for check in checks):
            groups = ", ".join(dict.fromkeys(check.group for check in checks))
            raise UsageError(f"there is no check or group {name}; the groups are {groups}")
    return [check for check in checks if not wanted or check.id in wanted or check.group in wanted]
