"""``outboard conformance``: what it prints, writes and exits with."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from outboard.conformance import RUNTIME_CHECKS, SUPERVISOR_CHECKS

OUTBOARD = Path(sys.executable).with_name("outboard")

# A peer that takes no greeting and says so: nearly every check fails on it at once, and a few pass.
REFUSING = [sys.executable, "-S", "-c", "import sys; sys.stdin.buffer.read(1); sys.exit('not today')"]

# One that has no task at all.
EMPTY = [
    sys.executable,
    "-c",
    """
import sys
from outboard.conformance.wire import frame
size = int.from_bytes(sys.stdin.buffer.read(4), "big")
sys.stdin.buffer.read(size)
sys.stdout.buffer.write(frame(1, {"type": "TaskState", "state": "removed", "end_date": "2026-01-01T00:00:00Z"}))
sys.stdout.flush()
sys.stdin.buffer.read(4)
""",
]


def conformance(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [OUTBOARD, "conformance", *arguments], capture_output=True, text=True, timeout=120, check=False
    )


def test_a_failure_is_told_with_its_transcript_and_exit_code_1() -> None:
    done = conformance("--check", "report.success", "--", *REFUSING)
    assert done.returncode == 1
    assert "report.success: it ended instead of sending" in done.stdout
    assert "──▶ [0, {'ti': {" in done.stdout
    assert "MUST: 1 failed" in done.stdout


def test_json_holds_what_was_judged_and_what_came_of_it() -> None:
    done = conformance("--check", "report.success", "--check", "greeting.unknown", "--json", "--", *REFUSING)
    document = json.loads(done.stdout)
    assert (document["side"], document["command"], document["transport"]) == ("runtime", REFUSING, "stdio")
    found = {check["id"]: check for check in document["checks"]}
    assert found["report.success"]["verdict"] == "failed"
    assert any("not today" in line for line in found["report.success"]["transcript"])
    assert (found["greeting.unknown"]["verdict"], found["greeting.unknown"]["transcript"]) == ("passed", [])
    assert document["counts"]["MUST"] == {"passed": 1, "failed": 1, "not offered": 0}


def test_junit_has_a_case_for_each_check(tmp_path: Path) -> None:
    file = tmp_path / "report.xml"
    conformance("--check", "report.success", "--check", "report.skipped", "--junit", file, "--", *EMPTY)
    suite = ElementTree.parse(file).getroot()
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("2", "0", "2")
    assert [case.get("name") for case in suite] == ["report.success", "report.skipped"]


@pytest.mark.parametrize(
    ("check", "tier", "code"),
    [
        ("report.removed", "must", 0),
        ("report.success", "must", 1),  # a MUST that is not offered is not shown
        ("report.skipped", "may", 0),  # another one that is not offered is nobody's business
        ("id.fork", "may", 0),
    ],
)
def test_what_is_not_offered_is_no_pass(check: str, tier: str, code: int) -> None:
    done = conformance("--check", check, "--fail-on", tier, "--", *EMPTY)
    assert done.returncode == code, done.stdout
    assert ("not offered" in done.stdout) == (check != "report.removed")


@pytest.mark.parametrize(("tier", "code"), [("must", 0), ("should", 1), ("may", 1)])
def test_the_exit_code_goes_by_the_tier(tier: str, code: int) -> None:
    assert conformance("--check", "report.skipped", "--fail-on", tier, "--", *REFUSING).returncode == code


def test_a_list_has_every_check_of_its_side() -> None:
    for arguments, checks in (((), RUNTIME_CHECKS), (("--supervisor",), SUPERVISOR_CHECKS)):
        listed = conformance("--list", *arguments).stdout
        assert all(check.id in listed.replace("\n", "") for check in checks)


def test_a_supervisor_is_judged_through_its_adapter() -> None:
    adapter = [sys.executable, "-m", "outboard.conformance.adapters.own"]
    done = conformance("--supervisor", "--check", "outcome.success", "--check", "exit.0-without-report", "--", *adapter)
    assert (done.returncode, "MUST: 2 passed" in done.stdout) == (0, True), done.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "outboard: name the command to judge, behind two dashes: outboard conformance -- ./bundle"),
        (["--check", "coffee", "--", "x"], "outboard: there is no check or group coffee; the groups are report, "),
        (["--schema", "2020-01-01", "--", "x"], "outboard: there is no schema date 2020-01-01; there are 2026-06-16, "),
        (["--deadline", "0", "--", "x"], "outboard: --deadline is 0, but must be above zero"),
        (["--", "/there/is/none"], "outboard: /there/is/none cannot be started: No such file or directory"),
        (["--supervisor", "--", "/there/is/none"], "outboard: /there/is/none cannot be started: "),
    ],
)
def test_what_cannot_be_is_told_in_one_line_with_exit_code_2(arguments: list[str], message: str) -> None:
    done = conformance(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(message)
    assert done.stderr.count("\n") == 1
