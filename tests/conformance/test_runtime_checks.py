"""Our own runtime does what the kit asks of any, in every Python that there is here."""

from __future__ import annotations

import inspect
import subprocess
from pathlib import Path

import pytest

from outboard.conformance import Check, judge_all
from outboard.conformance.check import PASSED, TIERS
from outboard.conformance.peer_process import Transport
from outboard.conformance.probes import PROBES
from outboard.protocol import messages as m
from outboard.testing import RUNTIME_CHECKS, RuntimeBench, run_check
from tests.bundle.test_packer import other_python
from tests.conformance.conftest import PROBES as PROBES_FILE
from tests.conformance.conftest import pack

ROOT = Path(__file__).parents[2]

by_id = pytest.mark.parametrize("check", RUNTIME_CHECKS, ids=lambda check: check.id)


@by_id
@pytest.mark.parametrize("transport", [pytest.param("stdio", marks=pytest.mark.long), "sockets"])
def test_our_bundle_conforms(check: Check, transport: Transport, probes: Path) -> None:
    run_check(check, RuntimeBench([str(probes)], transport=transport))


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13"])
def test_our_bundles_conform_in_every_python(version: str, tmp_path: Path) -> None:
    interpreter = other_python(version)
    if interpreter is None:
        pytest.skip(f"there is no Python {version} on this machine")
    subprocess.run([interpreter, "-m", "venv", "--without-pip", tmp_path / "environment"], check=True)
    bundle = pack(tmp_path / "probes", tmp_path / "environment")
    results = list(judge_all(RUNTIME_CHECKS, lambda: RuntimeBench([str(bundle)])))
    assert [(result.check.id, result.reason) for result in results if result.verdict != PASSED] == []


@pytest.mark.parametrize("check_id", ["report.valid-messages", "greeting.optional-null", "greeting.context"])
def test_our_bundle_conforms_on_the_newest_date_too(check_id: str, probes: Path) -> None:
    [check] = [check for check in RUNTIME_CHECKS if check.id == check_id]
    run_check(check, RuntimeBench([str(probes)], schema=m.SCHEMA_DATES[-1]))


@by_id
def test_each_check_has_a_tier_an_idea_and_a_heading_of_the_specification(check: Check) -> None:
    page, _, heading = check.source.partition("#")
    headings = [line.lstrip("# ") for line in (ROOT / page).read_text().splitlines() if line.startswith("#")]
    assert heading in [found.lower().replace(" ", "-") for found in headings]
    assert check.tier in TIERS
    assert check.idea.endswith(".")


def test_ids_are_unique() -> None:
    ids = [check.id for check in RUNTIME_CHECKS]
    assert len(set(ids)) == len(ids)


def test_every_probe_is_used_by_a_check_and_held_by_our_bundle() -> None:
    used = "".join(inspect.getsource(inspect.getmodule(check.body) or pytest) for check in RUNTIME_CHECKS)
    text = PROBES_FILE.read_text()
    for probe in PROBES:
        assert f'"{probe.task_id}"' in used, probe
        assert f"    def {probe.task_id}(" in text, probe
