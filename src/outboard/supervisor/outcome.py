"""How a task ended, decided in one place from everything that is known about its process.

Three rules. What the process reported stands, however it ended afterwards: the report was acknowledged. Whatever ends
without a report is never a success, exit code 0 included. And a retry happens only where the server had offered one, since
Airflow would otherwise retry for ever.
"""

from __future__ import annotations

import signal
from datetime import datetime

import attrs

from outboard.protocol import messages as m

__all__ = ("REPORTED", "RUNNING", "STARTING", "WAITING_STATES", "Evidence", "Outcome", "decide", "describe_exit")

# Phases, as they read in a sentence.
STARTING = "while starting"
RUNNING = "while running"
REPORTED = "after its report"

SUCCESS = "success"
FAILED = "failed"
UP_FOR_RETRY = "up_for_retry"
UP_FOR_RESCHEDULE = "up_for_reschedule"
DEFERRED = "deferred"
AWAITING_INPUT = "awaiting_input"

# The states that a task goes into by a message of its own, to be taken up again later.
WAITING_STATES = {
    "AwaitInputTask": AWAITING_INPUT,
    "DeferTask": DEFERRED,
    "RescheduleTask": UP_FOR_RESCHEDULE,
}


@attrs.define(kw_only=True)
class Evidence:
    """What a supervisor saw of one process. It only grows.

    Attributes:
        should_retry: whether the server offered a retry.
        phase: how far the process had come when it ended, or was ended.
        report: its terminal message, if it sent one.
        exit_code: its exit code, or minus the signal that killed it; None if it never ran.
        not_started: why it could not be started.
        exceeded: the sentence about the limit that it exceeded.
        broke_protocol: what was wrong with its frames.
        hung_up: whether it closed its channel and went on without it.
        lingered: how many seconds after its report it was still there.
    """

    should_retry: bool = False
    phase: str = STARTING
    report: m.Message | None = None
    exit_code: int | None = None
    not_started: str | None = None
    exceeded: str | None = None
    broke_protocol: str | None = None
    hung_up: bool = False
    lingered: float | None = None


@attrs.frozen(kw_only=True)
class Outcome:
    """How one try of a task ended.

    Attributes:
        state: ``success``, ``failed``, ``up_for_retry``, ``skipped``, ``removed``, ``deferred``, ``up_for_reschedule`` or
            ``awaiting_input``.
        reason: one sentence for a person, without a final stop: what decided the state.
        exit_code: the process's exit code, or minus the signal that killed it; None if it never ran.
        terminal: what it reported, if it did.
        retry_delay: how many seconds it wants to wait before the next try; None leaves that to the task's definition.
        started_at: when the process was spawned.
        ended_at: when the last of it was gone.
    """

    state: str
    reason: str
    exit_code: int | None
    terminal: m.Message | None = None
    retry_delay: float | None = None
    started_at: datetime
    ended_at: datetime

    @property
    def duration(self) -> float:
        """How many seconds it took."""
        return (self.ended_at - self.started_at).total_seconds()


@attrs.frozen
class _Verdict:
    state: str
    reason: str
    retry_delay: float | None = None


def decide(evidence: Evidence, *, started_at: datetime, ended_at: datetime) -> Outcome:
    """Decide how a task ended."""
    verdict = _verdict(evidence)
    return Outcome(
        state=verdict.state,
        reason=verdict.reason,
        exit_code=evidence.exit_code,
        terminal=evidence.report,
        retry_delay=verdict.retry_delay,
        started_at=started_at,
        ended_at=ended_at,
    )


def describe_exit(code: int) -> str:
    """Say how a process ended: ``exited with 3``, or ``killed by signal 9 (SIGKILL)``."""
    if code >= 0:
        return f"exited with {code}"
    try:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    except ValueError:
        return f"killed by signal {-code}"


def _verdict(evidence: Evidence) -> _Verdict:
    if evidence.exceeded is not None:
        return _overdue(evidence, evidence.exceeded)
    if evidence.report is not None:
        return _reported(evidence, evidence.report)
    return _Verdict(_unsuccessful(evidence), _cause(evidence))


def _unsuccessful(evidence: Evidence) -> str:
    return UP_FOR_RETRY if evidence.should_retry else FAILED


def _overdue(evidence: Evidence, exceeded: str) -> _Verdict:
    """A process that had to be told to stop: it may still say how it failed, but success comes too late."""
    report = evidence.report
    if isinstance(report, m.TaskState) and report.state == FAILED:
        return _Verdict(FAILED, exceeded)
    if isinstance(report, m.RetryTask):
        return _Verdict(_unsuccessful(evidence), exceeded, report.retry_delay_seconds)
    return _Verdict(_unsuccessful(evidence), exceeded)


def _reported(evidence: Evidence, report: m.Message) -> _Verdict:
    aftermath = _aftermath(evidence)
    if isinstance(report, m.RetryTask):
        why = f": {report.retry_reason}" if report.retry_reason else ""
        if not evidence.should_retry:
            return _Verdict(FAILED, f"asked for a retry that is not left to it{why}{aftermath}")
        return _Verdict(UP_FOR_RETRY, f"asked for a retry{why}{aftermath}", report.retry_delay_seconds)
    state = _reported_state(report)
    why = f": {report.retry_reason}" if isinstance(report, m.TaskState) and report.retry_reason else ""
    return _Verdict(state, f"reported {state}{why}{aftermath}")


def _reported_state(report: m.Message) -> str:
    if isinstance(report, m.TaskState):
        return report.state
    return WAITING_STATES.get(type(report).__name__, SUCCESS)


def _aftermath(evidence: Evidence) -> str:
    """What came after the report, if it is worth a word."""
    if evidence.lingered is not None:
        return f"; its process was still there {evidence.lingered:g} seconds later, and was ended"
    if evidence.broke_protocol is not None:
        return f"; afterwards it broke the protocol: {evidence.broke_protocol}"
    code = evidence.exit_code
    if code:
        return f"; its process then {'was ' if code < 0 else ''}{describe_exit(code)}"
    return ""


def _cause(evidence: Evidence) -> str:
    """Why there is no report."""
    if evidence.not_started is not None:
        return evidence.not_started
    if evidence.broke_protocol is not None:
        return f"broke the protocol {evidence.phase}: {evidence.broke_protocol}"
    if evidence.hung_up:
        return f"closed its channel {evidence.phase}, without reporting, and was ended"
    code = evidence.exit_code
    if code is None:
        return f"ended {evidence.phase}, nobody knows how"
    if code >= 0 and evidence.phase == RUNNING:
        return f"{describe_exit(code)} without reporting"
    return f"{describe_exit(code)} {evidence.phase}"
