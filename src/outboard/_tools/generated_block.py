"""Blocks of the documentation that a generator owns: what stands between two marks, and nothing else of the page."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

__all__ = ("PROTOCOL_PAGE", "main", "replaced")

ROOT = Path(__file__).resolve().parents[3]
PROTOCOL_PAGE = ROOT / "docs" / "reference" / "protocol.md"


def replaced(page: str, name: str, text: str) -> str:
    """The page with the block of this name holding `text`.

    Raises:
        ValueError: the page has no such block.
    """
    begin, end = f"<!-- generated: {name} -->\n", f"<!-- end of {name} -->\n"
    before, has_begin, rest = page.partition(begin)
    _, has_end, after = rest.partition(end)
    if not has_begin or not has_end:
        raise ValueError(f"the page has no block between {begin.strip()} and {end.strip()}")
    return f"{before}{begin}\n{text.strip()}\n\n{end}{after}"


def main(description: str | None, blocks: dict[str, str], argv: list[str] | None = None) -> int:
    """Write the blocks into the protocol's page, or check that they are current."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when a block is stale")
    arguments = parser.parse_args(argv)
    page = PROTOCOL_PAGE.read_text()
    fresh = page
    for name, text in blocks.items():
        fresh = replaced(fresh, name, text)
    if fresh == page:
        return 0
    where = PROTOCOL_PAGE.relative_to(ROOT)
    print(f"{'stale' if arguments.check else 'wrote'} {where}: {', '.join(blocks)}", file=sys.stderr)
    if not arguments.check:
        PROTOCOL_PAGE.write_text(fresh)
    return int(arguments.check)
