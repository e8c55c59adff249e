"""Values of an author's classes, made again from what `outboard.protocol.serde` has encoded of them.

Knows how each kind of class takes its data back. Which classes may be made is for others to say.
"""

from __future__ import annotations

from outboard.errors import SerializationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ("make",)


def make(kind: Any, version: int, data: Any) -> Any:
    """A value of a class: a pydantic model, one with ``deserialize(data, version)``, a dataclass or an attrs class.

    Args:
        kind: the class.
        version: of the data; the class's own is its ``__version__``, or 0.
        data: what was encoded, decoded.

    Raises:
        SerializationError: the class is of no such kind, the data is of a newer version than the class, or not for it.
    """
    name = f"{kind.__module__}.{kind.__qualname__}"
    try:
        return _made(kind, version, data)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
        raise SerializationError("", f"an encoded value of the class {name} cannot be made again: {said}") from error


def _made(kind: Any, version: int, data: Any) -> Any:
    is_dataclass = hasattr(kind, "__dataclass_fields__")
    if hasattr(kind, "__pydantic_fields__") and not is_dataclass:
        return kind.model_validate(data)
    if hasattr(kind, "deserialize"):
        return kind.deserialize(data, version)
    if not is_dataclass and not hasattr(kind, "__attrs_attrs__"):
        raise TypeError("it is no dataclass, attrs class or pydantic model, and has no deserialize(data, version)")
    if version > getattr(kind, "__version__", 0):
        raise TypeError(f"it is of version {version}, and the class of {getattr(kind, '__version__', 0)}")
    if not isinstance(data, dict):
        raise TypeError(f"its fields are a dict, not {type(data).__name__}")
    return kind(**_arguments(kind, data))


def _arguments(kind: Any, data: dict[str, Any]) -> dict[str, Any]:
    # What a constructor does not take, it makes itself.
    if hasattr(kind, "__attrs_attrs__"):
        names = {field.name: getattr(field, "alias", None) or field.name.lstrip("_") for field in kind.__attrs_attrs__}
        return {names.get(name, name): value for name, value in data.items()}
    made = {name for name, field in kind.__dataclass_fields__.items() if not field.init}
    return {name: value for name, value in data.items() if name not in made}
