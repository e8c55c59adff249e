"""XCom values in Airflow's encoding: Python objects ⇄ JSON values.

What JSON knows stands for itself. Anything else becomes a map of three entries, the class's name, a version and the data:

    {"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1, 2]}

Decoding makes native values of the builtin classes in the table below, and an inert `TaggedValue` of every other class, unless
whoever decodes knows a class of that name; a class that a peer names is never imported.

=======================================  ===================================================================
Python value                             encoding
=======================================  ===================================================================
None, bool, int, float, str, list        as it is; members of str and int enums as their bare value
dict                                     as it is, with its keys as strings
tuple, namedtuple, set, frozenset        version 1, the items (of sets, sorted where that is possible)
datetime                                 version 2, timestamp and zone [1]_
date, timedelta                          version 2, ISO 8601 text; seconds [1]_
Decimal                                  version 1, an int, a float where that is exact, else text
UUID                                     version 1, text
time zones                               version 1, the name, or the offset in seconds
numpy scalars                            version 1, a number or a boolean; decoded to int, float or bool
objects with ``serialize()``             their own class, the version in ``__version__``, what that returns
pydantic models                          their own class, version 1, the dumped model
dataclasses, attrs classes               their own class, the version in ``__version__``, their fields, each with its own class
LazyXComSequence                         the list of its values
`TaggedValue`                            what it was decoded from
=======================================  ===================================================================

.. [1] These are what Airflow's encoding cannot carry whole, and `on_loss` hears of: a datetime without a zone is a moment in
   the local time of whoever encodes it, and becomes one in that of whoever decodes it; a zone that has no name is reduced
   to its offset at that moment; seconds are a float, which is exact to the microsecond only until the year 2242.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone, tzinfo

from outboard.errors import SerializationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    FindClass: TypeAlias = Callable[[str], type | None]

__all__ = (
    "CLASSNAME",
    "DATA",
    "MAX_DEPTH",
    "OLD_DATA",
    "OLD_TYPE",
    "VERSION",
    "TaggedValue",
    "deserialize",
    "on_loss",
    "serialize",
)


CLASSNAME = "__classname__"
VERSION = "__version__"
DATA = "__data__"
SCHEMA_ID = "__id__"

# The tags of the encoding that Airflow used before; still found in old XComs, and read as tags wherever they stand.
OLD_TYPE = "__type"
OLD_DATA = "__var"
OLD_DICT = "dict"

# Containers inside containers. Half of what the wire takes, since a tagged value is a container more than the value it tags.
MAX_DEPTH = 100

_FIXED_ZONE = "pendulum.tz.timezone.FixedTimezone"
_NAMED_ZONE = "pendulum.tz.timezone.Timezone"
_ZONEINFO = "zoneinfo.ZoneInfo"
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class TaggedValue:
    """A value of a class that is not known here. It does nothing, and encodes as what it was decoded from.

    Attributes:
        classname: the dotted name of the class.
        version: the version of the data's form.
        data: the data, with what is known in it decoded.
    """

    __slots__ = ("classname", "data", "version")

    def __init__(self, classname: str, version: int, data: object) -> None:
        self.classname = classname
        self.version = version
        self.data = data

    def __eq__(self, other: object) -> bool:
        if type(other) is not TaggedValue:
            return NotImplemented
        return (self.classname, self.version, self.data) == (other.classname, other.version, other.data)

    __hash__ = None  # type: ignore[assignment]  # its data may be a list or a dict

    def __repr__(self) -> str:
        return f"TaggedValue({self.classname!r}, {self.version!r}, {self.data!r})"


# ── encoding ──────────────────────────────────────────────────────────────────────────────────────────────────────────

_listener: Callable[[str, str], object] | None = None


def on_loss(listener: Callable[[str, str], object] | None) -> None:
    """Let `listener` hear of what encoded values lose: where, and what. None: nobody hears of it."""
    global _listener
    _listener = listener


def serialize(value: object, path: str = "") -> Any:
    """The value in Airflow's encoding.

    Args:
        value: any Python value.
        path: where the value stands, for the error, such as ``"return_value"``.

    Raises:
        SerializationError: some part has no encoding; its path and the reason are in the error.
    """
    try:
        return _encode(value, path, ())
    except RecursionError:  # inside what an object makes of itself; our own depth is bounded
        raise SerializationError(path, "the value contains itself, or is nested too deeply") from None


def _encode(value: Any, path: str, parents: tuple[int, ...]) -> Any:
    if value is None or value is True or value is False:
        return value
    kind = type(value)
    if kind is str:
        return _text(value, path)
    if kind is int:
        return _integer(value, path)
    if kind is float:
        return _finite(value, path)
    encode = _ENCODERS.get(kind) or _ENCODERS_BY_NAME.get(_qualified(kind)) or _encoder_by_nature(value)
    if encode is None:
        raise SerializationError(path, _no_encoding(kind))
    if encode in _LEAVES:
        return encode(value, path, parents)
    if id(value) in parents:
        raise SerializationError(path, "the value contains itself")
    if len(parents) >= MAX_DEPTH:
        raise SerializationError(path, f"the value is nested more than {MAX_DEPTH} levels deep")
    return encode(value, path, (*parents, id(value)))


def _tagged(classname: str, version: object, data: object) -> dict[str, object]:
    return {CLASSNAME: classname, VERSION: version, DATA: data}


def _finite(value: float, path: str) -> float:
    if value != value or value in (float("inf"), float("-inf")):
        raise SerializationError(path, f"{float(value)!r} has no form in JSON; return None or a string instead")
    return float(value)


def _integer(value: int, path: str) -> int:
    if not -(2**63) <= value < 2**64:
        raise SerializationError(path, "the integer does not fit into 64 bits; return it as a string")
    return value


def _text(value: str, path: str) -> str:
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise SerializationError(
                path, f"character {error.start} is a lone surrogate, which UTF-8 cannot hold"
            ) from None
    return value


def _encode_items(value: Iterable[Any], path: str, parents: tuple[int, ...]) -> list[Any]:
    return [_encode(item, f"{path}[{index}]", parents) for index, item in enumerate(value)]


def _encode_dict(value: dict[Any, Any], path: str, parents: tuple[int, ...]) -> dict[str, Any]:
    if CLASSNAME in value or SCHEMA_ID in value:
        raise SerializationError(path, f"the keys {CLASSNAME!r} and {SCHEMA_ID!r} are reserved for encoded values")
    if OLD_TYPE in value and OLD_DATA in value:
        raise SerializationError(
            path, f"a dict with both keys {OLD_TYPE!r} and {OLD_DATA!r} would be read as something else"
        )
    encoded: dict[str, Any] = {}
    for key, item in value.items():
        name = _text(str.__str__(key) if isinstance(key, str) else str(key), path)
        if name in encoded:
            raise SerializationError(path, f"two keys become the same string {name!r}")
        encoded[name] = _encode(item, f"{path}.{name}" if path else name, parents)
    return encoded


def _encode_tuple(value: tuple[Any, ...], path: str, parents: tuple[int, ...]) -> object:
    return _tagged("builtins.tuple", 1, _encode_items(value, path, parents))


def _encode_set(value: Any, path: str, parents: tuple[int, ...]) -> object:
    # Sorted, so that the same set has the same encoding in each process.
    try:
        items = sorted(value)
    except TypeError:
        items = list(value)
    name = "builtins.set" if isinstance(value, set) else "builtins.frozenset"
    return _tagged(name, 1, _encode_items(items, path, parents))


def _encode_datetime(value: datetime, path: str, parents: tuple[int, ...]) -> object:
    if getattr(value, "nanosecond", 0):
        raise SerializationError(path, f"{value} is finer than a microsecond, which a datetime cannot hold")
    name = _qualified(type(value))
    if _listener is not None:
        _tell_losses(value, path)
    zone = value.tzinfo and _tagged("builtins.tuple", 1, list(_encode_zone(value.tzinfo, value, path)))
    known = name if name == "pendulum.datetime.DateTime" else "datetime.datetime"
    return _tagged(known, 2, {"timestamp": _finite(value.timestamp(), path), "tz": zone})


def _tell_losses(value: datetime, path: str) -> None:
    assert _listener is not None
    if value.tzinfo is None:
        _listener(path, "a datetime without a time zone is read as one of the reader's local time; give it a time zone")
        return
    if _zone_name(value.tzinfo) is None and not isinstance(value.tzinfo, timezone):
        _listener(path, "a time zone without a name is reduced to its offset from UTC; use zoneinfo.ZoneInfo")
    if timedelta(seconds=value.timestamp()) != value - _EPOCH:
        _listener(path, "a datetime this far from 1970 loses microseconds; send its isoformat()")


def _zone_name(zone: tzinfo) -> str | None:
    for attribute in ("key", "name", "zone"):  # of zoneinfo, pendulum and pytz
        name = getattr(zone, attribute, None)
        if isinstance(name, str) and not _is_offset(name):
            return name
    return None


def _encode_zone(zone: tzinfo, at: datetime | None, path: str) -> tuple[str | int, str, int, bool]:
    """The name or offset, the class, its version, and whether it could be encoded, as Airflow orders them."""
    name = _zone_name(zone)
    if name is not None:
        return name, _ZONEINFO if getattr(zone, "key", None) == name else _NAMED_ZONE, 1, True
    offset = zone.utcoffset(at)
    if offset is None or offset.microseconds:
        raise SerializationError(path, f"the time zone {zone!r} has neither a name nor an offset in whole seconds")
    # Airflow's own encoder loses the offset of zones without a name; its decoder reads this form.
    return int(offset.total_seconds()) or "UTC", _FIXED_ZONE, 1, True


def _is_offset(name: str) -> bool:
    return name[:1] in ("+", "-")


def _encode_bare_zone(value: tzinfo, path: str, parents: tuple[int, ...]) -> object:
    name, classname, version, _ = _encode_zone(value, None, path)
    return _tagged(classname, version, name)


def _encode_date(value: date, path: str, parents: tuple[int, ...]) -> object:
    return _tagged("datetime.date", 2, value.isoformat())


def _encode_timedelta(value: timedelta, path: str, parents: tuple[int, ...]) -> object:
    if _listener is not None and timedelta(seconds=value.total_seconds()) != value:
        _listener(path, "a timedelta this long loses microseconds; send its parts")
    return _tagged("datetime.timedelta", 2, value.total_seconds())


def _encode_decimal(value: Any, path: str, parents: tuple[int, ...]) -> object:
    if not value.is_finite():
        raise SerializationError(path, f"Decimal('{value}') has no form in JSON")
    whole = value.as_tuple().exponent >= 0
    number = int(value) if whole else float(value)
    # Airflow writes a float even where it is not the same number; its decoder reads text as well.
    exact = -(2**63) <= number < 2**64 if whole else type(value)(str(number)) == value
    return _tagged("decimal.Decimal", 1, number if exact else str(value))


def _encode_uuid(value: Any, path: str, parents: tuple[int, ...]) -> object:
    return _tagged("uuid.UUID", 1, str(value))


def _encode_numpy(value: Any, path: str, parents: tuple[int, ...]) -> object:
    number = value.item()
    return _tagged(_qualified(type(value)), 1, _encode(number, path, parents))


def _encode_tagged_value(value: TaggedValue, path: str, parents: tuple[int, ...]) -> object:
    return _tagged(value.classname, value.version, _encode(value.data, path, parents))


def _encode_later(value: Any, path: str, parents: tuple[int, ...]) -> object:
    # As it is pickled: what it stands for.
    return _encode(value.__reduce_ex__(2)[1][0], path, parents)


def _encode_sequence(value: Any, path: str, parents: tuple[int, ...]) -> object:
    return _encode_items(value[:], path, parents)


def _encode_text(value: str, path: str, parents: tuple[int, ...]) -> str:
    return _text(str.__str__(value), path)


def _encode_int(value: int, path: str, parents: tuple[int, ...]) -> int:
    return _integer(int.__int__(value), path)


def _encode_float(value: float, path: str, parents: tuple[int, ...]) -> float:
    return _finite(float.__float__(value), path)


def _encode_pydantic(value: Any, path: str, parents: tuple[int, ...]) -> object:
    return _tagged(_qualified(type(value)), 1, _encode(value.model_dump(mode="json"), path, parents))


def _encode_serializable(value: Any, path: str, parents: tuple[int, ...]) -> object:
    return _own(value, _encode(value.serialize(), path, parents))


def _encode_dataclass(value: Any, path: str, parents: tuple[int, ...]) -> object:
    import dataclasses

    # Not asdict(), as Airflow does: it would make nameless dicts of the dataclasses inside.
    fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return _own(value, _encode_dict(fields, path, parents))


def _encode_attrs(value: Any, path: str, parents: tuple[int, ...]) -> object:
    # Fields that the constructor does not take could not be given back to it.
    fields = {field.name: getattr(value, field.name) for field in type(value).__attrs_attrs__ if field.init}
    return _own(value, _encode_dict(fields, path, parents))


def _own(value: object, data: object) -> dict[str, object]:
    return _tagged(_qualified(type(value)), getattr(type(value), "__version__", 0), data)


def _encoder_by_nature(value: Any) -> Callable[[Any, str, tuple[int, ...]], Any] | None:
    """The encoder of a value whose very class is in no table: a subclass, or a class of the author's."""
    kind = type(value)
    if isinstance(value, tuple) and hasattr(kind, "_fields"):
        return _encode_tuple
    if hasattr(kind, "__pydantic_fields__") and not hasattr(kind, "__dataclass_fields__"):
        return _encode_pydantic
    for base, encode in _BASES:
        if isinstance(value, base):
            return encode
    if hasattr(kind, "serialize"):
        return _encode_serializable
    if hasattr(kind, "__dataclass_fields__"):
        return _encode_dataclass
    if hasattr(kind, "__attrs_attrs__"):
        return _encode_attrs
    return None


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _no_encoding(kind: type) -> str:
    name = _qualified(kind).removeprefix("builtins.")
    return (
        f"a value of type {name} has no encoding; return what JSON knows, dates, sets or tuples of it, a dataclass, "
        "or give the class a serialize() method"
    )


