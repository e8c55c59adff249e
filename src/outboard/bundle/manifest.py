"""What a bundle says about itself: the manifest.

Knows the text and converts between it and its JSON. Must not know how a bundle is built or laid out, nor what Airflow looks a
Dag up by: that is in `outboard.bundle.metadata`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from outboard.errors import BundleError
from outboard.protocol.versions import DEFAULT_SCHEMA

if TYPE_CHECKING:
    pass

__all__ = ("ENVIRONMENT_MEMBER", "FILES_MEMBER", "MANIFEST_MEMBER", "MANIFEST_VERSION", "Manifest", "SourceFile")

MANIFEST_MEMBER = "manifest.json"
"""The manifest's name inside the bundle's zip."""

ENVIRONMENT_MEMBER = "environment.zip"
"""The member that holds a fat bundle's dependencies."""

FILES_MEMBER = "files.zip"
"""The member that holds the author's files once more, to be unpacked, if there is data among them."""

MANIFEST_VERSION = 1


@attrs.frozen(kw_only=True)
class SourceFile:
    """One file of the author's.

    Attributes:
        module: the name it is imported by.
        file: its name, as tracebacks show it.
        sha256: of its text, in hexadecimal.
    """

    module: str
    file: str
    sha256: str


@attrs.frozen(kw_only=True)
class Manifest:
    """Everything there is to know about a bundle without running it.

    Attributes:
        name: the bundle's own name, after the author's file.
        digest: SHA-256, in hexadecimal, over all that was packed; two bundles with one digest behave alike.
        dag_ids: the Dags it has tasks for, in the order of the file.
        sources: the author's files.
        outboard_version: the version that packed it, and that runs inside it.
        python_version: such as ``"3.11"``.
        interpreter: the absolute path of the interpreter that runs it.
        environment: for a thin bundle, the absolute path of the environment that its dependencies are in; else empty.
        vendored: the libraries that are carried as pure Python because the environment lacks them, or has yet to be unpacked.
        supervisor_schema_version: the date of the message schema it speaks.
        distributions: for a fat bundle, what it carries, each as ``name==version``.
        environment_digest: for a fat bundle, SHA-256 over what it carries, in hexadecimal: its name in the cache.
        files_digest: the same over the author's files, if they are to be unpacked because there is data among them.
        data: the author's data files.
        machine: what kind of machine its native code is for; empty if it has none.
        glibc: the lowest version of the C library that its native code runs with; empty if that does not matter.
        lock_digest: SHA-256 over the lock that chose the distributions, in hexadecimal; empty for none.
        revision: of the author's sources, as their version control names it; empty if unknown.
    """

    name: str
    digest: str
    dag_ids: tuple[str, ...]
    sources: tuple[SourceFile, ...]
    outboard_version: str
    python_version: str
    interpreter: str
    environment: str
    vendored: tuple[str, ...] = ()
    supervisor_schema_version: str = DEFAULT_SCHEMA
    distributions: tuple[str, ...] = ()
    environment_digest: str = ""
    files_digest: str = ""
    data: tuple[str, ...] = ()
    machine: str = ""
    glibc: str = ""
    lock_digest: str = ""
    revision: str = ""

    @property
    def is_fat(self) -> bool:
        """Whether it carries its dependencies."""
        return bool(self.environment_digest)

    def to_json(self) -> bytes:
        """The manifest as UTF-8 JSON text: the same bytes for the same manifest."""
        document = {"manifest_version": MANIFEST_VERSION, **attrs.asdict(self)}
        return json.dumps(document, indent=2, ensure_ascii=False).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        """Read a manifest, also an older one without the fields that have a default, or a newer one with more of them.

        Raises:
            BundleError: not JSON, of another version, or without a field that this version needs.
        """
        try:
            document: dict[str, Any] = json.loads(text)
            version = document["manifest_version"]
            if version != MANIFEST_VERSION:
                raise BundleError(f"a manifest of version {version}; this outboard reads version {MANIFEST_VERSION}")
            sources = tuple(SourceFile(**source) for source in document.pop("sources"))
            names = {field.name for field in attrs.fields(cls)}
            known: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value
                for name, value in document.items()
                if name in names
            }
            return cls(sources=sources, **known)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleError(f"its manifest cannot be read: {type(error).__name__}: {error}") from error
