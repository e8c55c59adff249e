"""What the author's import statements lead to: a module beside the file, or the environment.

Knows Python's order: the file's own folder before what is installed, and folders without an ``__init__.py`` after all else.
Nothing is refused here, because most of what is wrong in a file that nobody imports is nobody's problem: what cannot be found
is noted where it was asked for. Must not know which modules hold Dags, nor what a bundle is.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import attrs

from outboard.bundle.author_tree import INIT, Place, Tree, child
from outboard.bundle.imports import Import, find_imports
from outboard.bundle.module_graph import Edge, Graph, Node, Problem, Root
from outboard.bundle.target import Target, importable
from outboard.errors import LoadError

__all__ = ("Resolver", "explain")

_EXTEND = b"""\
__path__ = __import__("pkgutil").extend_path(__path__, __name__)
"""


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


class Resolver:
    """Lets a graph grow along the imports of its modules.

    Args:
        graph: what is known so far, and grows.
        target: the environment that the modules will run in.
        tree: what may be read.
        roots: the folders of the files that were given.
        named: where modules are that were named expressly, by the first part of their names.
        taken: names at the top that no module of an author's may have.
    """

    def __init__(
        self,
        graph: Graph,
        target: Target,
        tree: Tree,
        *,
        roots: Sequence[Root],
        named: dict[str, Root],
        taken: frozenset[str],
    ) -> None:
        self._graph = graph
        self._target = target
        self._tree = tree
        self._roots = roots
        self._named = named
        self._taken = taken
        self._environment = _Environment(target)

    def grow(self) -> None:
        """Find what the modules import, and what that imports, until there is nothing new.

        Raises:
            UsageError: as for `Graph.add`.
            BundleError: the interpreter failed.
            EnvironmentBuildError: the environment's interpreter does not work.
        """
        while batch := self._graph.take_new():
            self._read_imports([node for node in batch if node.place.file is not None])
            self._environment.ask(name for node in batch for name in self._questions(node))
            for node in batch:
                for statement in node.imports:
                    self._resolve(node, statement)

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
        elif base == top == node.name and node.place.folder is None and self._environment.has_module(top):
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
        self._graph.add(place, root)
        node.edges.append(Edge(module=place.name, optional=statement.optional))

    def _miss(self, node: Node, statement: Import, name: str, place: Place | None) -> None:
        # The rest of a package without an __init__.py may be in the environment.
        if place is None or not place.is_namespace or not self._environment.has(name):
            self._note(node, statement, name)

    def _note(self, node: Node, statement: Import, module: str, text: str = "") -> None:
        node.problems.append(Problem(line=statement.line, module=module, text=text, optional=statement.optional))


def explain(problems: Sequence[tuple[Node, Problem]]) -> str:
    """One sentence about imports that lead nowhere: the first whole; if its module is not there, the others that are not.

    Args:
        problems: with the modules that they are in; not empty.
    """
    node, first = problems[0]
    start = f"{node.path}, line {first.line}: "
    if first.text:
        return start + first.text
    others: dict[str, str] = {first.module: ""}
    for owner, problem in problems:
        if not problem.text:
            others.setdefault(problem.module, f"{problem.module} ({owner.path}, line {problem.line})")
    also = ", ".join(filter(None, others.values()))
    return start + _absent(first.module) + (f"; nor is there {also}" if also else "")


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
    if os.path.isfile(node.place.anchor / INIT):
        return f"the folder {node.place.anchor.name} is no package, since no import can name it; rename it"
    name = statement.base or "a module"
    return f"the file is in no package, which dots could stand for; write {name} without them, or add an {INIT}"


def _absent(module: str) -> str:
    advice = (
        "add what provides it to the file's dependencies, name its file with --include, "
        "or catch the ImportError where the file can do without"
    )
    if module.partition(".")[0] == "airflow":
        advice = "a bundle does without Airflow: import the same names from outboard"
    return f"no module {module} in the standard library, in the environment or beside the file; {advice}"
