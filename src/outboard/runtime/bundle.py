"""The bundle that the runtime runs in, as far as the runtime knows it. Only type checkers read this.

`outboard.bundle.bootstrap` makes it; the two meet in the bundle's first lines, and nowhere in the code.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    class Bundle(Protocol):
        """What was packed; see `outboard.bundle.bootstrap.Bundle`."""

        file: str
        name: str
        modules: Sequence[str]
        dag_ids: Sequence[str]
        digest: str
        schema: str
        about: Mapping[str, str]

        def metadata(self) -> bytes:
            """The manifest: UTF-8 JSON text."""

        def modules_of(self, dag_id: str) -> Sequence[str]:
            """The modules to load for a task of a Dag."""

        def is_authors(self, module: str) -> bool:
            """Whether a module is one of the author's own, and not of a library's."""

        def complete(self) -> None:
            """Make everything available that the author's code may need."""


__all__ = ("Bundle",)
