"""Write the checks and the probes of the conformance kit into their reference page.

::

    python -m outboard._tools.gen_conformance            # writes docs/reference/conformance.md
    python -m outboard._tools.gen_conformance --check    # exits 1 when a table is stale
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

from outboard._tools import generated_block
from outboard.conformance import RUNTIME_CHECKS, SUPERVISOR_CHECKS, Check
from outboard.conformance.check import TIERS
from outboard.conformance.probes import PROBES

PAGE = generated_block.ROOT / "docs" / "reference" / "conformance.md"


def checks_table(checks: Iterable[Check]) -> str:
    """One row a check."""
    rows = ["| check | tier | what has to hold | source |", "|---|---|---|---|"]
    for check in checks:
        heading = check.source.partition("#")[2]
        idea = check.idea.replace("|", "\\|")
        rows.append(f"| `{check.id}` | {check.tier} | {idea} | [{heading}](protocol.md#{heading}) |")
    return "\n".join(rows)


def probes_table() -> str:
    """One row a task."""
    rows = ["| task | needed for | what it does |", "|---|---|---|"]
    rows += [f"| `{probe.task_id}` | {probe.tier} | {probe.behaviour} |" for probe in PROBES]
    return "\n".join(rows)


def counts(checks: Iterable[Check]) -> str:
    """How many checks there are of each tier."""
    tiers = [check.tier for check in checks]
    return ", ".join(f"{tiers.count(tier)} {tier}" for tier in TIERS)


def main(argv: list[str] | None = None) -> int:
    """Write the tables, or check that they are current."""
    blocks = {
        "counts": f"Of a runtime: {counts(RUNTIME_CHECKS)}. Of a supervisor: {counts(SUPERVISOR_CHECKS)}.",
        "probes": probes_table(),
        "checks of a runtime": checks_table(RUNTIME_CHECKS),
        "checks of a supervisor": checks_table(SUPERVISOR_CHECKS),
    }
    return generated_block.main(__doc__, {PAGE: blocks}, argv)


if __name__ == "__main__":
    sys.exit(main())
