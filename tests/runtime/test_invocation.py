"""The command line of a bundle."""

from __future__ import annotations

import pytest

from outboard.errors import UsageError
from outboard.runtime import invocation


def test_both_addresses_together_mean_sockets() -> None:
    asked = invocation.parse(["--comm=127.0.0.1:4001", "--logs=127.0.0.1:4002"])
    assert (asked.mode, asked.comm, asked.logs) == ("sockets", ("127.0.0.1", 4001), ("127.0.0.1", 4002))


def test_a_value_may_be_the_next_argument() -> None:
    asked = invocation.parse(["--comm", "127.0.0.1:4001", "--logs", "[::1]:4002"])
    assert (asked.comm, asked.logs) == (("127.0.0.1", 4001), ("::1", 4002))


@pytest.mark.parametrize(("arguments", "mode"), [(["--stdio"], "stdio"), (["--metadata"], "metadata"), ([], "explain")])
def test_each_mode_has_its_flag(arguments: list[str], mode: str) -> None:
    assert invocation.parse(arguments).mode == mode


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--comm=127.0.0.1:1"], "--logs is missing"),
        (["--logs=127.0.0.1:1"], "--comm is missing"),
        (["--comm"], "--comm needs a value"),
        (["--comm=nowhere", "--logs=127.0.0.1:1"], "'nowhere' is no address"),
        (["--comm=127.0.0.1:0", "--logs=127.0.0.1:1"], "is no address"),
        (["--comm=127.0.0.1:65536", "--logs=127.0.0.1:1"], "is no address"),
        (["--stdio=yes"], "--stdio takes no value"),
        (["--stdio", "--metadata"], "--metadata and --stdio do not go together"),
        (["--stdio", "--stdio"], "unexpected argument '--stdio'"),
        (["run"], "unexpected argument 'run'"),
    ],
)
def test_anything_else_is_a_usage_error_that_says_what_is_wrong(arguments: list[str], complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        invocation.parse(arguments)
