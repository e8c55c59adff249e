"""A runtime in another language passes what every runtime must: the kit is about the protocol, not about Python."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from outboard.conformance import Check, judge
from outboard.conformance.check import MUST, PASSED
from outboard.conformance.peer_process import Transport
from outboard.testing import RUNTIME_CHECKS, RuntimeBench

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "fixtures" / "conformance" / "javascript"

OLDEST_NODE = 20

# One small package is fetched, once for each lock.
INSTALL_SECONDS = 300


@pytest.fixture(scope="session")
def bundle() -> Iterator[list[str]]:
    """The command of the bundle in JavaScript, with its one dependency installed from its lock."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip(
            f"there is no Node.js on this machine; the bundle in JavaScript needs {OLDEST_NODE} or newer, and npm"
        )
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if int(version.lstrip("v").split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"Node.js here is {version}; the bundle in JavaScript needs {OLDEST_NODE} or newer")
    lock = hashlib.sha256((SOURCES / "package-lock.json").read_bytes()).hexdigest()[:16]
    modules = ROOT / ".cache" / f"javascript-{lock}"
    if not modules.exists():
        _install(npm, modules)
    folder = Path(tempfile.mkdtemp(dir=modules))  # beside its node_modules, where Node looks for them
    shutil.copy(SOURCES / "bundle.mjs", folder)
    try:
        yield [node, str(folder / "bundle.mjs")]
    finally:
        shutil.rmtree(folder)


def _install(npm: str, modules: Path) -> None:
    modules.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=modules.parent) as building:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, building)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(
            command, cwd=building, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        if done.returncode:
            pytest.fail(f"npm cannot install what the bundle in JavaScript needs: {done.stderr}", pytrace=False)
        with contextlib.suppress(OSError):  # another session was quicker
            os.rename(Path(building), modules)
            os.mkdir(building)  # for its context to remove


@pytest.mark.timeout(INSTALL_SECONDS + 120)
@pytest.mark.parametrize("check", [check for check in RUNTIME_CHECKS if check.tier == MUST], ids=lambda check: check.id)
@pytest.mark.parametrize("transport", ["stdio", pytest.param("sockets", marks=pytest.mark.long)])
def test_the_bundle_in_javascript_does_what_it_must(check: Check, transport: Transport, bundle: list[str]) -> None:
    result = judge(check, RuntimeBench(bundle, transport=transport))
    assert (result.verdict, result.reason) == (PASSED, ""), result.transcript
