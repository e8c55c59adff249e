"""Whether a value fits a JSON schema: at a glance where that suffices, else as `outboard.sdk.param_judge` says.

What params usually say (a type, bounds, lengths, a list to choose from, a date) is judged here, without any library. All else
is left to ``jsonschema``, which takes several times as long to load as a whole task takes, and has native code. The glance
never guesses: it either gives the verdict that the library would give, or none. Must not know what a param is.
"""

from __future__ import annotations

from datetime import date, datetime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ("FORMATS", "SchemaError", "cut", "needs_library", "problem")

FORMATS = ("date", "duration", "email", "idn-email", "idn-hostname", "ipv4", "ipv6", "regex", "time", "uuid")
"""The formats that Airflow's own installation checks. ``date-time`` is not among them."""

# The longest that a message may be; the library's repeat the value and parts of the schema.
MESSAGE_LIMIT = 500


class SchemaError(ValueError):
    """The schema itself makes no sense, so no value can be judged by it."""


def problem(schema: Any, value: Any) -> str | None:
    """What is wrong with a value; None if it fits.

    Args:
        schema: a JSON schema.
        value: what `json` would load.

    Raises:
        SchemaError: the schema makes no sense.
        MissingLibraryError: a glance does not suffice, and the environment has no ``jsonschema``.
    """
    seen: str | None = _glance(schema, value)
    if seen is not _UNSURE:
        return seen
    from outboard.sdk import param_judge

    return param_judge.problem(schema, value)


def needs_library(schema: Any) -> bool:
    """Whether some value can only be judged by the library."""
    if not isinstance(schema, dict):
        return not isinstance(schema, bool)
    if any(name in _JUDGED or not _is_plain(name, rule) for name, rule in schema.items()):
        return True
    return needs_library(schema.get("items", True))


# ── at a glance ───────────────────────────────────────────────────────────────────────────────────────────────────────

_UNSURE: Any = object()

# Keywords of JSON schema that only the library judges. A keyword that is neither here nor in `_RULES` says nothing.
_JUDGED = frozenset(
    (
        *("$anchor", "$defs", "$dynamicAnchor", "$dynamicRef", "$id", "$recursiveAnchor", "$recursiveRef", "$ref"),
        *("$schema", "$vocabulary", "additionalProperties", "allOf", "anyOf", "contains", "contentEncoding"),
        *("contentMediaType", "contentSchema", "definitions", "dependencies", "dependentRequired", "dependentSchemas"),
        *("else", "if", "maxContains", "maxProperties", "minContains", "minProperties", "multipleOf", "not", "oneOf"),
        *("pattern", "patternProperties", "prefixItems", "properties", "propertyNames", "required", "then"),
        *("unevaluatedItems", "unevaluatedProperties", "uniqueItems"),
    )
)


def _glance(schema: Any, value: Any) -> Any:
    """What is wrong, None, or `_UNSURE`."""
    if schema is True:
        return None
    if schema is False:
        return f"nothing is allowed here, and so {_shown(value)} is not"
    if not isinstance(schema, dict) or needs_library(schema):
        return _UNSURE
    for name, rule in schema.items():
        broken = _RULES[name][1](rule, value) if name in _RULES else None
        if broken is not None:
            return broken
    return None


def _is_plain(name: str, rule: Any) -> bool:
    """Whether a keyword's own value is what the glance knows; odd ones may be mistakes, which the library explains."""
    return name not in _RULES or _RULES[name][0](rule)


def _type(rule: Any, value: Any) -> str | None:
    types = [rule] if isinstance(rule, str) else rule
    if any(_TYPES[name](value) for name in types):
        return None
    return f"{_shown(value)} is not of type {', '.join(map(repr, types))}"


def _enum(rule: Any, value: Any) -> str | None:
    return None if any(_equal(each, value) for each in rule) else f"{_shown(value)} is not one of {_shown(rule)}"


def _const(rule: Any, value: Any) -> str | None:
    return None if _equal(rule, value) else f"{_shown(rule)} was expected, not {_shown(value)}"


def _minimum(rule: Any, value: Any) -> str | None:
    return f"{value!r} is less than the minimum of {rule!r}" if _is_number(value) and value < rule else None


def _maximum(rule: Any, value: Any) -> str | None:
    return f"{value!r} is greater than the maximum of {rule!r}" if _is_number(value) and value > rule else None


def _exclusive_minimum(rule: Any, value: Any) -> str | None:
    return f"{value!r} is not greater than {rule!r}" if _is_number(value) and value <= rule else None


