"""A bundle file, read and judged without running it.

Knows everything that can be wrong with a file which says that it is a bundle, and in which order to look: each kind of
damage is one error that names the file, the region and what to do. Every byte of a sound file is accounted for: the
executable region by its hash, the rest by what packing would write for the same contents. Must not know what somebody
wants with the file, and trusts nothing in it: no code is loaded.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import shutil
import stat
from pathlib import Path
from typing import BinaryIO

import attrs

from outboard.bundle.archive import ArchiveError, Member, read_directory
from outboard.bundle.entry import PYTHON_VARIABLE, candidates
from outboard.bundle.format import COPY_AGAIN, TRAILER_SIZE, Regions, read_trailer
from outboard.bundle.manifest import ENVIRONMENT_MEMBER, FILES_MEMBER, MANIFEST_MEMBER, Manifest
from outboard.bundle.metadata import Metadata, read_metadata
from outboard.bundle.platform import check
from outboard.errors import BundleError, DamagedBundleError, UsageError
from outboard.protocol.versions import AIRFLOW

__all__ = ("BundleFile", "check_executable", "sha256_of", "verify", "warnings_here")

_CHUNK = 1 << 20
_LONGEST_FIRST_LINE = 4096  # longer than any system reads


@attrs.frozen(kw_only=True)
class BundleFile:
    """A sound bundle.

    Attributes:
        path: the file, as it was named.
        size: in bytes.
        sha256: over the whole file, in hexadecimal. The manifest's digest leaves out what has no effect on a task.
        regions: where its regions lie.
        metadata: what Airflow reads.
        manifest: what outboard wrote about it.
        members: the files inside, in the order of the zip's directory.
        program: what the system starts for it: the interpreter, or a shell that starts the interpreter.
    """

    path: Path
    size: int
    sha256: str
    regions: Regions
    metadata: Metadata
    manifest: Manifest
    members: tuple[Member, ...]
    program: str


def verify(path: Path) -> BundleFile:
    """Read a bundle and prove that it is what was packed.

    Raises:
        UsageError: there is no such file, it cannot be read, or another language's packer made it.
        DamagedBundleError: whatever is wrong with it; the first thing that is.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{path} is no file, so it is no bundle either")
        with open(path, "rb") as stream:
            return _File(path=path, stream=stream, size=os.fstat(stream.fileno()).st_size).verified()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error


def check_executable(path: Path) -> None:
    """Make sure that the system would start a file.

    Raises:
        DamagedBundleError: its execute bit is gone, as after a download.
    """
    if not os.access(path, os.X_OK):
        raise DamagedBundleError(
            str(path), "permissions", "nobody here may execute it, so Airflow 3.3 passes over it", f"chmod 755 {path}"
        )


def warnings_here(bundle: BundleFile) -> tuple[str, ...]:
    """What would keep a sound bundle from running on this machine, of which another machine may know nothing."""
    manifest = bundle.manifest
    warnings = []
    if shutil.which(bundle.program) is None:
        warnings.append(f"{bundle.path} needs {bundle.program}, and there is no such program on this machine")
    if manifest.is_fat:
        chosen = os.environ.get(PYTHON_VARIABLE)
        searched = (chosen,) if chosen else candidates(manifest.interpreter, manifest.python_version)
    else:
        searched = (manifest.interpreter,)
    if bundle.program not in searched and not any(map(shutil.which, searched)):
        told = f"needs Python {manifest.python_version}, and this machine has none where it looks"
        warnings.append(f"{bundle.path} {told}: {', '.join(searched)}")
    if manifest.machine:
        try:
            check(str(bundle.path), manifest.machine, manifest.glibc)
        except BundleError as error:
            warnings.append(str(error))
    return tuple(warnings)


