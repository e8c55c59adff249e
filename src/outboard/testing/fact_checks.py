"""Which facts can be told about a run, and what is sensible in each: the keys of ``context=``, each with its check.

A check says what a value should have been, or nothing where it is that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from outboard.errors import SerializationError
from outboard.protocol import messages as m
from outboard.protocol.codec import check_json
from outboard.supervisor.ports import UNMAPPED

__all__ = ("KNOWN_FACTS",)

_RUN_TYPES = m.enum_values("DagRunType") or ()
_ENDED = ("success", "failed")


def _aware(value: object) -> str:
    if isinstance(value, datetime) and value.utcoffset() is not None:
        return ""
    return "a datetime with a time zone, such as datetime(2026, 1, 1, tzinfo=UTC)"


def _aware_or_none(value: object) -> str:
    problem = "" if value is None else _aware(value)
    return problem and f"{problem}, or None"


def _whole_from(least: int) -> Callable[[object], str]:
    def check(value: object) -> str:
        fits = isinstance(value, int) and not isinstance(value, bool) and value >= least
        return "" if fits else f"a whole number from {least}"

    return check


def _text(value: object) -> str:
    return "" if isinstance(value, str) and value else "a text that is not empty"


def _one_of(*known: str) -> Callable[[object], str]:
    return lambda value: "" if value in known else f"one of {', '.join(map(repr, known))}"


def _json(value: object) -> str:
    if not isinstance(value, Mapping):
        return "a dict"
    try:
        check_json(dict(value), "")
    except SerializationError as error:
        return f"a dict that JSON can hold ({error})"
    return ""


def _keywords(value: object) -> str:
    return "" if isinstance(value, Mapping) and all(isinstance(name, str) for name in value) else "a dict with names"


KNOWN_FACTS: Mapping[str, Callable[[Any], str]] = {
    "arguments": _keywords,
    "conf": _json,
    "data_interval_end": _aware_or_none,
    "data_interval_start": _aware_or_none,
    "event": lambda value: "",
    "first_reschedule_date": _aware_or_none,
    "logical_date": _aware_or_none,
    "map_index": _whole_from(UNMAPPED),
    "max_tries": _whole_from(0),
    "next_kwargs": _keywords,
    "next_method": _text,
    "now": _aware,
    "params": _json,
    "run_after": _aware,
    "run_id": _text,
    "run_type": _one_of(*_RUN_TYPES),
    "task_reschedule_count": _whole_from(0),
    "triggered_run_state": _one_of(*_ENDED),
    "try_number": _whole_from(1),
}
