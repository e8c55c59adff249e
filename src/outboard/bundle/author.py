"""The author's part of a bundle: what the files and folders that are given amount to.

Knows which files are loaded for Dags, what comes along with them, and what fails the packing. The rules:

- A file that is given is loaded. Of a folder that is given, those of its own files (not of its subfolders) are loaded that
  import outboard, themselves or through modules of the author's; tests are not.
- What a loaded file imports comes along: modules beside it one by one, packages whole. A folder that is given comes along
  whole, and so does what is named with ``--include``.
- A module's name is the one that the file's own folder gives it; within a package, the one that the package gives it.
- Whatever is loaded, or imported by that, must be found: in the standard library, in the environment or beside the file.

Must not know what is done with all that.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

import attrs

from outboard.bundle.archive import MAX_SIZE
from outboard.bundle.author_tree import INIT, Place, Tree, child, is_module_name, module_name, package_root, place_of
from outboard.bundle.credentials import has_credential
from outboard.bundle.import_resolution import Resolver, explain
from outboard.bundle.module import AuthorContents, Module
from outboard.bundle.module_graph import Graph, Node, Root
from outboard.bundle.target import Target
from outboard.errors import UsageError

__all__ = ("author_contents",)

# Whoever imports one of these is no Dag. What is named like a test is one unless it imports outboard itself.
_TEST_LIBRARIES = frozenset({"pytest", "unittest", "hypothesis"})
_TESTING = "outboard.testing"

# Here addresses are those of packages and indexes; elsewhere an address with a password is the author's own affair.
_PACKAGING = (
    "pyproject.toml",
    "setup.cfg",
    "Pipfile",
    "*.lock",
    "*requirements*.txt",
    "*requirements*.in",
    "*constraints*.txt",
)


def author_contents(
    paths: Sequence[Path], includes: Sequence[Path], target: Target, *, taken: frozenset[str]
) -> AuthorContents:
    """Collect what is the author's.

    Args:
        paths: files and folders with Dags.
        includes: files and folders that come along although nothing imports them.
        target: the environment that it will all run in.
        taken: names that no module at the top may have.

    Raises:
        UsageError: a file that cannot be read, a name that is taken or found twice, an import that leads nowhere.
        LoadError: a file with a syntax error.
        EnvironmentBuildError: the interpreter does not work.
    """
    return _Collection(_absolute(paths), _absolute(includes), target, taken).contents()


def _absolute(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The paths from the file system's root, links kept: modules are found where the author sees them."""
    for path in paths:
        try:
            path.stat()
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    return tuple(dict.fromkeys(Path(os.path.abspath(path)) for path in paths))