_ENCODERS: dict[type, Callable[[Any, str, tuple[int, ...]], Any]] = {
    dict: _encode_dict,
    list: _encode_items,
    tuple: _encode_tuple,
    set: _encode_set,
    frozenset: _encode_set,
    datetime: _encode_datetime,
    date: _encode_date,
    timedelta: _encode_timedelta,
    timezone: _encode_bare_zone,
    TaggedValue: _encode_tagged_value,
}

# Classes whose modules need not be loaded to know their values.
_ENCODERS_BY_NAME: dict[str, Callable[[Any, str, tuple[int, ...]], Any]] = {
    "decimal.Decimal": _encode_decimal,
    "uuid.UUID": _encode_uuid,
    _FIXED_ZONE: _encode_bare_zone,
    _NAMED_ZONE: _encode_bare_zone,
    _ZONEINFO: _encode_bare_zone,
    "outboard.sdk.later.Later": _encode_later,
    "outboard.sdk.xcom_sequence.LazyXComSequence": _encode_sequence,
    **{
        f"numpy.{name}": _encode_numpy
        for name in (
            *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"),
            *("float16", "float32", "float64", "bool", "bool_"),
        )
    },
}

_BASES: tuple[tuple[type, Callable[[Any, str, tuple[int, ...]], Any]], ...] = (
    (str, _encode_text),
    (int, _encode_int),
    (float, _encode_float),
    (dict, _encode_dict),
    (list, _encode_items),
    (datetime, _encode_datetime),
    (date, _encode_date),
    (timedelta, _encode_timedelta),
)

