"""The first bytes of a bundle: what the system executes, and the code that it reaches in one read.

Knows how a file that is data can still be started directly: the interpreter's path and a loader of one line stand in
its first line, and the loader finds the marshalled rest of itself at a fixed offset. Python could also run the file as
a zip; that loads `runpy` and `zipimport` and reads each module apart, which costs more CPU than everything the lean
child does of its own (docs/adr has the figures). Must not know what the modules do.
"""

from __future__ import annotations

import marshal
import os
import re
import shlex
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ("LONG_FIRST_LINE", "PORTABLE_FIRST_LINE", "executable_head", "first_line_here")

PORTABLE_FIRST_LINE = 127
"""Bytes of a ``#!`` line that every Linux reads whole. Before 5.1 (RHEL 8 has 4.18) the rest is cut off, silently."""

LONG_FIRST_LINE = 255
"""The same for a file that stays on a machine whose Linux is that new."""

_FLAGS = "-IS"
_LOADER = "import sys,marshal as m;f=open(sys.argv[1],'rb');f.seek({offset});exec(m.load(f))"

# Text, not code: it must run on whatever Python has taken the place of the right one since, to say so.
# Here, above both, is also where the bundle's start and the runtime meet: neither may know the other.
_PROLOGUE = """\
if sys.hexversion>>16!={tag}:sys.exit({wrong!r}+sys.version.split()[0])
p=m.loads(m.load(f));p['start']=f.tell();c=f.read(p['hot']);f.close()
b=type(sys)('outboard.bundle.bootstrap');exec(m.loads(p['bootstrap']),b.__dict__)
b=b.prepare(sys.argv[1],p,c)
from outboard.runtime.server import main
sys.exit(main(sys.argv[1:],b))
"""


def executable_head(
    interpreter: Path, tag: int, payload: dict[str, Any], code: bytes, *, first_line: int = PORTABLE_FIRST_LINE
) -> bytes:
    """The start of a bundle file, up to where its zip members begin.

    Args:
        interpreter: its absolute path.
        tag: its ``sys.hexversion >> 16``: another minor version cannot read the code.
        payload: what `outboard.bundle.bootstrap.prepare` gets; builtin types only.
        code: the modules' code, as one piece; the payload's index tells them apart.
        first_line: the longest ``#!`` line that may be relied on, in bytes, without its end.
    """
    version = f"{tag >> 8}.{tag & 0xFF}"
    wrong = f"this bundle was packed for Python {version} at {interpreter}; pack it again: that is now Python "
    prologue = marshal.dumps(_PROLOGUE.format(tag=tag, wrong=wrong), 2)
    body = prologue + marshal.dumps(marshal.dumps(payload, 2), 2) + code
    return _first_lines(interpreter, first_line) + body


def first_line_here() -> int:
    """The longest ``#!`` line that this machine reads whole, in bytes."""
    numbers = re.match(r"(\d+)\.(\d+)", os.uname().release)
    is_new = os.uname().sysname == "Linux" and numbers and tuple(map(int, numbers.groups())) >= (5, 1)
    return LONG_FIRST_LINE if is_new else PORTABLE_FIRST_LINE


def _first_lines(interpreter: Path, limit: int) -> bytes:
    """The lines before the marshalled part, which say their own length."""
    offset = 0
    while True:
        lines = _lines(str(interpreter), offset, limit)
        if len(lines) == offset:
            return lines
        offset = len(lines)


def _lines(interpreter: str, offset: int, limit: int) -> bytes:
    loader = _LOADER.format(offset=offset)
    direct = f"#!{interpreter} {_FLAGS}c{loader}"
    # The system splits the line at the first blank, and passes all after it as one argument.
    if len(direct.encode()) <= limit and not any(character.isspace() for character in interpreter):
        return f"{direct}\n".encode()
    return f'#!/bin/sh\nexec {shlex.quote(interpreter)} {_FLAGS}c "{loader}" "$0" "$@"\n'.encode()
