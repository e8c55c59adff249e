"""From everything that is known about a process to one outcome: every row of the table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.protocol import messages as m
from outboard.supervisor.outcome import REPORTED, RUNNING, STARTING, Evidence, Outcome, decide, describe_exit

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SUCCESS = m.SucceedTask(end_date=NOW, task_outlets=[], outlet_events=[])
FAILED = m.TaskState(state="failed", end_date=NOW)
RETRY = m.RetryTask(end_date=NOW, retry_delay_seconds=5.0, retry_reason="why")


def decided(**known: Any) -> Outcome:
    return decide(Evidence(**known), started_at=NOW, ended_at=NOW + timedelta(seconds=1.5))


@pytest.mark.parametrize(
    ("report", "state"),
    [
        (SUCCESS, "success"),
        (FAILED, "failed"),
        (m.TaskState(state="skipped", end_date=NOW), "skipped"),
        (m.TaskState(state="removed", end_date=NOW), "removed"),
        (m.RescheduleTask(reschedule_date=NOW, end_date=NOW), "up_for_reschedule"),
        (m.DeferTask(classpath="a.B", next_method="n"), "deferred"),
        (m.AwaitInputTask(next_method="n"), "awaiting_input"),
    ],
)
@pytest.mark.parametrize("should_retry", [True, False])
@pytest.mark.parametrize("exit_code", [0, 1, -9])
def test_a_report_decides_whatever_the_exit(report: m.Message, state: str, should_retry: bool, exit_code: int) -> None:
    outcome = decided(phase=REPORTED, report=report, should_retry=should_retry, exit_code=exit_code)
    assert (outcome.state, outcome.terminal, outcome.exit_code) == (state, report, exit_code)
    assert outcome.reason.startswith(f"reported {state}")


@pytest.mark.parametrize(
    ("should_retry", "state", "delay", "reason"),
    [
        (True, "up_for_retry", 5.0, "asked for a retry: why"),
        (False, "failed", None, "asked for a retry that is not left to it: why"),
    ],
)
def test_a_retry_needs_an_offer(should_retry: bool, state: str, delay: float | None, reason: str) -> None:
    """Airflow would retry for ever."""
    outcome = decided(phase=REPORTED, report=RETRY, should_retry=should_retry, exit_code=0)
    assert (outcome.state, outcome.retry_delay, outcome.reason) == (state, delay, reason)


NO_REPORT = [
    ({"phase": RUNNING, "exit_code": 0}, "exited with 0 without reporting"),
    ({"phase": RUNNING, "exit_code": 7}, "exited with 7 without reporting"),
    ({"phase": RUNNING, "exit_code": -11}, "killed by signal 11 (SIGSEGV) while running"),
    ({"phase": STARTING, "exit_code": 0}, "exited with 0 while starting"),
    ({"phase": STARTING, "exit_code": -9}, "killed by signal 9 (SIGKILL) while starting"),
    ({"not_started": "cannot be started: no"}, "cannot be started: no"),
    ({"phase": RUNNING, "broke_protocol": "x", "exit_code": -15}, "broke the protocol while running: x"),
    ({"phase": RUNNING, "hung_up": True}, "closed its channel while running, without reporting, and was ended"),
    ({"exceeded": "did not connect within 1 seconds", "exit_code": -9}, "did not connect within 1 seconds"),
    ({"phase": RUNNING, "exceeded": "was ended after 1 seconds", "exit_code": 0}, "was ended after 1 seconds"),
]  # fmt: skip


@pytest.mark.parametrize(("known", "reason"), NO_REPORT)
def test_without_a_report_it_is_a_failure_or_a_retry_and_says_why(known: dict[str, Any], reason: str) -> None:
    assert (decided(**known).state, decided(**known).reason) == ("failed", reason)
    assert decided(**known, should_retry=True).state == "up_for_retry"


@pytest.mark.parametrize(
    ("report", "state", "delay"),
    [(SUCCESS, "up_for_retry", None), (FAILED, "failed", None), (RETRY, "up_for_retry", 5.0)],
)
def test_a_report_after_a_limit_may_choose_how_to_fail(report: m.Message, state: str, delay: float | None) -> None:
    outcome = decided(phase=REPORTED, report=report, exceeded="too late", should_retry=True, exit_code=0)
    assert (outcome.state, outcome.retry_delay, outcome.reason) == (state, delay, "too late")


@pytest.mark.parametrize(
    ("known", "aftermath"),
    [
        ({"exit_code": 0}, ""),
        ({"exit_code": 1}, "; its process then exited with 1"),
        ({"exit_code": -9}, "; its process then was killed by signal 9 (SIGKILL)"),
        ({"exit_code": -9, "lingered": 20.0}, "; its process was still there 20 seconds later, and was ended"),
        ({"exit_code": -15, "broke_protocol": "x"}, "; afterwards it broke the protocol: x"),
    ],
)
def test_what_came_after_the_report_is_mentioned(known: dict[str, Any], aftermath: str) -> None:
    assert decided(phase=REPORTED, report=SUCCESS, **known).reason == f"reported success{aftermath}"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (0, "exited with 0"),
        (255, "exited with 255"),
        (-15, "killed by signal 15 (SIGTERM)"),
        (-70, "killed by signal 70"),
    ],
)
def test_an_exit_is_described(code: int, text: str) -> None:
    assert describe_exit(code) == text


def test_an_outcome_knows_how_long_it_took() -> None:
    assert decided(exit_code=1).duration == 1.5


REPORTS = st.sampled_from((None, SUCCESS, FAILED, RETRY))
TEXTS = st.one_of(st.none(), st.just("x"))


@pytest.mark.property
@given(
    st.builds(
        Evidence,
        should_retry=st.booleans(),
        phase=st.sampled_from((STARTING, RUNNING, REPORTED)),
        report=REPORTS,
        exit_code=st.one_of(st.none(), st.integers(-64, 255)),
        not_started=TEXTS,
        exceeded=TEXTS,
        broke_protocol=TEXTS,
        hung_up=st.booleans(),
        lingered=st.one_of(st.none(), st.just(1.0)),
    )
)
def test_success_needs_a_report_and_a_retry_needs_an_offer(evidence: Evidence) -> None:
    outcome = decide(evidence, started_at=NOW, ended_at=NOW)
    assert outcome.reason
    if outcome.state == "success":
        assert evidence.report is SUCCESS
        assert evidence.exceeded is None
    if outcome.state == "up_for_retry":
        assert evidence.should_retry
