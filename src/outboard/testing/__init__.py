"""What tests of tasks and of peers use: `run_task`, two ends of the protocol joined in memory, and the conformance kit.

A peer's own tests run every check of the kit under its own id so::

    @pytest.mark.parametrize("check", RUNTIME_CHECKS, ids=lambda check: check.id)
    def test_the_bundle_conforms(check):
        run_check(check, RuntimeBench(["./bundle"]))

Nothing of outboard imports this package. A name is imported when it is first used, so that pytest, which loads the fixture
`run_task` from here each time that it starts, need not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outboard.testing.checks import RUNTIME_CHECKS, SUPERVISOR_CHECKS, RuntimeBench, SupervisorBench, run_check
    from outboard.testing.connection_pair import ConnectionPair
    from outboard.testing.run_facts import RunFacts
    from outboard.testing.task_result import Deferral, HumanInput, RemoteTaskError, TaskResult, TriggeredRun
    from outboard.testing.trial import run_task

__all__ = (
    "RUNTIME_CHECKS",
    "SUPERVISOR_CHECKS",
    "ConnectionPair",
    "Deferral",
    "HumanInput",
    "RemoteTaskError",
    "RunFacts",
    "RuntimeBench",
    "SupervisorBench",
    "TaskResult",
    "TriggeredRun",
    "run_check",
    "run_task",
)

_HOMES = {
    "ConnectionPair": "connection_pair",
    "Deferral": "task_result",
    "HumanInput": "task_result",
    "RemoteTaskError": "task_result",
    "RUNTIME_CHECKS": "checks",
    "RunFacts": "run_facts",
    "RuntimeBench": "checks",
    "SUPERVISOR_CHECKS": "checks",
    "SupervisorBench": "checks",
    "TaskResult": "task_result",
    "TriggeredRun": "task_result",
    "run_check": "checks",
    "run_task": "trial",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'outboard.testing' has no attribute {name!r}")
    value: object = getattr(__import__(f"outboard.testing.{home}", fromlist=(name,)), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
