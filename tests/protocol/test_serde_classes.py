"""Values of an author's classes, there and back."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import attrs
import pytest

from outboard.errors import SerializationError
from outboard.protocol.serde import TaggedValue, deserialize, serialize


@dataclasses.dataclass
class Inner:
    n: int
    doubled: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        self.doubled = self.n * 2


@dataclasses.dataclass(frozen=True, slots=True)
class Outer:
    inner: Inner
    others: tuple[Inner, ...]


@attrs.define
class Attrs:
    name: str
    _hidden: int = 1
    rows: list[Inner] = attrs.field(factory=list)
    made: int = attrs.field(init=False, default=5)


@dataclasses.dataclass
class Newer:
    __version__: ClassVar[int] = 2
    x: int = 0


class Own:
    __version__ = 3

    def __init__(self, value: object) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Own) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]

    def serialize(self) -> dict[str, object]:
        return {"value": self.value}

    @staticmethod
    def deserialize(data: dict[str, object], version: int) -> Own:
        assert version == 3
        return Own(data["value"])


class Mute:
    def serialize(self) -> int:
        return 1


KNOWN = {f"{kind.__module__}.{kind.__qualname__}": kind for kind in (Inner, Outer, Attrs, Newer, Own, Mute)}


@pytest.mark.parametrize(
    "value",
    [
        Inner(3),
        Outer(Inner(1), (Inner(2), Inner(3))),
        Attrs("a", 7, [Inner(1)]),
        Newer(4),
        Own({1, 2}),
        [{"deep": Outer(Inner(1), ())}],
    ],
)
def test_a_value_of_a_known_class_comes_back(value: Any) -> None:
    assert deserialize(serialize(value), KNOWN.get) == value


def test_without_knowing_the_class_its_value_is_inert_and_what_is_known_inside_is_not() -> None:
    name = f"{__name__}.Outer"
    encoded = serialize(Outer(Inner(1), (Inner(2),)))
    assert deserialize(encoded) == TaggedValue(name, 0, {"inner": _inert(1), "others": (_inert(2),)})
    assert deserialize(encoded, {f"{__name__}.Inner": Inner}.get) == TaggedValue(
        name, 0, {"inner": Inner(1), "others": (Inner(2),)}
    )


def _inert(n: int) -> TaggedValue:
    return TaggedValue(f"{__name__}.Inner", 0, {"n": n, "doubled": n * 2})


def test_a_pydantic_model_validates_its_data() -> None:
    class Model:
        """What pydantic's models are to us: this attribute and these methods."""

        __pydantic_fields__: ClassVar[dict[str, object]] = {}

        @classmethod
        def model_validate(cls, data: object) -> object:
            return ("validated", data)

    assert deserialize({"__classname__": "m.Model", "__version__": 1, "__data__": {"a": 1}}, lambda _: Model) == (
        "validated",
        {"a": 1},
    )


@pytest.mark.parametrize(
    ("name", "version", "data", "said"),
    [
        ("Inner", 0, {"m": 1}, "unexpected keyword argument"),
        ("Inner", 0, [1], "its fields are a dict, not list"),
        ("Inner", 1, {"n": 1}, "of version 1, and the class of 0"),
        ("Newer", 3, {"x": 1}, "of version 3, and the class of 2"),
        ("Mute", 0, 1, "no dataclass, attrs class or pydantic model"),
        ("Own", 3, {}, "KeyError"),
    ],
)
def test_data_that_a_class_does_not_take_is_an_error_that_names_the_class(
    name: str, version: int, data: object, said: str
) -> None:
    encoded = {"__classname__": f"{__name__}.{name}", "__version__": version, "__data__": data}
    with pytest.raises(SerializationError, match=rf"class {__name__}\.{name} cannot be made again.*{said}"):
        deserialize(encoded, KNOWN.get)


def test_an_older_version_is_read() -> None:
    assert deserialize({"__classname__": f"{__name__}.Newer", "__version__": 1, "__data__": {}}, KNOWN.get) == Newer()
