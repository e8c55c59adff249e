"""The author's modules that may come along, which of them imports which, and the files that come with their packages.

Knows that a module needs its packages, and that a package comes whole. Must not know how an import is resolved
(`outboard.bundle.import_resolution`), which modules hold Dags, nor what a bundle is.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import attrs

from outboard.bundle.author_tree import INIT, Place, Tree, place_of
from outboard.bundle.imports import Import
from outboard.errors import LoadError, UsageError

__all__ = ("Edge", "Graph", "Node", "Problem", "Root")


@attrs.frozen(kw_only=True)
class Root:
    """A folder that modules are found from.

    Attributes:
        folder: where dotted names start, and what the paths of files are relative to.
        beside: folders within that are packages, and hold files that were given: their neighbours are found by a bare name
            too, as they are when such a file is run as a script, or when Airflow loads it.
    """

    folder: Path
    beside: tuple[Path, ...] = ()

    def path_of(self, file: Path) -> str:
        """What a file of it is called in a bundle."""
        path = file.relative_to(self.folder).as_posix()
        try:
            path.encode()
        except UnicodeEncodeError as error:
            raise UsageError(f"{path!r}: a name that is not UTF-8; rename the file") from error
        return path


@attrs.frozen(kw_only=True)
class Edge:
    """One import that leads to another of the author's modules."""

    module: str
    optional: bool


@attrs.frozen(kw_only=True)
class Problem:
    """An import that leads nowhere.

    Attributes:
        line: of the statement.
        module: the dotted name that was asked for.
        text: what is wrong, and what to do; empty if there just is no such module.
        optional: whether the file can do without.
    """

    line: int
    module: str
    text: str
    optional: bool


@attrs.define(kw_only=True, eq=False)
class Node:
    """One module of the author's.

    Attributes:
        place: where it is.
        root: what it was found from.
        text: its bytes.
        imports: what it asks for.
        failure: why the interpreter refuses its text.
        edges: its imports of the author's modules.
        problems: its imports that lead nowhere.
        externals: what it takes from elsewhere, by the first part of its name: the line.
    """

    place: Place
    root: Root
    text: bytes = b""
    imports: tuple[Import, ...] = ()
    failure: LoadError | None = None
    edges: list[Edge] = attrs.field(factory=list)
    problems: list[Problem] = attrs.field(factory=list)
    externals: dict[str, int] = attrs.field(factory=dict)

    @property
    def name(self) -> str:
        """Its dotted name."""
        return self.place.name

    @property
    def top(self) -> str:
        """The first part of its name."""
        return self.name.partition(".")[0]

    @property
    def parent(self) -> str:
        """The package that it is in; empty at the top."""
        return self.name.rpartition(".")[0]

    @property
    def path(self) -> str:
        """What its file is called in a bundle."""
        return self.root.path_of(self.place.path)


class Graph:
    """All modules that were found so far, and the files that come with their packages.

    Args:
        tree: what may be read.
        partial: packages, by their folders, that do not come along whole: those that a given file lies in.

    Attributes:
        nodes: by dotted name.
        data: the files that are no modules, by what they are called in a bundle.
    """

    def __init__(self, tree: Tree, *, partial: frozenset[Path]) -> None:
        self._tree = tree
        self._partial = partial
        self._new: list[Node] = []
        self._whole: set[tuple[Path, Path]] = set()
        self.nodes: dict[str, Node] = {}
        self.data: dict[str, Path] = {}

    def add(self, place: Place, root: Root) -> None:
        """Add a module, the packages that it is in, and all that is in it.

        Raises:
            UsageError: there is another of that name, or a file cannot be read.
        """
        known = self.nodes.get(place.name)
        if known is not None:
            if known.place.path != place.path and not (known.place.is_namespace and place.is_namespace):
                raise UsageError(
                    f"two modules would be called {place.name}: {known.place.path} and {place.path}; rename one"
                )
            return
        node = Node(place=place, root=root, text=self._tree.read(place.file) if place.file else b"")
        self.nodes[place.name] = node
        self._new.append(node)
        if node.parent:
            folder = place.anchor.joinpath(*node.parent.split("."))
            file = folder / INIT if os.path.isfile(folder / INIT) else None
            self.add(Place(name=node.parent, anchor=place.anchor, file=file, folder=folder), root)
        if place.folder is not None and place.folder not in self._partial:
            self.add_folder(place.folder, place.anchor, root)

    def add_folder(self, folder: Path, anchor: Path, root: Root) -> None:
        """Add everything in a folder.

        Args:
            folder: which one.
            anchor: where the names of its modules start.
            root: what the paths of its files are relative to.
        """
        if any((anchor, above) in self._whole for above in (folder, *folder.parents)):
            return
        self._whole.add((anchor, folder))
        for file in self._tree.files(folder):
            place = place_of(file, anchor)
            if place is None:
                self.add_data(file, root)
            else:
                self.add(place, root)

    def add_data(self, file: Path, root: Root) -> None:
        """Add a file that is no module."""
        path = root.path_of(file)
        known = self.data.setdefault(path, file)
        if known != file and self._tree.read(known) != self._tree.read(file):
            raise UsageError(f"two files would be called {path}: {known} and {file}; rename one, or pack them apart")

    def take_new(self) -> list[Node]:
        """The modules that were added since the last call."""
        new, self._new = self._new, []
        return new

    def reach(
        self, names: Iterable[str], *, through_optional: bool, past: Callable[[str], bool] = lambda name: False
    ) -> list[Node]:
        """The modules that are loaded with some: themselves, what they import and the packages of all these.

        Args:
            names: where to start.
            through_optional: whether imports count that a file can do without.
            past: which modules to leave out, with what only they lead to.
        """
        found = dict.fromkeys(names)
        waiting = list(found)
        while waiting:
            node = self.nodes[waiting.pop(0)]
            following = [edge.module for edge in node.edges if through_optional or not edge.optional]
            for name in [node.parent, *following] if node.parent else following:
                if name not in found and not past(name):
                    found[name] = None
                    waiting.append(name)
        return [self.nodes[name] for name in found]