# What cannot contain anything, and so neither itself nor too much.
_LEAVES = frozenset(
    {
        *(_encode_text, _encode_int, _encode_float, _encode_datetime, _encode_bare_zone, _encode_date),
        *(_encode_timedelta, _encode_decimal, _encode_uuid, _encode_numpy),
    }
)


# ── decoding ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def deserialize(value: Any, find_class: FindClass | None = None) -> Any:
    """The Python value of an encoded one. Data that its class's decoder cannot read stays a `TaggedValue`.

    Args:
        value: what was encoded.
        find_class: gives the class of a name if values of it are to be made, and None of all other names.

    Raises:
        SerializationError: the value is nested too deeply to be read, or a class that was found does not take its data.
    """
    try:
        return _decode(value, find_class)
    except RecursionError:
        raise SerializationError("", "the encoded value is nested too deeply to be read") from None


def _decode(value: Any, find_class: FindClass | None) -> Any:
    if isinstance(value, list):
        return [_decode(item, find_class) for item in value]
    if not isinstance(value, dict):
        return value
    if OLD_TYPE in value and OLD_DATA in value:
        return _decode_old(value[OLD_TYPE], value[OLD_DATA], find_class)
    classname = value.get(CLASSNAME)
    version = value.get(VERSION)
    if not isinstance(classname, str) or not isinstance(version, int):
        return {key: _decode(item, find_class) for key, item in value.items()}
    return _decode_tagged(classname, version, _decode(value.get(DATA), find_class), find_class)


