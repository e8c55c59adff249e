"""Packed environments, kept beside the environments that they were made from: packing a large one takes long.

Knows the file that holds one, and how to tell that it is whole, current and free of credentials. Must not know what is packed.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
from pathlib import Path

import attrs

from outboard.bundle import compiler, dependencies, nested
from outboard.bundle.credentials import Credentials
from outboard.bundle.dependencies import Distribution, PackedEnvironment, pack_environment
from outboard.bundle.environment_store import Place, Tell
from outboard.bundle.target import Target
from outboard.errors import BundleError

__all__ = ("packed_environment",)

_MODULES_THAT_PACK = (compiler, dependencies, nested)


def packed_environment(place: Place, target: Target, *, credentials: Credentials, tell: Tell) -> PackedEnvironment:
    """An environment of the cache as a bundle carries it.

    Args:
        place: the environment; it is held.
        target: the same, looked at from outside.
        credentials: what nobody may find in it.
        tell: is called before anything that takes long.

    Raises:
        BundleError: a file of it cannot be read, or holds a credential.
    """
    with contextlib.ExitStack() as stack:
        # Where nothing can be written, it is packed each time.
        with contextlib.suppress(OSError):
            stack.enter_context(place.locked(tell))
        found = _read(place.packed)
        if found is None:
            tell("packing the environment")
            found = pack_environment(target)
            _check(found, credentials)
            with contextlib.suppress(OSError):
                place.write(place.packed, _header(found), found.archive)
        return found


def _read(file: Path) -> PackedEnvironment | None:
    """What is in a file, if it is there, was written by what now packs, and is whole."""
    try:
        with file.open("rb") as stream:
            written_by, fields = json.loads(stream.readline())
            archive = stream.read()
    except (OSError, ValueError, TypeError):
        return None
    if written_by != _packed_by() or fields["digest"] != hashlib.sha256(archive).hexdigest():
        return None
    distributions = tuple(Distribution(**each) for each in fields.pop("distributions"))
    return PackedEnvironment(archive=archive, distributions=distributions, **fields)


def _header(packed: PackedEnvironment) -> bytes:
    fields = attrs.asdict(packed, filter=attrs.filters.exclude("archive"))
    return json.dumps([_packed_by(), fields]).encode() + b"\n"


def _packed_by() -> str:
    """Names the code that packs: what another version of it wrote may be packed in another way."""
    texts = [Path(str(module.__file__)).read_bytes() for module in _MODULES_THAT_PACK]
    return hashlib.sha256(b"\0".join(texts)).hexdigest()


def _check(packed: PackedEnvironment, credentials: Credentials) -> None:
    """Refuse what some package has written down while it was built."""
    if not credentials.pairs:
        return
    with zipfile.ZipFile(io.BytesIO(packed.archive)) as archive:
        # What was compiled says the same as its source, and helps less.
        for name in sorted(archive.namelist(), key=lambda name: name.endswith(".pyc")):
            if credentials.is_named_in(archive.read(name)):
                raise BundleError(
                    f"{name}: this file of the environment holds a credential of a package index; "
                    "do without the package that brings it"
                )
