from __future__ import annotations

import pytest

from outboard.sdk import client
from tests.sdk.conftest import World


def test_whoever_was_installed_answers(world: World) -> None:
    assert client.current() is world


def test_nobody_answers_outside_a_task() -> None:
    with pytest.raises(RuntimeError, match="only while outboard runs a task or loads a Dag"):
        client.current()
