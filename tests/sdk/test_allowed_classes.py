from __future__ import annotations

from fractions import Fraction

import pytest

from outboard import allow_class
from outboard.sdk import allowed_classes


@pytest.fixture(autouse=True)
def _nothing_stays_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allowed_classes, "_allowed", {})


def test_a_class_is_allowed_under_its_dotted_name_and_no_other_is() -> None:
    allow_class(Fraction)
    assert allowed_classes.allowed_class("fractions.Fraction") is Fraction
    assert allowed_classes.allowed_class("fractions.Decimal") is None


def test_a_class_that_cannot_be_named_is_refused() -> None:
    class Local:
        pass

    with pytest.raises(ValueError, match="define it at the module's top"):
        allow_class(Local)
