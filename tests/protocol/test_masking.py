"""Secrets, hidden wherever they turn up."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.protocol import messages as m
from outboard.protocol.masking import MASK, SENSITIVE_NAMES, Masker, is_sensitive


def masker(*secrets: object) -> Masker:
    made = Masker()
    for secret in secrets:
        made.add(secret)
    return made


def connection(**fields: Any) -> m.ConnectionResult:
    empty = dict.fromkeys(("host", "schema", "login", "password", "port", "extra"))
    return m.ConnectionResult(conn_id="c", conn_type="http", **{**empty, **fields})


def test_a_secret_is_hidden_wherever_it_stands() -> None:
    record = {"event": "is hunter22?", "extra": {"deep": ["hunter22", 7, None], "hunter22": 1}, "n": 1}
    assert masker("hunter22").record(record) == {
        "event": "is ***?",
        "extra": {"deep": ["***", 7, None], "***": 1},
        "n": 1,
    }


def test_of_a_mapping_only_what_stands_under_a_telling_name_is_secret() -> None:
    found = masker({"password": "hunter22", "host": "example", "more": {"api_key": ["k-123456"]}})
    assert found.text("hunter22 example k-123456") == "*** example ***"


@pytest.mark.parametrize("name", [*SENSITIVE_NAMES, "DB_PASSWORD", "my-Secret-thing", " token "])
def test_a_telling_name_makes_a_secret(name: str) -> None:
    made = Masker()
    made.add("hunter22", name)
    assert made.text("hunter22") == MASK


@pytest.mark.parametrize("name", ["region", "tokne", "", None, 7])
def test_another_name_tells_nothing(name: object) -> None:
    assert not is_sensitive(name)


@pytest.mark.parametrize("value", ["true", "", None, 12345, "airflow"])
def test_what_is_short_no_text_or_everywhere_is_no_secret(value: object) -> None:
    assert not masker(value)


def test_a_secret_that_contains_another_is_hidden_as_a_whole() -> None:
    assert masker("hunter", "hunter22").text("hunter22 hunter") == "*** ***"


def test_a_secret_is_taken_literally() -> None:
    assert masker("a.*+[").text("a.*+[ axxxx") == "*** axxxx"


def test_a_connection_tells_its_password_and_the_telling_fields_of_its_extra() -> None:
    made = Masker()
    extra = '{"token": "t-123456", "region": "north-1"}'
    hidden = made.learn(connection(login="somebody", password="hunter22", extra=extra))
    assert made.text("somebody hunter22 t-123456 north-1") == "somebody *** *** north-1"
    assert hidden == {"token": "t-123456", "region": "north-1"}
    assert made.learn(connection(password="hunter22", extra='{"region": "north-1"}')) is None


def test_an_extra_that_is_no_json_tells_nothing_and_harms_nothing() -> None:
    made = Masker()
    made.learn(connection(extra="password=hunter22"))
    assert not made


def test_a_variable_tells_its_value_under_a_telling_name_only() -> None:
    made = Masker()
    made.learn(m.VariableResult(key="api_token", value="t-123456"))
    made.learn(m.VariableResult(key="region", value="north-1"))
    assert made.text("t-123456 north-1") == "*** north-1"


def test_the_level_and_the_time_of_a_record_stay() -> None:
    record = {"event": "error at 2026-01-01", "level": "error", "timestamp": "2026-01-01"}
    assert masker("error", "2026-01-01").record(record) == {**record, "event": "*** at ***"}


def test_without_secrets_a_record_stays_itself() -> None:
    record: dict[str, object] = {"event": "x"}
    assert Masker().record(record) is record


@pytest.mark.property
@given(st.lists(st.text(min_size=5, max_size=12), min_size=1, max_size=5), st.data())
def test_no_secret_is_left_in_what_was_masked(secrets: list[str], data: st.DataObject) -> None:
    made = masker(*secrets)
    parts = data.draw(st.lists(st.one_of(st.sampled_from(secrets), st.text(max_size=3)), max_size=8))
    left = made.text("|".join(parts)).replace(MASK, "")
    known = [secret for secret in secrets if secret != "airflow" and not set(secret) <= {"*", "|"}]
    # A secret may be put together anew from the mask's neighbours only if it holds a mark that the mask brings.
    assert not any(secret in left.split("|") for secret in known)


@given(st.text(min_size=5, alphabet=st.characters(exclude_categories=("Cs",))))
def test_a_password_is_hidden_in_the_uri_of_its_connection_too(password: str) -> None:
    made = Masker()
    made.learn(connection(password=password))
    if password != "airflow":
        assert made.text(quote(password, safe="")) == MASK
