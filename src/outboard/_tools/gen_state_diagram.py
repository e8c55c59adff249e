"""Draw the transition table into the protocol's reference page.

::

    python -m outboard._tools.gen_state_diagram            # writes docs/reference/protocol.md
    python -m outboard._tools.gen_state_diagram --check    # exits 1 when the diagram is stale
"""

from __future__ import annotations

import sys

from outboard._tools import generated_block
from outboard.protocol import states

BLOCK = "states"


def diagram() -> str:
    """The table as a mermaid state diagram: one arrow for each pair of states, with the events that lead along it."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for (state, event), following in states.TRANSITIONS.items():
        arrows.setdefault((state, following), []).append(event)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {states.WAITING}"]
    lines += [f"    {state} --> {following}: {', '.join(events)}" for (state, following), events in arrows.items()]
    with_a_way_out = {state for state, _ in states.TRANSITIONS}
    lines += [f"    {state} --> [*]" for state in states.STATES if state not in with_a_way_out]
    return "\n".join([*lines, "```"])


def main(argv: list[str] | None = None) -> int:
    """Write the diagram, or check that it is current."""
    return generated_block.main(__doc__, {generated_block.PROTOCOL_PAGE: {BLOCK: diagram()}}, argv)


if __name__ == "__main__":
    sys.exit(main())