def _decode_old(name: object, data: Any, find_class: FindClass | None) -> Any:
    if name == OLD_DICT:
        return _decode(data, find_class)
    return _decode_tagged(_OLD_NAMES.get(str(name), str(name)), 0, _decode(data, find_class), find_class)


def _decode_tagged(classname: str, version: int, data: Any, find_class: FindClass | None) -> Any:
    known = _DECODERS.get(classname)
    if known is not None and version <= known[0]:
        try:
            return known[1](data)
        except (ArithmeticError, LookupError, OSError, TypeError, ValueError):
            pass  # as inert as a class that is not known; the sender may mean something by it
    if known is None and find_class is not None:
        kind = find_class(classname)
        if kind is not None:
            from outboard.protocol.serde_classes import make

            return make(kind, version, data)
    return TaggedValue(classname, version, data)


def _decode_datetime(data: Any) -> datetime:
    if isinstance(data, (int, float)):
        return _EPOCH + timedelta(seconds=data)
    zone = data["tz"]
    if zone is None:
        return datetime.fromtimestamp(data["timestamp"])  # noqa: DTZ006  # naive it was, in its worker's local time
    # Airflow's version 1 has the bare name here, version 2 the tuple whose first item it is.
    instant = _EPOCH + timedelta(seconds=data["timestamp"])
    return instant.astimezone(_decode_zone(zone if isinstance(zone, str) else zone[0]))


