"""Which modules go into a bundle: the author's, those of outboard that run in the child, and what the environment lacks.

Knows where their files are and what each is called. Must not know how they are compiled, laid out or started.
"""

from __future__ import annotations

import importlib.util
import keyword
import re
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
    "PARENT_MODULES",
    "VENDOR_FOLDER",
    "Module",
    "author_module",
    "child_modules",
    "lacking",
    "vendored_modules",
)

CHILD_LIBRARIES = ("msgpack", "anyio", "idna", "typing_extensions")
"""What the child may import besides the standard library. Packed, as pure Python, where the environment lacks it."""

CHILD_PACKAGES = ("protocol", "sdk", "comms", "runtime")
CHILD_MODULES = ("__init__.py", "errors.py", "types.py", "bundle/__init__.py", "bundle/bootstrap.py")
PARENT_MODULES = frozenset({"comms/in_memory.py", "comms/serving.py"})
"""Which files of this package run in the child: these packages and modules, without those that are the parent's."""

COLD_MODULES = frozenset(
    f"outboard.{name}"
    for name in (
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

_HOT_LIBRARY = "msgpack"


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
    """

    name: str
    is_package: bool
    file: str
    text: bytes
    is_cold: bool = False
    is_ours: bool = False


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


def vendored_modules(target: Target) -> list[Module]:
    """The pure-Python modules of the libraries that the environment lacks.

    Raises:
        BundleError: outboard's own environment lacks one too.
    """
    modules = []
    for library in lacking(target):
        spec = importlib.util.find_spec(library)
        if spec is None or spec.origin is None:
            raise BundleError(f"{library} is missing from outboard's own environment; install outboard again")
        origin = Path(spec.origin)
        is_package = origin.name == "__init__.py"
        files = sorted(origin.parent.rglob("*.py")) if is_package else [origin]
        root = origin.parents[1] if is_package else origin.parent
        modules += [_vendored(_module_of(file, root), is_cold=library != _HOT_LIBRARY) for file in files]
    return modules


def _vendored(module: Module, *, is_cold: bool) -> Module:
    return attrs.evolve(module, file=f"{VENDOR_FOLDER}/{module.file}", is_cold=is_cold)


def _module_of(file: Path, root: Path) -> Module:
    relative = file.relative_to(root)
    is_package = file.name == "__init__.py"
    parts = (relative.parent if is_package else relative.with_suffix("")).parts
    return Module(name=".".join(parts), is_package=is_package, file=relative.as_posix(), text=file.read_bytes())
