"""msgpack with the protocol's settings; the only module that imports it.

Aware datetimes travel as the timestamp extension and come back in UTC. Other extension codes come back as opaque
`msgpack.ExtType` values, since a reader must not fail on what it does not know.
"""

from __future__ import annotations

import msgpack

from outboard.errors import LocalProtocolError, RemoteProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.types import Buffer

__all__ = ("packb", "unpackb")

# Reusing one packer saves building its buffer for each message. In C it holds the GIL for a whole call, so threads may share
# it; in pure Python it does not, and each call needs a buffer of its own.
_IS_COMPILED = msgpack.Packer.__module__ != "msgpack.fallback"


def _other(value: Any) -> object:
    """What msgpack does not know: a kind of datetime, such as pendulum's, or that of a clock which a test has stopped."""
    if not hasattr(value, "utctimetuple") or value.utcoffset() is None:
        raise TypeError(f"can not serialize {type(value).__name__!r} object")
    from calendar import timegm

    return msgpack.Timestamp(timegm(value.utctimetuple()), value.microsecond * 1000)


_packer = msgpack.Packer(datetime=True, default=_other)

_UNPACK_ERRORS = (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException)


def packb(value: object) -> bytes:
    """Encode one value.

    Raises:
        LocalProtocolError: the value has a part that msgpack cannot carry. `codec.check_json` tells which.
    """
    try:
        packed: bytes = _packer.pack(value) if _IS_COMPILED else msgpack.packb(value, datetime=True, default=_other)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise LocalProtocolError(f"a value cannot be packed: {error}") from error
    return packed


def unpackb(data: Buffer) -> object:
    """Decode exactly one value. Maps with arrays as keys come back with tuples as keys.

    Raises:
        RemoteProtocolError: the data is not msgpack, is cut short, or goes on behind the value.
    """
    try:
        value: object = msgpack.unpackb(data, timestamp=3, strict_map_key=False, ext_hook=_extension)
    except TypeError:
        return _unpack_odd_keys(data)
    except _UNPACK_ERRORS as error:
        raise RemoteProtocolError(f"a frame's payload is not one msgpack value: {_reason(error)}") from error
    return value


def _unpack_odd_keys(data: Buffer) -> object:
    # Only the one message with such a key is of no use; refusing the payload would end the whole exchange.
    try:
        value: object = msgpack.unpackb(
            data, timestamp=3, strict_map_key=False, ext_hook=_extension, object_pairs_hook=_map
        )
    except _UNPACK_ERRORS as error:
        raise RemoteProtocolError(f"a frame's payload is not one msgpack value: {_reason(error)}") from error
    return value


def _map(pairs: list[tuple[object, object]]) -> dict[object, object]:
    return {_key(key): value for key, value in pairs}


def _key(key: object) -> object:
    return tuple(map(_key, key)) if isinstance(key, list) else key


def _extension(code: int, data: bytes) -> object:
    # ExtType itself refuses the negative codes, which msgpack keeps for later use.
    return tuple.__new__(msgpack.ExtType, (code, data))


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
