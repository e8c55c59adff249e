"""The parameters of a callable, and which arguments a call must give.

Plain functions, which is what tasks nearly always are, are read through ``__code__``; `inspect` costs more than the whole
rest of a task's start, so it is imported for unusual callables only.
"""

from __future__ import annotations

from outboard.sdk.context import CONTEXT_KEYS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from typing import Any

__all__ = ("Signature", "is_coroutine", "returns_mapping", "unwrap")

_VARIADIC = 0x04  # CO_VARARGS
_KEYWORDS = 0x08  # CO_VARKEYWORDS
_COROUTINE = 0x80 | 0x100  # CO_COROUTINE, CO_ITERABLE_COROUTINE

_Function = type(lambda: None)

# What tasks usually return is known to be no mapping.
_PLAIN = (bool, bytes, float, int, list, object, set, str, tuple)

# A composite annotation without any of these is no mapping; skipping it saves evaluating what may be costly.
_MAPPING_HINTS = ("dict", "Dict", "Mapping", "Counter")


class Signature:
    """The parameters of one callable.

    Attributes:
        positional: names of the parameters that may be given by position, in order.
        positional_only: how many of these may be given by position alone.
        keyword_only: names of the others.
        defaults: the default of each parameter that has one.
        variadic: whether there is ``*args``.
        keywords: whether there is ``**kwargs``.
    """

    __slots__ = ("defaults", "keyword_only", "keywords", "positional", "positional_only", "variadic")

    def __init__(
        self,
        positional: tuple[str, ...],
        positional_only: int,
        keyword_only: tuple[str, ...],
        defaults: dict[str, Any],
        variadic: bool,
        keywords: bool,
    ) -> None:
        self.positional = positional
        self.positional_only = positional_only
        self.keyword_only = keyword_only
        self.defaults = defaults
        self.variadic = variadic
        self.keywords = keywords

    @classmethod
    def of(cls, function: Callable[..., Any]) -> Signature:
        """The signature of a callable; of one that wraps another, that of the wrapped one.

        Raises:
            TypeError: the callable hides its parameters, as some written in C do.
        """
        plain = unwrap(function)
        if type(plain) is _Function and not hasattr(plain, "__signature__"):
            return cls._of_code(plain)
        return cls._inspected(function)

    @classmethod
    def _of_code(cls, function: Any) -> Signature:
        code = function.__code__
        names = code.co_varnames
        positional = names[: code.co_argcount]
        keyword_only = names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
        values = function.__defaults__ or ()
        defaults = dict(zip(positional[len(positional) - len(values) :], values, strict=True))
        defaults.update(function.__kwdefaults__ or ())
        flags = code.co_flags
        return cls(
            positional,
            code.co_posonlyargcount,
            keyword_only,
            defaults,
            bool(flags & _VARIADIC),
            bool(flags & _KEYWORDS),
        )

    @classmethod
    def _inspected(cls, function: Callable[..., Any]) -> Signature:
        import inspect

        try:
            parameters = inspect.signature(function).parameters.values()
        except ValueError as error:
            raise TypeError(f"the parameters of {function!r} cannot be found out: {error}") from None
        kinds = {parameter.kind for parameter in parameters}
        by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        return cls(
            tuple(p.name for p in parameters if p.kind in by_position),
            sum(p.kind is inspect.Parameter.POSITIONAL_ONLY for p in parameters),
            tuple(p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY),
            {p.name: p.default for p in parameters if p.default is not inspect.Parameter.empty},
            inspect.Parameter.VAR_POSITIONAL in kinds,
            inspect.Parameter.VAR_KEYWORD in kinds,
        )

    @property
    def names(self) -> tuple[str, ...]:
        """All named parameters, in order."""
        return self.positional + self.keyword_only

    def check(self, label: str, args: Collection[Any], kwargs: Mapping[str, Any]) -> None:
        """Refuse a call that could not work once the context's keys are filled in.

        Args:
            label: what is called, for the error.
            args: the positional arguments.
            kwargs: the keyword arguments.

        Raises:
            TypeError: an argument is missing, unknown or given twice.
            ValueError: a parameter that the context fills has a default, or is given by position.
        """
        if len(args) > len(self.positional) and not self.variadic:
            raise TypeError(f"{label} takes at most {len(self.positional)} positional arguments, not {len(args)}")
        covered = self.positional[: len(args)]
        self.check_defaults(label)
        self._check_positions(label, covered)
        self._check_keywords(label, covered, kwargs)
        # What can be given by position alone is not given by a keyword of its name; that goes to **kwargs.
        by_keyword = self.names[self.positional_only :]
        missing = [
            name
            for name in self.names[len(covered) :]
            if not (name in kwargs and name in by_keyword) and name not in self.defaults and name not in CONTEXT_KEYS
        ]
        if missing:
            raise TypeError(f"{label} is called without {_listed(missing)}")

    def check_defaults(self, label: str) -> None:
        """Refuse a default, other than None, of a parameter that the context fills: which of the two would count?

        Raises:
            ValueError: there is such a parameter.
        """
        for name in self.names:
            if name in CONTEXT_KEYS and self.defaults.get(name) is not None:
                raise ValueError(f"{label}: {name!r} is filled from the context, so its default can only be None")

    def _check_positions(self, label: str, covered: tuple[str, ...]) -> None:
        for name in covered:
            if name in CONTEXT_KEYS:
                raise ValueError(
                    f"{label}: {name!r} is filled from the context, so it takes no positional argument; "
                    "give the arguments after it by keyword"
                )

    def _check_keywords(self, label: str, covered: tuple[str, ...], kwargs: Mapping[str, Any]) -> None:
        by_keyword = self.names[self.positional_only :]
        for name in kwargs:
            if name in by_keyword:
                if name in covered:
                    raise TypeError(f"{label} is given {name!r} twice")
            elif not self.keywords:
                raise TypeError(f"{label} has no parameter {name!r} that can be given by keyword")