class _Collection:
    def __init__(
        self, paths: tuple[Path, ...], includes: tuple[Path, ...], target: Target, taken: frozenset[str]
    ) -> None:
        if not paths:
            raise UsageError("there is nothing to pack; name a file or a folder")
        self._paths = paths
        self._taken = taken
        self._roots = _roots(paths)
        self._includes = [(path, self._root_of_include(path)) for path in includes]
        roots = [*self._roots.values(), *(root for _, root in self._includes)]
        self._tree = Tree([*(root.folder for root in roots), *paths, *includes])
        self._graph = Graph(self._tree, partial=frozenset(_packages_above(paths)))
        self._resolver = Resolver(
            self._graph, target, self._tree, roots=list(self._roots.values()), named=self._named(), taken=taken
        )
        self._entries: dict[str, None] = {}

    def contents(self) -> AuthorContents:
        candidates = {path: list(self._add(path)) for path in self._paths}
        for path, root in self._includes:
            self._include(path, root)
        self._resolver.grow()
        for path, names in candidates.items():
            self._choose(path, names)
        needed = self._graph.reach(self._entries, through_optional=True)
        self._check(needed)
        modules, data = self._sort(needed)
        name = self._paths[0].parent.name if self._paths[0].name == INIT else self._paths[0].stem
        return AuthorContents(name=name, entry_modules=tuple(self._entries), modules=modules, data=data)

    # ── what was given ────────────────────────────────────────────────────────────────────────────────────────────

    def _add(self, path: Path) -> Iterator[str]:
        """Add what was given. Returns the names of the modules that may have to be loaded."""
        root = self._roots[package_root(_folder_of(path))]
        files = [path]
        if path.is_dir():
            files = [file for file in self._tree.files(path) if file.parent == path and file.suffix == ".py"]
        for file in files:
            place = _place(file, root.folder)
            if not path.is_dir():
                self._check_name(place)
            self._graph.add(place, root)
            yield place.name
        if path.is_dir():
            self._graph.add_folder(path, root.folder, root)

    def _include(self, path: Path, root: Root) -> None:
        if path.is_dir():
            self._graph.add_folder(path, root.folder, root)
            return
        place = place_of(path, root.folder)
        if place is None:
            self._graph.add_data(path, root)
        else:
            self._graph.add(place, root)

    def _root_of_include(self, path: Path) -> Root:
        """The innermost root that it lies in; if none, its own folder is one."""
        inside = [root for root in self._roots.values() if path.is_relative_to(root.folder)]
        return max(inside, key=lambda root: len(root.folder.parts), default=Root(folder=package_root(path.parent)))

    def _named(self) -> dict[str, Root]:
        named: dict[str, Root] = {}
        for path, root in self._includes:
            top = path.relative_to(root.folder).as_posix().partition("/")[0].removesuffix(".py")
            if top != "." and child(root.folder, top, root.folder, self._tree) is not None:
                named.setdefault(top, root)
        return named

    def _check_name(self, place: Place) -> None:
        top = place.name.partition(".")[0]
        if top in self._taken:
            what = "file" if top == place.name and place.folder is None else "folder"
            raise UsageError(
                f"{place.path.name}: a module called {top} exists already and would be hidden; rename the {what}"
            )

    # ── what is loaded ────────────────────────────────────────────────────────────────────────────────────────────

    def _choose(self, path: Path, names: Sequence[str]) -> None:
        chosen = names if path.is_file() else [name for name in names if self._holds_dags(self._graph.nodes[name])]
        if not chosen:
            raise UsageError(f"{path}: none of the files in this folder imports outboard; name the files with Dags")
        for name in chosen:
            self._check_name(self._graph.nodes[name].place)
            self._entries[name] = None

    def _holds_dags(self, node: Node) -> bool:
        if node.place.path.name == "__main__.py":
            return False
        if node.failure is not None:
            return b"outboard" in node.text
        if node.place.path.name == INIT:
            return _uses_outboard(node)
        if _is_test(node):
            return False
        # What its packages load is loaded with every module of theirs, and says nothing about this one.
        loaded = self._graph.reach(
            [node.name], through_optional=True, past=lambda name: node.name.startswith(f"{name}.")
        )
        return any(map(_uses_outboard, loaded))

    # ── what fails ────────────────────────────────────────────────────────────────────────────────────────────────

    def _check(self, needed: Sequence[Node]) -> None:
        for node in needed:
            if node.failure is not None:
                raise node.failure
        required = self._graph.reach(self._entries, through_optional=False)
        problems = [(node, problem) for node in required for problem in node.problems if not problem.optional]
        if problems:
            raise UsageError(explain(problems))
        own = {node.top: node for node in required}
        for node in required:
            for top, line in node.externals.items():
                if top in own:
                    raise UsageError(
                        f"{node.path}, line {line}: {top} is the environment's for this file, and "
                        f"{own[top].place.path} for others; rename that, or pack them apart"
                    )

    # ── what comes along ──────────────────────────────────────────────────────────────────────────────────────────

    def _sort(self, needed: Sequence[Node]) -> tuple[tuple[Module, ...], dict[str, bytes]]:
        """Tell the modules from the files that are none, or that nobody imports and that would hide others."""
        hot = {node.name for node in needed}
        idle = [node for name, node in self._graph.nodes.items() if name not in hot]
        hiding = self._taken | self._resolver.installed({node.top for node in idle} - {node.top for node in needed})
        kept = {node.name: node for node in idle if _is_importable(node) and node.top not in hiding}
        kept |= {node.name: node for node in needed}
        modules_files = {node.path for node in kept.values()}
        data = self._data({path: file for path, file in self._graph.data.items() if path not in modules_files})
        data |= {node.path: node.text for node in idle if node.name not in kept and node.place.file is not None}
        ordered = [*self._entries, *sorted(kept.keys() - self._entries.keys())]
        modules = [self._module(kept[name], is_cold=name not in hot) for name in ordered if _is_alive(name, kept)]
        return tuple(modules), dict(sorted(data.items()))

    def _data(self, files: dict[str, Path]) -> dict[str, bytes]:
        sizes = {path: self._tree.size(file) for path, file in files.items()}
        if sum(sizes.values()) > MAX_SIZE:
            largest = max(sizes, key=lambda path: sizes[path])
            raise UsageError(
                f"the files that come along have {sum(sizes.values())} bytes, and a bundle holds {MAX_SIZE} at most; "
                f"the largest is {largest}; keep it elsewhere"
            )
        data = {path: self._tree.read(file) for path, file in files.items()}
        for path, text in data.items():
            is_packaging = any(fnmatchcase(files[path].name, pattern) for pattern in _PACKAGING)
            if is_packaging and has_credential(text.decode("utf-8", "replace")):
                raise UsageError(
                    f"{path} names a package index with a password, which must not get into a bundle; "
                    "take it out of the file, or the file out of the folder"
                )
        return data

    def _module(self, node: Node, *, is_cold: bool) -> Module:
        text = self._resolver.namespace_text(node.name) if node.place.is_namespace else node.text
        is_package = node.place.folder is not None
        return Module(name=node.name, is_package=is_package, file=node.path, text=text, is_cold=is_cold)


