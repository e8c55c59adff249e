"""Environments and packed files, made once for all tests of this folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from outboard.bundle import contents, packer, target
from outboard.bundle.contents import collect
from tests.bundle import fat

if TYPE_CHECKING:
    from outboard.bundle.target import Target

HELLO = Path(__file__).parents[2] / "fixtures" / "dags" / "hello.py"


@pytest.fixture(scope="session")
def here() -> Target:
    """The environment that runs the tests."""
    return target.inspect(Path(sys.prefix), libraries=contents.CHILD_LIBRARIES)


@pytest.fixture(scope="session")
def hello(here: Target, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest Dag, packed for the environment that runs the tests."""
    output = tmp_path_factory.mktemp("packed") / "hello"
    packer.pack(collect([HELLO], [], here), output, here, lambda bundle: {"hello": ()})
    return output


@pytest.fixture(scope="session")
def native() -> fat.Carried:
    """An environment with native code that cannot be done without, to be carried by bundles."""
    return fat.carried(fat.NATIVE)


@pytest.fixture(scope="session")
def pure() -> fat.Carried:
    """An environment all of which can be done in pure Python."""
    return fat.carried(fat.PURE)
