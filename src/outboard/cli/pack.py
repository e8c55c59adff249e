"""``outboard pack``: an environment, what is the author's, and one file of both.

Knows which options go together and the order of the steps; each step is somebody else's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import attrs
from cyclopts import Parameter

from outboard.bundle import contents, packer, target
from outboard.bundle.credentials import Credentials
from outboard.bundle.dependencies import PackedEnvironment
from outboard.bundle.environment import cache_folder, environment_for
from outboard.bundle.environment_store import Place
from outboard.bundle.inline_metadata import InlineMetadata, check_requirement, merge, read
from outboard.bundle.lock import read_lock
from outboard.bundle.manifest import Manifest
from outboard.bundle.module import AuthorContents
from outboard.bundle.packed_cache import packed_environment
from outboard.bundle.packer import Origin
from outboard.bundle.revision import revision_of
from outboard.bundle.target import Target
from outboard.cli import interruption
from outboard.cli.asking import LackingError, ask, check_libraries
from outboard.cli.exit_codes import SUCCESS
from outboard.cli.options import Verbose
from outboard.errors import UsageError
from outboard.protocol.versions import AIRFLOW

__all__ = ("Request", "pack", "pack_bundle")

Airflow = Literal["3.3", "3.4"]

_SCHEMAS: dict[str, str] = {version: date for date, version in AIRFLOW.items()}


def pack(
    files: Annotated[Sequence[Path], Parameter(negative="", help="The author's Python files, or folders with them.")],
    /,
    *,
    output: Annotated[Path, Parameter(name=["--output", "-o"], help="The bundle to write; its name has no dot.")],
    thin: Annotated[
        Path | None,
        Parameter(help="Carry no dependencies: run in this environment, a folder or its interpreter, where it is."),
    ] = None,
    python: Annotated[
        str | None, Parameter(help="The interpreter to pack for: a version such as 3.12, or a path.")
    ] = None,
    requirements: Annotated[
        Sequence[str],
        Parameter(name="--with", negative="", show_default=False, help="One more requirement. May be repeated."),
    ] = (),
    lock: Annotated[
        Path | None, Parameter(help="A requirement file with hashes: installed as it says, and checked.")
    ] = None,
    locked: Annotated[
        bool, Parameter(negative="", show_default=False, help="Fail if the lock lacks something that is asked for.")
    ] = False,
    offline: Annotated[
        bool, Parameter(negative="", show_default=False, help="Use no network: only packages that uv has in its cache.")
    ] = False,
    include: Annotated[
        Sequence[Path],
        Parameter(negative="", show_default=False, help="A file or folder to take along. May be repeated."),
    ] = (),
    airflow: Annotated[Airflow, Parameter(help="The oldest Airflow that is to run it.")] = "3.3",
    revision: Annotated[
        str | None, Parameter(help="The revision of the sources. By default what Git calls it, if there is one.")
    ] = None,
    verbose: Verbose = False,
) -> int:
    """Pack files with Dags, and all that they need, into one executable bundle."""
    request = Request(
        paths=tuple(files),
        output=output,
        thin=thin,
        python=python,
        requirements=tuple(requirements),
        lock=lock,
        locked=locked,
        offline=offline,
        includes=tuple(include),
        schema=_SCHEMAS[airflow],
        revision=revision,
    )
    manifest = pack_bundle(request)
    _tell(f"{output}: {', '.join(manifest.dag_ids)}")
    return SUCCESS


@attrs.frozen(kw_only=True)
class Request:
    """What is to be packed, and how: see the options of `pack`."""

    paths: tuple[Path, ...]
    output: Path
    thin: Path | None = None
    python: str | None = None
    requirements: tuple[str, ...] = ()
    lock: Path | None = None
    locked: bool = False
    offline: bool = False
    includes: tuple[Path, ...] = ()
    schema: str = _SCHEMAS["3.3"]
    revision: str | None = None

    @property
    def names(self) -> str:
        """What is packed, for errors."""
        return ", ".join(path.name or str(path) for path in self.paths)


def pack_bundle(request: Request) -> Manifest:
    """Write a bundle.

    Raises:
        OutboardError: whatever was wrong with the files, the output, the options or the environment.
    """
    packer.check_output(request.output)
    _check_options(request)
    metadata = _metadata(request)
    lock = read_lock(request.lock) if request.lock else None
    credentials = Credentials.collect(os.environ, [*metadata.dependencies, *([lock.text] if lock else [])])
    origin = Origin(
        revision=revision_of(request.paths[0]) if request.revision is None else request.revision,
        lock_digest=lock.digest if lock else "",
    )
    libraries: frozenset[str] = frozenset()
    while True:
        found, carried = _environment(request, metadata, credentials, libraries)
        try:
            return _pack(request, found, carried, credentials, origin)
        except LackingError as error:
            lacking = error.libraries - found.libraries - libraries
            if request.thin is not None or not lacking:
                raise
            # Only the bundle can tell, so it gets another environment.
            libraries |= lacking


def _pack(
    request: Request, found: Target, carried: PackedEnvironment | None, credentials: Credentials, origin: Origin
) -> Manifest:
    author = contents.collect(request.paths, request.includes, found)
    _check_credentials(author, credentials)

    def dags_of(bundle: Path) -> packer.Dags:
        held = interruption.run(lambda _: ask(bundle, request.paths[0]))
        check_libraries(held, found, request.paths[0])
        return {dag_id: held.modules.get(dag_id, ()) for dag_id in held.dag_ids}

    return packer.pack(author, request.output, found, dags_of, carried=carried, schema=request.schema, origin=origin)


def _check_options(request: Request) -> None:
    if request.locked and request.lock is None:
        raise UsageError("--locked needs --lock FILE: the lock that the requirements must be in")
    chosen = {
        "--python": request.python,
        "--with": request.requirements,
        "--lock": request.lock,
        "--offline": request.offline,
    }
    useless = [option for option, value in chosen.items() if value]
    if request.thin is not None and useless:
        raise UsageError(
            f"--thin takes an environment as it is, and {', '.join(useless)} would change it; leave out one"
        )


def _metadata(request: Request) -> InlineMetadata:
    """What all files and the command line ask for together; of a folder, the files directly in it."""
    for requirement in request.requirements:
        check_requirement(requirement, "--with")
    files = [file for path in request.paths for file in (sorted(path.glob("*.py")) if path.is_dir() else [path])]
    told = [found for file in files if (found := read(_text(file), file.name)) is not None]
    return merge([*told, InlineMetadata(dependencies=request.requirements)])


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror or error}") from error


def _environment(
    request: Request, metadata: InlineMetadata, credentials: Credentials, libraries: frozenset[str]
) -> tuple[Target, PackedEnvironment | None]:
    """The environment to pack for and, unless the bundle is to be thin, all that is in it."""
    if request.thin is not None:
        return target.inspect(request.thin, libraries=contents.KNOWN_LIBRARIES), None
    home = environment_for(
        metadata,
        request.names,
        cache=cache_folder(),
        tell=_tell,
        python=request.python,
        lock=request.lock,
        locked=request.locked,
        offline=request.offline,
        libraries=sorted(libraries),
    )
    found = target.inspect(home, libraries=contents.KNOWN_LIBRARIES)
    place = Place(home.parent, home.name)
    return found, packed_environment(place, found, credentials=credentials, tell=_tell)


def _check_credentials(author: AuthorContents, credentials: Credentials) -> None:
    """Refuse to take along a file that holds what opens an index."""
    files = {module.file: module.text for module in author.modules} | author.data
    for name, text in files.items():
        if credentials.is_in(text):
            raise UsageError(
                f"{name} holds a credential of a package index, which would be in the bundle; take it out of the file, "
                "or the file out of the folder"
            )


def _tell(line: str) -> None:
    print(line, file=sys.stderr)
