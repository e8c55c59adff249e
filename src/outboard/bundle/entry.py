"""The first bytes of a bundle: what the system executes, and the code that it reaches in one read.

Knows how a file that is data can still be started directly: the interpreter's path, or a search for one, and a loader of
one line stand in its first lines, and the loader finds the marshalled rest of itself at a fixed offset. Python could also
run the file as a zip; that loads `runpy` and `zipimport` and reads each module apart, which costs more CPU than everything
the lean child does of its own (docs/adr has the figures). Must not know what the modules do.
"""

from __future__ import annotations

import marshal
import os
import re
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = (
    "LONG_FIRST_LINE",
    "PORTABLE_FIRST_LINE",
    "PYTHON_VARIABLE",
    "Start",
    "candidates",
    "executable_head",
    "first_line_here",
    "fixed_start",
    "searching_start",
)

Start = Callable[[int], bytes]
"""Given the offset of what follows them, the first lines of the file."""

PYTHON_VARIABLE = "OUTBOARD_PYTHON"
"""The environment variable that names the interpreter for bundles that look for one."""

PORTABLE_FIRST_LINE = 127
"""Bytes of a ``#!`` line that every Linux reads whole. Before 5.1 (RHEL 8 has 4.18) the rest is cut off, silently."""

LONG_FIRST_LINE = 255
"""The same for a file that stays on a machine whose Linux is that new."""

# Where the marshalled part begins, or a multiple of it for an interpreter with an uncommonly long path. The same in every
# bundle: after the system has read the first line, and before the interpreter opens the file by its name, another version may
# be deployed under that name. It is then that version which runs, from its beginning and not from somewhere within.
_START_SIZE = 1024

_FLAGS = "-IS"
_LOADER = "import sys,marshal as m;f=open(sys.argv[1],'rb');f.seek({offset});exec(m.load(f))"

# Text, not code: it must run on whatever Python has taken the place of the right one since, to say so.
# Here, above both, is also where the bundle's start and the runtime meet: neither may know the other.
_PROLOGUE = """\
if sys.hexversion>>16!={tag}:sys.exit({wrong!r}+sys.version.split()[0])
p=m.loads(m.load(f));p['start']=f.tell();p['file']=f;c=f.read(p['hot'])
b=type(sys)('outboard.bundle.bootstrap');exec(m.loads(p.pop('bootstrap')),b.__dict__)
b=b.prepare(sys.argv[1],p,c);del c
from outboard.runtime.server import main
sys.exit(main(sys.argv[1:],b))
"""


def executable_head(start: Start, tag: int, payload: dict[str, Any], code: bytes) -> bytes:
    """The start of a bundle file, up to where its zip members begin.

    Args:
        start: the first lines: from `fixed_start` or `searching_start`.
        tag: ``sys.hexversion >> 16`` of the interpreter: another minor version cannot read the code.
        payload: what `outboard.bundle.bootstrap.prepare` gets; builtin types only.
        code: the modules' code, as one piece; the payload's index tells them apart.
    """
    wrong = (
        f"this bundle was packed for Python {tag >> 8}.{tag & 0xFF}; pack it again, or give it that: here is Python "
    )
    prologue = marshal.dumps(_PROLOGUE.format(tag=tag, wrong=wrong), 2)
    body = prologue + marshal.dumps(marshal.dumps(payload, 2), 2) + code
    offset = _START_SIZE
    while len(lines := start(offset)) > offset:
        offset += _START_SIZE
    return lines.ljust(offset, b"\n") + body


def fixed_start(interpreter: Path, *, first_line: int = PORTABLE_FIRST_LINE) -> Start:
    """First lines that start one interpreter, where it is: for an environment that exists.

    Args:
        interpreter: its absolute path.
        first_line: the longest ``#!`` line that may be relied on, in bytes, without its end.
    """

    def lines(offset: int) -> bytes:
        loader = _LOADER.format(offset=offset)
        direct = f"#!{interpreter} {_FLAGS}c{loader}"
        # The system splits the line at the first blank, and passes all after it as one argument.
        if len(direct.encode()) <= first_line and not any(character.isspace() for character in str(interpreter)):
            return f"{direct}\n".encode()
        return f'#!/bin/sh\nexec {shlex.quote(str(interpreter))} {_FLAGS}c "{loader}" "$0" "$@"\n'.encode()

    return lines


def searching_start(interpreter: Path, version: str, name: str) -> Start:
    """First lines that look for an interpreter on the machine where the bundle is started.

    In this order: the one that `PYTHON_VARIABLE` names, and then no other; the one that the bundle was packed with, where it
    was; one of that minor version on the path, then in the usual folders.

    Args:
        interpreter: the absolute path of the one that it was packed with.
        version: such as ``"3.11"``.
        name: the bundle's, for the line that says that there is none.
    """
    first, *others = map(shlex.quote, candidates(str(interpreter), version))
    quoted = " ".join((first, *others))
    missing = shlex.quote(f"{name}: this bundle needs Python {version}; looked for it at")
    advice = shlex.quote(f"install it, or name one in {PYTHON_VARIABLE}")

    def lines(offset: int) -> bytes:
        loader = _LOADER.format(offset=offset)
        return (
            f'#!/bin/sh\nl="{loader}"\n'
            # The usual case, in which every system call counts.
            f'[ -z "${PYTHON_VARIABLE}" ]&&[ -f {first} ]&&[ -x {first} ]&&exec {first} {_FLAGS}c "$l" "$0" "$@"\n'
            f'for p in "${PYTHON_VARIABLE}" {quoted};do\n'
            f'command -v "$p">/dev/null 2>&1&&exec "$p" {_FLAGS}c "$l" "$0" "$@"\n'
            f'[ -n "$p" ]&&[ "$p" = "${PYTHON_VARIABLE}" ]&&break\ndone\n'
            f'echo {missing} "${{{PYTHON_VARIABLE}:-$(echo {quoted})}};" {advice} >&2\nexit 127\n'
        ).encode()

    return lines


def candidates(interpreter: str, version: str) -> tuple[str, ...]:
    """The interpreters that a bundle looks for on the machine where it is started: paths, and a name for the path to find."""
    return (interpreter, *(f"{folder}python{version}" for folder in ("", "/usr/local/bin/", "/usr/bin/")))


def first_line_here() -> int:
    """The longest ``#!`` line that this machine reads whole, in bytes."""
    numbers = re.match(r"(\d+)\.(\d+)", os.uname().release)
    is_new = os.uname().sysname == "Linux" and numbers and tuple(map(int, numbers.groups())) >= (5, 1)
    return LONG_FIRST_LINE if is_new else PORTABLE_FIRST_LINE
