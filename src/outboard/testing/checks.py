"""One check of the conformance kit as one test."""

from __future__ import annotations

from outboard.conformance import (
    RUNTIME_CHECKS,
    SUPERVISOR_CHECKS,
    Check,
    RuntimeBench,
    SupervisorBench,
    judge,
)
from outboard.conformance.check import FAILED, NOT_OFFERED
from outboard.conformance.judge import Bench

__all__ = ("RUNTIME_CHECKS", "SUPERVISOR_CHECKS", "RuntimeBench", "SupervisorBench", "run_check")


def run_check(check: Check, bench: Bench) -> None:
    """Run one check; a failure is an assertion with both sides' frames, and what is not offered skips the test.

    Args:
        check: which.
        bench: where it stands: what starts the peer, and how it is spoken to. It is closed in the end.
    """
    result = judge(check, bench)
    if result.verdict == NOT_OFFERED:
        import pytest

        pytest.skip(result.reason)
    if result.verdict == FAILED:
        lines = "\n".join(result.transcript)
        raise AssertionError(f"{check.id}: {result.reason}\nhas to hold: {check.idea} ({check.source})\n{lines}")
