"""What the body did → the terminal message: every row of the table."""

from __future__ import annotations

import pytest

from outboard.errors import LoadError, SerializationError
from outboard.protocol.codec import encode_body
from outboard.runtime import outcome
from outboard.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowSkipException,
    AirflowTaskTerminated,
)

RETRIABLE = [
    ValueError("x"),
    AirflowException("x"),
    SystemExit(0),
    SystemExit(1),
    KeyboardInterrupt(),
    AirflowTaskTerminated("SIGTERM"),
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
def test_a_fail_exception_fails_whatever_the_server_allows(should_retry: bool) -> None:
    assert described(outcome.failed(AirflowFailException("no"), should_retry=should_retry)) == ("TaskState", "failed")


@pytest.mark.parametrize("should_retry", [True, False])
def test_a_skip_exception_skips_whatever_the_server_allows(should_retry: bool) -> None:
    assert described(outcome.failed(AirflowSkipException(), should_retry=should_retry)) == ("TaskState", "skipped")
