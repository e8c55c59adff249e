"""All checks of a runtime, in the order in which they are told: the plain ones first."""

from __future__ import annotations

from outboard.conformance.runtime_checks import ends, frames, logs, reports, requests, values

__all__ = ("RUNTIME_CHECKS",)

RUNTIME_CHECKS = (
    *reports.CHECKS,
    *requests.CHECKS,
    *values.CHECKS,
    *frames.CHECKS,
    *logs.CHECKS,
    *ends.CHECKS,
)