def _decode_zone(name: Any) -> tzinfo:
    if name in ("UTC", 0, ""):
        return timezone.utc
    if isinstance(name, str):
        from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

        try:
            return ZoneInfo(name)
        except ZoneInfoNotFoundError:
            return timezone.utc  # slim systems have no zones: the instant stays right
    return timezone(timedelta(seconds=name))


def _decode_timedelta(data: Any) -> timedelta:
    return timedelta(seconds=float(data))


def _decode_decimal(data: Any) -> Any:
    from decimal import Decimal

    return Decimal(str(data))


def _decode_uuid(data: Any) -> Any:
    from uuid import UUID

    return UUID(str(data))


def _decode_number(data: Any) -> Any:
    if isinstance(data, (int, float)):
        return data
    raise TypeError(f"{data!r} is no number")


def _items(make: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def decode(data: Any) -> Any:
        if not isinstance(data, list):
            raise TypeError(f"{data!r} is no list")
        return make(data)

    return decode


# The highest version that each decoder reads, and the decoder.
_DECODERS: dict[str, tuple[int, Callable[[Any], Any]]] = {
    "builtins.tuple": (1, _items(tuple)),
    "builtins.set": (1, _items(set)),
    "builtins.frozenset": (1, _items(frozenset)),
    "datetime.datetime": (2, _decode_datetime),
    "pendulum.datetime.DateTime": (2, _decode_datetime),
    "datetime.date": (2, date.fromisoformat),
    "pendulum.date.Date": (2, date.fromisoformat),
    "datetime.timedelta": (2, _decode_timedelta),
    _FIXED_ZONE: (1, _decode_zone),
    _NAMED_ZONE: (1, _decode_zone),
    _ZONEINFO: (1, _decode_zone),
    "decimal.Decimal": (1, _decode_decimal),
    "uuid.UUID": (1, _decode_uuid),
    **{name: (1, _decode_number) for name in _ENCODERS_BY_NAME if name.startswith("numpy.")},
}

_OLD_NAMES = {
    "frozenset": "builtins.frozenset",
    "datetime": "datetime.datetime",
    "timedelta": "datetime.timedelta",
    "tuple": "builtins.tuple",
    "set": "builtins.set",
}