def _folder_of(path: Path) -> Path:
    return path if path.is_dir() else path.parent


def _roots(paths: Sequence[Path]) -> dict[Path, Root]:
    roots: dict[Path, Root] = {}
    for path in paths:
        folder = _folder_of(path)
        root = roots.setdefault(package_root(folder), Root(folder=package_root(folder)))
        if folder not in (root.folder, *root.beside):
            roots[root.folder] = attrs.evolve(root, beside=(*root.beside, folder))
    return roots


def _packages_above(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        folder = path.parent
        root = package_root(folder)
        while folder != root:
            yield folder
            folder = folder.parent


def _place(file: Path, root: Path) -> Place:
    """The module that a file becomes which is given, whatever it is called."""
    above = file.relative_to(root).parts[:-1]
    name = ".".join((*above, module_name(file)))
    return place_of(file, root) or Place(name=name, anchor=root, file=file, folder=None)


def _uses_outboard(node: Node) -> bool:
    return any(not each.level and each.base.partition(".")[0] == "outboard" for each in node.imports)


def _is_test(node: Node) -> bool:
    bases = {each.base for each in node.imports if not each.level}
    if _TESTING in bases or not _TEST_LIBRARIES.isdisjoint(base.partition(".")[0] for base in bases):
        return True
    stem = node.place.path.stem
    named_like_one = stem.startswith("test_") or stem.endswith("_test") or stem == "conftest"
    return named_like_one and not _uses_outboard(node)


def _is_importable(node: Node) -> bool:
    return node.failure is None and (node.place.path.name == INIT or is_module_name(node.place.path))


def _is_alive(name: str, kept: dict[str, Node]) -> bool:
    """Whether a package without a file of its own has got any module left."""
    return not kept[name].place.is_namespace or any(
        other.startswith(f"{name}.") and not node.place.is_namespace for other, node in kept.items()
    )
