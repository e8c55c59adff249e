"""An author's file to a bundle.

Knows what goes into the file and where. Must not know how an environment is made (`outboard.bundle.environment`), nor
how a bundle is asked for its Dags: that takes a supervisor, so the caller passes the question in.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import keyword
import marshal
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

import outboard
from outboard.bundle.archive import Archive
from outboard.bundle.compiler import Unit, compile_units
from outboard.bundle.entry import PORTABLE_FIRST_LINE, executable_head
from outboard.bundle.format import compose
from outboard.bundle.manifest import MANIFEST_MEMBER, Manifest, SourceFile, metadata
from outboard.bundle.target import Target
from outboard.errors import BundleError, LoadError, UsageError

__all__ = (
    "CHILD_LIBRARIES",
    "CHILD_MODULES",
    "CHILD_PACKAGES",
    "COLD_MODULES",
    "PARENT_MODULES",
    "Ask",
    "Draft",
    "check_name",
    "draft",
    "pack",
    "write",
)

Ask = Callable[[Path], Sequence[str]]
"""Given a bundle that runs, the ids of the Dags that it has tasks for, by asking it."""

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

_BOOTSTRAP = "outboard.bundle.bootstrap"
_VENDOR = "_vendor/"
_MODE = 0o755


@attrs.frozen(kw_only=True)
class _Module:
    """One module of the bundle: name, whether it is a package, its file inside the bundle, its text."""

    name: str
    is_package: bool
    file: str
    text: bytes


@attrs.frozen(kw_only=True)
class Draft:
    """All that a bundle needs except the ids of its Dags: compiled once, written as often as needed."""

    target: Target
    modules: tuple[_Module, ...]
    codes: tuple[bytes, ...]
    author: tuple[_Module, ...]
    vendored: dict[str, bytes]
    first_line: int

    @property
    def name(self) -> str:
        """The bundle's name, after the author's file."""
        return Path(self.author[0].file).stem

    def code_of(self, name: str) -> bytes:
        """The marshalled code of one module."""
        return next(code for module, code in zip(self.modules, self.codes, strict=True) if module.name == name)


def check_name(output: Path) -> None:
    """Refuse a file name that Airflow would pass over.

    Raises:
        UsageError: there is a dot in it.
    """
    if "." in output.name:
        raise UsageError(
            f"{output.name}: a bundle's name has no dot, because Airflow 3.4 takes only files without a suffix for "
            f"bundles; call it {re.sub(r'[.].*', '', output.name) or 'bundle'}"
        )


def draft(file: Path, target: Target, *, first_line: int = PORTABLE_FIRST_LINE) -> Draft:
    """Read and compile everything that goes into the bundle.

    Args:
        file: the author's file.
        target: the interpreter and environment that it will run in.
        first_line: see `outboard.bundle.entry.executable_head`.

    Raises:
        UsageError: the file cannot be read, or its name cannot be a module's.
        LoadError: it has a syntax error.
    """
    author = (_author_module(file, target),)
    modules = (*_child_modules(), *author)
    units = [Unit(module.file, module.text, stripped=module not in author) for module in modules]
    codes = compile_units(target.executable, units)
    return Draft(
        target=target,
        modules=modules,
        codes=tuple(codes),
        author=author,
        vendored=_vendored(target),
        first_line=first_line,
    )


def pack(file: Path, output: Path, target: Target, ask: Ask) -> Manifest:
    """Write a bundle.

    The bundle is first written without its Dag ids, beside the output, and asked for them.

    Raises:
        UsageError: the output's name has a dot; the file cannot be read or holds no Dag.
        LoadError: the file has a syntax error, or `ask` found that it doesn't load.
    """
    check_name(output)
    sketch = draft(file, target)
    if not output.parent.is_dir():
        raise UsageError(f"{output} cannot be written: there is no folder {output.parent}")
    # Beside the output: programs may be run from there, which is not sure of the system's folder for temporary files.
    with _folder_beside(output) as folder:
        probe = Path(folder) / sketch.name
        write(sketch, probe, ())
        dag_ids = ask(probe)
    if not dag_ids:
        raise LoadError(f"{file}: no Dag and no registered task in it, so there is nothing that a bundle could run")
    return write(sketch, output, dag_ids)


def _folder_beside(output: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix=".outboard-", dir=output.parent)
    except OSError as error:
        raise BundleError(f"{output} cannot be written: {error.strerror or error}") from error


def write(sketch: Draft, output: Path, dag_ids: Sequence[str]) -> Manifest:
    """Write a draft as a bundle: whole or not at all, and executable."""
    manifest = _manifest(sketch, dag_ids)
    _write_atomically(output, _assemble(sketch, manifest))
    return manifest


# ── what goes in ──────────────────────────────────────────────────────────────────────────────────────────────────


def _author_module(file: Path, target: Target) -> _Module:
    try:
        text = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error
    name = re.sub(r"\W", "_", file.stem)
    if keyword.iskeyword(name) or name[:1].isdigit():
        name = f"_{name}"
    if name == "outboard" or name in target.standard_modules:
        raise UsageError(f"{file.name}: a module called {name} exists already and would hide this one; rename the file")
    return _Module(name=name, is_package=False, file=file.name, text=text)


def _child_modules() -> list[_Module]:
    root = Path(outboard.__file__).parent
    files = [root / name for name in CHILD_MODULES]
    for package in CHILD_PACKAGES:
        files += sorted((root / package).rglob("*.py"))
    return [_module_of(file, root) for file in files if file.relative_to(root).as_posix() not in PARENT_MODULES]


def _module_of(file: Path, root: Path) -> _Module:
    relative = file.relative_to(root.parent)
    is_package = file.name == "__init__.py"
    parts = (relative.parent if is_package else relative.with_suffix("")).parts
    return _Module(name=".".join(parts), is_package=is_package, file=relative.as_posix(), text=file.read_bytes())


def _vendored(target: Target) -> dict[str, bytes]:
    """The pure-Python files of the libraries that the environment lacks, by their names below the vendor folder."""
    members: dict[str, bytes] = {}
    for library in _lacking(target):
        spec = importlib.util.find_spec(library)
        if spec is None or spec.origin is None:
            raise BundleError(f"{library} is missing from outboard's own environment; install outboard again")
        origin = Path(spec.origin)
        if origin.name == "__init__.py":
            files, root = sorted(origin.parent.rglob("*.py")), origin.parent.parent
        else:
            files, root = [origin], origin.parent
        members |= {file.relative_to(root).as_posix(): file.read_bytes() for file in files}
    return members


def _lacking(target: Target) -> tuple[str, ...]:
    return tuple(name for name in CHILD_LIBRARIES if name not in target.libraries)


# ── how it is put together ────────────────────────────────────────────────────────────────────────────────────────


def _manifest(sketch: Draft, dag_ids: Sequence[str]) -> Manifest:
    return Manifest(
        name=sketch.name,
        digest=_digest(sketch),
        dag_ids=tuple(dag_ids),
        sources=tuple(
            SourceFile(module=module.name, file=module.file, sha256=hashlib.sha256(module.text).hexdigest())
            for module in sketch.author
        ),
        outboard_version=importlib.metadata.version("outboard"),
        python_version=sketch.target.python_version,
        interpreter=str(sketch.target.executable),
        environment=str(sketch.target.prefix),
        vendored=_lacking(sketch.target),
    )


def _digest(sketch: Draft) -> str:
    """One number for all that decides what the bundle does."""
    parts = [
        [(module.name, code) for module, code in zip(sketch.modules, sketch.codes, strict=True)],
        sorted(sketch.vendored.items()),
        _environment(sketch),
        str(sketch.target.executable),
        sketch.target.tag,
    ]
    return hashlib.sha256(marshal.dumps(parts, 2)).hexdigest()


def _environment(sketch: Draft) -> dict[str, Any]:
    """What `outboard.bundle.bootstrap.prepare_environment` gets."""
    return {
        "prefix": str(sketch.target.prefix),
        "path": list(sketch.target.import_path),
        "start_files": list(sketch.target.start_files),
        "inside": [f"/{_VENDOR.rstrip('/')}", ""] if sketch.vendored else [""],
    }


def _code(sketch: Draft) -> tuple[bytes, dict[str, tuple[bool, str, int, int]], int]:
    """All modules' code in one piece, where each one's is, and how much of it every task reads."""
    ordered = sorted(sketch.modules, key=lambda module: module.name in COLD_MODULES)
    code = bytearray()
    index = {}
    hot = 0
    for module in ordered:
        if module.name == _BOOTSTRAP:
            continue
        start = len(code)
        code += sketch.code_of(module.name)
        index[module.name] = (module.is_package, module.file, start, len(code))
        if module.name not in COLD_MODULES:
            hot = len(code)
    return bytes(code), index, hot


def _payload(
    sketch: Draft, manifest: Manifest, index: dict[str, tuple[bool, str, int, int]], hot: int
) -> dict[str, Any]:
    return {
        "bootstrap": sketch.code_of(_BOOTSTRAP),
        "modules": index,
        "hot": hot,
        "environment": _environment(sketch),
        "bundle": {
            "name": manifest.name,
            "modules": [module.name for module in sketch.author],
            "dag_ids": list(manifest.dag_ids),
            "digest": manifest.digest,
            "manifest": manifest.to_json(),
        },
    }


def _assemble(sketch: Draft, manifest: Manifest) -> bytes:
    """The finished file. Members go into the executable region, but for the author's text: that *is* the sources."""
    code, index, hot = _code(sketch)
    head = executable_head(
        sketch.target.executable,
        sketch.target.tag,
        _payload(sketch, manifest, index, hot),
        code,
        first_line=sketch.first_line,
    )
    inner = {MANIFEST_MEMBER: manifest.to_json()}
    inner |= {module.file: module.text for module in sketch.modules if module not in sketch.author}
    inner |= {_VENDOR + name: text for name, text in sketch.vendored.items()}
    archive = Archive()
    executable = _lay_out(archive, inner, bytearray(head))
    outer = {module.file: module.text for module in sketch.author}
    whole = _lay_out(archive, outer, bytearray(executable))
    whole += archive.directory(len(whole))
    return compose(bytes(executable), bytes(whole[len(executable) :]), metadata(manifest.dag_ids))


def _lay_out(archive: Archive, members: dict[str, bytes], region: bytearray) -> bytearray:
    for name, text in members.items():
        region += archive.member(name, text, len(region))
    return region


def _write_atomically(output: Path, data: bytes) -> None:
    """Write beside the output, then take its place: nobody ever sees, or executes, half a file."""
    try:
        handle, name = tempfile.mkstemp(prefix=f".{output.name}-", dir=output.parent)
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            temporary.chmod(_MODE)
            temporary.replace(output)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise
    except OSError as error:
        raise BundleError(f"{output} cannot be written: {error.strerror or error}") from error
