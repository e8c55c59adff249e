"""Packed files to measure, the environments they are packed for, and how their first line starts them."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import attrs

from outboard.bundle import contents, packer, target
from outboard.bundle.dependencies import pack_environment

__all__ = ("HELLO", "PackedFile", "environment_with_msgpack", "pack", "pack_fat")

HELLO = Path(__file__).with_name("hello.py")

# To load an author's file and to answer a parse request takes a fraction of a second.
PACK_SECONDS = 60

# A bundle starts with the interpreter, its flags and the first statement, on its `#!` line or in a line of shell.
_START = re.compile(r"^(?:#!|exec )(?P<interpreter>\S+) -ISc(?: ?\")?(?P<loader>[^\n\"]+)", re.MULTILINE)


@attrs.frozen
class PackedFile:
    """A bundle, and the interpreter and the statement that its head names."""

    path: Path
    interpreter: str
    loader: str

    def with_option(self, name: str, value: str) -> list[str]:
        """The command that starts the bundle with one more option of the interpreter, such as ``-X importtime``."""
        return [self.interpreter, "-IS", name, value, "-c", self.loader, str(self.path)]


def environment_with_msgpack(folder: Path) -> Path:
    """An environment of this interpreter with a copy of our msgpack, compiled, and nothing else.

    What else happens to be installed where this runs must not be measured: a ``.pth`` file costs more than a task.
    """
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    [packages] = folder.glob("lib/python*/site-packages")
    spec = importlib.util.find_spec("msgpack")
    assert spec is not None
    assert spec.origin is not None
    shutil.copytree(Path(spec.origin).parent, packages / "msgpack")
    subprocess.run([folder / "bin" / "python", "-m", "compileall", "-q", packages], check=True)
    return folder


def pack(source: Path, output: Path, environment: Path) -> PackedFile:
    """Pack an author's file with our own command.

    Raises:
        RuntimeError: it did not pack; the text is the command's own.
    """
    command = [Path(sys.executable).with_name("outboard"), "pack", source, "-o", output, "--thin", environment]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PACK_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"outboard could not pack {source.name}: {done.stderr or done.stdout}")
    head = output.read_bytes()[:4096].decode("latin-1")
    start = _START.search(head)
    if start is None:
        raise RuntimeError(f"{output} starts in no way that the measurements know: {head[:200]!r}")
    return PackedFile(output, start["interpreter"], start["loader"])


def pack_fat(source: Path, output: Path, environment: Path) -> Path:
    """Pack an author's file with one Dag, named like the file, and all of an environment.

    Our own command would build the environment; this one is to be the same as a thin bundle's.
    """
    found = target.inspect(environment, libraries=contents.CHILD_LIBRARIES)
    author = contents.collect([source], [], found)
    packer.write(packer.draft(author, found, carried=pack_environment(found)), output, {source.stem: ()})
    return output
