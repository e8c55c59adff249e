"""msgpack for the few short values that a plain task exchanges, without the library of that name.

To load the library costs a process more than all those values together. What nearly every frame consists of is read and
written here; everything else is declined: other types, other encodings, long or deep values, and whatever is wrong. Must not
decide what an error is: what is declined is the library's to judge, and what is not declined comes out as the library has it.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from marshal import dumps, loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ("DEEPEST", "LONGEST", "pack", "unpack")

LONGEST = 8192
"""Bytes of a value that is read here, and about as many of one that is written: the library is quicker with longer ones."""

DEEPEST = 24
"""Levels of nesting."""

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DAY = 24 * 60 * 60

# msgpack's codes for what comes in several sizes, by how many bytes hold the number: the value itself, or its length.
POSITIVE = {1: 0xCC, 2: 0xCD, 4: 0xCE, 8: 0xCF}
NEGATIVE = {1: 0xD0, 2: 0xD1, 4: 0xD2, 8: 0xD3}
TEXT = {1: 0xD9, 2: 0xDA}
BINARY = {1: 0xC4, 2: 0xC5}
ARRAY = {2: 0xDC}
MAP = {2: 0xDE}
DOUBLE = 0xCB
TIMESTAMPS = {4: b"\xd6\xff", 8: b"\xd7\xff", 12: b"\xc7\x0c\xff"}

# What says that a value is declined, and what a value that should be declined makes Python raise.
_DECLINED = (ValueError, LookupError, TypeError, OverflowError, EOFError, RecursionError)


def pack(value: object) -> bytes | None:
    """Encode a value. None declines it."""
    out = bytearray()
    try:
        _write(value, out, DEEPEST)
    except _DECLINED:
        return None
    return bytes(out)


def unpack(data: bytes) -> tuple[object, ...]:
    """Decode exactly one value, which is then alone in the tuple. An empty tuple declines it."""
    if len(data) > LONGEST:
        return ()
    try:
        value, end = _read(data, 0, DEEPEST)
    except _DECLINED:
        return ()
    return (value,) if end == len(data) else ()


# ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _write(value: Any, out: bytearray, levels: int) -> None:
    WRITERS[type(value)](value, out, levels)


def _write_constant(value: bool | None, out: bytearray, _levels: int) -> None:
    out.append(0xC0 if value is None else 0xC3 if value else 0xC2)


def _write_integer(value: int, out: bytearray, _levels: int) -> None:
    if -32 <= value < 128:
        out.append(value & 0xFF)
        return
    is_signed = value < 0
    bits = (~value).bit_length() + 1 if is_signed else value.bit_length()
    width = 1 if bits <= 8 else 2 if bits <= 16 else 4 if bits <= 32 else 8
    out.append((NEGATIVE if is_signed else POSITIVE)[width])
    out += value.to_bytes(width, "big", signed=is_signed)  # or OverflowError


def _write_float(value: float, out: bytearray, _levels: int) -> None:
    out.append(DOUBLE)
    out += dumps(value, 2)[:0:-1]  # without the letter in front, and the last byte first


def _write_text(value: str, out: bytearray, _levels: int) -> None:
    data = value.encode()
    _write_size(len(data), out, 0xA0, 32, TEXT)
    out += data


def _write_binary(value: bytes, out: bytearray, _levels: int) -> None:
    _write_size(len(value), out, 0, 0, BINARY)
    out += value


def _write_array(value: list[Any] | tuple[Any, ...], out: bytearray, levels: int) -> None:
    _check(out, levels)
    _write_size(len(value), out, 0x90, 16, ARRAY)
    for item in value:
        _write(item, out, levels - 1)


def _write_map(value: dict[Any, Any], out: bytearray, levels: int) -> None:
    _check(out, levels)
    _write_size(len(value), out, 0x80, 16, MAP)
    for key, item in value.items():
        _write(key, out, levels - 1)
        _write(item, out, levels - 1)


def _write_timestamp(value: datetime, out: bytearray, _levels: int) -> None:
    since = value - EPOCH  # or TypeError, for a naive one
    seconds, nanoseconds = since.days * DAY + since.seconds, since.microseconds * 1000
    if nanoseconds == 0 and 0 <= seconds < 1 << 32:
        data = seconds.to_bytes(4, "big")
    elif 0 <= seconds < 1 << 34:
        data = (nanoseconds << 34 | seconds).to_bytes(8, "big")
    else:
        data = nanoseconds.to_bytes(4, "big") + seconds.to_bytes(8, "big", signed=True)
    out += TIMESTAMPS[len(data)] + data


def _write_size(size: int, out: bytearray, short: int, limit: int, codes: dict[int, int]) -> None:
    """What stands before text, bytes or items: how many there are, within the one byte if they are fewer than the limit."""
    if size > LONGEST:
        raise ValueError(size)
    if size < limit:
        out.append(short | size)
        return
    width = 1 if size < 0x100 and 1 in codes else 2
    out.append(codes[width])
    out += size.to_bytes(width, "big")


def _check(out: bytearray, levels: int) -> None:
    if not levels or len(out) > LONGEST:
        raise ValueError(levels)


WRITERS: dict[type, Callable[[Any, bytearray, int], None]] = {
    type(None): _write_constant,
    bool: _write_constant,
    bytes: _write_binary,
    datetime: _write_timestamp,
    dict: _write_map,
    float: _write_float,
    int: _write_integer,
    list: _write_array,
    str: _write_text,
    tuple: _write_array,
}


# ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────
# Each function returns the value and where it ends. A slice that goes beyond the data is shorter than it should be; its end
# then lies beyond the data too, which is seen when all has been read.


def _read(data: bytes, at: int, levels: int) -> tuple[Any, int]:
    code = data[at]
    at += 1
    if 0xA0 <= code < 0xC0:
        end = at + code - 0xA0
        return data[at:end].decode(), end
    if code < 0x80:
        return code, at
    if code >= 0xE0:
        return code - 0x100, at
    if code < 0x90:
        return _read_map(data, at, code - 0x80, levels)
    if code < 0xA0:
        return _read_array(data, at, code - 0x90, levels)
    if code in SINGLE:
        return SINGLE[code], at
    if code in FIXED:
        width, read_fixed = FIXED[code]
        end = at + width
        return read_fixed(data[at:end]), end
    width, read_sized = SIZED[code]
    end = at + width
    return read_sized(data, end, int.from_bytes(data[at:end], "big"), levels)


def _read_map(data: bytes, at: int, size: int, levels: int) -> tuple[dict[Any, Any], int]:
    if not levels:
        raise ValueError(size)
    found = {}
    for _ in range(size):
        key, at = _read(data, at, levels - 1)
        found[key], at = _read(data, at, levels - 1)
    return found, at


def _read_array(data: bytes, at: int, size: int, levels: int) -> tuple[list[Any], int]:
    if not levels:
        raise ValueError(size)
    found = []
    for _ in range(size):
        item, at = _read(data, at, levels - 1)
        found.append(item)
    return found, at


def _read_text(data: bytes, at: int, size: int, _levels: int) -> tuple[str, int]:
    end = at + size
    return data[at:end].decode(), end


def _read_binary(data: bytes, at: int, size: int, _levels: int) -> tuple[bytes, int]:
    end = at + size
    return data[at:end], end


def _unsigned(data: bytes) -> int:
    return int.from_bytes(data, "big")


def _signed(data: bytes) -> int:
    return int.from_bytes(data, "big", signed=True)


def _double(data: bytes) -> Any:
    return loads(b"g" + data[::-1])


def _timestamp_4(data: bytes) -> datetime:
    return _moment(data[:1], _unsigned(data[1:]), 0)


def _timestamp_8(data: bytes) -> datetime:
    both = _unsigned(data[1:])
    return _moment(data[:1], both & (1 << 34) - 1, both >> 34)


def _timestamp_12(data: bytes, at: int, size: int, _levels: int) -> tuple[datetime, int]:
    if size != 12:
        raise ValueError(size)
    end = at + 13
    return _moment(data[at : at + 1], _signed(data[at + 5 : end]), _unsigned(data[at + 1 : at + 5])), end


def _moment(code: bytes, seconds: int, nanoseconds: int) -> datetime:
    if code != b"\xff" or nanoseconds >= 1_000_000_000:
        raise ValueError(code)
    return EPOCH + timedelta(0, seconds, nanoseconds // 1000)


SINGLE = {0xC0: None, 0xC2: False, 0xC3: True}
FIXED: dict[int, tuple[int, Callable[[bytes], Any]]] = {
    **{code: (width, _unsigned) for width, code in POSITIVE.items()},
    **{code: (width, _signed) for width, code in NEGATIVE.items()},
    DOUBLE: (8, _double),
    0xD6: (5, _timestamp_4),
    0xD7: (9, _timestamp_8),
}
SIZED: dict[int, tuple[int, Callable[[bytes, int, int, int], tuple[Any, int]]]] = {
    **{code: (width, _read_text) for width, code in TEXT.items()},
    **{code: (width, _read_binary) for width, code in BINARY.items()},
    **{code: (width, _read_array) for width, code in ARRAY.items()},
    **{code: (width, _read_map) for width, code in MAP.items()},
    0xC7: (1, _timestamp_12),
}
