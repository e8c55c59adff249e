"""A pytest plugin that holds the capability manifest to what has been run.

What proves a capability must be there, must have been run and must have passed; a skipped proof is none. That is asked, when
a session ends, of all proofs whose files the session was told to run whole, and of those that it has run besides. Each
capability that is not proved fails the session as a test would.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from outboard._tools import capabilities
from outboard._tools.capabilities import MANIFEST, Capability
from outboard._tools.located_yaml import LocatedYamlError

PASSED = "passed"


@attrs.define
class Session:
    """What is known of a session.

    Attributes:
        whole: whether all tests of a file were to be run, by the file's id, which is its path from the root.
        collected: the ids of all tests that were found.
        selected: those that were to be run.
        outcomes: how each ended that was run.
        stopped: whether the session was told to stop before it had run all.
    """

    whole: dict[str, bool] = attrs.field(factory=dict)
    collected: set[str] = attrs.field(factory=set)
    selected: set[str] = attrs.field(factory=set)
    outcomes: dict[str, str] = attrs.field(factory=dict)
    stopped: bool = False


def unproved(capability: Capability, airflow_version: str, session: Session) -> Iterator[str]:
    """What is wrong with the proofs of a capability, as far as a session can tell."""
    for proof in capability.tests(airflow_version):
        cases = [test for test in session.collected if test == proof or test.startswith(f"{proof}[")]
        if not cases and session.whole.get(proof.partition("::")[0]):
            yield f"{proof} does not exist"
        for test in sorted(session.selected.intersection(cases)):
            outcome = session.outcomes.get(test)
            if outcome is None and not session.stopped:
                yield f"{test} did not run"
            elif outcome not in (None, PASSED):
                yield f"{test} {outcome}"


def outcome_of(report: pytest.TestReport) -> str | None:
    """What a report says of its test: None if it is of a phase that says nothing."""
    if report.failed:
        return "failed"
    if hasattr(report, "wasxfail"):
        return "was expected to fail"
    if report.skipped:
        return "was skipped"
    return PASSED if report.when == "call" else None


class CapabilityProofs:
    """The plugin.

    Args:
        airflow_version: the version of Airflow that the live tests of this session run under.
        manifest: where the manifest is.
    """

    def __init__(self, airflow_version: str, manifest: Path = MANIFEST) -> None:
        self._airflow_version = airflow_version
        self._manifest = manifest
        self._session = Session()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Take note of what there is, before anything is deselected."""
        self._session.collected = {item.nodeid for item in items}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._session.selected = {item.nodeid for item in session.items}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        outcome = outcome_of(report)
        if outcome is not None and (outcome != PASSED or report.nodeid not in self._session.outcomes):
            self._session.outcomes[report.nodeid] = outcome

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Report each capability that is not proved as a test that failed."""
        if exitstatus not in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) or session.config.option.collectonly:
            return
        self._session.stopped = bool(session.shouldstop or session.shouldfail)
        name = self._manifest.name
        try:
            rows = capabilities.read(self._manifest).capabilities
        except LocatedYamlError as error:
            self._fail(session, name, [str(error)])
            return
        proofs = [proof for row in rows for proof in row.tests(self._airflow_version)]
        self._session.whole = {file: _is_run_whole(session.config, file) for file in map(_file_of, proofs)}
        for row in rows:
            wrong = list(unproved(row, self._airflow_version, self._session))
            if wrong:
                self._fail(session, f"{name}::{row.id}", [f"{row.place}: {row.id} is not proved:", *wrong])

    def _fail(self, session: pytest.Session, nodeid: str, lines: list[str]) -> None:
        report = pytest.TestReport(
            nodeid=nodeid,
            location=(self._manifest.name, None, nodeid.rpartition("::")[2]),
            keywords={},
            outcome="failed",
            longrepr="\n  ".join(lines),
            when="call",
        )
        session.config.hook.pytest_runtest_logreport(report=report)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def _file_of(test: str) -> str:
    return test.partition("::")[0]


def _is_run_whole(config: pytest.Config, file: str) -> bool:
    """Whether a session was told to collect all of a file, be it there or not."""
    if config.getoption("ignore") or config.getoption("ignore_glob"):
        return False
    path = config.rootpath / file
    told = [config.invocation_params.dir / argument for argument in config.args if "::" not in argument]
    return any(folder == path or folder in path.parents for folder in told)
