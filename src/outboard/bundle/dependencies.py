"""What an environment holds, as one archive that a fat bundle carries: the same bytes for the same files.

Takes what packages have installed (modules, native code, data) with code compiled by the environment's own interpreter, and
leaves out what belongs to the place and not to the packages: scripts, the interpreter's links, records of where a package was
downloaded from, which may hold credentials. Must not know how the environment came to be, nor what a bundle is.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs

from outboard.bundle.compiler import compile_library
from outboard.bundle.nested import compress
from outboard.bundle.target import Target
from outboard.errors import BundleError

__all__ = ("Distribution", "PackedEnvironment", "pack_environment")

# Written by installers about their own work: paths of this machine, times, addresses of indexes.
_LEFT_OUT_FILES = frozenset({"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"})
_LEFT_OUT_FOLDERS = frozenset({"__pycache__", "bin", "include"})
_LEFT_OUT_AT_TOP = frozenset({".lock", ".gitignore", "CACHEDIR.TAG", "pyvenv.cfg", "lib64"})

# msgpack loads without its native part too, so that part does not tie a bundle to places where code may be executed.
_OPTIONAL_NATIVE = re.compile(r"/msgpack/_cmsgpack\.[^/]*$")

# Not musllinux, whose wheels load no GNU library.
_LINUX = re.compile(r"(many)?linux(_|\d)")
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_(\w+)")
_OLD_MANYLINUX = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}


@attrs.frozen(kw_only=True)
class Distribution:
    """One installed project: its name and version, as its metadata has them."""

    name: str
    version: str


@attrs.frozen(kw_only=True)
class PackedEnvironment:
    """An environment as data.

    Attributes:
        archive: a zip of all files, by their paths below the environment's folder.
        digest: SHA-256 of the archive, in hexadecimal.
        distributions: what is installed, by name.
        needs_execution: whether there is native code that cannot be done without.
        glibc: the lowest version of the C library that all native code runs with, such as ``"2.17"``; empty for none.
        machine: such as ``"x86_64"``; empty where all code is pure Python.
        start_natives: the native modules that a bundle's start loads by their place: names and paths.
    """

    archive: bytes
    digest: str
    distributions: tuple[Distribution, ...]
    needs_execution: bool
    glibc: str
    machine: str
    start_natives: dict[str, str]


def pack_environment(target: Target) -> PackedEnvironment:
    """Put all that is installed in an environment into one archive.

    Raises:
        BundleError: a file cannot be read, or the interpreter failed.
    """
    files = dict(_files(target.prefix))
    native = [name for name in files if _is_native(name) and not _OPTIONAL_NATIVE.search(name)]
    accelerator = next(filter(_OPTIONAL_NATIVE.search, files), "")
    texts = {name: _read(file) for name, file in files.items()}
    sources = {name: text for name, text in texts.items() if name.endswith(".py")}
    compiled = compile_library(target.executable, sources)
    members = {**texts, **{_cache_name(name, target): code for name, code in compiled.items()}}
    archive = compress(members, {name for name, file in files.items() if os.access(file, os.X_OK)})
    wheels = [_tags(text) for name, text in texts.items() if name.endswith(".dist-info/WHEEL")]
    return PackedEnvironment(
        archive=archive,
        digest=hashlib.sha256(archive).hexdigest(),
        distributions=tuple(_distributions(texts)),
        needs_execution=bool(native),
        glibc=_glibc(wheels) if native else "",
        machine=os.uname().machine if native else "",
        start_natives={"msgpack._cmsgpack": accelerator} if accelerator else {},
    )


def _files(prefix: Path) -> Iterator[tuple[str, Path]]:
    """Every file of the packages: its path below the prefix, and itself, in a fixed order."""
    for parent, folders, names in os.walk(prefix):
        at_top = Path(parent) == prefix
        folders[:] = sorted(name for name in folders if name not in _LEFT_OUT_FOLDERS and name not in _LEFT_OUT_AT_TOP)
        for name in sorted(names):
            path = Path(parent, name)
            if (at_top and name in _LEFT_OUT_AT_TOP) or (".dist-info" in parent and name in _LEFT_OUT_FILES):
                continue
            if not name.endswith((".pyc", ".pyo")) and name not in ("_virtualenv.py", "_virtualenv.pth"):
                yield path.relative_to(prefix).as_posix(), path


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BundleError(f"{file} cannot be read: {error.strerror or error}") from error


def _is_native(name: str) -> bool:
    return name.endswith(".so") or ".so." in name.rpartition("/")[2]


def _cache_name(name: str, target: Target) -> str:
    folder, _, file = name.rpartition("/")
    return f"{folder}/__pycache__/{file[:-3]}.cpython-{target.version[0]}{target.version[1]}.pyc"


# ── what the packages say about themselves ────────────────────────────────────────────────────────────────────────────


def _distributions(texts: dict[str, bytes]) -> Iterator[Distribution]:
    for name in sorted(texts):
        if name.endswith(".dist-info/METADATA"):
            headers = texts[name].decode("utf-8", "replace").partition("\n\n")[0].splitlines()
            fields = dict(line.split(": ", 1) for line in reversed(headers) if ": " in line and line[0] != " ")
            yield Distribution(name=fields.get("Name", "?"), version=fields.get("Version", "?"))


def _tags(wheel: bytes) -> list[str]:
    """The platforms that a wheel is for, as its metadata has them."""
    lines = wheel.decode("utf-8", "replace").splitlines()
    return [line.rpartition("-")[2] for line in lines if line.startswith("Tag: ")]


def _glibc(wheels: Sequence[Sequence[str]]) -> str:
    """The lowest C library that all of the wheels run with; each of them runs with the lowest that it names."""
    needed = [min(versions) for tags in wheels if (versions := [*map(_glibc_of, filter(_LINUX.match, tags))])]
    return ".".join(map(str, max(needed))) if needed else ""


def _glibc_of(tag: str) -> tuple[int, int]:
    if (match := _MANYLINUX.fullmatch(tag)) is not None:
        return int(match[1]), int(match[2])
    if (old := _OLD_MANYLINUX.get(tag.partition("_")[0])) is not None:
        return _version(old)
    # Built here, so it may need all that is here.
    return _version((os.confstr("CS_GNU_LIBC_VERSION") or "glibc 2.0").rpartition(" ")[2])


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)