def _exclusive_maximum(rule: Any, value: Any) -> str | None:
    return f"{value!r} is not less than {rule!r}" if _is_number(value) and value >= rule else None


def _shortest(kind: type[str] | type[list[Any]]) -> Callable[[Any, Any], str | None]:
    def check(rule: Any, value: Any) -> str | None:
        is_short = isinstance(value, kind) and len(value) < rule
        return f"{_shown(value)} is too short: {len(value)} of at least {rule}" if is_short else None

    return check


def _longest(kind: type[str] | type[list[Any]]) -> Callable[[Any, Any], str | None]:
    def check(rule: Any, value: Any) -> str | None:
        is_long = isinstance(value, kind) and len(value) > rule
        return f"{_shown(value)} is too long: {len(value)} of at most {rule}" if is_long else None

    return check


def _items(rule: Any, value: Any) -> str | None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            broken: str | None = _glance(rule, item)
            if broken is not None:
                return f"[{index}]: {broken}"
    return None


def _format(rule: Any, value: Any) -> str | None:
    if not isinstance(value, str) or rule not in ("date", "time"):
        return None
    try:
        if rule == "time":
            datetime.strptime(value, "%H:%M:%S")  # noqa: DTZ007  # a time of day has no zone
        elif not _is_date(value):
            raise ValueError
    except ValueError:
        form = "HH:MM:SS" if rule == "time" else "YYYY-MM-DD"
        return f"{_shown(value)} is not a {rule}, which is written {form}"
    return None


def _is_date(text: str) -> bool:
    # date.fromisoformat reads more than this form from Python 3.11 on.
    return len(text) == 10 and text[4] == text[7] == "-" and date.fromisoformat(text) is not None


def _equal(one: Any, other: Any) -> bool:
    """Equality of JSON: True is not 1, while 1.0 is."""
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return len(one) == len(other) and all(key in other and _equal(one[key], other[key]) for key in one)
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return bool(one == other)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


def _is_count(rule: Any) -> bool:
    return isinstance(rule, int) and not isinstance(rule, bool) and rule >= 0


def _is_text(rule: Any) -> bool:
    return isinstance(rule, str)


def _is_flag(rule: Any) -> bool:
    return isinstance(rule, bool)


def _is_list(rule: Any) -> bool:
    return isinstance(rule, list)


def _names_types(rule: Any) -> bool:
    if isinstance(rule, list):
        return bool(rule) and all(isinstance(name, str) for name in rule) and len({*rule} & {*_TYPES}) == len(rule)
    return isinstance(rule, str) and rule in _TYPES


_TYPES: dict[str, Callable[[Any], bool]] = {
    "array": lambda value: isinstance(value, list),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "null": lambda value: value is None,
    "number": _is_number,
    "object": lambda value: isinstance(value, dict),
    "string": lambda value: isinstance(value, str),
}

# For each keyword: which values of its own the glance knows, and what it says about a value.
_RULES: dict[str, tuple[Callable[[Any], bool], Callable[[Any, Any], str | None]]] = {
    "type": (_names_types, _type),
    "enum": (_is_list, _enum),
    "const": (lambda _: True, _const),
    "minimum": (_is_number, _minimum),
    "maximum": (_is_number, _maximum),
    "exclusiveMinimum": (_is_number, _exclusive_minimum),
    "exclusiveMaximum": (_is_number, _exclusive_maximum),
    "minLength": (_is_count, _shortest(str)),
    "maxLength": (_is_count, _longest(str)),
    "minItems": (_is_count, _shortest(list)),
    "maxItems": (_is_count, _longest(list)),
    "items": (lambda rule: isinstance(rule, (dict, bool)), _items),
    "format": (lambda rule: isinstance(rule, str) and (rule in ("date", "time") or rule not in FORMATS), _format),
}

# Notes for people, which say nothing about values but must have the right type themselves.
_NOTES: dict[str, Callable[[Any], bool]] = {
    "$comment": _is_text,
    "deprecated": _is_flag,
    "description": _is_text,
    "examples": _is_list,
    "readOnly": _is_flag,
    "title": _is_text,
    "writeOnly": _is_flag,
}
_RULES.update({name: (is_plain, lambda rule, value: None) for name, is_plain in _NOTES.items()})


def _shown(value: Any) -> str:
    return cut(repr(value), MESSAGE_LIMIT // 4)


def cut(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """The text, or as much of it as fits."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
