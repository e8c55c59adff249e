"""In which order the child's own modules can be executed, one after the other, so that each finds what it imports.

Reads import statements at the top level of texts, and executes nothing. What stands within a function, a condition or a
``try`` is loaded when it is asked for, and not counted. Must not know which modules a task needs.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping

__all__ = ("start_order",)


def start_order(roots: Iterable[str], texts: Mapping[str, bytes]) -> list[str]:
    """The modules that are loaded with some, in the order in which Python would finish executing them.

    Args:
        roots: the modules to load, in that order, by their dotted names.
        texts: the source of every module that may be among the answer. What else is imported is left out of it.
    """
    begun: set[str] = set()
    finished: list[str] = []

    def load(name: str) -> None:
        if name in begun or name not in texts:
            return
        package = name.rpartition(".")[0]
        if package:
            load(package)
        if name not in begun:  # the package may have imported it
            begun.add(name)
            for imported in _imports(texts[name]):
                load(imported)
            finished.append(name)

    for root in roots:
        load(root)
    return finished


def _imports(text: bytes) -> Iterator[str]:
    """What a module's own statements ask for, which may be modules or names in them."""
    for statement in ast.parse(text).body:
        if isinstance(statement, ast.Import):
            yield from (alias.name for alias in statement.names)
        elif isinstance(statement, ast.ImportFrom):
            assert not statement.level, "outboard's own modules name each other in full"
            yield f"{statement.module}"
            yield from (f"{statement.module}.{alias.name}" for alias in statement.names)
