"""What every test may use: hypothesis's effort, and the event loop."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

# dev: while writing. ci: what gates a change, the same examples each time. deep: by hand, before a release.
settings.register_profile("dev", max_examples=50, deadline=None)
settings.register_profile("ci", max_examples=200, deadline=None, derandomize=True, database=None)
settings.register_profile(
    "deep", max_examples=5_000, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))


@pytest.fixture
def anyio_backend() -> str:
    """The parent side of outboard is tried on asyncio; nothing in it names a backend."""
    return "asyncio"
