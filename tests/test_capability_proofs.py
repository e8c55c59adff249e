"""The plugin that holds the manifest to what was run: planted manifests, in sessions of their own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outboard._tools.capabilities import Capability, Proof, Status
from outboard.protocol.messages import SCHEMA_DATES
from tests.capability_proofs import Session, unproved

pytest_plugins = ("pytester",)

ROOT = Path(__file__).resolve().parents[1]

CONFTEST = """
import os
from pathlib import Path
from tests.capability_proofs import CapabilityProofs

def pytest_configure(config):
    manifest = Path(__file__).with_name("capabilities.yaml")
    config.pluginmanager.register(CapabilityProofs(os.environ["AIRFLOW"], manifest))
"""

TESTS = """
import pytest

def test_passes(): ...

@pytest.mark.parametrize("case", ["one", "two"])
def test_has_cases(case): ...

@pytest.mark.parametrize("case", ["good", "bad"])
def test_has_a_bad_case(case):
    if case == "bad":
        pytest.skip("not on this machine")

def test_is_skipped():
    pytest.skip("not on this machine")

@pytest.mark.xfail(reason="broken", strict=True)
def test_is_expected_to_fail():
    raise AssertionError

@pytest.fixture
def leaves_badly():
    yield
    raise AssertionError("something was left")

def test_leaves_badly(leaves_badly): ...

def test_fails():
    raise AssertionError
"""

ROW = """
    - id: {0}
      title: a title
      tier: MUST
      source: here
      status: supported
      proof: {{{1}: ["{2}"]}}
"""


def planted(pytester: pytest.Pytester, *rows: tuple[str, str, str]) -> None:
    """A project with the tests above, and a manifest of rows: an id, who proves it, and the proof."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_it=TESTS)
    text = "sources: {here: a test}\ncapabilities:\n  An area:" + "".join(ROW.format(*row) for row in rows)
    pytester.path.joinpath("capabilities.yaml").write_text(text)


def run(pytester: pytest.Pytester, *arguments: str, airflow: str = "3.3.2") -> pytest.RunResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(ROOT))
        patch.setenv("AIRFLOW", airflow)
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
        patch.delenv("PYTEST_ADDOPTS", raising=False)
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments, timeout=60)


PASSES = ("proved", "airflow", "test_it.py::test_passes")
ABSENT = ("absent", "outboard", "test_it.py::test_is_nowhere")
BAD = [
    (("skipped", "airflow", "test_it.py::test_is_skipped"), "test_it.py::test_is_skipped was skipped"),
    (("case", "airflow", "test_it.py::test_has_a_bad_case"), "test_it.py::test_has_a_bad_case[[]bad[]] was skipped"),
    (("xfailed", "airflow", "test_it.py::test_is_expected_to_fail"), "test_is_expected_to_fail was expected to fail"),
    (("left", "airflow", "test_it.py::test_leaves_badly"), "test_it.py::test_leaves_badly failed"),
    (("failed", "outboard", "test_it.py::test_fails"), "test_it.py::test_fails failed"),
    (ABSENT, "test_it.py::test_is_nowhere does not exist"),
    (("elsewhere", "outboard", "tests/gone.py::test_gone"), "tests/gone.py::test_gone does not exist"),
]


def test_each_row_without_a_proof_that_passed_fails_the_session(pytester: pytest.Pytester) -> None:
    planted(pytester, PASSES, *(row for row, _ in BAD))
    done = run(pytester)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.assert_outcomes(passed=5, skipped=2, xfailed=1, failed=1 + len(BAD), errors=1)
    for (row, *_), text in BAD:
        done.stdout.fnmatch_lines([f"*capabilities.yaml, line *: {row} is not proved:*", f"*{text}"])
        done.stdout.fnmatch_lines([f"FAILED capabilities.yaml::{row}*"])
    done.stdout.no_fnmatch_line("*proved is not proved*")


def test_one_row_without_a_proof_fails_a_session_in_which_every_test_passes(pytester: pytest.Pytester) -> None:
    planted(pytester, PASSES, ABSENT)
    pytester.path.joinpath("test_it.py").write_text("def test_passes(): ...")
    done = run(pytester)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.assert_outcomes(passed=1, failed=1)


