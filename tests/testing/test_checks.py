"""A check of the conformance kit as a test: it passes, fails with the frames of both sides, or is skipped."""

from __future__ import annotations

import pytest

from outboard.conformance.check import Check
from outboard.testing import RUNTIME_CHECKS, RuntimeBench, run_check
from tests.cli.test_conformance import EMPTY, REFUSING


def check(id: str) -> Check:
    [found] = [check for check in RUNTIME_CHECKS if check.id == id]
    return found


def test_a_pass_is_silent() -> None:
    run_check(check("report.removed"), RuntimeBench(EMPTY))


def test_a_failure_is_an_assertion_with_both_sides() -> None:
    with pytest.raises(AssertionError, match=r"report\.success: it ended instead(.|\n)*has to hold(.|\n)*──▶"):
        run_check(check("report.success"), RuntimeBench(REFUSING))


def test_what_is_not_offered_skips() -> None:
    with pytest.raises(pytest.skip.Exception, match="has no task succeeds"):
        run_check(check("report.success"), RuntimeBench(EMPTY))
