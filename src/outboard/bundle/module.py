"""One module of a bundle, and what of a bundle is the author's: the two things that all steps of packing hand on.

Knows only what they are made of. Must not know where they come from.
"""

from __future__ import annotations

import attrs

__all__ = ("AuthorContents", "Module")


@attrs.frozen(kw_only=True)
class Module:
    """One module of a bundle.

    Attributes:
        name: what it is imported by.
        is_package: whether it is a package.
        file: its file inside the bundle, as tracebacks show it.
        text: its source.
        is_cold: whether a plain task does without it.
        is_ours: whether it is a part of outboard.
        is_vendored: whether it belongs to a library that is carried because the environment lacks it.
    """

    name: str
    is_package: bool
    file: str
    text: bytes
    is_cold: bool = False
    is_ours: bool = False
    is_vendored: bool = False


@attrs.frozen(kw_only=True)
class AuthorContents:
    """What of a bundle is the author's.

    Attributes:
        name: the bundle's name.
        entry_modules: the modules to load for Dags, by the names that they are imported by.
        modules: these and all others, the entries first.
        data: the files that are no modules, by their paths below the author's folder.
    """

    name: str
    entry_modules: tuple[str, ...]
    modules: tuple[Module, ...]
    data: dict[str, bytes] = attrs.field(factory=dict)
