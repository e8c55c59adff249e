"""All checks of a supervisor, each beside the scene that its bundle plays, in the order in which they are told."""

from __future__ import annotations

from outboard.conformance.supervisor_checks import outcomes, serving, survival

__all__ = ("SUPERVISOR_CHECKS",)

SUPERVISOR_CHECKS = (*outcomes.CHECKS, *serving.CHECKS, *survival.CHECKS)
