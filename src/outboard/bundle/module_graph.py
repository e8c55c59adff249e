"""Which of the author's modules imports which: from the files that are given to all that come along.

Knows how an import statement is resolved: beside the file first, then in the environment. Nothing is refused while the graph
grows, because most of what is wrong in a file that nobody imports is nobody's problem: what cannot be found is noted where it
was asked for. Must not know which modules hold Dags, nor what a bundle is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import attrs

from outboard.bundle.author_tree import INIT, Place, Tree, child, is_module_name
from outboard.bundle.imports import Import, find_imports
from outboard.bundle.target import Target, importable
from outboard.errors import LoadError, UsageError

__all__ = ("Edge", "Graph", "Node", "Problem", "Root")

_EXTEND = b"""\
__path__ = __import__("pkgutil").extend_path(__path__, __name__)
"""


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


@attrs.define
class _Environment:
    """What is known of what an environment can import: asked in batches, once for each name."""

    _target: Target
    _modules: set[str] = attrs.field(factory=set, init=False)
    _namespaces: set[str] = attrs.field(factory=set, init=False)
    _asked: set[str] = attrs.field(factory=set, init=False)

    def ask(self, names: Iterable[str]) -> None:
        """Learn about names."""
        new = sorted(set(names) - self._asked)
        if new:
            found = importable(self._target.executable, new)
            self._modules |= found.modules
            self._namespaces |= found.namespaces
            self._asked.update(new)

    def has(self, name: str) -> bool:
        return name in self._modules or name in self._namespaces

    def has_module(self, name: str) -> bool:
        return name in self._modules

    def has_namespace(self, name: str) -> bool:
        return name in self._namespaces


class Graph:
    """All modules that were found so far, and the files that come with their packages.

    Args:
        target: the environment that they will run in.
        tree: what may be read.
        roots: the folders of the files that were given.
        named: where modules are that were named expressly, by the first part of their names.
        taken: names at the top that no module of an author's may have.
        partial: packages, by their folders, that do not come along whole: those that a given file lies in.

    Attributes:
        nodes: by dotted name.
        data: the files that are no modules, by what they are called in a bundle.
    """

    def __init__(
        self,
        target: Target,
        tree: Tree,
        *,
        roots: Sequence[Root],
        named: dict[str, Root],
        taken: frozenset[str],
        partial: frozenset[Path],
    ) -> None:
        self._target = target
        self._tree = tree
        self._roots = roots
        self._named = named
        self._taken = taken
        self._partial = partial
        self._environment = _Environment(target)
        self._new: list[Node] = []
        self._whole: set[tuple[Path, Path]] = set()
        self.nodes: dict[str, Node] = {}
        self.data: dict[str, Path] = {}

    # ── what belongs to it ────────────────────────────────────────────────────────────────────────────────────────

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
            file = folder / INIT if (folder / INIT).is_file() else None
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
            above = file.relative_to(anchor).parts[:-1]
            if not is_module_name(file) or not all(part.isidentifier() for part in above):
                self.add_data(file, root)
            elif file.name == INIT:
                self.add(Place(name=".".join(above), anchor=anchor, file=file, folder=file.parent), root)
            else:
                self.add(Place(name=".".join((*above, file.stem)), anchor=anchor, file=file, folder=None), root)

    def add_data(self, file: Path, root: Root) -> None:
        """Add a file that is no module."""
        path = root.path_of(file)
        known = self.data.setdefault(path, file)
        if known != file and self._tree.read(known) != self._tree.read(file):
            raise UsageError(f"two files would be called {path}: {known} and {file}; rename one, or pack them apart")

    def grow(self) -> None:
        """Find what the modules import, and what that imports, until there is nothing new.

        Raises:
            UsageError: as for `add`.
            BundleError: the interpreter failed.
            EnvironmentBuildError: the environment's interpreter does not work.
        """
        while self._new:
            batch, self._new = self._new, []
            self._read_imports([node for node in batch if node.place.file is not None])
            self._environment.ask(name for node in batch for name in self._questions(node))
            for node in batch:
                for statement in node.imports:
                    self._resolve(node, statement)

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

    def installed(self, names: Iterable[str]) -> set[str]:
        """Those of some names that the environment has modules of."""
        asked = set(names)
        self._environment.ask(asked)
        return {name for name in asked if self._environment.has_module(name)}

    def namespace_text(self, name: str) -> bytes:
        """The text that stands for a missing ``__init__.py``: none, or one that adds the environment's part of the package."""
        self._environment.ask([name])
        return _EXTEND if self._environment.has_namespace(name) else b""

    # ── what an import leads to ───────────────────────────────────────────────────────────────────────────────────

    def _read_imports(self, nodes: Sequence[Node]) -> None:
        if not nodes:
            return
        found = find_imports(self._target.executable, [(node.path, node.text) for node in nodes])
        for node, imports in zip(nodes, found, strict=True):
            if isinstance(imports, LoadError):
                node.failure = imports
            else:
                node.imports = imports

    def _questions(self, node: Node) -> Iterator[str]:
        """What has to be known of the environment to resolve the imports of a module."""
        for statement in node.imports:
            base = _absolute(node, statement)
            if base and base.partition(".")[0] not in self._taken:
                yield base.partition(".")[0]
                yield base
                yield from (f"{base}.{name}" for name in statement.names if name != "*")

    def _resolve(self, node: Node, statement: Import) -> None:
        base = _absolute(node, statement)
        if not base:
            self._note(node, statement, "." * statement.level + statement.base, _beyond(node, statement))
            return
        top = base.partition(".")[0]
        home = (node.place.anchor, node.root) if statement.level else self._home(node, top)
        if home is None:
            node.externals.setdefault(top, statement.line)
            self._resolve_external(node, statement, base)
        elif not statement.level and top in self._taken:
            self._note(
                node, statement, top, f"{top} is a module that exists already and {home[0] / top} hides; rename that"
            )
        elif base == node.name and not node.parent and self._environment.has_module(top):
            self._note(
                node, statement, top, f"{top} is installed, but hidden by the file that imports it; rename the file"
            )
        else:
            self._follow(node, statement, base, *home)

    def _home(self, node: Node, top: str) -> tuple[Path, Root] | None:
        """The folder and the root that a name at the top is found from; None if that is the environment."""
        root = node.root
        here = child(root.folder, top, root.folder, self._tree)
        if here is not None and not here.is_namespace:
            return root.folder, root
        if top in self._taken:
            return None
        if top in self._named:
            return self._named[top].folder, self._named[top]
        if self._environment.has_module(top):
            return None
        others = [other for other in self._roots if other is not root]
        for place in (root, *others):
            for folder in (place.folder, *place.beside):
                if child(folder, top, folder, self._tree) is not None:
                    return folder, place
        return None

    def _resolve_external(self, node: Node, statement: Import, base: str) -> None:
        if base.partition(".")[0] in self._taken:
            return
        if not self._environment.has(base):
            self._note(node, statement, base)
        elif self._environment.has_namespace(base):
            for name in statement.names:
                if name != "*" and not self._environment.has(f"{base}.{name}"):
                    self._note(node, statement, f"{base}.{name}")

    def _follow(self, node: Node, statement: Import, base: str, anchor: Path, root: Root) -> None:
        """Add what a dotted name leads to, part by part, and then what is imported from there."""
        place: Place | None = None
        for part in base.split("."):
            found = self._below(place, part, anchor)
            if found is None:
                self._miss(node, statement, base, place)
                return
            self._lead(node, statement, found, root)
            place = found
        for name in statement.names:
            found = self._below(place, name, anchor)
            if found is not None:
                self._lead(node, statement, found, root)
            elif place is not None and place.is_namespace and name != "*":
                self._miss(node, statement, f"{base}.{name}", place)

    def _below(self, place: Place | None, name: str, anchor: Path) -> Place | None:
        if place is None:
            return child(anchor, name, anchor, self._tree)
        return child(place.folder, name, anchor, self._tree, place.name) if place.folder else None

    def _lead(self, node: Node, statement: Import, place: Place, root: Root) -> None:
        self.add(place, root)
        node.edges.append(Edge(module=place.name, optional=statement.optional))

    def _miss(self, node: Node, statement: Import, name: str, place: Place | None) -> None:
        # The rest of a package without an __init__.py may be in the environment.
        if place is None or not place.is_namespace or not self._environment.has(name):
            self._note(node, statement, name)

    def _note(self, node: Node, statement: Import, module: str, text: str = "") -> None:
        node.problems.append(Problem(line=statement.line, module=module, text=text, optional=statement.optional))


def _absolute(node: Node, statement: Import) -> str:
    """The dotted name that an import starts from; empty if its dots lead out of the package."""
    if not statement.level:
        return statement.base
    package = node.name if node.place.folder is not None else node.parent
    parts = package.split(".") if package else []
    if statement.level > len(parts):
        return ""
    kept = parts[: len(parts) - statement.level + 1]
    return ".".join([*kept, statement.base] if statement.base else kept)


def _beyond(node: Node, statement: Import) -> str:
    if node.parent or node.place.folder is not None:
        return "the dots lead out of the package that the file is in"
    name = statement.base or "a module"
    return f"the file is in no package, which dots could stand for; write {name} without them, or add an {INIT}"
