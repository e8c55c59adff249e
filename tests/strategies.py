"""hypothesis strategies for the values that the protocol carries, and for those that it must refuse or tame."""

from __future__ import annotations

import enum
import functools
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from outboard.protocol import messages as m

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

__all__ = (
    "HAZARDOUS_NAMES",
    "LARGEST_INT",
    "ODD_OBJECTS",
    "SMALLEST_INT",
    "any_object",
    "exceptions",
    "extra_names",
    "hostile_extras",
    "instants",
    "integers",
    "json_values",
    "messages",
    "odd_objects",
    "texts",
    "zoned_datetimes",
)

SMALLEST_INT = -(2**63)
LARGEST_INT = 2**64 - 1


def texts(**bounds: Any) -> SearchStrategy[str]:
    """Text that UTF-8 can carry."""
    return st.text(st.characters(exclude_categories=["Cs"]), **bounds)


def integers() -> SearchStrategy[int]:
    """What msgpack carries, its corners included."""
    corners = (0, -1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63, SMALLEST_INT, LARGEST_INT)
    return st.sampled_from(corners) | st.integers(SMALLEST_INT, LARGEST_INT)


def json_values(max_leaves: int = 20) -> SearchStrategy[Any]:
    """Values of the JSON-typed fields."""
    leaves = st.none() | st.booleans() | integers() | st.floats(allow_nan=False, allow_infinity=False) | texts()
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(max_size=8), inner, max_size=4),
        max_leaves=max_leaves,
    )


def instants() -> SearchStrategy[datetime]:
    """Moments in UTC, from the year 1 to the year 9999, in each width of msgpack's timestamps."""
    corners = (
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC),  # the last second of the 32-bit form
        datetime(2106, 2, 7, 6, 28, 16, tzinfo=UTC),
        datetime(2514, 5, 30, 1, 53, 3, 999_999, UTC),  # the last of the 64-bit form
        datetime(2514, 5, 30, 1, 53, 4, tzinfo=UTC),
    )
    return st.sampled_from(corners) | st.datetimes(timezones=st.just(UTC))


def zoned_datetimes() -> SearchStrategy[datetime]:
    """Aware datetimes at fixed offsets, far enough from both ends of time to have an instant in UTC."""
    offsets = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
    return st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=offsets)  # noqa: DTZ001  # bounds are naive


# ── what logging calls may hand over ──────────────────────────────────────────────────────────────────────────────


class _Colour(enum.Enum):
    RED = "red"


class _Count(enum.IntEnum):
    ONE = 1


class _Name(str):
    def __len__(self) -> int:
        raise RuntimeError("a text that does not know its length")


class _BrokenRepr:
    def __repr__(self) -> str:
        raise ValueError("no repr")


class _LyingClass:
    @property
    def __class__(self) -> type:  # type: ignore[override]
        raise RuntimeError("an unbound proxy")


class _BrokenList(list[int]):
    def __iter__(self) -> Any:
        raise RuntimeError("not now")


def _cyclic() -> list[object]:
    value: list[object] = []
    value.append(value)
    return value


def _deep(levels: int) -> object:
    value: object = "bottom"
    for _ in range(levels):
        value = [value]
    return value


# A proxy's `isinstance` answer and its type differ.
class _TextProxy:
    @property
    def __class__(self) -> type:  # type: ignore[override]
        return str


# By name, since test tools too look at what they are given.
ODD_OBJECTS: dict[str, object] = {
    "bytes": b"\xff\x00",
    "bytearray": bytearray(b"x"),
    "decimal": Decimal("1.10"),
    "timedelta": timedelta(days=-1, seconds=3),
    "complex": complex(1, 2),
    "nan": float("nan"),
    "infinity": float("inf"),
    "minus infinity": -float("inf"),
    "2^64": 2**64,
    "-2^63-1": -(2**63) - 1,
    "too many digits": 10**5000,
    "lone surrogate": "\ud800 alone",
    "long text": "x" * 70_000,
    "long wide text": "ä\udc80" * 70_000,
    "enum": _Colour.RED,
    "int enum": _Count.ONE,
    "odd text": _Name("ada"),
    "broken repr": _BrokenRepr(),
    "lying class": _LyingClass(),
    "text proxy": _TextProxy(),
    "broken list": _BrokenList([1]),
    "cycle": _cyclic(),
    "deep": _deep(2_000),
    "odd keys": {(1, 2): 3, None: 4, b"k": 5, "\udc80": 6, 10**5000: 7},
    "many": [[]] * 20_000,
    "an exception": ValueError("an exception"),
    "a class": object,
}


# What hypothesis itself cannot print.
_UNPRINTABLE = {
    "too many digits",
    "odd text",
    "broken repr",
    "lying class",
    "text proxy",
    "broken list",
    "odd keys",
    "deep",
    "long text",
    "long wide text",
    "many",
}


