from __future__ import annotations

import pytest

from outboard import TriggerRule


def test_a_rule_is_a_string_with_a_name_and_a_value() -> None:
    assert TriggerRule.ALL_DONE == "all_done"
    assert TriggerRule.ALL_DONE.value == "all_done"
    assert type(TriggerRule.ALL_DONE.value) is str
    assert TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS.name == "NONE_FAILED_MIN_ONE_SUCCESS"
    assert f"{TriggerRule.ALWAYS}" == "always"


def test_a_rule_can_be_made_of_its_value() -> None:
    assert TriggerRule("one_failed") == TriggerRule.ONE_FAILED


def test_anything_else_is_refused_with_the_rules_there_are() -> None:
    with pytest.raises(ValueError, match=r"'all_dome' is no trigger rule.*all_done, "):
        TriggerRule("all_dome")
