"""msgpack with the protocol's settings; the only module that imports it, and not before that pays.

Aware datetimes travel as the timestamp extension and come back in UTC. Other extension codes come back as opaque
`msgpack.ExtType` values, since a reader must not fail on what it does not know.

A process that exchanges a few short values does without the library, see `outboard.protocol.short_packing`. Later it is loaded
in the middle of a call, whatever locks the caller holds; so a process calls `load` before it starts a thread.
"""

from __future__ import annotations

from outboard.errors import LocalProtocolError, RemoteProtocolError
from outboard.protocol import short_packing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.types import Buffer

__all__ = ("WORTH_LOADING", "load", "packb", "unpackb")

WORTH_LOADING = 64 * 1024
"""Bytes of short values that take as long without the library as the library takes to load."""

_library: Any = None
_pack: Any = None
_handled = 0  # bytes, without the library

_UNPACK_ERRORS = (ValueError, TypeError, OverflowError, RecursionError)


def load() -> None:
    """Load the library, if it isn't loaded.

    Raises:
        ImportError: it is not there, or this thread is in the middle of importing it, or something that it needs.
    """
    global _library, _pack
    if _library is not None:
        return
    import msgpack
    from msgpack import Packer, packb

    # Reusing one packer saves building its buffer for each message. In C it holds the GIL for a whole call, so threads may
    # share it; in pure Python it does not, and each call needs a buffer of its own.
    is_compiled = Packer.__module__ != "msgpack.fallback"
    options = {"datetime": True, "default": _other}
    _pack = Packer(**options).pack if is_compiled else lambda value: packb(value, **options)
    _library = msgpack


def _other(value: Any) -> object:
    """What msgpack does not know: a kind of datetime, such as pendulum's, or that of a clock which a test has stopped."""
    if not hasattr(value, "utctimetuple") or value.utcoffset() is None:
        raise TypeError(f"can not serialize {type(value).__name__!r} object")
    from calendar import timegm

    return _library.Timestamp(timegm(value.utctimetuple()), value.microsecond * 1000)


def packb(value: object) -> bytes:
    """Encode one value.

    Raises:
        LocalProtocolError: the value has a part that msgpack cannot carry. `codec.check_json` tells which.
        ImportError: the library is needed, and cannot be loaded.
    """
    if _library is None:
        short = short_packing.pack(value)
        if short is not None:
            _count(len(short))
            return short
        load()
    try:
        packed: bytes = _pack(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise LocalProtocolError(f"a value cannot be packed: {error}") from error
    return packed


def unpackb(data: Buffer) -> object:
    """Decode exactly one value. Maps with arrays as keys come back with tuples as keys.

    Raises:
        RemoteProtocolError: the data is not msgpack, is cut short, or goes on behind the value.
        ImportError: the library is needed, and cannot be loaded.
    """
    if _library is None:
        for short in short_packing.unpack(bytes(data)):
            _count(len(data))
            return short
        load()
    try:
        value: object = _library.unpackb(data, timestamp=3, strict_map_key=False, ext_hook=_extension)
    except TypeError:
        return _unpack_odd_keys(data)
    except (*_UNPACK_ERRORS, _library.UnpackException) as error:
        raise RemoteProtocolError(f"a frame's payload is not one msgpack value: {_reason(error)}") from error
    return value


def _count(size: int) -> None:
    global _handled
    _handled += size
    if _handled > WORTH_LOADING:
        try:  # noqa: SIM105  # contextlib is not the child's to load
            load()
        except ImportError:  # next time
            pass


def _unpack_odd_keys(data: Buffer) -> object:
    # Only the one message with such a key is of no use; refusing the payload would end the whole exchange.
    try:
        value: object = _library.unpackb(
            data, timestamp=3, strict_map_key=False, ext_hook=_extension, object_pairs_hook=_map
        )
    except (*_UNPACK_ERRORS, _library.UnpackException) as error:
        raise RemoteProtocolError(f"a frame's payload is not one msgpack value: {_reason(error)}") from error
    return value


def _map(pairs: list[tuple[object, object]]) -> dict[object, object]:
    return {_key(key): value for key, value in pairs}


def _key(key: object) -> object:
    return tuple(map(_key, key)) if isinstance(key, list) else key


def _extension(code: int, data: bytes) -> object:
    # ExtType itself refuses the negative codes, which msgpack keeps for later use.
    return tuple.__new__(_library.ExtType, (code, data))


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
