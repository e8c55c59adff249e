"""Names for the shapes that cross module borders. Only type checkers read most of this."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import TypeAlias

    JsonValue: TypeAlias = "str | int | float | bool | Sequence[JsonValue] | Mapping[str, JsonValue] | None"
    Buffer: TypeAlias = "bytes | bytearray | memoryview"

__all__ = ("Buffer", "JsonValue")


def __getattr__(name: str) -> object:
    # At run time these names stand for nothing; importing typing to define them would cost every task.
    if name in __all__:
        return object
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
