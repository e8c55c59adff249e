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
    sign = -1 if text[:1] == "-" else 1
    date, has_time, time = text.lstrip("+-").partition("T")
    if date[:1] != "P" or (has_time and not time) or date + time == "P":
        raise ValueError(f"{text!r} is no ISO 8601 duration")
    return sign * (_sum(date[1:], "WD", text) + _sum(time, "HMS", text))


def _sum(part: str, units: str, text: str) -> timedelta:
    total = timedelta()
    number = ""
    for character in part:
        if character in "0123456789.,":
            number += character
        elif character in units and number:
            total += timedelta(seconds=1) * _UNITS[character] * _number(number)
            units = units[units.index(character) + 1 :]
            number = ""
        else:
            raise ValueError(f"{text!r} is no ISO 8601 duration")
    if number:
        raise ValueError(f"{text!r} is no ISO 8601 duration: a number without its unit")
    return total


def _number(text: str) -> float:
    return float(text.replace(",", ".")) if "." in text or "," in text else int(text)
