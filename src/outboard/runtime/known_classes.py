"""Which classes values may be made of that an XCom names: those that the author has written, and those that the author allows.

Nothing is imported here for a peer's sake: a class counts when the author's code has loaded its module. Loaded by the tasks
that meet a value of a class.
"""

from __future__ import annotations

import sys

from outboard.sdk.allowed_classes import allowed_class

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ("find_class",)


def find_class(name: str, is_authors: Callable[[str], bool]) -> type | None:
    """The class of a dotted name, or None if values of it are to stay inert.

    Args:
        name: such as ``"sales.Row"``.
        is_authors: whether a module is one of the author's own.
    """
    allowed = allowed_class(name)
    if allowed is not None:
        return allowed
    module_name, _, own_name = name.rpartition(".")
    module = sys.modules.get(module_name)
    if module is None or not is_authors(module_name):
        return None
    found = vars(module).get(own_name)
    # What the author's module only imports from elsewhere is not the author's.
    is_own = isinstance(found, type) and (found.__module__, found.__qualname__) == (module_name, own_name)
    return found if is_own else None
