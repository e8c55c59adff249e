"""Has a word with modules right after the author's code has imported them."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any

__all__ = ("when_imported",)


def when_imported(callbacks: dict[str, Callable[[], None]]) -> None:
    """Call each back once, when the module of that name has been loaded, or now if it is loaded already.

    For each name, one can wait. What a callback raises, the author's import raises.
    """
    waiting = {}
    for name, callback in callbacks.items():
        if name in sys.modules:
            callback()
        else:
            waiting[name] = callback
    for finder in sys.meta_path:
        if isinstance(finder, _ImportWatcher):
            finder.waiting.update(waiting)
            return
    sys.meta_path.insert(0, _ImportWatcher(waiting))


class _ImportWatcher:
    """A finder that finds nothing itself, but has a word with the module once it is loaded."""

    def __init__(self, waiting: dict[str, Callable[[], None]]) -> None:
        self.waiting = waiting

    def find_spec(self, name: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        callback = self.waiting.pop(name, None)
        if callback is None:
            return None
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(name, path, target)) is not None:
                if spec.loader is not None:
                    spec.loader = _WatchedLoader(spec.loader, callback)  # type: ignore[assignment]
                return spec
        return None


class _WatchedLoader:
    def __init__(self, loader: Any, callback: Callable[[], None]) -> None:
        self._loader = loader
        self._callback = callback

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        self._loader.exec_module(module)
        self._callback()
