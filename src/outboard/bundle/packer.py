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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from outboard.bundle.archive import Archive
from outboard.bundle.compiler import Unit, compile_units, join_codes
from outboard.bundle.contents import (
    VENDOR_FOLDER,
    WIRE_LIBRARY,
    AuthorContents,
    Module,
    child_modules,
    lacking,
    library_in,
    vendored_modules,
)
from outboard.bundle.dependencies import PackedEnvironment
from outboard.bundle.disk import refusal
from outboard.bundle.entry import PORTABLE_FIRST_LINE, Start, executable_head, fixed_start, searching_start
from outboard.bundle.format import compose
from outboard.bundle.manifest import ENVIRONMENT_MEMBER, FILES_MEMBER, MANIFEST_MEMBER, Manifest, SourceFile
from outboard.bundle.metadata import write_metadata
from outboard.bundle.nested import compress
from outboard.bundle.target import Target
from outboard.errors import BundleError, LoadError, UsageError
from outboard.protocol.versions import DEFAULT_SCHEMA

__all__ = (
    "Ask",
    "Dags",
    "Draft",
    "Origin",
    "check_name",
    "check_output",
    "draft",
    "pack",
    "write",
)

Dags = Mapping[str, Sequence[str]]
"""The Dags that a bundle has tasks for, by id: the modules to load for a task of each, or none for all modules."""

Ask = Callable[[Path], Dags]
"""Given a bundle that runs, its Dags, by asking it."""

_BOOTSTRAP = "outboard.bundle.bootstrap"
_MODE = 0o755


@attrs.frozen(kw_only=True)
class Origin:
    """Where the contents of a bundle come from; it changes nothing about what they do.

    Attributes:
        revision: of the author's sources, as their version control names it; empty if unknown.
        lock_digest: SHA-256 over the lock that chose the dependencies, in hexadecimal; empty for none.
    """

    revision: str = ""
    lock_digest: str = ""


_UNKNOWN = Origin()


@attrs.frozen(kw_only=True)
class Draft:
    """All that a bundle needs except the ids of its Dags: compiled once, written as often as needed.

    Attributes:
        author: what is the author's.
        target: the interpreter and environment that it will run in.
        modules: every module that is inside.
        codes: the marshalled code of each module, in the same order.
        start_code: that of the modules that every task loads, in one piece.
        carried: the environment, if the bundle carries it (it is fat); None if it is found where it is (thin).
        files: the author's files as an archive to unpack, if there is data among them; else empty.
        schema: the date of the supervisor schema that it is stamped with.
        origin: what it was packed from.
        first_line: for a thin bundle, see `outboard.bundle.entry.fixed_start`.
    """

    author: AuthorContents
    target: Target
    modules: tuple[Module, ...]
    codes: tuple[bytes, ...]
    start_code: bytes
    carried: PackedEnvironment | None
    files: bytes
    schema: str
    origin: Origin
    first_line: int

    @property
    def name(self) -> str:
        """The bundle's name, after the author's file or folder."""
        return self.author.name

    @property
    def files_digest(self) -> str:
        """The name of the author's unpacked files in the cache; empty if they need not be unpacked."""
        return hashlib.sha256(self.files).hexdigest() if self.files else ""

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


def check_output(output: Path) -> None:
    """Refuse what a bundle cannot be written to, before anything is done.

    Raises:
        UsageError: there is a dot in its name, or no folder for it.
    """
    check_name(output)
    if not output.parent.is_dir():
        raise UsageError(f"{output} cannot be written: there is no folder {output.parent}")


