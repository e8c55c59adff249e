"""A packed bundle, and ways to break a copy of it."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from tests.airflow.breaking import DAGS, pack, put_copy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest Dag, packed for the environment that runs the tests."""
    return pack(DAGS / "hello.py", tmp_path_factory.mktemp("packed") / "hello")


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder for bundles, still empty, that every user can reach; pytest's own folders are closed to others."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "bundles"
        folder.mkdir()
        folder.chmod(0o755)
        yield folder


class Put(Protocol):
    """Puts a copy of the bundle into the folder: see `put_copy`."""

    def __call__(
        self,
        name: str = "hello",
        *,
        metadata: bytes | None = None,
        change: Callable[[bytes], bytes] | None = None,
        mode: int = 0o755,
    ) -> Path: ...


@pytest.fixture
def put(packed: Path, root: Path) -> Put:
    """Puts a copy of the bundle into the folder, whole or broken."""
    return lambda name="hello", **breaking: put_copy(packed, root / name, **breaking)
