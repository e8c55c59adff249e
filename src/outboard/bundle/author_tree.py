"""The author's folders: what a dotted name is there, which files come along, and what may be read.

Knows Python's rules for finding modules in a folder, which files nobody would want in a bundle, and where links may lead.
Must not know who imports what.
"""

from __future__ import annotations

import keyword
import os
import re
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

from outboard.bundle.format import MAGIC
from outboard.errors import UsageError

__all__ = ("INIT", "Place", "Tree", "child", "is_module_name", "module_name", "package_root", "place_of")

INIT = "__init__.py"

_LEFT_OUT_FOLDERS = frozenset({"__pycache__"})
_LEFT_OUT_SUFFIXES = (".pyc", ".pyo")

# How installers are set up on this machine: often with passwords of indexes, and never with anything that a task needs.
_LEFT_OUT_FILES = frozenset({"pip.conf", "pip.ini", "uv.toml", "_netrc"})

# A folder that holds one of these is an environment, whatever it is called: what it holds are dependencies.
_MARKS_OF_ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")


@attrs.frozen(kw_only=True)
class Place:
    """Where one module is.

    Attributes:
        name: its dotted name.
        anchor: the folder that the name starts from.
        file: its file; None for a package that is a folder without an ``__init__.py``.
        folder: for a package, its folder; else None.
    """

    name: str
    anchor: Path
    file: Path | None
    folder: Path | None

    @property
    def is_namespace(self) -> bool:
        """Whether it is a folder without an ``__init__.py``."""
        return self.file is None

    @property
    def path(self) -> Path:
        """Its file, real or, for a namespace, the one that stands for it."""
        return self.file or Path(self.folder or self.anchor, INIT)


class Tree:
    """One folder of the author's, or several that were named together: what may be read of it.

    Args:
        allowed: the files and folders that the author named, and those that their modules are found from.
    """

    def __init__(self, allowed: Iterable[Path]) -> None:
        self._allowed = tuple(map(_real, allowed))
        self._packages: dict[Path, bool] = {}

    def read(self, file: Path) -> bytes:
        """The bytes of a file.

        Raises:
            UsageError: it cannot be read, is no regular file, or is a link to somewhere else.
        """
        self._check_link(file)
        try:
            if not stat.S_ISREG(file.stat().st_mode):
                raise UsageError(f"{file} is no file with a content that could be packed; move it elsewhere")
            return file.read_bytes()
        except OSError as error:
            raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error

    def size(self, file: Path) -> int:
        """The bytes of a file; 0 if it cannot be told, which `read` will say."""
        try:
            return file.stat().st_size
        except OSError:
            return 0

    def files(self, folder: Path) -> Iterator[Path]:
        """Every file below a folder that comes along with it, in a fixed order.

        Left out are hidden files and folders, compiled code, environments, bundles and settings of installers.

        Raises:
            UsageError: a folder cannot be read, or a link leads elsewhere or in circles.
        """
        yield from self._files(folder, (_real(folder),))

    def holds_modules(self, folder: Path) -> bool:
        """Whether there is any module in a folder or below it."""
        if folder not in self._packages:
            self._packages[folder] = any(is_module_name(file) for file in self.files(folder))
        return self._packages[folder]

    def _files(self, folder: Path, above: tuple[Path, ...]) -> Iterator[Path]:
        for entry in _entries(folder):
            path = Path(entry.path)
            if entry.name.startswith(".") or entry.name in _LEFT_OUT_FOLDERS:
                continue
            if not os.path.isdir(path):
                if not _is_left_out(path):
                    yield path
            elif not any(os.path.exists(path / mark) for mark in _MARKS_OF_ENVIRONMENTS):
                self._check_link(path)
                real = _real(path)
                if real in above:
                    raise UsageError(f"{path} is a link to a folder that it is in itself; remove it")
                yield from self._files(path, (*above, real))

    def _check_link(self, path: Path) -> None:
        real = _real(path)
        if not any(real.is_relative_to(allowed) for allowed in self._allowed):
            raise UsageError(
                f"{path} is a link to {real}, which is outside of what is packed; "
                "put a copy in its place, or remove it and name the original with --include"
            )


def child(folder: Path, name: str, anchor: Path, tree: Tree, above: str = "") -> Place | None:
    """What a module's name is in a folder, found as Python does; None if it is nothing there.

    Args:
        folder: where to look.
        name: one part of a dotted name.
        anchor: the folder that the whole dotted name starts from.
        tree: what the folder is in.
        above: the dotted name of the folder, if that is a package.
    """
    dotted = f"{above}.{name}" if above else name
    package, module = folder / name, folder / f"{name}.py"
    if os.path.isfile(package / INIT):
        return Place(name=dotted, anchor=anchor, file=package / INIT, folder=package)
    if os.path.isfile(module) or os.path.islink(module):
        return Place(name=dotted, anchor=anchor, file=module, folder=None)
    if os.path.isdir(package) and tree.holds_modules(package):
        return Place(name=dotted, anchor=anchor, file=None, folder=package)
    return None


def place_of(file: Path, anchor: Path) -> Place | None:
    """Which module a file below a folder is; None if no import can name it."""
    above = file.relative_to(anchor).parts[:-1]
    if not is_module_name(file) or not all(part.isidentifier() for part in above):
        return None
    if file.name != INIT:
        return Place(name=".".join((*above, file.stem)), anchor=anchor, file=file, folder=None)
    return Place(name=".".join(above), anchor=anchor, file=file, folder=file.parent) if above else None


def package_root(folder: Path) -> Path:
    """The folder that the names of modules in a folder start from: the first one upwards that is no package."""
    while os.path.isfile(folder / INIT) and folder.name.isidentifier() and folder != folder.parent:
        folder = folder.parent
    return folder


def module_name(file: Path) -> str:
    """The name of the module that a file becomes; a file whose own name is none gets one."""
    name = re.sub(r"\W", "_", file.stem)
    return f"_{name}" if keyword.iskeyword(name) or name[:1].isdigit() else name


def is_module_name(file: Path) -> bool:
    """Whether import statements can name a file."""
    return file.suffix == ".py" and file.stem.isidentifier() and not keyword.iskeyword(file.stem)


def _real(path: Path) -> Path:
    # Path.resolve refuses links in circles with an error of its own; here reading them does.
    return Path(os.path.realpath(path))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror or error}") from error


def _is_left_out(file: Path) -> bool:
    return file.name.endswith(_LEFT_OUT_SUFFIXES) or file.name in _LEFT_OUT_FILES or _is_bundle(file)


def _is_bundle(file: Path) -> bool:
    # Packing into the folder that is packed must not make each bundle hold the one before. A bundle's name has no dot.
    if file.suffix or not os.path.isfile(file) or file.stat().st_size < len(MAGIC):
        return False
    try:
        with file.open("rb") as stream:
            stream.seek(-len(MAGIC), os.SEEK_END)
            return stream.read() == MAGIC
    except OSError:
        return False  # whoever reads it will say why it cannot be read
