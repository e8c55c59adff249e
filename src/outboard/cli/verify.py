"""``outboard verify``: whether bundles are what was packed, and would be started."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from outboard.bundle.reader import check_executable, warnings_here
from outboard.bundle.reader import verify as verify_file
from outboard.cli.exit_codes import BAD_INPUT, SUCCESS
from outboard.errors import DamagedBundleError, UsageError

__all__ = ("DAMAGED", "verify")

DAMAGED = 1
"""The exit code if a bundle is not what was packed."""


def verify(
    bundles: Annotated[Sequence[Path], Parameter(help="The bundles.")],
    /,
) -> int:
    """Check bundles: every byte, the execute bit, and what they need on this machine. Nothing in them is run."""
    if not bundles:
        raise UsageError("name the bundles to verify")
    return max(_verified(bundle) for bundle in bundles)


def _verified(bundle: Path) -> int:
    try:
        found = verify_file(bundle)
        check_executable(bundle)
    except DamagedBundleError as error:
        print(f"outboard: {error}", file=sys.stderr)
        return DAMAGED
    except UsageError as error:
        print(f"outboard: {error}", file=sys.stderr)
        return BAD_INPUT
    for warning in warnings_here(found):
        print(f"outboard: warning: {warning}", file=sys.stderr)
    print(f"{bundle}: sound, {', '.join(found.manifest.dag_ids)}")
    return SUCCESS
