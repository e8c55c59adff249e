"""What is packed and read without msgpack, against msgpack itself: the same, or declined."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgpack
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outboard.protocol import short_packing
from outboard.protocol.codec import encode_body
from outboard.protocol.short_packing import DEEPEST, LONGEST
from tests.benchmarks.plain_supervisor import greeting
from tests.strategies import any_object, instants, integers, json_values, odd_objects, texts

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

# Thousands of examples of so many kinds of values take their time.
pytestmark = pytest.mark.timeout(900)

EXTENSIONS = st.builds(msgpack.ExtType, st.integers(0, 127), st.binary(max_size=20))
TIMESTAMPS = st.builds(msgpack.Timestamp, st.integers(-(2**63), 2**63 - 1), st.integers(0, 999_999_999))
PLAIN = st.none() | st.booleans() | integers() | st.floats() | texts() | st.binary()
LEAVES = PLAIN | instants() | EXTENSIONS | TIMESTAMPS


def values() -> SearchStrategy[Any]:
    """Whatever msgpack carries, with keys of every kind."""
    keys = PLAIN | instants()
    return st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=10
    )


def by_msgpack(value: object) -> bytes | None:
    try:
        packed: bytes = msgpack.packb(value, datetime=True)
    except (TypeError, ValueError, OverflowError):
        return None
    return packed


def from_msgpack(data: bytes) -> tuple[object, ...]:
    try:
        return (msgpack.unpackb(data, timestamp=3, strict_map_key=False),)
    except (TypeError, ValueError, OverflowError):
        return ()


def exact(value: object) -> object:
    """A form that tells 1 from 1.0 and from True, 0.0 from −0.0, each NaN from the others, and the order of maps."""
    if isinstance(value, dict):
        return [(exact(key), exact(item)) for key, item in value.items()]
    if isinstance(value, (list, tuple)):
        return [type(value), *map(exact, value)]
    if isinstance(value, float):
        return [float, msgpack.packb(value)]
    return [type(value), value, getattr(value, "tzinfo", None)]


@given(values() | any_object())
def test_what_is_packed_is_what_msgpack_packs(value: object) -> None:
    packed = short_packing.pack(value)
    assert packed is None or packed == by_msgpack(value)


@given(odd_objects())
def test_what_msgpack_refuses_is_declined(value: object) -> None:
    if by_msgpack(value) is None:
        assert short_packing.pack(value) is None


def is_as_msgpack_has_it(data: bytes) -> bool:
    """Whether data is read as msgpack reads it; False where it is declined."""
    found = short_packing.unpack(data)
    if found:
        assert exact(found) == exact(from_msgpack(data))
    return bool(found)


@given(values().map(by_msgpack) | st.floats(width=32).map(lambda value: msgpack.packb(value, use_single_float=True)))
@example(msgpack.packb(datetime.min.replace(tzinfo=UTC), datetime=True))
@example(msgpack.packb(datetime.max.replace(tzinfo=UTC), datetime=True))
def test_what_is_read_is_what_msgpack_reads(data: bytes | None) -> None:
    if data is not None:
        is_as_msgpack_has_it(data)


@given(values().map(by_msgpack), st.data())
def test_what_is_cut_short_or_goes_on_is_declined(data: bytes | None, choice: st.DataObject) -> None:
    if data is not None:
        cut = choice.draw(st.integers(0, len(data) - 1))
        assert short_packing.unpack(data[:cut]) == ()
        assert short_packing.unpack(data + data[: cut + 1]) == ()


@given(st.binary(max_size=40))
def test_garbage_is_read_as_msgpack_reads_it_or_declined(data: bytes) -> None:
    is_as_msgpack_has_it(data)


@given(values().map(by_msgpack), st.data())
def test_a_changed_byte_is_read_as_msgpack_reads_it_or_declined(data: bytes | None, choice: st.DataObject) -> None:
    if data is not None:
        place = choice.draw(st.integers(0, len(data) - 1))
        is_as_msgpack_has_it(data[:place] + choice.draw(st.binary(min_size=1, max_size=1)) + data[place + 1 :])


@given(json_values() | instants() | st.binary() | st.dictionaries(st.integers() | st.booleans(), st.floats()))
def test_short_values_of_the_usual_types_are_not_declined(value: object) -> None:
    """Otherwise all of the above would hold for a module that declines everything."""
    expected = by_msgpack(value)
    if expected is not None:
        assert short_packing.pack(value) == expected
        assert is_as_msgpack_has_it(expected)


@pytest.mark.parametrize("bits", range(65))
def test_every_size_of_integers_has_the_encoding_that_msgpack_chooses(bits: int) -> None:
    for value in (2**bits, 2**bits - 1, -(2**bits), -(2**bits) - 1):
        assert short_packing.pack(value) == by_msgpack(value)


@pytest.mark.parametrize("size", [0, 1, 15, 16, 31, 32, 255, 256, LONGEST - 3])
def test_every_size_of_text_bytes_arrays_and_maps_has_the_encoding_that_msgpack_chooses(size: int) -> None:
    for value in ("x" * size, b"x" * size, [None] * min(size, LONGEST // 2), dict.fromkeys(range(size // 4), 1)):
        packed = short_packing.pack(value)
        assert packed is not None
        assert packed == by_msgpack(value)
        assert is_as_msgpack_has_it(packed)


@pytest.mark.parametrize(
    "value",
    [
        "x" * (LONGEST + 1),
        b"x" * (LONGEST + 1),
        [None] * (LONGEST + 1),
        dict.fromkeys(range(LONGEST + 1)),
        ["x" * LONGEST, [], []],
    ],
)
def test_what_is_long_is_declined_both_ways(value: object) -> None:
    assert short_packing.pack(value) is None
    assert short_packing.unpack(msgpack.packb(value)) == ()


def test_what_is_nested_deeply_is_declined_both_ways() -> None:
    value: list[object] = []
    for _ in range(DEEPEST - 1):
        value = [value]
    assert is_as_msgpack_has_it(msgpack.packb(value))
    assert short_packing.pack(value) == msgpack.packb(value)
    assert short_packing.pack([value]) is None
    assert short_packing.unpack(msgpack.packb([value])) == ()


def test_at_the_end_of_a_deep_stack_everything_is_declined_and_nothing_is_raised() -> None:
    value, data = [[[[1]]]], b"\x91\x91\x91\x91\x01"
    packed, read = [], []

    def deeper() -> None:
        packed.append(short_packing.pack(value))
        read.append(short_packing.unpack(data))
        deeper()

    with pytest.raises(RecursionError):
        deeper()
    assert {*packed} == {data, None}
    assert [found for found in read if found not in [(value,), ()]] == []
    assert () in read


def test_a_greeting_is_not_declined() -> None:
    """It is what every task begins with."""
    frame = (0, encode_body(greeting("hello", "greet")))
    packed = short_packing.pack(frame)
    assert packed == msgpack.packb(frame, datetime=True)
    assert packed is not None
    assert is_as_msgpack_has_it(packed)
