"""Which modules go into a bundle: the author's, those of outboard that run in the child, and what the environment lacks.

Knows where their files are and what each is called. Must not know how they are compiled, laid out or started.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import attrs

import outboard
from outboard.bundle.author import author_contents
from outboard.bundle.module import AuthorContents, Module
from outboard.bundle.start_order import start_order
from outboard.bundle.target import Target
from outboard.errors import BundleError

__all__ = (
    "CHILD_LIBRARIES",
    "CHILD_MODULES",
    "CHILD_PACKAGES",
    "KNOWN_LIBRARIES",
    "OPTIONAL_LIBRARIES",
    "PARENT_MODULES",
    "START_ROOTS",
    "UNPACKING_ROOT",
    "VENDOR_FOLDER",
    "WIRE_LIBRARY",
    "AuthorContents",
    "Module",
    "child_modules",
    "collect",
    "lacking",
    "library_in",
    "vendored_modules",
)

CHILD_LIBRARIES = ("msgpack", "anyio", "idna", "typing_extensions")
"""What the child may import besides the standard library. Packed, as pure Python, where the environment lacks it."""

OPTIONAL_LIBRARIES = ("isoduration", "jsonschema")
"""What a bundle takes only if its Dags say so, see `outboard.errors.MissingLibraryError`: too large, or not pure Python."""

KNOWN_LIBRARIES = (*CHILD_LIBRARIES, *OPTIONAL_LIBRARIES)
"""What to look for in an environment."""

CHILD_PACKAGES = ("protocol", "sdk", "comms", "runtime")
CHILD_MODULES = (
    "__init__.py",
    "errors.py",
    "types.py",
    "bundle/__init__.py",
    "bundle/bootstrap.py",
    "bundle/cache.py",
    "bundle/nested.py",
    "bundle/platform.py",
    "bundle/unpack.py",
)
PARENT_MODULES = frozenset({"comms/descriptors.py", "comms/in_memory.py", "comms/serving.py"})
"""Which files of this package run in the child: these packages and modules, without those that are the parent's."""

START_ROOTS = ("outboard.runtime.server", "outboard.runtime.task_runner", "outboard.sdk.dag", "outboard.sdk.task")
"""What every task loads, with what these import: it is executed in one go, before anything else."""

UNPACKING_ROOT = "outboard.bundle.cache"
"""The same for tasks whose bundle unpacks something, and looks for it at each start."""

VENDOR_FOLDER = "_vendor"
"""Where the files of libraries are inside the bundle."""

WIRE_LIBRARY = "msgpack"
"""The library that a task may need to talk to its supervisor, also before its environment is unpacked."""

_OUR_NAMES = frozenset({"__main__", "outboard", VENDOR_FOLDER, *CHILD_LIBRARIES})


def collect(paths: Sequence[Path], includes: Sequence[Path], target: Target) -> AuthorContents:
    """What of a bundle is the author's; the rules are told in `outboard.bundle.author`.

    Args:
        paths: files and folders with Dags.
        includes: files and folders that come along although nothing imports them.
        target: the environment that it will all run in.

    Raises:
        UsageError: a file that cannot be read, a name that is taken or found twice, an import that leads nowhere.
        LoadError: a file with a syntax error.
        EnvironmentBuildError: the interpreter does not work.
    """
    return author_contents(paths, includes, target, taken=target.standard_modules | _OUR_NAMES)


def child_modules(*, unpacks: bool = False) -> list[Module]:
    """The modules of outboard that run in the child: first those that every task loads, in the order to execute them in.

    Args:
        unpacks: whether the bundle holds something that it unpacks.
    """
    root = Path(outboard.__file__).parent
    files = [root / name for name in CHILD_MODULES]
    for package in CHILD_PACKAGES:
        files += sorted((root / package).rglob("*.py"))
    wanted = (file for file in files if file.relative_to(root).as_posix() not in PARENT_MODULES)
    modules = {module.name: module for module in (_module_of(file, root.parent) for file in wanted)}
    roots = (*START_ROOTS, UNPACKING_ROOT) if unpacks else START_ROOTS
    order = start_order(roots, {name: module.text for name, module in modules.items()})
    ordered = [modules[name] for name in dict.fromkeys([*order, *modules])]
    return [attrs.evolve(module, is_ours=True, is_cold=module.name not in order) for module in ordered]


def lacking(target: Target) -> tuple[str, ...]:
    """The names of the child's libraries that an environment has not got."""
    return tuple(name for name in CHILD_LIBRARIES if name not in target.libraries)


def vendored_modules(libraries: Sequence[str]) -> list[Module]:
    """The pure-Python modules of libraries that the child needs, from outboard's own environment.

    Raises:
        BundleError: outboard's own environment lacks one too.
    """
    modules = []
    for library in libraries:
        spec = importlib.util.find_spec(library)
        if spec is None or spec.origin is None:
            raise BundleError(f"{library} is missing from outboard's own environment; install outboard again")
        modules += _library(Path(spec.origin))
    return modules


def library_in(target: Target, library: str) -> list[Module]:
    """The pure-Python modules of a package that an environment has."""
    for folder in target.import_path:
        origin = Path(folder, library, "__init__.py")
        if origin.is_file():
            return _library(origin)
    raise BundleError(f"{library} is missing from {target.prefix}, which was built to have it; remove that environment")


def _library(origin: Path) -> list[Module]:
    is_package = origin.name == "__init__.py"
    files = sorted(origin.parent.rglob("*.py")) if is_package else [origin]
    root = origin.parents[1] if is_package else origin.parent
    return [_vendored(_module_of(file, root)) for file in files]


def _vendored(module: Module) -> Module:
    return attrs.evolve(module, file=f"{VENDOR_FOLDER}/{module.file}", is_cold=True, is_vendored=True)


def _module_of(file: Path, root: Path) -> Module:
    relative = file.relative_to(root)
    is_package = file.name == "__init__.py"
    parts = (relative.parent if is_package else relative.with_suffix("")).parts
    return Module(name=".".join(parts), is_package=is_package, file=relative.as_posix(), text=file.read_bytes())
