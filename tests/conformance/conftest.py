"""The probes of the conformance kit, packed once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROBES = Path(__file__).parents[2] / "fixtures" / "conformance" / "probes.py"

# To load the probes and to answer a parse request takes a fraction of a second.
PACK_SECONDS = 120


def pack(output: Path, python: Path) -> Path:
    """Pack the probes for an environment or an interpreter."""
    command = [Path(sys.executable).with_name("outboard"), "pack", PROBES, "-o", output, "--thin", python]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PACK_SECONDS, check=False)
    assert done.returncode == 0, done.stderr or done.stdout
    return output


@pytest.fixture(scope="session")
def probes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The probes as a bundle for the environment that runs the tests."""
    return pack(tmp_path_factory.mktemp("probes") / "probes", Path(sys.prefix))
