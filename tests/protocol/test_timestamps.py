"""Timestamps in text."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.protocol.timestamps import parse_timestamp
from tests.strategies import instants, zoned_datetimes

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T12:00:00Z",
        "2026-11-21t12:00:00z",
        "2026-11-21 12:00:00Z",
        "2026-11-21T12:00Z",
        "2026-11-21T12:00:00.0Z",
        "2026-11-21T12:00:00,000Z",
        "2026-11-21T12:00:00.000000999Z",
        "2026-11-21T12:00:00+00:00",
        "2026-11-21T12:00:00-00:00",
        "2026-11-21T17:30:00+05:30",
        "2026-11-21T17:30:00+0530",
        "2026-11-21T07:00:00-05",
        "2026-11-22T11:59:00+23:59",
    ],
)
def test_each_form_of_noon_is_noon(text: str) -> None:
    assert parse_timestamp(text) == NOON


@pytest.mark.parametrize(
    ("fraction", "microsecond"), [(".5", 500_000), (".25", 250_000), (".123456", 123_456), (".1234569", 123_456)]
)
def test_a_fraction_of_any_width_is_read_to_the_microsecond(fraction: str, microsecond: int) -> None:
    assert parse_timestamp(f"2026-11-21T12:00:00{fraction}Z") == NOON.replace(microsecond=microsecond)


def test_a_text_without_a_zone_is_naive() -> None:
    assert parse_timestamp("2026-11-21T12:00:00") == NOON.replace(tzinfo=None)


@pytest.mark.parametrize(
    "text",
    [
        *("", "noon", "2026-11-21", "1763726400", "2026-11-21T12", "2026-11-21T12:00:", "2026-11-21T12:00:0Z"),
        *("2026-11-21T12:00:00.Z", "2026-11-21T24:00:00Z", "2026-11-21T12:00:60Z", "2026-02-30T12:00:00Z"),
        *("2026-11-21T12:00:00+24:00", "2026-11-21T12:00:00+05:60", "2026-11-21T12:00:00+5:30", "2026-11-21T12:00:00+"),
        *("2026-11-21T12:00:00 Z", "2026-11-21T12:00:00ZZ", "+026-11-21T12:00:00Z", "2026-11-21T12:00:00+05:3O"),
        *(
            "２０２６-11-21T12:00:00Z",
            "2026-11-21T1２:00:00Z",
            "0001-01-01T00:00:00+01:00",
            "9999-12-31T23:59:59-01:00",
        ),
        "0000-01-01T00:00:00Z",
    ],
)
def test_what_is_no_timestamp_is_none(text: str) -> None:
    assert parse_timestamp(text) is None


@given(instants() | zoned_datetimes())
def test_what_python_writes_is_read_back(moment: datetime) -> None:
    assert parse_timestamp(moment.isoformat()) == moment


@given(st.text() | st.text("0123456789-:TZ.+ ", min_size=10))
def test_any_text_is_a_timestamp_or_none(text: str) -> None:
    found = parse_timestamp(text)
    assert found is None or isinstance(found, datetime)