def sha256_of(path: Path) -> str:
    """SHA-256 over a whole file, in hexadecimal.

    Raises:
        OSError: it cannot be read.
    """
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@attrs.frozen(kw_only=True)
class _File:
    """An open file on its way to being a `BundleFile`."""

    path: Path
    stream: BinaryIO
    size: int

    def verified(self) -> BundleFile:
        trailer = self.read(max(0, self.size - TRAILER_SIZE), TRAILER_SIZE)
        regions = read_trailer(trailer, self.size, str(self.path))
        sha256 = self._hash(regions)
        metadata = self._metadata(regions)
        members = self._members(regions)
        manifest = self._manifest(members)
        self._compare(metadata, manifest)
        self._compare_sources(members, manifest)
        return BundleFile(
            path=self.path,
            size=self.size,
            sha256=sha256,
            regions=regions,
            metadata=metadata,
            manifest=manifest,
            members=tuple(members),
            program=self._program(),
        )

    def read(self, offset: int, size: int) -> bytes:
        self.stream.seek(offset)
        return self.stream.read(size)

    def damaged(self, region: str, problem: str, advice: str = COPY_AGAIN) -> DamagedBundleError:
        return DamagedBundleError(str(self.path), region, problem, advice)

    def _hash(self, regions: Regions) -> str:
        """Prove the executable region; return the hash of the whole file."""
        self.stream.seek(0)
        whole = hashlib.sha256()
        left = regions.source_start
        while left and (chunk := self.stream.read(min(_CHUNK, left))):
            whole.update(chunk)
            left -= len(chunk)
        if whole.digest() != regions.digest:
            raise self.damaged(
                "executable region", "it is not the one that was packed: its SHA-256 is not the trailer's"
            )
        while chunk := self.stream.read(_CHUNK):
            whole.update(chunk)
        return whole.hexdigest()

    def _members(self, regions: Regions) -> list[Member]:
        try:
            members, directory = read_directory(self.read, regions.metadata_start)
        except (ArchiveError, BundleError) as error:
            raise self.damaged("zip directory", str(error)) from error
        position = regions.source_start
        for member in sorted(members, key=lambda member: member.offset):
            if member.end > regions.source_start:
                if member.offset != position:
                    break
                position = member.end
        if position != directory:
            raise self.damaged("sources", f"the bytes from offset {position} belong to no file inside")
        return members

    def _metadata(self, regions: Regions) -> Metadata:
        text = self.read(regions.metadata_start, regions.trailer_start - regions.metadata_start)
        metadata = read_metadata(text, str(self.path))
        if metadata.language not in (None, "python"):
            raise UsageError(f"{self.path} was packed for {metadata.language}; outboard reads bundles of its own only")
        if metadata.schema_date is None:
            raise self.damaged("metadata", "it names no schema date under sdk.supervisor_schema_version")
        if metadata.schema_date not in AIRFLOW:
            known = " and ".join(AIRFLOW)
            raise self.damaged(
                "metadata",
                f"it speaks the message schema of {metadata.schema_date}, and this outboard knows {known}",
                "install the outboard that packed it",
            )
        return metadata

    def _manifest(self, members: list[Member]) -> Manifest:
        for member in members:
            if member.name == MANIFEST_MEMBER:
                break
        else:
            raise self.damaged("manifest", f"there is no {MANIFEST_MEMBER} inside", "pack it with outboard")
        try:
            return Manifest.from_json(self._content(member))
        except BundleError as error:
            raise self.damaged(
                "manifest", str(error), "install the outboard that packed it, or pack it again"
            ) from error

    def _content(self, member: Member) -> bytes:
        return self.read(member.end - member.size, member.size)

    def _compare(self, metadata: Metadata, manifest: Manifest) -> None:
        """The manifest is in the hashed region, so what differs from it is what was changed."""
        if metadata.dag_ids != manifest.dag_ids:
            found, packed = ", ".join(metadata.dag_ids) or "none", ", ".join(manifest.dag_ids) or "none"
            raise self.damaged("metadata", f"it names the Dags {found}, and the manifest {packed}")
        if metadata.schema_date != manifest.supervisor_schema_version:
            packed = manifest.supervisor_schema_version
            raise self.damaged("metadata", f"its schema date is {metadata.schema_date}, and the manifest's {packed}")
        # Another version of outboard may have written the same in another form, and must stay good for a rollback.
        if not metadata.is_ours and manifest.outboard_version == importlib.metadata.version("outboard"):
            raise self.damaged("metadata", "it is not in the form in which outboard writes it")

    def _compare_sources(self, members: list[Member], manifest: Manifest) -> None:
        by_name = {member.name: member for member in members}
        wanted = {source.file: source.sha256 for source in manifest.sources}
        wanted |= {ENVIRONMENT_MEMBER: manifest.environment_digest, FILES_MEMBER: manifest.files_digest}
        for name, digest in wanted.items():
            member = by_name.get(name)
            if member is None and digest:
                raise self.damaged("sources", f"{name} is missing, which the manifest lists")
            if member is not None and self._sha256(member) != digest:
                raise self.damaged("sources", f"{name} is not the file that was packed")

    def _sha256(self, member: Member) -> str:
        digest = hashlib.sha256()
        self.stream.seek(member.end - member.size)
        left = member.size
        while left and (chunk := self.stream.read(min(_CHUNK, left))):
            digest.update(chunk)
            left -= len(chunk)
        return digest.hexdigest()

    def _program(self) -> str:
        line = self.read(0, _LONGEST_FIRST_LINE).partition(b"\n")[0]
        words = line.removeprefix(b"#!").split(maxsplit=1)
        if not line.startswith(b"#!") or not words:
            raise self.damaged("executable region", "it does not begin with the program that runs it", "pack it again")
        return os.fsdecode(words[0])
