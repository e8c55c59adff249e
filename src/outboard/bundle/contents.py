"""Which modules go into a bundle: the author's, those of outboard that run in the child, and what the environment lacks.

Knows where their files are and what each is called. Must not know how they are compiled, laid out or started.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
from collections.abc import Sequence
from pathlib import Path

import attrs

import outboard
from outboard.bundle.target import Target
from outboard.errors import BundleError, UsageError

__all__ = (
    "CHILD_LIBRARIES",
    "CHILD_MODULES",
    "CHILD_PACKAGES",
    "COLD_MODULES",
    "HOT_LIBRARY",
    "PARENT_MODULES",
    "VENDOR_FOLDER",
    "AuthorContents",
    "Module",
    "author_module",
    "child_modules",
    "lacking",
    "library_in",
    "vendored_modules",
)

CHILD_LIBRARIES = ("msgpack", "anyio", "idna", "typing_extensions")
"""What the child may import besides the standard library. Packed, as pure Python, where the environment lacks it."""

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

COLD_MODULES = frozenset(
    f"outboard.{name}"
    for name in (
        "bundle.nested",
        "bundle.platform",
        "bundle.unpack",
        "protocol.serialized_dag",
        "runtime.coroutine_body",
        "runtime.dag_parser",
        "runtime.dag_serde",
        "runtime.logging_bridge",
        "runtime.structlog_bridge",
    )
)
"""Modules that a plain task does not load: their code stays in the file until somebody asks for it."""

VENDOR_FOLDER = "_vendor"
"""Where the files of libraries are inside the bundle."""

HOT_LIBRARY = "msgpack"
"""The library that every task needs, to talk to its supervisor."""


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


def author_module(file: Path, target: Target) -> Module:
    """The author's file as a module.

    Raises:
        UsageError: it cannot be read, or its name is that of a module that it would hide.
    """
    try:
        text = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
    name = re.sub(r"\W", "_", file.stem)
    if keyword.iskeyword(name) or name[:1].isdigit():
        name = f"_{name}"
    if name in target.standard_modules or name in ("outboard", *CHILD_LIBRARIES):
        raise UsageError(f"{file.name}: a module called {name} exists already and would be hidden; rename the file")
    return Module(name=name, is_package=False, file=file.name, text=text)


def collect(paths: Sequence[Path], includes: Sequence[Path], target: Target) -> AuthorContents:
    """What of a bundle is the author's: one file for now. AUTHORFILES replaces this."""
    del includes
    module = author_module(paths[0], target)
    return AuthorContents(name=paths[0].stem, entry_modules=(module.name,), modules=(module,))


def child_modules() -> list[Module]:
    """The modules of outboard that run in the child."""
    root = Path(outboard.__file__).parent
    files = [root / name for name in CHILD_MODULES]
    for package in CHILD_PACKAGES:
        files += sorted((root / package).rglob("*.py"))
    wanted = (file for file in files if file.relative_to(root).as_posix() not in PARENT_MODULES)
    modules = (_module_of(file, root.parent) for file in wanted)
    return [attrs.evolve(module, is_ours=True, is_cold=module.name in COLD_MODULES) for module in modules]


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
    # Of msgpack, too, only what stands in for its native part is needed by few.
    is_cold = module.name.partition(".")[0] != HOT_LIBRARY or module.name == f"{HOT_LIBRARY}.fallback"
    return attrs.evolve(module, file=f"{VENDOR_FOLDER}/{module.file}", is_cold=is_cold, is_vendored=True)


def _module_of(file: Path, root: Path) -> Module:
    relative = file.relative_to(root)
    is_package = file.name == "__init__.py"
    parts = (relative.parent if is_package else relative.with_suffix("")).parts
    return Module(name=".".join(parts), is_package=is_package, file=relative.as_posix(), text=file.read_bytes())
