"""Frames as a peer may send them, sound or not: any array, in the narrowest encoding or in the widest.

The kit's own writer, so that a check can send what `outboard.protocol` refuses to.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgpack

__all__ = ("frame", "pack", "prefixed", "unknown_extension", "wide_frame")

HEADER = struct.Struct(">I")

# Of no meaning to anybody.
UNKNOWN_TYPE = 42


def pack(value: object) -> bytes:
    """A value in msgpack, its times as timestamps."""
    return bytes(msgpack.packb(value, datetime=True))


def prefixed(payload: bytes) -> bytes:
    """A payload behind its length."""
    return HEADER.pack(len(payload)) + payload


def frame(*elements: object) -> bytes:
    """A frame of any number of elements."""
    return prefixed(pack(list(elements)))


def unknown_extension() -> msgpack.ExtType:
    """A value of an extension type that nobody knows."""
    return msgpack.ExtType(UNKNOWN_TYPE, b"\x00\x01\x02")


def wide_frame(*elements: object) -> bytes:
    """A frame in which every header has the widest form that msgpack knows."""
    return prefixed(_wide(list(elements)))


def _wide(value: Any) -> bytes:
    if value is None or isinstance(value, bool | float | datetime):
        return pack(value)
    if isinstance(value, int):
        return b"\xcf" + struct.pack(">Q", value) if value >= 0 else b"\xd3" + struct.pack(">q", value)
    if isinstance(value, str):
        data = value.encode()
        return b"\xdb" + HEADER.pack(len(data)) + data
    if isinstance(value, Mapping):
        pairs = b"".join(_wide(key) + _wide(item) for key, item in value.items())
        return b"\xdf" + HEADER.pack(len(value)) + pairs
    if isinstance(value, Sequence):
        return b"\xdd" + HEADER.pack(len(value)) + b"".join(map(_wide, value))
    raise TypeError(f"no wide form for {type(value).__name__}")
