"""Whether this machine is of the kind that a bundle's native code was built for. Runs in the child."""

from __future__ import annotations

import os

from outboard.errors import BundleError

__all__ = ("check",)


def check(name: str, machine: str, glibc: str) -> None:
    """Refuse a machine that could not load the native code.

    Args:
        name: the bundle's.
        machine: such as ``"x86_64"``.
        glibc: the lowest version of the GNU C library, such as ``"2.17"``; empty for any.

    Raises:
        BundleError: naming what the bundle needs and what is here.
    """
    here = os.uname().machine
    if here != machine:
        raise BundleError(
            f"{name} holds native code for {machine}, and this machine is {here}; pack it on such a machine"
        )
    if not glibc:
        return
    try:
        library = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        library = ""
    kind, _, version = library.partition(" ")
    if kind != "glibc" or _numbers(version) < _numbers(glibc):
        raise BundleError(
            f"{name} holds native code that needs glibc {glibc} or newer, and here is {library or 'another C library'}; "
            "pack it on this machine, or on an older one"
        )


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".") if part.isdecimal()]
