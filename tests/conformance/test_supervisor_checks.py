"""Our own supervisor does what the kit asks of any, over both transports."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from outboard.conformance import Check
from outboard.conformance.check import TIERS
from outboard.testing import RUNTIME_CHECKS, SUPERVISOR_CHECKS, SupervisorBench, run_check

ROOT = Path(__file__).parents[2]

OWN = [sys.executable, "-m", "outboard.conformance.adapters.own"]

# Those that mean something else where frames go over descriptors; the log lines have no channel there.
OVER_STDIO = ("outcome.success", "serving.both-ways", "output.lines", "log.in-order", "process", "broken.empty")

by_id = pytest.mark.parametrize("check", SUPERVISOR_CHECKS, ids=lambda check: check.id)


@by_id
def test_our_supervisor_conforms(check: Check) -> None:
    run_check(check, SupervisorBench(OWN))


@pytest.mark.long
@pytest.mark.parametrize(
    "check",
    [check for check in SUPERVISOR_CHECKS if check.id in OVER_STDIO or check.group in OVER_STDIO],
    ids=lambda check: check.id,
)
def test_our_supervisor_conforms_over_stdio(check: Check) -> None:
    run_check(check, SupervisorBench([*OWN, "--stdio"]))


@by_id
def test_each_check_has_a_tier_an_idea_and_a_heading_of_the_specification(check: Check) -> None:
    page, _, heading = check.source.partition("#")
    headings = [line.lstrip("# ") for line in (ROOT / page).read_text().splitlines() if line.startswith("#")]
    assert heading in [found.lower().replace(" ", "-") for found in headings]
    assert check.tier in TIERS
    assert check.idea.endswith(".")


def test_no_id_is_on_both_sides() -> None:
    both = {check.id for check in RUNTIME_CHECKS} & {check.id for check in SUPERVISOR_CHECKS}
    assert both == set()
