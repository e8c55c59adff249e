"""An author's file to a bundle.

Knows what goes into the file and where. Must not know how an environment is made (`outboard.bundle.environment`), nor
how a bundle is asked for its Dags: that takes a supervisor, so the caller passes the question in.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import marshal
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import attrs

from outboard.bundle.archive import Archive
from outboard.bundle.compiler import Unit, compile_units
from outboard.bundle.contents import VENDOR_FOLDER, Module, author_module, child_modules, lacking, vendored_modules
from outboard.bundle.disk import refusal
from outboard.bundle.entry import PORTABLE_FIRST_LINE, executable_head
from outboard.bundle.format import compose
from outboard.bundle.manifest import MANIFEST_MEMBER, Manifest, SourceFile, metadata
from outboard.bundle.target import Target
from outboard.errors import BundleError, LoadError, UsageError

__all__ = ("Ask", "Draft", "check_name", "draft", "pack", "write")

Ask = Callable[[Path], Sequence[str]]
"""Given a bundle that runs, the ids of the Dags that it has tasks for, by asking it."""

_BOOTSTRAP = "outboard.bundle.bootstrap"
_MODE = 0o755


@attrs.frozen(kw_only=True)
class Draft:
    """All that a bundle needs except the ids of its Dags: compiled once, written as often as needed.

    Attributes:
        target: the interpreter and environment that it will run in.
        modules: everything that is inside.
        codes: the marshalled code of each module, in the same order.
        author: those modules that are the author's.
        first_line: see `outboard.bundle.entry.executable_head`.
    """

    target: Target
    modules: tuple[Module, ...]
    codes: tuple[bytes, ...]
    author: tuple[Module, ...]
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
    author = (author_module(file, target),)
    modules = (*child_modules(), *author, *vendored_modules(target))
    units = [Unit(module.file, module.text, stripped=module.is_ours) for module in modules]
    codes = compile_units(target.executable, units)
    return Draft(target=target, modules=modules, codes=tuple(codes), author=author, first_line=first_line)


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
        raise BundleError(refusal(output, error)) from error


def write(sketch: Draft, output: Path, dag_ids: Sequence[str]) -> Manifest:
    """Write a draft as a bundle: whole or not at all, and executable."""
    manifest = _manifest(sketch, dag_ids)
    _write_atomically(output, _assemble(sketch, manifest))
    return manifest


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
        vendored=lacking(sketch.target),
    )


def _digest(sketch: Draft) -> str:
    """One number for all that decides what the bundle does."""
    parts = [
        [(module.name, code) for module, code in zip(sketch.modules, sketch.codes, strict=True)],
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
        # For interpreters that the author's code starts, and that get this one's path: multiprocessing's spawn.
        "inside": [f"/{VENDOR_FOLDER}", ""] if lacking(sketch.target) else [""],
    }


def _code(sketch: Draft) -> tuple[bytes, dict[str, tuple[bool, str, int, int]], int]:
    """All modules' code in one piece, where each one's is, and how much of it every task reads."""
    code = bytearray()
    index = {}
    hot = 0
    for module in sorted(sketch.modules, key=lambda module: module.is_cold):
        if module.name == _BOOTSTRAP:
            continue
        start = len(code)
        code += sketch.code_of(module.name)
        index[module.name] = (module.is_package, module.file, start, len(code))
        if not module.is_cold:
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
        raise BundleError(refusal(output, error)) from error
