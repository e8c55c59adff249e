"""Retry policies of tasks in real processes: what the supervisor is told after a failure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from outboard.protocol import messages as m
from tests.runtime.child import NOW, Child, startup

FILE = """
from datetime import timedelta
from outboard import *
from outboard.sdk.exceptions import AirflowFailException, AirflowSkipException

class Asked(RetryPolicy):
    def evaluate(self, *, exception, try_number, max_tries, context):
        return RetryDecision.retry(reason=f"{{exception}} in try {{try_number}} of {{max_tries}}, {{context['ti'].task_id}}")

class Broken(RetryPolicy):
    def evaluate(self, exception, try_number, max_tries, context=None):
        raise LookupError("no opinion")

@dag
def example():
    @task(retry_delay=timedelta(minutes=7), retry_policy={policy})
    def body(params):
        from outboard import get_current_context
        raise {error}
    body()

example()
"""


def told(
    folder: Path, policy: str, error: str = "ValueError('x')", *, schema: str = "2026-06-16", **context: Any
) -> tuple[Any, Child]:
    """The terminal message, and the process, in a try that may be followed by another unless told otherwise."""
    greeting = startup("body", **{"should_retry": True, "max_tries": 3, "try_number": 2, **context})
    with Child(folder, FILE.format(policy=policy, error=error), schema=schema) as child:
        child.answers = {"GetTaskRescheduleStartDate": lambda _: m.TaskRescheduleStartDate(start_date=NOW)}
        child.greet(greeting)
        report = child.serve()
        child.process.wait(30)
    return report, child


def rule(text: str) -> str:
    return f"ExceptionRetryPolicy([RetryRule(ValueError, {text})])"


def test_a_retry_has_the_delay_and_the_reason_of_the_rule(tmp_path: Path) -> None:
    report, child = told(tmp_path, rule("retry_delay=timedelta(seconds=90), reason='busy'"))
    assert (report.state, report.retry_delay_seconds, report.retry_reason) == ("up_for_retry", 90.0, "busy")
    assert "the retry policy decides: retry: busy" in child.logged("task")


def test_without_a_delay_of_its_own_the_tasks_delay_counts(tmp_path: Path) -> None:
    report, _ = told(tmp_path, rule("reason='busy'"))
    assert (report.state, report.retry_delay_seconds) == ("up_for_retry", None)


def test_a_policy_is_asked_by_the_names_of_its_arguments(tmp_path: Path) -> None:
    report, _ = told(tmp_path, "Asked()")
    assert report.retry_reason == "x in try 2 of 3, body"


def test_a_policy_can_end_the_retries(tmp_path: Path) -> None:
    report, _ = told(tmp_path, rule("RetryAction.FAIL, reason='hopeless'"))
    assert (type(report).__name__, report.state) == ("TaskState", "failed")


def test_a_policy_cannot_go_beyond_the_retries(tmp_path: Path) -> None:
    report, _ = told(tmp_path, rule("retry_delay=timedelta(1)"), should_retry=False)
    assert (type(report).__name__, report.state) == ("TaskState", "failed")


@pytest.mark.parametrize("text", ["RetryAction.FAIL, reason='why'", "reason='why'"])
def test_the_newer_schema_carries_the_reason_of_a_failure_too(tmp_path: Path, text: str) -> None:
    report, _ = told(tmp_path, rule(text), schema="2026-10-30", should_retry=False)
    assert (report.state, report.retry_reason) == ("failed", "why")
    report, _ = told(tmp_path, rule(text), schema="2026-06-16", should_retry=False)
    assert (report.state, report.retry_reason) == ("failed", None)


@pytest.mark.parametrize("policy", ["ExceptionRetryPolicy([])", rule("RetryAction.DEFAULT"), "Broken()"])
def test_where_no_policy_decides_the_server_does(tmp_path: Path, policy: str) -> None:
    report, child = told(tmp_path, policy)
    assert (report.state, report.retry_delay_seconds, report.retry_reason) == ("up_for_retry", None, None)
    raised = "the retry policy raised an exception, so the task's retries decide" in child.logged("task")
    assert raised == (policy == "Broken()")


def test_a_policy_is_not_asked_about_what_is_no_failure_or_the_end_of_it(tmp_path: Path) -> None:
    report, _ = told(tmp_path, "Asked()", "AirflowSkipException()")
    assert report.state == "skipped"
    report, _ = told(tmp_path, "Asked()", "AirflowFailException()")
    assert report.state == "failed"


def test_a_reason_is_masked_before_it_is_cut(tmp_path: Path) -> None:
    policy = rule("reason='s' * 490 + 'tell no one' + 'r' * 100")
    error = "(__import__('outboard.sdk.log').sdk.log.mask_secret('tell no one'), ValueError('x'))[1]"
    report, child = told(tmp_path, policy, error)
    assert report.retry_reason == "s" * 490 + "***" + "r" * 7
    assert "the reason has 593 characters; the first 500 are kept" in child.logged("task")


# ── putting off ───────────────────────────────────────────────────────────────────────────────────────────────────────

PUT_OFF = "RetryAction.RESCHEDULE, timedelta(hours=1), 'full', "


def delay_of(report: Any) -> timedelta:
    assert report.state == "up_for_reschedule"
    delay: timedelta = report.reschedule_date - report.end_date
    return delay


@pytest.mark.parametrize("schema", ["2026-06-16", "2026-10-30"])
def test_a_task_is_put_off_within_its_bound_whatever_retries_are_left(tmp_path: Path, schema: str) -> None:
    report, _ = told(
        tmp_path, rule(f"{PUT_OFF} max_reschedules=2"), schema=schema, task_reschedule_count=1, should_retry=False
    )
    assert delay_of(report) == timedelta(hours=1)
    assert report.end_date > datetime(2026, 1, 2, tzinfo=UTC)


def test_without_a_delay_of_its_own_a_task_is_put_off_by_its_retry_delay(tmp_path: Path) -> None:
    report, _ = told(tmp_path, rule("RetryAction.RESCHEDULE, max_reschedules=2"))
    assert delay_of(report) == timedelta(minutes=7)


def test_at_the_bound_the_retries_decide_and_the_reason_says_so(tmp_path: Path) -> None:
    policy = rule(f"{PUT_OFF} max_reschedules=2")
    report, _ = told(tmp_path, policy, task_reschedule_count=2)
    assert (report.state, report.retry_delay_seconds) == ("up_for_retry", None)
    assert report.retry_reason == "Reschedule limit reached (max_reschedules=2): full"
    report, _ = told(tmp_path, policy, task_reschedule_count=2, should_retry=False)
    assert report.state == "failed"


def test_the_time_of_a_try_is_a_bound_too(tmp_path: Path) -> None:
    """The task was first put off on the first of January 2026, as the supervisor says."""
    policy = rule(f"{PUT_OFF} reschedule_timeout=timedelta(days=1)")
    report, child = told(tmp_path, policy, task_reschedule_count=1)
    assert report.retry_reason == "Reschedule limit reached (reschedule_timeout=1 day, 0:00:00): full"
    assert [type(request).__name__ for request in child.requests] == ["GetTaskRescheduleStartDate", "RetryTask"]
    report, child = told(tmp_path, policy)
    assert delay_of(report) == timedelta(hours=1)
    assert len(child.requests) == 1
