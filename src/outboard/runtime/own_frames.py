"""Which frames of a traceback are the author's, and which only tell how the author's code came to run."""

from __future__ import annotations

__all__ = ("is_machinery",)

_LOADERS = ("importlib", "runpy", "zipimport")


def is_machinery(filename: str) -> bool:
    """Whether code of this file (as its code object names it) is the interpreter's import machinery, or ours."""
    if filename.startswith((_OURS, "<frozen ")):
        return True
    return any(name in _LOADERS for name in filename.split("/")[-2:])


# Everything of this package lies below one folder, on the disk as in a bundle.
_OURS = is_machinery.__code__.co_filename.rpartition("/runtime/")[0] + "/"
