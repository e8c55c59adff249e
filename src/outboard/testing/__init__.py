"""What tests of tasks and of peers use: two ends of the protocol joined in memory.

Nothing of outboard imports this package.
"""

from __future__ import annotations

from outboard.testing.connection_pair import ConnectionPair

__all__ = ("ConnectionPair",)
