"""``outboard pack``."""

from __future__ import annotations

from pathlib import Path

import anyio

from outboard.bundle import contents, packer, target
from outboard.bundle.manifest import Manifest
from outboard.cli.asking import ask

__all__ = ("pack",)


def pack(file: Path, output: Path, environment: Path) -> Manifest:
    """Pack an author's file for an environment that exists.

    Raises:
        OutboardError: whatever was wrong with the file, the output or the environment.
    """
    packer.check_name(output)
    found = target.inspect(environment, libraries=contents.CHILD_LIBRARIES)

    def dag_ids_of(bundle: Path) -> tuple[str, ...]:
        async def asking() -> tuple[str, ...]:
            return (await ask(bundle, file)).dag_ids

        return anyio.run(asking)

    return packer.pack(contents.collect([file], [], found), output, found, dag_ids_of)