def test_what_a_session_was_not_told_to_run_is_not_asked_for(pytester: pytest.Pytester) -> None:
    planted(pytester, PASSES, *(row for row, _ in BAD))
    run(pytester, "test_it.py::test_passes").assert_outcomes(passed=1)
    pytester.makepyfile(test_other="def test_other(): ...")
    run(pytester, "test_other.py").assert_outcomes(passed=1)


def test_what_was_deselected_is_not_asked_for_but_must_be_there(pytester: pytest.Pytester) -> None:
    planted(pytester, PASSES, *(row for row, _ in BAD[:-2]))
    run(pytester, "-k", "passes or cases").assert_outcomes(passed=3, deselected=6)
    planted(pytester, PASSES, ABSENT)
    run(pytester, "-k", "passes or cases").assert_outcomes(passed=3, failed=1, deselected=6)


def test_a_session_that_stops_early_asks_only_for_what_has_run(pytester: pytest.Pytester) -> None:
    planted(pytester, PASSES, ("last", "airflow", "test_it.py::test_fails"))
    done = run(pytester, "-x", "--deselect", "test_it.py::test_is_expected_to_fail")
    done.assert_outcomes(passed=5, skipped=2, errors=1, deselected=1)


@pytest.mark.parametrize(("airflow", "failed"), [("3.3.2", 0), ("3.4.0b2", 1)])
def test_a_proof_for_one_version_is_asked_for_when_that_version_runs(
    pytester: pytest.Pytester, airflow: str, failed: int
) -> None:
    planted(pytester, PASSES, ("newer", "airflow-3.4", "test_it.py::test_is_skipped"))
    run(pytester, "-k", "passes or skipped", airflow=airflow).assert_outcomes(
        passed=1, skipped=1, failed=failed, deselected=7
    )


def test_a_manifest_that_cannot_be_read_fails_the_session_by_its_line(pytester: pytest.Pytester) -> None:
    planted(pytester, PASSES)
    pytester.path.joinpath("capabilities.yaml").write_text("sources: {a: b}\nsources: {a: b}\n")
    done = run(pytester, "-k", "passes")
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["capabilities.yaml, line 1: the mapping has sources twice, again on line 2"])


# ── the rule itself ───────────────────────────────────────────────────────────────────────────────────────────────


def row(**proof: tuple[str, ...]) -> Capability:
    return Capability(
        place="here", area="An area", id="row", title="a title", tier="MUST", needs=None, source="here", messages=(),
        status=dict.fromkeys(SCHEMA_DATES, Status(level="supported")),
        proof={prover: Proof(tests=tests) for prover, tests in proof.items()},
    )  # fmt: skip


def of(outcomes: dict[str, Any], **known: Any) -> Session:
    return Session(collected=set(outcomes), selected=set(outcomes), outcomes=outcomes, **known)


def test_all_cases_of_a_proof_have_to_pass() -> None:
    outcomes = {"f.py::test_a[1]": "passed", "f.py::test_a[2]": "failed", "f.py::test_ab": "failed"}
    assert list(unproved(row(airflow=("f.py::test_a",)), "3.3.2", of(outcomes))) == ["f.py::test_a[2] failed"]
    assert list(unproved(row(airflow=("f.py::test_a[1]",)), "3.3.2", of(outcomes))) == []


def test_a_proof_that_was_selected_and_did_not_run_is_none_unless_the_session_was_stopped() -> None:
    proof, outcomes = row(outboard=("f.py::test_a",)), {"f.py::test_a": None}
    assert list(unproved(proof, "3.3.2", of(outcomes))) == ["f.py::test_a did not run"]
    assert list(unproved(proof, "3.3.2", of(outcomes, stopped=True))) == []


def test_a_proof_is_missed_only_where_its_file_was_to_be_run_whole() -> None:
    proof = row(outboard=("f.py::test_a",))
    assert list(unproved(proof, "3.3.2", Session(whole={"f.py": True}))) == ["f.py::test_a does not exist"]
    assert list(unproved(proof, "3.3.2", Session(whole={"f.py": False}))) == []
    assert list(unproved(proof, "3.3.2", Session())) == []


def test_this_session_is_held_to_the_manifest(pytestconfig: pytest.Config) -> None:
    names = {type(plugin).__name__ for plugin in pytestconfig.pluginmanager.get_plugins()}
    assert "CapabilityProofs" in names