def draft(
    author: AuthorContents,
    target: Target,
    *,
    carried: PackedEnvironment | None = None,
    schema: str = DEFAULT_SCHEMA,
    origin: Origin = _UNKNOWN,
    first_line: int = PORTABLE_FIRST_LINE,
) -> Draft:
    """Compile everything that goes into the bundle.

    Args:
        author: what is the author's.
        target: the interpreter and environment that it will run in.
        carried: that environment, to be carried inside; None to use it where it is.
        schema: the date of the supervisor schema to speak.
        origin: what is known of where it all comes from.
        first_line: for a thin bundle, see `outboard.bundle.entry.fixed_start`.

    Raises:
        LoadError: one of the author's files has a syntax error.
    """
    # What talks to the supervisor must work before the environment is unpacked.
    vendored = library_in(target, WIRE_LIBRARY) if carried else vendored_modules(lacking(target))
    modules = (*child_modules(unpacks=bool(carried or author.data)), *author.modules, *vendored)
    units = [Unit(module.file, module.text, stripped=module.is_ours) for module in modules]
    codes = compile_units(target.executable, units)
    starting = [(module.name, code) for module, code in zip(modules, codes, strict=True) if _starts(module)]
    return Draft(
        author=author,
        target=target,
        modules=modules,
        codes=tuple(codes),
        start_code=join_codes(target.executable, starting),
        carried=carried,
        files=compress({module.file: module.text for module in author.modules} | author.data) if author.data else b"",
        schema=schema,
        origin=origin,
        first_line=first_line,
    )


def pack(
    author: AuthorContents,
    output: Path,
    target: Target,
    ask: Ask,
    *,
    carried: PackedEnvironment | None = None,
    schema: str = DEFAULT_SCHEMA,
    origin: Origin = _UNKNOWN,
) -> Manifest:
    """Write a bundle. It is first written without its Dag ids, beside the output, and asked for them.

    Raises:
        UsageError: the output's name has a dot, or there is no folder for it.
        LoadError: a file has a syntax error, holds no Dag, or `ask` found that it doesn't load.
    """
    check_output(output)
    sketch = draft(author, target, carried=carried, schema=schema, origin=origin)
    # Beside the output: programs may be run from there, which is not sure of the system's folder for temporary files.
    with _folder_beside(output) as folder:
        probe = Path(folder) / sketch.name
        write(sketch, probe, {})
        dags = ask(probe)
    if not dags:
        raise LoadError(
            f"{sketch.name}: no Dag and no registered task in it, so there is nothing that a bundle could run"
        )
    return write(sketch, output, dags)


def _folder_beside(output: Path) -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix=".outboard-", dir=output.parent)
    except OSError as error:
        raise BundleError(refusal(output, error)) from error


def write(sketch: Draft, output: Path, dags: Dags) -> Manifest:
    """Write a draft as a bundle: whole or not at all, and executable."""
    manifest = _manifest(sketch, tuple(dags))
    _write_atomically(output, _assemble(sketch, manifest, dags))
    return manifest


# ── how it is put together ────────────────────────────────────────────────────────────────────────────────────────


def _manifest(sketch: Draft, dag_ids: Sequence[str]) -> Manifest:
    carried = sketch.carried
    return Manifest(
        name=sketch.name,
        digest=_digest(sketch),
        dag_ids=tuple(dag_ids),
        sources=tuple(
            SourceFile(module=module.name, file=module.file, sha256=hashlib.sha256(module.text).hexdigest())
            for module in sketch.author.modules
        ),
        outboard_version=importlib.metadata.version("outboard"),
        python_version=sketch.target.python_version,
        interpreter=str(_interpreter(sketch)),
        environment="" if carried else str(sketch.target.prefix),
        vendored=tuple(dict.fromkeys(module.name.partition(".")[0] for module in sketch.modules if module.is_vendored)),
        supervisor_schema_version=sketch.schema,
        distributions=tuple(f"{each.name}=={each.version}" for each in carried.distributions) if carried else (),
        environment_digest=carried.digest if carried else "",
        files_digest=sketch.files_digest,
        data=tuple(sorted(sketch.author.data)),
        machine=carried.machine if carried else "",
        glibc=carried.glibc if carried else "",
        lock_digest=sketch.origin.lock_digest,
        revision=sketch.origin.revision,
    )


def _interpreter(sketch: Draft) -> Path:
    """What runs the bundle where it was packed. A fat one needs no environment's link to an interpreter."""
    return sketch.target.executable.resolve() if sketch.carried else sketch.target.executable


def _digest(sketch: Draft) -> str:
    """One number for all that decides what the bundle does."""
    parts = [
        [(module.name, code) for module, code in zip(sketch.modules, sketch.codes, strict=True)],
        list(sketch.author.entry_modules),
        _environment(sketch),
        str(_interpreter(sketch)),
        sketch.target.tag,
        sketch.schema,
    ]
    return hashlib.sha256(marshal.dumps(parts, 2)).hexdigest()


