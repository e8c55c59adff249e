"""msgpack with the protocol's settings; the only module that imports it.

Aware datetimes travel as the timestamp extension and come back in UTC. Other extension codes come back as opaque
`msgpack.ExtType` values, since a reader must not fail on what it does not know.
"""

from __future__ import annotations

import msgpack

from outboard.errors import LocalProtocolError, RemoteProtocolError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from outboard.types import Buffer

__all__ = ("packb", "unpackb")

# Reusing one packer saves building its buffer for each message. It holds the GIL for a whole call, so threads may share it.
_packer = msgpack.Packer(datetime=True)

_UNPACK_ERRORS = (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException)


def packb(value: object) -> bytes:
    """Encode one value.

    Raises:
        LocalProtocolError: the value has a part that msgpack cannot carry. `codec.check_json` tells which.
    """
    try:
        packed: bytes = _packer.pack(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise LocalProtocolError(f"a value cannot be packed: {error}") from error
    return packed


def unpackb(data: Buffer) -> object:
    """Decode exactly one value.

    Raises:
        RemoteProtocolError: the data is not msgpack, is cut short, or goes on behind the value.
    """
    try:
        value: object = msgpack.unpackb(data, timestamp=3, strict_map_key=False)
    except _UNPACK_ERRORS as error:
        raise RemoteProtocolError(f"a frame's payload is not one msgpack value: {_reason(error)}") from error
    return value


def _reason(error: BaseException) -> str:
    return str(error) or type(error).__name__
