"""The fixture `run_task`, for whoever has outboard and pytest.

pytest loads this module each time that it starts, for all who have outboard installed. So it imports pytest, which is there,
and everything else when the fixture is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from outboard.testing.task_result import TaskResult

__all__ = ("run_task",)


@pytest.fixture
def run_task(request: pytest.FixtureRequest) -> Callable[..., TaskResult[Any]]:
    """`outboard.testing.run_task`. When the test fails, pytest also shows what the tasks have said."""
    from functools import wraps

    from outboard.testing import trial

    @wraps(trial.run_task)
    def run(*args: Any, **kwargs: Any) -> TaskResult[Any]:
        result = trial.run_task(*args, **kwargs)
        request.node.add_report_section("call", "log of run_task", _shown(result))
        return result

    return run


def _shown(result: TaskResult[Any]) -> str:
    import traceback

    lines = [f"{record['level']}: {record['event']}" for record in result.log]
    if result.exception is not None:
        lines += "".join(traceback.format_exception(result.exception)).splitlines()
    return "\n".join([repr(result), *lines])
