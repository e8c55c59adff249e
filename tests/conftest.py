"""What every test may use: hypothesis's effort, and the event loop. And what every session has to show: its proofs."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from tests.capability_proofs import CapabilityProofs
from tests.live.version import AIRFLOW_VERSION

# dev: while writing. ci: what gates a change, the same examples each time. deep: by hand, before a release.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True, database=None)
settings.register_profile(
    "deep", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let ``--long`` run what takes too long for every change; docs/explanation/long-runs.md has the dated results."""
    parser.addoption("--long", action="store_true", help="run the tests that are marked long, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long runs out unless they are asked for."""
    if config.getoption("--long"):
        return
    long = [item for item in items if item.get_closest_marker("long")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


def pytest_configure(config: pytest.Config) -> None:
    """Hold the capability manifest to what this session runs."""
    config.pluginmanager.register(CapabilityProofs(AIRFLOW_VERSION))


@pytest.fixture
def anyio_backend() -> str:
    """The parent side of outboard is tried on asyncio; nothing in it names a backend."""
    return "asyncio"
