"""`Signature` sees what `inspect` sees."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.sdk.signature import Signature


def seen_by_inspect(function: Any) -> tuple[Any, ...]:
    parameters = inspect.signature(function).parameters.values()
    kinds = inspect.Parameter
    by_position = (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD)
    return (
        tuple(p.name for p in parameters if p.kind in by_position),
        sum(p.kind is kinds.POSITIONAL_ONLY for p in parameters),
        tuple(p.name for p in parameters if p.kind is kinds.KEYWORD_ONLY),
        {p.name: p.default for p in parameters if p.default is not kinds.empty},
        any(p.kind is kinds.VAR_POSITIONAL for p in parameters),
        any(p.kind is kinds.VAR_KEYWORD for p in parameters),
    )


def seen_by_us(function: Any) -> tuple[Any, ...]:
    s = Signature.of(function)
    return s.positional, s.positional_only, s.keyword_only, s.defaults, s.variadic, s.keywords


def everything(a: Any, b: Any = 1, /, c: Any = 2, *rest: Any, d: Any, e: Any = 3, **more: Any) -> None:
    local = a
    del local


async def coroutine(a: Any, *, b: Any = None) -> None:
    pass


@functools.wraps(everything)
def wrapping(*args: Any, **kwargs: Any) -> None:
    everything(*args, **kwargs)


@functools.wraps(wrapping)
def wrapping_twice(*args: Any, **kwargs: Any) -> None:
    wrapping(*args, **kwargs)


def pretending(*args: Any) -> None:
    pass


pretending.__signature__ = inspect.signature(lambda x, y=1: None)  # type: ignore[attr-defined]


class CallableObject:
    def __call__(self, a: Any, b: Any = 1) -> None:
        pass

    def method(self, a: Any, *, b: Any = 1) -> None:
        pass

    @classmethod
    def of(cls, a: Any) -> None:
        pass


@pytest.mark.parametrize(
    "function",
    [
        everything,
        coroutine,
        wrapping,
        wrapping_twice,
        pretending,
        lambda: None,
        lambda x, *y: None,
        functools.partial(everything, 1, d=4),
        CallableObject(),
        CallableObject().method,
        CallableObject.of,
        CallableObject,
        len,
        sorted,
    ],
)
def test_any_callable_is_read_as_inspect_reads_it(function: Any) -> None:
    assert seen_by_us(function) == seen_by_inspect(function)


def test_a_callable_that_hides_its_parameters_is_an_error() -> None:
    with pytest.raises(TypeError, match="cannot be found out"):
        Signature.of(getattr)


NAMES = ["a", "b", "c", "d", "e"]


@given(
    positional=st.lists(st.sampled_from(NAMES[:3]), unique=True, max_size=3),
    only=st.integers(0, 3),
    optional=st.integers(0, 3),
    keyword_only=st.lists(st.sampled_from(NAMES[3:]), unique=True, max_size=2),
    variadic=st.booleans(),
    keywords=st.booleans(),
    args=st.lists(st.integers(), max_size=4),
    kwargs=st.dictionaries(st.sampled_from([*NAMES, "z"]), st.integers(), max_size=3),
)
def test_a_call_is_refused_exactly_when_python_would_refuse_it(
    positional: list[str],
    only: int,
    optional: int,
    keyword_only: list[str],
    variadic: bool,
    keywords: bool,
    args: list[int],
    kwargs: dict[str, int],
) -> None:
    parts = [f"{name}=0" if index >= len(positional) - optional else name for index, name in enumerate(positional)]
    only = min(only, len(parts))
    if only:
        parts.insert(only, "/")
    if variadic:
        parts.append("*rest")
    elif keyword_only:
        parts.append("*")
    parts += keyword_only
    if keywords:
        parts.append("**more")
    function = eval(f"lambda {', '.join(parts)}: None")
    try:
        function(*args, **kwargs)
        fits = True
    except TypeError:
        fits = False
    try:
        Signature.of(function).check("f", args, kwargs)
        accepted = True
    except TypeError:
        accepted = False
    assert accepted == fits
