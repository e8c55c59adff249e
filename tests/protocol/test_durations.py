"""Durations in text."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outboard.protocol.durations import format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("P0D", timedelta()),
        ("PT0S", timedelta()),
        ("PT90.5S", timedelta(seconds=90.5)),
        ("P3DT7200S", timedelta(days=3, hours=2)),
        ("-PT86397S", timedelta(days=-1, seconds=3)),
        ("PT0.000001S", timedelta(microseconds=1)),
        ("P1W", timedelta(weeks=1)),
        ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)),
        ("PT1,5H", timedelta(hours=1.5)),
        ("+PT1S", timedelta(seconds=1)),
    ],
)
def test_each_form_is_read(text: str, value: timedelta) -> None:
    assert parse_duration(text) == value


@pytest.mark.parametrize(
    "text",
    [
        *("", "P", "PT", "P1", "1D", "P1DT", "PT1", "PTS", "P1Y", "P1M", "PT1D", "PT1S1M", "PT1S1S", "PT1.2.3S"),
        *("90", "1:30", "P-1D", "--P1D", "PT１S", "PT.S", " PT1S", "P1DT1HX"),
    ],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


def test_a_duration_beyond_what_python_holds_is_refused() -> None:
    with pytest.raises(ValueError, match="duration"):
        parse_duration("P1000000000000D")


@given(st.timedeltas())
@example(timedelta.min)
@example(timedelta.max)
def test_what_is_written_is_read_back_exactly(value: timedelta) -> None:
    assert parse_duration(format_duration(value)) == value


@given(st.text() | st.text("PTDHMS0123456789.-", max_size=12))
def test_any_text_is_a_duration_or_refused(text: str) -> None:
    try:
        found = parse_duration(text)
    except ValueError:
        return
    assert isinstance(found, timedelta)