def unwrap(function: Any) -> Any:
    """The innermost callable behind `functools.wraps` decorators, unless one of them states its own signature."""
    for _ in range(100):  # a loop of wrappers is possible, if silly
        inner = getattr(function, "__wrapped__", None)
        if inner is None or hasattr(function, "__signature__"):
            break
        function = inner
    return function


def is_coroutine(function: Any) -> bool:
    """Whether calling it gives a coroutine: an ``async def``, also inside a partial, a wrapper or a callable object."""
    if not isinstance(function, _Function):
        from _functools import partial  # type: ignore[import-not-found]  # in C, unlike functools

        while isinstance(function, partial):
            function = function.func
    function = unwrap(function)
    code = getattr(function, "__code__", None)
    if code is None:
        called = getattr(type(function), "__call__", None)  # noqa: B004  # what it is, not whether
        code = getattr(unwrap(called), "__code__", None)
    return bool(code is not None and code.co_flags & _COROUTINE)


def returns_mapping(function: Any) -> bool:
    """Whether the return annotation is a mapping, in which case Airflow takes ``multiple_outputs`` for granted."""
    hint = getattr(function, "__annotations__", {}).get("return")
    if isinstance(hint, str):
        if not hint.replace(".", "").isidentifier() and not any(name in hint for name in _MAPPING_HINTS):
            return False
        hint = _evaluated(hint, getattr(unwrap(function), "__globals__", {}))
    hint = getattr(hint, "__origin__", hint)
    if hint is dict or not isinstance(hint, type) or any(hint is plain for plain in _PLAIN):
        return hint is dict
    from _collections_abc import Mapping  # without the rest of `collections`; most tasks need neither

    return issubclass(hint, Mapping)


def _evaluated(hint: str, namespace: dict[str, Any]) -> Any:
    # An annotation that only type checkers can resolve is common and no error.
    try:
        return eval(hint, namespace)
    except Exception:
        return None


def _listed(names: list[str]) -> str:
    quoted = ", ".join(map(repr, names))
    return f"the argument {quoted}" if len(names) == 1 else f"the arguments {quoted}"
