"""Every check of a supervisor can fail: for each there is a supervisor, sound but for one flaw, and the check finds it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from outboard.conformance import judge
from outboard.conformance.check import FAILED
from outboard.testing import SUPERVISOR_CHECKS, SupervisorBench
from tests.conformance.mutant_supervisor import FLAWS

MUTANT = Path(__file__).with_name("mutant_supervisor.py")

# Only what never comes is waited for so long, and then the verdict is the one that is wanted.
SHORT = 3.0

BY_ID = {check.id: check for check in SUPERVISOR_CHECKS}

FINDS = {
    "tells_failed": [
        *("outcome.success", "outcome.skipped", "outcome.removed", "outcome.retry", "outcome.deferred"),
        *("outcome.rescheduled", "outcome.unread-answer", "outcome.second-report", "outcome.lingering"),
        *("exit.1-without-report-retry", "exit.1-after-success", "exit.killed-after-success", "exit.1-after-retry"),
        *("exit.1-after-skipped", "process.grandchild"),
    ],
    "tells_success": [
        *("outcome.failed", "outcome.failed-for-good", "outcome.retry-that-is-not-left", "exit.0-without-report"),
        *("exit.1-without-report", "exit.killed-without-report", "exit.1-after-failed", "process.exits-at-once"),
        *("process.never-connects", "process.hangs-up"),
        *(check_id for check_id in BY_ID if check_id.startswith("broken.")),
    ],
    "loses_the_log": [
        *("log.in-order", "output.lines", "serving.both-ways"),
        *(check_id for check_id in BY_ID if check_id.startswith("line.")),
    ],
    "forgets_times": ["log.times"],
    "fails_itself": ["outcome.success"],
    "never_answers_what_is_invalid": ["invalid.field", "invalid.missing", "invalid.type", "invalid.no-type"],
    "answers_invalid_requests_with_nothing": ["invalid.nil", "invalid.field"],
    "answers_under_other_ids": [
        *("serving.ids", "serving.variable", "serving.carrier", "serving.more-elements", "serving.wide-headers"),
        *("serving.drip", "serving.pipelined", "serving.unknown-field"),
    ],
    "invents_variables": ["serving.not-found", "serving.variable"],
    "is_silent_after_the_report": ["serving.after-the-report"],
    "does_not_mask": ["log.masked"],
    "leaves_kin_alone": ["process.grandchild-is-ended"],
    "passes_its_descriptors_on": ["process.inherits-nothing"],
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("flaw", "check_id"), [(flaw, check_id) for flaw, found in FINDS.items() for check_id in found]
)
def test_a_flaw_is_found(flaw: str, check_id: str) -> None:
    result = judge(BY_ID[check_id], SupervisorBench([sys.executable, str(MUTANT), flaw], patience=SHORT))
    assert result.verdict == FAILED, (result.reason, result.transcript)
    assert "did not foresee" not in result.reason
    assert "said nothing that is JSON" not in result.reason


def test_what_has_no_flaw_passes() -> None:
    assert (
        judge(BY_ID["serving.after-the-report"], SupervisorBench([sys.executable, str(MUTANT), "sound"])).reason == ""
    )


def test_for_each_check_there_is_a_flaw_that_it_finds() -> None:
    assert {check_id for found in FINDS.values() for check_id in found} == set(BY_ID)


def test_every_flaw_is_found_by_something() -> None:
    assert {*FINDS, "sound"} == set(FLAWS)


@pytest.mark.parametrize("code", ["", "print('no JSON')", "print('[]')", "raise SystemExit(3)"])
def test_an_adapter_that_says_nothing_sound_fails_the_check_and_says_so(code: str) -> None:
    result = judge(BY_ID["outcome.success"], SupervisorBench([sys.executable, "-c", code]))
    assert result.verdict == FAILED
    assert "adapter" in result.reason


def test_a_supervisor_that_hangs_is_ended_and_nothing_of_it_is_left() -> None:
    code = "import time; time.sleep(600)"
    result = judge(BY_ID["outcome.success"], SupervisorBench([sys.executable, "-S", "-c", code], deadline=SHORT))
    assert result.reason == "the supervisor has not come to an end within 3 seconds"
