"""May a task run, given how its upstream tasks stand? Airflow's trigger rules, as functions of counts.

Pure. A rule looks at counts alone, and is asked again whenever an upstream task ends, so that a task can run, or be given
up, before all of them have ended. ``fixtures/data/trigger_rules.json`` holds what Airflow itself decides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import attrs

__all__ = ("RULES", "RUN", "SKIPPED", "UPSTREAM_FAILED", "WAIT", "Upstream", "judge")

# Verdicts: to start the task, to ask again later, or the state in which it ends without having run.
RUN = "run"
WAIT = "wait"
SKIPPED = "skipped"
UPSTREAM_FAILED = "upstream_failed"


@attrs.frozen(kw_only=True)
class Upstream:
    """How many upstream tasks a task has, and how many of them ended in which state."""

    total: int
    success: int = 0
    failed: int = 0
    skipped: int = 0
    upstream_failed: int = 0
    removed: int = 0

    @classmethod
    def count(cls, states: Iterable[str | None]) -> Upstream:
        """Count states; what is no final state counts towards the total only."""
        counted = Counter(states)
        return cls(
            total=counted.total(),
            success=counted["success"],
            failed=counted["failed"],
            skipped=counted["skipped"],
            upstream_failed=counted["upstream_failed"],
            removed=counted["removed"],
        )

    @property
    def done(self) -> int:
        """How many have ended."""
        return self.success + self.failed + self.skipped + self.upstream_failed + self.removed

    @property
    def all_done(self) -> bool:
        """Whether all have ended."""
        return self.done >= self.total

    @property
    def has_failures(self) -> bool:
        """Whether any failed, or was given up because of another one's failure."""
        return bool(self.failed or self.upstream_failed)

    def are_all(self, *counts: int) -> bool:
        """Whether these counts together make up the total."""
        return sum(counts) >= self.total


def judge(rule: str, upstream: Upstream) -> str:
    """Apply a rule.

    Returns:
        `RUN`, `WAIT`, `SKIPPED` or `UPSTREAM_FAILED`.

    Raises:
        KeyError: there is no such rule.
    """
    decide = RULES[rule]
    return decide(upstream) if upstream.total else RUN


def _run_if(condition: bool) -> str:
    return RUN if condition else WAIT


def _all_success(up: Upstream) -> str:
    if up.has_failures:
        return UPSTREAM_FAILED
    if up.skipped:
        return SKIPPED
    return _run_if(up.are_all(up.success, up.removed))


def _all_failed(up: Upstream) -> str:
    if up.success or up.skipped:
        return SKIPPED
    return _run_if(up.are_all(up.failed, up.upstream_failed, up.removed))


def _all_done(up: Upstream) -> str:
    return _run_if(up.all_done)


def _all_done_min_one_success(up: Upstream) -> str:
    # A skipped task is not "done" for this rule, so that it can never be satisfied.
    if up.skipped:
        return SKIPPED
    if up.all_done and not up.success:
        return UPSTREAM_FAILED
    return _run_if(bool(up.success) and up.all_done)


def _one_success(up: Upstream) -> str:
    if up.success or not up.all_done:
        return _run_if(bool(up.success))
    return SKIPPED if up.are_all(up.skipped) else UPSTREAM_FAILED


def _one_failed(up: Upstream) -> str:
    if up.all_done and not up.has_failures:
        return SKIPPED
    return _run_if(up.has_failures)


def _one_done(up: Upstream) -> str:
    if up.all_done and not (up.success or up.failed):
        return SKIPPED
    return _run_if(bool(up.success or up.failed))


def _none_failed(up: Upstream) -> str:
    if up.has_failures:
        return UPSTREAM_FAILED
    return _run_if(up.all_done)


def _none_failed_min_one_success(up: Upstream) -> str:
    if up.has_failures:
        return UPSTREAM_FAILED
    if up.are_all(up.skipped):
        return SKIPPED
    if up.all_done and not up.success:
        return UPSTREAM_FAILED
    return _run_if(up.all_done)


def _none_skipped(up: Upstream) -> str:
    return SKIPPED if up.skipped else _run_if(up.all_done)


def _all_skipped(up: Upstream) -> str:
    if up.success or up.has_failures:
        return SKIPPED
    return _run_if(up.are_all(up.skipped))


def _always(up: Upstream) -> str:
    return RUN


RULES: dict[str, Callable[[Upstream], str]] = {
    "all_done": _all_done,
    "all_done_min_one_success": _all_done_min_one_success,
    # Differs from all_done only for set-up tasks, which the reader of serialized Dags does not know yet.
    "all_done_setup_success": _all_done,
    "all_failed": _all_failed,
    "all_skipped": _all_skipped,
    "all_success": _all_success,
    "always": _always,
    "none_failed": _none_failed,
    "none_failed_min_one_success": _none_failed_min_one_success,
    "none_skipped": _none_skipped,
    "one_done": _one_done,
    "one_failed": _one_failed,
    "one_success": _one_success,
}
