"""A stand-in for a value of the context that is made when it is used. Loaded by functions that take ``**context``."""

from __future__ import annotations

import operator

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

__all__ = ("Later",)


class Later:
    """Acts like ``context[key]``, which is looked up when something is done with it. `isinstance` sees the value's class."""

    __slots__ = ("_outboard_context", "_outboard_key")

    def __init__(self, context: Any, key: str) -> None:
        object.__setattr__(self, "_outboard_context", context)
        object.__setattr__(self, "_outboard_key", key)

    def __getattr__(self, name: str) -> Any:
        return getattr(_value(self), name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(_value(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(_value(self), name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return type(_value(self))

    def __bool__(self) -> bool:
        return bool(_value(self))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call what it stands for."""
        return _value(self)(*args, **kwargs)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _itself, (_value(self),)


def _itself(value: Any) -> Any:
    return value


def _value(later: Any) -> Any:
    context = object.__getattribute__(later, "_outboard_context")
    return context[object.__getattribute__(later, "_outboard_key")]


def _plain(value: object) -> object:
    return _value(value) if type(value) is Later else value


def _forwarding(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, *rest: function(_value(self), *map(_plain, rest))


def _reflected(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: function(other, _value(self))


# What Python looks up in a class and not in its instance.
_UNARY: dict[str, Callable[..., Any]] = {
    "repr": repr,
    "str": str,
    "hash": hash,
    "len": len,
    "iter": iter,
    "next": next,
    "reversed": reversed,
}
_BINARY = ("lt", "le", "eq", "ne", "gt", "ge", "getitem", "delitem", "contains", "add", "sub")

for _name, _function in _UNARY.items():
    setattr(Later, f"__{_name}__", _forwarding(_function))
for _name in _BINARY:
    setattr(Later, f"__{_name}__", _forwarding(getattr(operator, _name)))
setattr(Later, "__setitem__", _forwarding(operator.setitem))  # noqa: B010  # type checkers would want a declaration
setattr(Later, "__format__", _forwarding(format))  # noqa: B010
for _name in ("add", "sub"):
    setattr(Later, f"__r{_name}__", _reflected(getattr(operator, _name)))
