"""Limits that make no sense are refused where they are given."""

from __future__ import annotations

from typing import Any

import pytest

from outboard.supervisor.limits import Limits


@pytest.mark.parametrize(
    "wrong",
    [
        {"startup": 0},
        {"execution": -1},
        {"execution": float("nan")},
        {"grace": -0.1},
        {"overtime": 0},
        {"frame": 0},
        {"frame": 2**32},
        {"line": 0},
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Limits(**wrong)


def test_no_grace_at_all_is_allowed() -> None:
    assert Limits(grace=0).grace == 0