def odd_objects() -> SearchStrategy[Any]:
    """One of `ODD_OBJECTS`, if it can be printed."""
    return st.sampled_from(sorted(ODD_OBJECTS.keys() - _UNPRINTABLE)).map(lambda name: ODD_OBJECTS[name])


def any_object() -> SearchStrategy[Any]:
    """Whatever an author's code may pass to a logger."""
    leaves = json_values(5) | odd_objects() | st.text() | st.integers() | st.floats() | st.datetimes()
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3) | st.tuples(inner) | st.dictionaries(st.text() | st.none(), inner, max_size=3)
        ),
        max_leaves=8,
    )


# Parameter names of what a logging call passes through in a supervisor, and names that its processors or its log page read.
HAZARDOUS_NAMES = (
    *("args", "kw", "self", "target", "msg", "level", "event", "method_name", "event_kw", "event_args", "loggers"),
    *("positional_args", "exc_info", "exception", "error_detail", "stack_info", "stack", "logger", "logger_name"),
    *(
        "timestamp",
        "invalid_timestamp",
        "_record",
        "_from_structlog",
        "_logger",
        "_name",
        "__level_override",
        "log_level",
    ),
    *("lineno", "process", "thread", "filename", "funcName", "func_name", "pathname", "module", "threadName", "loc"),
    *("message", "name", "asctime", "created", "levelname", "type", "line", "value", "default", "dict", "cls", "", "…"),
    *("password", "class", "None", "{", "%s", "%(x)d", "\n", "\x00", "ü", "\ud800", "msg_", "msg__"),
)


def extra_names() -> SearchStrategy[str]:
    """Names of extras: dangerous ones first."""
    return st.sampled_from(HAZARDOUS_NAMES) | st.text(max_size=12)


def exceptions() -> SearchStrategy[Any]:
    """Values of the extra ``exception``: the right shape, nearly the right shape, and anything."""
    frame = st.fixed_dictionaries(
        {},
        optional={
            "filename": st.text() | st.none(),
            "lineno": st.integers() | st.none(),
            "name": st.text() | st.none(),
        },
    )
    link = st.fixed_dictionaries(
        {"frames": st.lists(frame, max_size=3) | st.none()},
        optional={
            "exc_type": any_object(),
            "exc_value": any_object(),
            "is_cause": st.booleans(),
            "other": any_object(),
        },
    )
    return st.lists(link, max_size=3) | any_object()


def hostile_extras() -> SearchStrategy[dict[str, Any]]:
    """The extras of a logging call."""
    plain = st.dictionaries(extra_names(), any_object(), max_size=4)
    return st.builds(
        lambda extras, chain: {**extras, **chain},
        plain,
        st.just({}) | st.fixed_dictionaries({"exception": exceptions()}),
    )


# ── messages, from the catalogue's own types ──────────────────────────────────────────────────────────────────────


def messages(name: str) -> SearchStrategy[m.Message]:
    """Any message of this name that its schema takes."""
    return _definition(name)


@functools.cache
def _definition(name: str) -> SearchStrategy[m.Message]:
    built = m.definition(name)
    # A field that is left out has its default, and None says no more than that.
    fields = {
        field: _of_kind(kind) if required or default is None else _of_kind(_without_null(kind))
        for field, kind, required, default in built.spec
    }
    return st.deferred(lambda: st.builds(built, **fields))


def _without_null(kind: Any) -> Any:
    return kind[1] if kind[0] == "optional" else kind


def _of_kind(kind: Any) -> SearchStrategy[Any]:
    if isinstance(kind, str):
        return _SCALARS[kind]()
    head, *rest = kind
    if head == "ref":
        values = m.enum_values(rest[0])
        return st.deferred(lambda: _definition(rest[0])) if values is None else st.sampled_from(values)
    if head == "enum":
        return st.sampled_from(rest)
    if head == "list":
        return st.lists(_of_kind(rest[0]), min_size=rest[1], max_size=rest[1] + 2)
    if head == "map":
        return st.dictionaries(texts(max_size=8), _of_kind(rest[0]), max_size=3)
    if head in ("above", "least"):
        bound, scalar = rest
        return _of_kind(scalar).filter(lambda number: number > bound or (head == "least" and number == bound))
    parts = [_of_kind(part) for part in rest]
    if head == "tuple":
        return st.tuples(*parts)
    return st.one_of(*parts) if head == "union" else st.none() | parts[0]


_SCALARS: dict[str, Callable[[], SearchStrategy[Any]]] = {
    "any": lambda: json_values(5),
    "bool": st.booleans,
    "datetime": lambda: instants() | zoned_datetimes(),
    "duration": st.timedeltas,
    "int": integers,
    "json": lambda: json_values(5),
    "null": st.none,
    # Whole numbers only as far as a float holds them: Airflow reads this kind as floats.
    "number": lambda: st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53),
    "str": texts,
    "uuid": lambda: st.uuids().map(str),
}
