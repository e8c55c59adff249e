"""The trigger rules, against what Airflow itself decides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from outboard.supervisor.trigger_rules import RULES, RUN, Upstream, judge

RECORDED = json.loads((Path(__file__).parents[2] / "fixtures" / "data" / "trigger_rules.json").read_text())["rules"]


def test_every_rule_of_airflow_is_known_and_no_other() -> None:
    assert set(RULES) == set(RECORDED)


@pytest.mark.parametrize("rule", sorted(RECORDED))
def test_a_rule_decides_as_airflow_does(rule: str) -> None:
    """For every combination of states of one to three upstream tasks."""
    decided = {states: judge(rule, Upstream.count(states.split())) for states in RECORDED[rule]}
    assert decided == RECORDED[rule]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_a_task_without_upstream_tasks_runs_under_any_rule(rule: str) -> None:
    assert judge(rule, Upstream.count([])) == RUN


def test_an_unknown_rule_is_an_error() -> None:
    with pytest.raises(KeyError):
        judge("half_done", Upstream.count(["success"]))
