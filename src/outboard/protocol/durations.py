"""ISO 8601 durations ⇄ timedelta, as far as the protocol uses them: days, hours, minutes and seconds, with a sign."""

from __future__ import annotations

from datetime import timedelta

__all__ = ("format_duration", "parse_duration")

_UNITS = {"W": 604800, "D": 86400, "H": 3600, "M": 60, "S": 1}


def format_duration(value: timedelta) -> str:
    """The duration as text, such as ``"PT90.5S"`` or ``"-P1DT3S"``; exact to the microsecond."""
    sign, span = ("-", -value) if value < timedelta() else ("", value)
    days = f"{span.days}D" if span.days else ""
    fraction = f".{span.microseconds:06d}".rstrip("0") if span.microseconds else ""
    seconds = f"T{span.seconds}{fraction}S" if span.seconds or fraction or not days else ""
    return f"{sign}P{days}{seconds}"


def parse_duration(text: str) -> timedelta:
    """Read a duration. Years and months have no fixed length and are refused.

    Raises:
        ValueError: the text is no such duration.
    """
    unsigned = text[1:] if text[:1] in ("+", "-") else text
    date, has_time, time = unsigned.partition("T")
    try:
        if date[:1] != "P" or (has_time and not time) or unsigned == "P":
            raise ValueError(text)
        span = _sum(date[1:], "WD") + _sum(time, "HMS")
    except (ValueError, OverflowError):
        raise ValueError(f"{text!r} is no ISO 8601 duration of days, hours, minutes and seconds") from None
    return -span if text[0] == "-" else span


def _sum(part: str, units: str) -> timedelta:
    """The sum of ``"1H30M"``, whose units must come in the order of `units`."""
    total = timedelta()
    number = ""
    for character in part:
        if character in "0123456789.,":
            number += character
        elif character in units and number:
            total += timedelta(seconds=_UNITS[character]) * _number(number)
            units = units[units.index(character) + 1 :]
            number = ""
        else:
            raise ValueError(part)
    if number:
        raise ValueError(part)
    return total


def _number(text: str) -> float:
    return float(text.replace(",", ".")) if "." in text or "," in text else int(text)
