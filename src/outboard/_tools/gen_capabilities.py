"""Write the capability manifest into the README, in short, and into its reference page, in full.

::

    python -m outboard._tools.gen_capabilities            # writes README.md and docs/reference/capabilities.md
    python -m outboard._tools.gen_capabilities --check    # exits 1 when a table is stale

A manifest that says what it may not is written nowhere: see `outboard._tools.capabilities.problems`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from itertools import groupby

from outboard._tools import capabilities, generated_block
from outboard._tools.capabilities import OFF_THE_MATRIX, OURS, PROVERS, Capability, Manifest, Proof, Status
from outboard._tools.generated_block import ROOT
from outboard.protocol.versions import AIRFLOW

BLOCK = "capabilities"
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "reference" / "capabilities.md"

# What stands in a cell, for each level.
MARKS = {"supported": "✔", "partial": "partly", "no": "no", "not-applicable": "n/a"}

# The tier of a row holds on a condition.
DAGGER = "†"

NOT_A_ROW = "–"


def summary(manifest: Manifest) -> str:
    """The rows of Airflow's matrix, with what is there of each under each version of Airflow, and how many there are."""
    rows = [row for row in manifest.capabilities if row.tier != OFF_THE_MATRIX]
    table = [_line("capability", "tier", *AIRFLOW.values()), _rule(2 + len(AIRFLOW))]
    table += [_line(row.title, _tier(row), *(MARKS[row.status[date].level] for date in AIRFLOW)) for row in rows]
    counted = f"Of the rows of the matrix that apply, outboard has {_count(rows)}."
    return "\n".join([counted, "", *table])


def whole(manifest: Manifest) -> str:
    """All rows, with reasons and proofs, under the headings of the manifest."""
    parts = [f"Of the rows of this page that apply, outboard has {_count(manifest.capabilities)}."]
    for area, rows in groupby(manifest.capabilities, lambda row: row.area):
        table = [_line("capability", "tier", *AIRFLOW.values(), "shown by"), _rule(3 + len(AIRFLOW))]
        parts += [f"## {area}", "\n".join([*table, *map(_row, rows)])]
    sources = [f"- `{name}`: {text}" for name, text in manifest.sources.items()]
    return "\n\n".join([*parts, "## Sources", "\n".join(sources)])


def _count(rows: Iterable[Capability]) -> str:
    rows = list(rows)
    shares = []
    for date, version in AIRFLOW.items():
        levels = [row.status[date].level for row in rows]
        applying = len(levels) - levels.count("not-applicable")
        shares.append(f"{levels.count('supported')} of {applying} with Airflow {version}")
    return " and ".join(shares)


def _row(row: Capability) -> str:
    about = [f"**{row.title}**", f"`{row.id}`, of `{row.source}`", " ".join(f"`{name}`" for name in row.messages)]
    statuses = [_status(row.status[date]) for date in AIRFLOW]
    shown = [_proof(prover, row.proof[prover]) for prover in PROVERS if prover in row.proof]
    return _line("<br>".join(filter(None, about)), _tier(row), *statuses, "<br>".join(shown) or "–")


def _tier(row: Capability) -> str:
    tier = NOT_A_ROW if row.tier == OFF_THE_MATRIX else row.tier
    return f"{tier} {DAGGER}" if row.needs else tier


def _status(status: Status) -> str:
    mark = MARKS[status.level]
    return f"{mark}: {status.reason}" if status.reason else mark


def _proof(prover: str, proof: Proof) -> str:
    who = prover if prover == OURS else prover.replace("airflow", "Airflow").replace("-", " ")
    return f"{who}: {proof.reason or ', '.join(map(_link, proof.tests))}"


def _link(test: str) -> str:
    """A test as the sentence that its name is, leading to its file."""
    path, _, name = test.partition("::")
    sentence, _, case = name.removeprefix("test_").replace("_", " ").partition("[")
    shown = f"{sentence} ({case.removesuffix(']')})" if case else sentence
    return f"[{shown}](../../{path})"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |"


def _rule(columns: int) -> str:
    return "|---" * columns + "|"


def main(argv: list[str] | None = None) -> int:
    """Write the tables, or check that they are current."""
    manifest = capabilities.read()
    wrong = capabilities.problems(manifest)
    if wrong:
        print("\n".join(wrong), file=sys.stderr)
        return 1
    pages = {README: {BLOCK: summary(manifest)}, PAGE: {BLOCK: whole(manifest)}}
    return generated_block.main(__doc__, pages, argv)


if __name__ == "__main__":
    sys.exit(main())
