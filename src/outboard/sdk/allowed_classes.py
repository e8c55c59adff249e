"""Classes that values in XComs may be of, beside those of the author's own modules."""

from __future__ import annotations

__all__ = ("allow_class", "allowed_class")

_allowed: dict[str, type] = {}


def allow_class(cls: type) -> None:
    """Let encoded values of a class be made again in this process: for classes of libraries; an author's own need none.

    A class that is not allowed is never made, whatever an XCom says; its values are inert.

    Raises:
        ValueError: the class is not found in its module under its own name, and so cannot be named.
    """
    if "." in cls.__qualname__:
        raise ValueError(
            f"{cls.__module__}.{cls.__qualname__} is defined inside a function or a class; define it at the module's top"
        )
    _allowed[f"{cls.__module__}.{cls.__qualname__}"] = cls


def allowed_class(name: str) -> type | None:
    """The class of that dotted name that was allowed, or None."""
    return _allowed.get(name)
