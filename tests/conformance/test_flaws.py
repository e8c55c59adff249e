"""Every check can fail: for each there is a bundle that is sound but for one flaw, and the check finds it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from outboard.conformance import judge
from outboard.conformance.check import FAILED
from outboard.testing import RUNTIME_CHECKS, RuntimeBench
from tests.conformance.mutant import FLAWS

MUTANT = Path(__file__).with_name("mutant.py")

# Only what never comes is waited for so long, and then the verdict is the one that is wanted.
SHORT = 5.0

FINDS = {
    "TellsFailed": ["report.success", "request.pull-nothing", "output.off-the-wire", "id.fork"],
    "TellsSuccess": [
        *("report.failed", "report.retry", "report.removed", "report.removed-dag", "report.skipped"),
        *("error.in-the-body", "error.in-the-error-element", "error.without-detail", "error.undecodable-reply"),
        *("json.unencodable", "signal.in-the-body", "signal.in-a-request", "signal.interrupt"),
    ],
    "NeverRetries": ["report.retry", "signal.is-reported"],
    "NullOutlets": ["report.outlets-are-lists"],
    "NaiveTimes": ["report.end-date"],
    "ResumesElsewhere": ["report.deferred", "report.rescheduled", "report.awaits-input"],
    "ReportsTwice": ["report.once"],
    "InvalidMessages": ["report.valid-messages", "report.dags", "request.return-value"],
    "PushesNothing": ["request.nothing-returned"],
    "AsksElsewhere": [
        *("request.push", "request.pull", "request.variable", "request.put-variable", "request.delete-variable"),
        *("request.connection", "request.connection-of-nulls", "request.trigger-dag-run", "greeting.context"),
        *("json.scalars", "json.text", "json.containers", "json.large-integers", "json.nesting", "json.special-keys"),
    ],
    "TellsNoSecret": ["request.mask"],
    "OneId": ["id.unlike"],
    "FirstComesFirst": ["id.out-of-order", "id.late-reply", "id.stray-reply"],
    "ExitsWith1": ["report.exit-code", "frame.one-element"],
    "ExitsWith0": [
        *("report.answer-is-awaited", "greeting.unknown", "greeting.incomplete", "start.arguments"),
        *("lost.before-the-greeting", "lost.in-the-greeting", "lost.in-a-request", "lost.in-a-reply"),
        *("lost.in-the-body", "lost.in-the-flood", "frame.broken-greeting"),
        "frame.broken-reply",
    ],
    "SaysNothing": ["report.rejected", "log.failure", "output.printed"],
    "LeavesAChild": ["end.leaves-nothing"],
    "Deaf": ["signal.twice", "signal.in-the-body"],
    "NeedsWholeFrames": ["frame.drip", "frame.every-split"],
    "OneFrameARead": ["frame.two-at-once"],
    "ThreeElements": ["frame.one-element", "frame.two-elements", "frame.more-elements"],
    "NarrowHeaders": ["frame.wide-headers"],
    "FirstKeyCounts": ["frame.key-twice"],
    "SmallFrames": ["frame.large-reply", "frame.large-request"],
    "SucceedsAtTheEnd": ["frame.promises", "lost.in-a-reply"],
    "KnowsAllFields": ["greeting.unknown-fields", "greeting.unknown-extension", "reply.unknown-fields"],
    "NeedsEverything": ["greeting.optional-absent", "greeting.optional-null", "greeting.no-logical-date"],
    "OnlyTextTimes": ["time.ext-4", "time.ext-8", "time.ext-12-past", "time.ext-12-future"],
    "OnlyTimestamps": ["time.text-utc", "time.text-offset", "time.text-microseconds"],
    "TakesAnyGreeting": ["greeting.unknown"],
    "LoudLevels": ["log.records"],
    "NoExtras": ["log.extras"],
    "SwapsRecords": ["log.order"],
    "NoFilter": ["log.level"],
    "CarelessExtras": ["log.careless", "log.records"],
    "LosesRecords": ["log.nothing-lost", "log.undrained"],
    "SwallowsOutput": ["output.bytes"],
    "Chatters": ["output.nothing-of-its-own"],
    "PrintsOnTheWire": ["report.success"],
}

BY_ID = {check.id: check for check in RUNTIME_CHECKS}


@pytest.mark.parametrize(
    ("flaw", "check_id"), [(flaw, check_id) for flaw, found in FINDS.items() for check_id in found]
)
def test_a_flaw_is_found(flaw: str, check_id: str, probes: Path) -> None:
    command = [sys.executable, str(MUTANT), flaw, str(probes)]
    result = judge(BY_ID[check_id], RuntimeBench(command, deadline=SHORT))
    assert result.verdict == FAILED, (result.reason, result.transcript)
    assert "did not foresee" not in result.reason
    assert result.transcript


UNMOVED = """
import os, signal, socket, sys
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
words = dict(word[2:].split("=") for word in sys.argv[1:])
dialled = [socket.create_connection(words[name].split(":")) for name in ("comm", "logs")]
signal.sigwait([signal.SIGTERM])
os._exit(0)
"""


def test_an_exit_with_0_upon_sigterm_before_the_greeting_is_found() -> None:
    bench = RuntimeBench([sys.executable, "-S", "-c", UNMOVED], transport="sockets", deadline=SHORT)
    assert judge(BY_ID["signal.before-the-greeting"], bench).reason == "it exits with 0"


@pytest.mark.parametrize("check_id", ["report.success", "signal.is-reported", "frame.drip", "log.undrained"])
def test_what_stands_between_is_no_flaw_by_itself(check_id: str, probes: Path) -> None:
    command = [sys.executable, str(MUTANT), "Sound", str(probes)]
    result = judge(BY_ID[check_id], RuntimeBench(command))
    assert result.reason == ""


def test_for_each_check_there_is_a_flaw_that_it_finds() -> None:
    found = {check_id for found in FINDS.values() for check_id in found} | {"signal.before-the-greeting"}
    assert found == set(BY_ID)


def test_every_flaw_is_found_by_something() -> None:
    assert {*FINDS, "Sound"} == set(FLAWS)
