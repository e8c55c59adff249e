"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

__all__ = ("Verbose",)

Verbose = Annotated[
    bool,
    Parameter(name=["--verbose", "-v"], negative="", show_default=False, help="Show tracebacks and debug records."),
]
