"""Declared secrets, hidden in records."""

from __future__ import annotations

from typing import Any

import pytest

from outboard.supervisor.masking import SecretSet


def masked(secret: object, **record: Any) -> dict[str, Any]:
    secrets = SecretSet()
    secrets.add(secret)
    return secrets.mask(record)


def test_a_secret_is_hidden_wherever_it_stands() -> None:
    record = masked("hunter22", event="is hunter22?", extra={"deep": ["hunter22", 7, None]}, n=1)
    assert record == {"event": "is ***?", "extra": {"deep": ["***", 7, None]}, "n": 1}


@pytest.mark.parametrize("declared", [{"password": "hunter22"}, ["hunter22"], {"a": [{"b": "hunter22"}]}])
def test_secrets_inside_of_lists_and_maps_are_secrets(declared: object) -> None:
    assert masked(declared, event="hunter22") == {"event": "***"}


def test_a_secret_that_is_no_text_is_none() -> None:
    assert masked(12345, event="12345") == {"event": "12345"}


def test_what_is_too_short_to_be_one_is_none() -> None:
    assert masked("true", event="it is true") == {"event": "it is true"}


def test_a_secret_that_contains_another_is_hidden_as_a_whole() -> None:
    secrets = SecretSet()
    for secret in ("hunter", "hunter22"):
        secrets.add(secret)
    assert secrets.mask({"event": "hunter22 hunter"}) == {"event": "*** ***"}


def test_a_secret_is_taken_literally() -> None:
    assert masked("a.*+[", event="a.*+[ axxxx") == {"event": "*** axxxx"}


def test_without_secrets_a_record_stays_itself() -> None:
    record: dict[str, object] = {"event": "x"}
    assert SecretSet().mask(record) is record
