"""How a command ends, as a number. Documented in docs/reference/cli.md."""

from __future__ import annotations

from outboard.errors import BundleError, DamagedBundleError, EnvironmentBuildError, OutboardError

__all__ = ("BAD_INPUT", "NO_ENVIRONMENT", "RUN_FAILED", "SUCCESS", "exit_code_of")

SUCCESS = 0
RUN_FAILED = 1
BAD_INPUT = 2
NO_ENVIRONMENT = 3


def exit_code_of(error: OutboardError) -> int:
    """Whose matter an error is: the machine's (3), or that of the command line and the file that it names (2)."""
    if isinstance(error, DamagedBundleError):
        return BAD_INPUT
    return NO_ENVIRONMENT if isinstance(error, BundleError | EnvironmentBuildError) else BAD_INPUT
