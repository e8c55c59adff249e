from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outboard.protocol.serde import deserialize, serialize
from outboard.sdk.later import Later

DATE = datetime(2026, 1, 2, tzinfo=UTC)
DAY = timedelta(days=1)


class Box:
    def __init__(self) -> None:
        self.looked_up = 0
        self.inside: dict[str, Any] = {"date": DATE, "list": [3, 1], "dict": {"a": 1}, "none": None, "function": max}

    def __getitem__(self, key: str) -> Any:
        self.looked_up += 1
        return self.inside[key]


@pytest.fixture
def box() -> Box:
    return Box()


def test_nothing_is_looked_up_before_it_is_used(box: Box) -> None:
    later: Any = Later(box, "date")
    assert box.looked_up == 0
    assert later.year == 2026
    assert box.looked_up == 1


def test_it_acts_like_a_date(box: Box) -> None:
    later: Any = Later(box, "date")
    assert later == DATE
    assert DATE == later  # noqa: SIM300  # from the other side
    assert DATE - DAY < later < DATE + DAY
    assert (later + DAY, later - DAY, later - DATE, DATE - later) == (DATE + DAY, DATE - DAY, DAY - DAY, DAY - DAY)
    assert (str(later), f"{later:%Y}", repr(later)) == (str(DATE), "2026", repr(DATE))
    assert isinstance(later, datetime)
    assert {later: 1}[DATE] == 1


def test_it_acts_like_a_container(box: Box) -> None:
    numbers: Any = Later(box, "list")
    assert (len(numbers), numbers[0], sorted(numbers), 3 in numbers, list(reversed(numbers))) == (
        2,
        3,
        [1, 3],
        True,
        [1, 3],
    )
    mapping: Any = Later(box, "dict")
    mapping["b"] = 2
    del mapping["a"]
    assert dict(mapping) == {"b": 2}


def test_it_acts_like_none_or_a_function(box: Box) -> None:
    assert not Later(box, "none")
    assert Later(box, "none") == None  # noqa: E711  # it is not None itself, and cannot be
    assert Later(box, "function")(1, 2) == 2
    assert Later(box, "date") == Later(box, "date")


def test_what_is_pickled_is_what_it_stands_for(box: Box) -> None:
    assert type(pickle.loads(pickle.dumps(Later(box, "date")))) is datetime


def test_what_is_sent_is_what_it_stands_for(box: Box) -> None:
    assert deserialize(serialize([Later(box, "date"), Later(box, "dict"), Later(box, "none")])) == [
        DATE,
        {"a": 1},
        None,
    ]


def test_attributes_are_those_of_what_it_stands_for(box: Box) -> None:
    box.inside["box"] = inner = Box()
    later: Any = Later(box, "box")
    later.label = "x"
    assert inner.__dict__["label"] == "x"
    del later.label
    assert not hasattr(later, "label")