def _environment(sketch: Draft) -> dict[str, Any]:
    """What `outboard.bundle.bootstrap.Bundle` makes its environment from."""
    target, carried = sketch.target, sketch.carried
    base = f"{target.prefix}/" if carried else ""
    return {
        "prefix": "" if carried else str(target.prefix),
        "path": [entry.removeprefix(base) for entry in target.import_path if entry.startswith(base)],
        "start_files": [
            (folder.removeprefix(base), name) for folder, name in target.start_files if folder.startswith(base)
        ],
        # For interpreters that the author's code starts, and that get this one's path: multiprocessing's spawn.
        "inside": [f"/{VENDOR_FOLDER}", ""] if any(module.is_vendored for module in sketch.modules) else [""],
        "digest": carried.digest if carried else "",
        "member": ENVIRONMENT_MEMBER,
        "native": carried.needs_execution if carried else False,
        "machine": carried.machine if carried else "",
        "glibc": carried.glibc if carried else "",
        "natives": carried.start_natives if carried else {},
        "files_digest": sketch.files_digest,
        "files_member": FILES_MEMBER,
    }


def _starts(module: Module) -> bool:
    """Whether every task loads it, before anything of the author's."""
    return module.is_ours and not module.is_cold


def _code(sketch: Draft) -> tuple[bytes, dict[str, tuple[bool, str, int, int]]]:
    """All modules' code in one piece, and where each one's is: that of every start first, and what few need last."""
    code = bytearray(sketch.start_code)
    index = {}
    for module in sorted(sketch.modules, key=lambda module: module.is_cold):
        if module.name == _BOOTSTRAP:
            continue
        start, end = 0, len(sketch.start_code)
        if not _starts(module):
            start, end = len(code), len(code) + len(sketch.code_of(module.name))
            code += sketch.code_of(module.name)
        index[module.name] = (module.is_package, module.file, start, end)
    return bytes(code), index


def _payload(
    sketch: Draft, manifest: Manifest, dags: Dags, index: dict[str, tuple[bool, str, int, int]]
) -> dict[str, Any]:
    return {
        "bootstrap": sketch.code_of(_BOOTSTRAP),
        "modules": index,
        "hot": len(sketch.start_code),
        "environment": _environment(sketch),
        "bundle": {
            "name": manifest.name,
            "modules": list(sketch.author.entry_modules),
            "dag_ids": list(manifest.dag_ids),
            "dag_modules": {dag_id: list(modules) for dag_id, modules in dags.items() if modules},
            "digest": manifest.digest,
            "schema": manifest.supervisor_schema_version,
            "about": {
                "outboard": manifest.outboard_version,
                "revision": manifest.revision,
                "lock": manifest.lock_digest,
            },
            "manifest": manifest.to_json(),
        },
    }


def _assemble(sketch: Draft, manifest: Manifest, dags: Dags) -> bytes:
    """The finished file.

    What runs goes into the executable region, and every text and what is unpacked behind it: Airflow reads all of that region
    of every bundle on its way to the right one, once in each of its processes.
    """
    code, index = _code(sketch)
    head = executable_head(_start(sketch), sketch.target.tag, _payload(sketch, manifest, dags, index), code)
    outer = {module.file: module.text for module in (*sketch.author.modules, *sketch.modules)}
    if sketch.carried:
        outer[ENVIRONMENT_MEMBER] = sketch.carried.archive
    if sketch.files:
        outer[FILES_MEMBER] = sketch.files
    archive = Archive()
    executable = _lay_out(archive, {MANIFEST_MEMBER: manifest.to_json()}, bytearray(head))
    whole = _lay_out(archive, outer, bytearray(executable))
    whole += archive.directory(len(whole))
    return compose(bytes(executable), bytes(whole[len(executable) :]), write_metadata(manifest.dag_ids, sketch.schema))


def _start(sketch: Draft) -> Start:
    if sketch.carried:
        return searching_start(_interpreter(sketch), sketch.target.python_version, sketch.name)
    return fixed_start(_interpreter(sketch), first_line=sketch.first_line)


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
