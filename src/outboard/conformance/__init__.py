"""The judge of both sides: plays a supervisor against any bundle, and bundles against any supervisor.

Knows the protocol as a peer sees it, and processes. It must not know our own runtime: what it judges may be in any
language.
"""

from __future__ import annotations

from outboard.conformance.check import Check, Result, counts_against
from outboard.conformance.judge import judge, judge_all, selected
from outboard.conformance.runtime_bench import RuntimeBench
from outboard.conformance.runtime_checks import RUNTIME_CHECKS
from outboard.conformance.supervisor_bench import SupervisorBench
from outboard.conformance.supervisor_checks import SUPERVISOR_CHECKS

__all__ = (
    "RUNTIME_CHECKS",
    "SUPERVISOR_CHECKS",
    "Check",
    "Result",
    "RuntimeBench",
    "SupervisorBench",
    "counts_against",
    "judge",
    "judge_all",
    "selected",
)
