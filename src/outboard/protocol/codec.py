"""The body of a frame ⇄ a message of the catalogue: the one place where messages are validated, in both directions.

Sending is strict: a message that its schema refuses raises here and never reaches the wire, since a stock supervisor does
not answer what it cannot validate. Receiving is liberal where the protocol is: unknown fields are ignored, an absent
optional field equals null, dates come as timestamps or as ISO 8601 text, UUIDs as text or as 16 bytes, durations as ISO
8601 text or as seconds.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from outboard.errors import InvalidMessageError, SerializationError, UndecodableMessageError
from outboard.protocol import messages
from outboard.protocol.durations import format_duration, parse_duration
from outboard.protocol.timestamps import parse_timestamp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from outboard.protocol.messages import Message

__all__ = ("MAX_JSON_DEPTH", "check_json", "decode_body", "encode_body")

# msgpack's own packer gives up at 511 levels, and JSON readers near a thousand; nobody nests like this on purpose.
MAX_JSON_DEPTH = 200

INT_MIN, INT_MAX = -(2**63), 2**64 - 1
UUID_LENGTH = 36
INFINITY = float("inf")

# A stock supervisor writes the connections inside a StartupDetails by the names that its own code has for their fields.
INNER_NAMES = {"schema": "schema_"}


class _Mismatch(Exception):
    """A value that its type expression refuses; the path grows while the error travels outwards."""

    def __init__(self, rule: str, path: str = "") -> None:
        super().__init__(rule)
        self.rule = rule
        self.path = path

    def under(self, segment: str) -> _Mismatch:
        self.path = segment + ("." if self.path and self.path[0] != "[" else "") + self.path
        return self


def encode_body(message: Message) -> dict[str, object]:
    """The map that goes onto the wire: ``type``, then every field except optional ones that are None.

    Raises:
        InvalidMessageError: a field that the schema refuses, named by its path.
    """
    name = type(message).__name__
    try:
        body = _write_definition(message)
    except _Mismatch as mismatch:
        raise InvalidMessageError(name, mismatch.path, mismatch.rule) from None
    body["type"] = name
    return body


def decode_body(body: object) -> Message:
    """The message in a frame's body.

    Raises:
        UndecodableMessageError: no ``type``, one that the schema does not define, or a field that it refuses.
    """
    name = body.get("type") if isinstance(body, dict) else None
    if not isinstance(name, str):
        raise UndecodableMessageError("?", "type", f"a message names its type, but this is {_show(body)}")
    if name not in messages.MESSAGES and name not in messages.OWN:
        raise UndecodableMessageError(name, "type", f"schema {messages.SCHEMA_DATES[-1]} defines no such message")
    try:
        return _read_definition(name, body)
    except _Mismatch as mismatch:
        raise UndecodableMessageError(name, mismatch.path, mismatch.rule) from None


# ── values of JSON-typed fields ─────────────────────────────────────────────────────────────────────────────────────


def check_json(value: object, path: str = "") -> None:
    """Refuse what an XCom, or any other JSON-typed field, cannot hold.

    Strings without lone surrogates, integers from −2⁶³ to 2⁶⁴−1, finite floats, booleans, None, lists, tuples and
    string-keyed dicts of these pass; all else raises.

    Args:
        value: the value to check.
        path: where the value stands, for the error, such as ``"return_value"``.

    Raises:
        SerializationError: with the path to the offending part.
    """
    fault = _fault(value, 0)
    if fault is not None:
        inside, reason = _first_cycle(value, ()) or fault if fault[1] is TOO_DEEP else fault
        raise SerializationError((path + inside).lstrip("."), reason)


TOO_DEEP = f"the value is nested more than {MAX_JSON_DEPTH} levels deep"


def _fault(value: Any, depth: int) -> tuple[str, str] | None:
    """Where in a value something is wrong, and what; None for a sound one. Paths are only built where there is a fault."""
    if value is None or value is True or value is False:
        return None
    if isinstance(value, str):
        reason = None if value.isascii() else _surrogate(value)
        return None if reason is None else ("", reason)
    if isinstance(value, int):
        return (
            None
            if INT_MIN <= value <= INT_MAX
            else ("", "an integer beyond 64 bits has no form here; send it as a string")
        )
    if isinstance(value, float):
        return None if value - value == 0 else ("", f"{value!r} has no form in JSON; send None or a string")
    if not isinstance(value, (list, tuple, dict)):
        return "", f"a value of type {type(value).__qualname__} has no form in JSON"
    if depth >= MAX_JSON_DEPTH:
        return "", TOO_DEEP
    return _fault_in_dict(value, depth) if isinstance(value, dict) else _fault_in_list(value, depth)


def _fault_in_dict(value: dict[object, object], depth: int) -> tuple[str, str] | None:
    for key, item in value.items():
        if not isinstance(key, str):
            return "", f"a key is a string, not {_show(key)}"
        if not key.isascii() and (reason := _surrogate(key)) is not None:
            return "", f"in a key, {reason}"
        fault = _fault(item, depth + 1)
        if fault is not None:
            return f".{key}{fault[0]}", fault[1]
    return None


def _fault_in_list(value: Any, depth: int) -> tuple[str, str] | None:
    if _is_plain_list(value):
        return None
    for index, item in enumerate(value):
        fault = _fault(item, depth + 1)
        if fault is not None:
            return f"[{index}]{fault[0]}", fault[1]
    return None


def _first_cycle(value: Any, parents: tuple[int, ...]) -> tuple[str, str] | None:
    if id(value) in parents:
        return "", "the value contains itself"
    if not isinstance(value, (list, tuple, dict)) or len(parents) > MAX_JSON_DEPTH:
        return None
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        found = _first_cycle(item, (*parents, id(value)))
        if found is not None:
            return (f".{key}" if isinstance(value, dict) else f"[{key}]") + found[0], found[1]
    return None


def _is_plain_list(value: Any) -> bool:
    """Whether a look at the whole shows that each item is fine: far cheaper than a call for each, and columns are common."""
    kinds = set(map(type, value))
    if kinds == {float}:
        total = sum(value)
        return bool(total - total == 0)
    if kinds == {int}:
        return bool(min(value) >= INT_MIN and max(value) <= INT_MAX)
    return kinds == {str} and "".join(value).isascii()


def _surrogate(value: str) -> str | None:
    """What is wrong with a text that is not plain ASCII; None for nothing."""
    try:
        value.encode()
    except UnicodeEncodeError as error:
        return f"a lone surrogate at character {error.start} has no form in UTF-8"
    return None


# ── sending ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _write_definition(message: Message) -> dict[str, object]:
    body: dict[str, object] = {}
    for field, kind, required, default in message.spec:
        value = getattr(message, field)
        if value is None and not required:
            if default is None:
                continue
            # Left out, the field would get the peer's default, which for some lists is a null that the API refuses.
            value = default
        try:
            body[field] = _write(kind, value)
        except _Mismatch as mismatch:
            raise mismatch.under(field) from None
    return body


def _write(kind: Any, value: Any) -> object:
    if type(kind) is str:
        return _WRITERS[kind](value)
    return _COMPOSITE_WRITERS[kind[0]](kind, value)


def _write_any(value: object) -> object:
    try:
        check_json(value)
    except SerializationError as error:
        raise _Mismatch(error.reason, error.path) from None
    return value


def _write_str(value: object) -> object:
    if not isinstance(value, str):
        raise _Mismatch(f"a string is wanted, not {_show(value)}")
    if not value.isascii() and (reason := _surrogate(value)) is not None:
        raise _Mismatch(reason)
    return value


def _write_int(value: object) -> object:
    if type(value) is not int:
        raise _Mismatch(f"an integer is wanted, not {_show(value)}")
    if not INT_MIN <= value <= INT_MAX:
        raise _Mismatch("an integer from −2^63 to 2^64−1 is wanted")
    return value


def _write_number(value: object) -> object:
    if type(value) not in (int, float) or value != value or value in (INFINITY, -INFINITY):
        raise _Mismatch(f"a finite number is wanted, not {_show(value)}")
    return value


def _write_bool(value: object) -> object:
    if type(value) is not bool:
        raise _Mismatch(f"a boolean is wanted, not {_show(value)}")
    return value


def _write_null(value: object) -> object:
    if value is not None:
        raise _Mismatch(f"null is wanted, not {_show(value)}")
    return None


def _write_datetime(value: object) -> object:
    if not isinstance(value, datetime):
        raise _Mismatch(f"a datetime is wanted, not {_show(value)}")
    if value.tzinfo is None:
        raise _Mismatch("a datetime with a time zone is wanted, not a naive one")
    return value


def _write_duration(value: object) -> object:
    if not isinstance(value, timedelta):
        raise _Mismatch(f"a timedelta is wanted, not {_show(value)}")
    return format_duration(value)


def _write_uuid(value: object) -> object:
    if not isinstance(value, str) or len(value) != UUID_LENGTH:
        raise _Mismatch(f"a UUID of {UUID_LENGTH} characters is wanted, not {_show(value)}")
    return value


def _write_optional(kind: Any, value: object) -> object:
    return None if value is None else _write(kind[1], value)


def _write_ref(kind: Any, value: Any) -> object:
    values = messages.enum_values(kind[1])
    if values is not None:
        return _check_enum(values, value)
    if type(value) is not messages.definition(kind[1]):
        raise _Mismatch(f"a {kind[1]} is wanted, not {_show(value)}")
    body = _write_definition(value)
    if value.is_message:
        body["type"] = kind[1]
    return body


def _write_enum(kind: Any, value: object) -> object:
    return _check_enum(kind[1:], value)


def _write_above(kind: Any, value: Any) -> object:
    _, bound, scalar = kind
    if _write(scalar, value) <= bound:
        raise _Mismatch(f"a number above {bound} is wanted, not {_show(value)}")
    return value


def _write_least(kind: Any, value: Any) -> object:
    _, bound, scalar = kind
    if _write(scalar, value) < bound:
        raise _Mismatch(f"at least {bound} is wanted, not {_show(value)}")
    return value


def _write_list(kind: Any, value: Any) -> object:
    if not isinstance(value, (list, tuple)):
        raise _Mismatch(f"a list is wanted, not {_show(value)}")
    return _items(kind, value, _write)


def _write_map(kind: Any, value: Any) -> object:
    if not isinstance(value, dict):
        raise _Mismatch(f"a dict is wanted, not {_show(value)}")
    if kind[1] == "any":
        return _write_any(value)
    return _entries(kind, value, _write)


def _write_tuple(kind: Any, value: Any) -> object:
    if not isinstance(value, (list, tuple)):
        raise _Mismatch(f"a list is wanted, not {_show(value)}")
    return _elements(kind, value, _write)


def _write_union(kind: Any, value: object) -> object:
    return _first(kind, value, _write)


# ── receiving ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read_definition(name: str, body: Any) -> Message:
    found = messages.definition(name)
    message = found.__new__(found)
    for field, kind, required, default in found.spec:
        key = field if field in body else INNER_NAMES.get(field, field)
        value = body.get(key)
        if value is None and required and key not in body:
            raise _Mismatch("the field is required").under(field)
        if value is None and not required:
            setattr(message, field, default.copy() if isinstance(default, (list, dict)) else default)
            continue
        try:
            setattr(message, field, _read(kind, value))
        except _Mismatch as mismatch:
            raise mismatch.under(field) from None
    return message


def _read(kind: Any, value: Any) -> object:
    if type(kind) is str:
        return _READERS[kind](value)
    return _COMPOSITE_READERS[kind[0]](kind, value)


def _read_any(value: object) -> object:
    return value


def _read_str(value: object) -> object:
    if type(value) is not str:
        raise _Mismatch(f"a string is wanted, not {_show(value)}")
    return value


def _read_datetime(value: object) -> object:
    if isinstance(value, datetime):
        return value
    if isinstance(value, str):
        parsed = parse_timestamp(value)
        if parsed is not None:
            return _write_datetime(parsed)
    raise _Mismatch(f"a timestamp or ISO 8601 text is wanted, not {_show(value)}")


def _read_duration(value: object) -> object:
    try:
        if type(value) in (int, float):
            return timedelta(seconds=value)  # type: ignore[arg-type]
        if isinstance(value, str):
            return parse_duration(value)
    except (ValueError, OverflowError):
        pass
    raise _Mismatch(f"an ISO 8601 duration or a number of seconds is wanted, not {_show(value)}")


def _read_uuid(value: object) -> object:
    if isinstance(value, bytes) and len(value) == 16:
        text = value.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return _write_uuid(value)


def _read_optional(kind: Any, value: object) -> object:
    return None if value is None else _read(kind[1], value)


def _read_ref(kind: Any, value: Any) -> object:
    values = messages.enum_values(kind[1])
    if values is not None:
        return _check_enum(values, value)
    if type(value) is not dict:
        raise _Mismatch(f"a map is wanted, not {_show(value)}")
    if messages.definition(kind[1]).is_message and value.get("type", kind[1]) != kind[1]:
        raise _Mismatch(f"a {kind[1]} is wanted, not {_show(value.get('type'))}")
    return _read_definition(kind[1], value)


def _read_list(kind: Any, value: Any) -> object:
    if type(value) is not list:
        raise _Mismatch(f"an array is wanted, not {_show(value)}")
    return _items(kind, value, _read)


def _read_map(kind: Any, value: Any) -> object:
    if type(value) is not dict:
        raise _Mismatch(f"a map is wanted, not {_show(value)}")
    return value if kind[1] == "any" else _entries(kind, value, _read)


def _read_tuple(kind: Any, value: Any) -> object:
    if type(value) is not list:
        raise _Mismatch(f"an array is wanted, not {_show(value)}")
    return tuple(_elements(kind, value, _read))


def _read_union(kind: Any, value: object) -> object:
    return _first(kind, value, _read)


# ── what both directions share ────────────────────────────────────────────────────────────────────────────────────────


def _check_enum(values: tuple[str, ...], value: object) -> object:
    if value not in values:
        raise _Mismatch(f"one of {', '.join(values)} is wanted, not {_show(value)}")
    return value


def _items(kind: Any, value: Any, convert: Callable[[Any, Any], object]) -> list[object]:
    _, item_kind, least = kind
    if len(value) < least:
        raise _Mismatch(f"at least {least} is wanted")
    converted = []
    for index, item in enumerate(value):
        try:
            converted.append(convert(item_kind, item))
        except _Mismatch as mismatch:
            raise mismatch.under(f"[{index}]") from None
    return converted


def _entries(kind: Any, value: Any, convert: Callable[[Any, Any], object]) -> dict[str, object]:
    converted = {}
    for key, item in value.items():
        if type(key) is not str:
            raise _Mismatch(f"a key is a string, not {_show(key)}")
        try:
            converted[key] = convert(kind[1], item)
        except _Mismatch as mismatch:
            raise mismatch.under(key) from None
    return converted


def _elements(kind: Any, value: Any, convert: Callable[[Any, Any], object]) -> list[object]:
    if len(value) != len(kind) - 1:
        raise _Mismatch(f"{len(kind) - 1} elements are wanted, not {len(value)}")
    return [convert(item_kind, item) for item_kind, item in zip(kind[1:], value)]  # noqa: B905  # checked above


def _first(kind: Any, value: object, convert: Callable[[Any, Any], object]) -> object:
    rules = []
    for option in kind[1:]:
        try:
            return convert(option, value)
        except _Mismatch as mismatch:
            rules.append(f"{mismatch.path}: {mismatch.rule}" if mismatch.path else mismatch.rule)
    raise _Mismatch("; or ".join(rules))


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"a value of type {type(value).__name__}"


_WRITERS: dict[str, Callable[[Any], object]] = {
    "any": _write_any,
    "bool": _write_bool,
    "datetime": _write_datetime,
    "duration": _write_duration,
    "int": _write_int,
    "json": _write_any,
    "null": _write_null,
    "number": _write_number,
    "str": _write_str,
    "uuid": _write_uuid,
}
_READERS: dict[str, Callable[[Any], object]] = {
    **_WRITERS,
    "any": _read_any,
    "datetime": _read_datetime,
    "duration": _read_duration,
    "json": _read_any,
    "str": _read_str,
    "uuid": _read_uuid,
}
_COMPOSITE_WRITERS: dict[str, Callable[[Any, Any], object]] = {
    "above": _write_above,
    "enum": _write_enum,
    "least": _write_least,
    "list": _write_list,
    "map": _write_map,
    "optional": _write_optional,
    "ref": _write_ref,
    "tuple": _write_tuple,
    "union": _write_union,
}
_COMPOSITE_READERS: dict[str, Callable[[Any, Any], object]] = {
    "above": _write_above,
    "enum": _write_enum,
    "least": _write_least,
    "list": _read_list,
    "map": _read_map,
    "optional": _read_optional,
    "ref": _read_ref,
    "tuple": _read_tuple,
    "union": _read_union,
}
