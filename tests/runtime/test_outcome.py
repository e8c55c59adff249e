"""What the body did → the terminal message: every row of the table."""

from __future__ import annotations

import pytest

from outboard.errors import LoadError, SerializationError
from outboard.protocol.codec import encode_body
from outboard.protocol.messages import Message
from outboard.runtime import outcome
from outboard.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTerminated,
    AirflowTaskTimeout,
    TaskDeferralError,
    TaskDeferralTimeout,
)

RETRIABLE = [
    ValueError("x"),
    AirflowException("x"),
    SystemExit(0),
    SystemExit(1),
    KeyboardInterrupt(),
    AirflowTaskTerminated("SIGTERM"),
    AirflowTaskTimeout("too long"),
    TaskDeferralError("no trigger"),
    TaskDeferralTimeout("Trigger timeout"),
    LoadError("x"),
    SerializationError("return_value", "x"),
    MemoryError(),
]


def described(message: object) -> tuple[str, str]:
    body = encode_body(message)  # type: ignore[arg-type]
    return str(body["type"]), str(body["state"])


def test_a_returned_body_is_a_success_with_empty_lists_of_assets() -> None:
    body = encode_body(outcome.succeeded())
    assert (body["type"], body["task_outlets"], body["outlet_events"]) == ("SucceedTask", [], [])


def test_a_missing_handler_is_removed() -> None:
    assert described(outcome.removed()) == ("TaskState", "removed")


@pytest.mark.parametrize("error", RETRIABLE, ids=repr)
def test_what_was_raised_is_retried_where_the_server_allows_it(error: BaseException) -> None:
    assert described(outcome.failed(error, should_retry=True)) == ("RetryTask", "up_for_retry")


@pytest.mark.parametrize("error", RETRIABLE, ids=repr)
def test_what_was_raised_fails_where_the_server_allows_no_retry(error: BaseException) -> None:
    assert described(outcome.failed(error, should_retry=False)) == ("TaskState", "failed")


@pytest.mark.parametrize("should_retry", [True, False])
@pytest.mark.parametrize("error", [AirflowFailException("no"), AirflowSensorTimeout("in vain")], ids=repr)
def test_some_exceptions_fail_whatever_the_server_allows(error: Exception, should_retry: bool) -> None:
    assert described(outcome.failed(error, should_retry=should_retry)) == ("TaskState", "failed")


def test_a_retry_says_when_and_why() -> None:
    body = encode_body(outcome.failed(ValueError("x"), should_retry=True, retry_delay=90.0, retry_reason="rate limit"))
    assert (body["retry_delay_seconds"], body["retry_reason"]) == (90.0, "rate limit")


@pytest.mark.parametrize(
    ("message", "state"),
    [
        (outcome.succeeded(), "success"),
        (outcome.skipped(), "skipped"),
        (outcome.removed(), "removed"),
        (outcome.failed(ValueError("x"), should_retry=True), "up_for_retry"),
        (outcome.failed(ValueError("x"), should_retry=False), "failed"),
    ],
)
def test_each_terminal_message_says_which_state_follows(message: Message, state: str) -> None:
    assert outcome.state_of(message) == state


@pytest.mark.parametrize("should_retry", [True, False])
def test_a_skip_exception_skips_whatever_the_server_allows(should_retry: bool) -> None:
    assert described(outcome.failed(AirflowSkipException(), should_retry=should_retry)) == ("TaskState", "skipped")
