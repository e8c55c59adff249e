"""Blocks of the documentation that a generator owns: what stands between two marks, and nothing else of the page."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ("PROTOCOL_PAGE", "ROOT", "main", "replaced")

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


def main(description: str | None, pages: Mapping[Path, Mapping[str, str]], argv: list[str] | None = None) -> int:
    """Write the blocks into their pages, or check that they are current."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only compare; exit 1 when a block is stale")
    arguments = parser.parse_args(argv)
    changed = [path for path, blocks in pages.items() if _is_changed(path, blocks, write=not arguments.check)]
    return int(arguments.check and bool(changed))


def _is_changed(path: Path, blocks: Mapping[str, str], *, write: bool) -> bool:
    page = path.read_text()
    fresh = page
    for name, text in blocks.items():
        fresh = replaced(fresh, name, text)
    if fresh == page:
        return False
    print(f"{'wrote' if write else 'stale'} {path.relative_to(ROOT)}: {', '.join(blocks)}", file=sys.stderr)
    if write:
        path.write_text(fresh)
    return True
