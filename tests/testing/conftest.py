"""Files of authors that tests import, as an author's own tests do."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from outboard.sdk.dag import take_registered

AuthorModule = Callable[..., Any]


@pytest.fixture
def author_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[AuthorModule]:
    """Write a module of that name into a folder of its own, and import it."""
    folder = tmp_path / "author"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    written = []

    def write(text: str, name: str = "author_tasks") -> Any:
        (folder / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        written.append(name)
        return importlib.import_module(name)

    yield write
    for name in written:
        sys.modules.pop(name, None)
    take_registered()
