"""Values as Python text, as somebody would write them. Must not know what they are for."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from outboard.errors import LoadError

__all__ = ("MAX_LINE", "Zone", "call", "duration", "keywords", "literal", "mapping", "moment", "zone_of")

MAX_LINE = 110
"""Where a call is broken into one argument a line."""


def keywords(arguments: Mapping[str, str]) -> list[str]:
    """Keyword arguments, by name, as a call takes them."""
    return [f"{name}={text}" for name, text in arguments.items()]


def call(callee: str, arguments: Sequence[str], *, indent: str) -> str:
    """A call on one line, or with one argument a line where that is too long."""
    line = f"{callee}({', '.join(arguments)})"
    if len(indent + line) <= MAX_LINE and "\n" not in line:
        return line
    return "\n".join([f"{callee}(", *(f"    {argument},".replace("\n", "\n    ") for argument in arguments), ")"])


def literal(value: object) -> str:
    """A string, number, flag or None, or a list, tuple or dict of such."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # which is Python too, with the quotes that formatters like
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]"
    if isinstance(value, tuple):
        return f"({', '.join(map(literal, value))}{',' if len(value) == 1 else ''})"
    if isinstance(value, dict):
        return mapping({key: literal(item) for key, item in value.items()}, indent="")
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    return repr(value)


def mapping(items: Mapping[str, str], *, indent: str) -> str:
    """A dict of texts, on one line, or with one entry a line where that is too long."""
    entries = [f"{literal(key)}: {text}" for key, text in items.items()]
    line = f"{{{', '.join(entries)}}}"
    if len(indent + line) <= MAX_LINE:
        return line
    return "\n".join(["{", *(f"    {entry},".replace("\n", "\n    ") for entry in entries), "}"])


def duration(seconds: float) -> str:
    """A timedelta, in the largest unit that goes into it."""
    whole = timedelta(seconds=seconds)
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        count = whole.total_seconds() / size
        if whole and count == int(count):
            return f"timedelta({unit}={int(count)})"
    return f"timedelta(seconds={seconds:g})" if seconds == float(f"{seconds:g}") else f"timedelta(seconds={seconds!r})"


@attrs.frozen
class Zone:
    """A time zone, and the Python text that makes it."""

    info: timezone | ZoneInfo
    text: str


def zone_of(named: str | int) -> Zone:
    """A time zone by its name, or by its offset in seconds.

    Raises:
        LoadError: this machine does not know it.
    """
    if isinstance(named, int):
        return Zone(timezone(timedelta(seconds=named)), f"timezone({duration(named)})")
    if named == "UTC":
        return Zone(UTC, "timezone.utc")
    try:
        return Zone(ZoneInfo(named), f"ZoneInfo({literal(named)})")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise LoadError(
            f"the time zone {named!r} is not known here, so its dates cannot be written: {error}"
        ) from error


def moment(timestamp: float, zone: Zone) -> str:
    """A datetime in that zone."""
    date = datetime.fromtimestamp(timestamp, zone.info)
    parts = [date.year, date.month, date.day, date.hour, date.minute, date.second, date.microsecond]
    while len(parts) > 3 and parts[-1] == 0:
        parts.pop()
    fold = ", fold=1" if date.fold else ""
    return f"datetime({', '.join(map(str, parts))}, tzinfo={zone.text}{fold})"
