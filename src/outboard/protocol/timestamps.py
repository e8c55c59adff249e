"""Timestamps in text: RFC 3339, and the ISO 8601 forms next to it that peers send.

`datetime.fromisoformat` would do from Python 3.11 on; before, it knows neither the letter Z nor all fractions. A child may
run on 3.10, and both ends must read the same.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

__all__ = ("parse_timestamp",)


def parse_timestamp(text: str) -> datetime | None:
    """Read a date with a time of day, such as ``"2026-11-21T09:30:00.25+01:00"``.

    The letters may be lower case, a space may stand for the T, and seconds may be left out. A fraction is cut to
    microseconds.

    Returns:
        An aware datetime in UTC, a naive one if the text names no zone, or None if it is no timestamp or lies outside
        of the years 1 to 9999.
    """
    try:
        if not text.isascii() or text[10] not in "Tt " or text[4] + text[7] + text[13] != "--:":
            return None
        numbers, rest = _clock(text)
        microsecond, rest = _fraction(rest)
        year, month, day, hour, minute, second = numbers
        zone = timezone.utc if rest else None
        moment = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone)
        return moment - _offset(rest) if rest else moment
    except (ValueError, IndexError, OverflowError):
        return None


def _clock(text: str) -> tuple[tuple[int, ...], str]:
    """The six numbers from year to second, and what stands behind them."""
    seconds, end = (text[17:19], 19) if text[16:17] == ":" else ("00", 16)
    digits = (text[0:4], text[5:7], text[8:10], text[11:13], text[14:16], seconds)
    if len("".join(digits)) != 14 or not "".join(digits).isdigit():
        raise ValueError(text)
    return tuple(map(int, digits)), text[end:]


def _fraction(text: str) -> tuple[int, str]:
    """``".25Z"`` → 250000 microseconds, and ``"Z"``."""
    if text[:1] not in (".", ","):
        return 0, text
    end = 1
    while text[end : end + 1].isdigit():
        end += 1
    if end == 1:
        raise ValueError(text)
    return int(text[1:end][:6].ljust(6, "0")), text[end:]


def _offset(text: str) -> timedelta:
    """``"Z"``, ``"+05:30"``, ``"+0530"`` or ``"+05"``."""
    if text in ("Z", "z"):
        return timedelta()
    digits = text[1:].replace(":", "", 1) if text[3:4] == ":" else text[1:]
    if text[0] not in "+-" or len(digits) not in (2, 4) or not digits.isdigit():
        raise ValueError(text)
    hours, minutes = int(digits[:2]), int(digits[2:] or "0")
    if hours > 23 or minutes > 59:
        raise ValueError(text)
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if text[0] == "-" else offset
