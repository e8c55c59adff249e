"""How a bundle starts: the first code of ours that its interpreter runs.

Makes the bundle's own modules importable from memory, and gives the bare interpreter (``-I -S``) the environment's import
path. Every statement here is paid for by every task, so this module imports nothing that the interpreter hasn't loaded
already, and it must not know anything about messages, Dags or supervisors.
"""

from __future__ import annotations

import sys
from marshal import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType
    from typing import Any, NoReturn

__all__ = ("Bundle", "Importer", "prepare", "prepare_environment")


class Bundle:
    """The constants that were packed.

    Attributes:
        file: the bundle's absolute path.
        name: its name, after the author's file.
        modules: the author's modules, importable by these names.
        dag_ids: the Dags that it has tasks for.
        digest: SHA-256 over all that was packed, in hexadecimal.
    """

    __slots__ = ("_manifest", "dag_ids", "digest", "file", "modules", "name")

    def __init__(self, file: str, constants: dict[str, Any]) -> None:
        self.file = file
        self.name: str = constants["name"]
        self.modules: Sequence[str] = constants["modules"]
        self.dag_ids: Sequence[str] = constants["dag_ids"]
        self.digest: str = constants["digest"]
        self._manifest: bytes = constants["manifest"]

    def metadata(self) -> bytes:
        """The manifest: UTF-8 JSON text."""
        return self._manifest


class Importer:
    """Imports the bundle's modules from the code that came with the bundle, and shows their source to tracebacks.

    Args:
        file: the bundle.
        modules: by name: whether it is a package, its file, and where its code starts and ends within all code.
        hot: the first part of the code, which every task needs.
        start: where the code begins in the file, for the rest of it.
    """

    __slots__ = ("_file", "_hot", "_modules", "_start")

    def __init__(self, file: str, modules: dict[str, tuple[bool, str, int, int]], hot: bytes, start: int) -> None:
        self._file = file
        self._modules = modules
        self._hot = memoryview(hot)
        self._start = start

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The import system's question: is this module yours?"""
        entry = self._modules.get(name)
        if entry is None:
            return None
        # The class is taken from a living specimen: importlib.machinery would have to be imported.
        spec: ModuleSpec = type(sys.__spec__)(name, self, is_package=entry[0])  # type: ignore[arg-type]
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """The import system's own kind of module will do."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code."""
        entry = self._modules[module.__name__]
        module.__file__ = self._file + "/" + entry[1]
        exec(self.get_code(module.__name__), module.__dict__)

    def is_package(self, name: str) -> bool:
        """Whether a module of ours is a package."""
        return self._modules[name][0]

    def get_code(self, name: str) -> Any:
        """A module's code object."""
        _, _, start, end = self._modules[name]
        if end <= len(self._hot):
            return loads(self._hot[start:end])
        with open(self._file, "rb") as bundle:
            bundle.seek(self._start + start)
            return loads(bundle.read(end - start))

    def get_source(self, name: str) -> str:
        """A module's text, for the lines of a traceback."""
        from importlib.util import decode_source
        from zipimport import zipimporter

        return decode_source(zipimporter(self._file).get_data(self._modules[name][1]))


class _Quitter:
    """What `site` would have given to interactive users, and scripts have come to use."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return f"Use {self._name}() to exit"

    def __call__(self, code: object = None) -> NoReturn:
        raise SystemExit(code)


def prepare(file: str, payload: dict[str, Any], hot: bytes) -> Bundle:
    """Set the process up, so that its own modules and those of its environment can be imported.

    Args:
        file: the bundle, as the system named it when it started us.
        payload: what `outboard.bundle.packer` packed.
        hot: the code that every task needs.
    """
    if not file.startswith("/"):
        # The author's code may change the folder, and the path must outlive that.
        from posix import getcwd

        file = getcwd() + "/" + file
    del sys.argv[0]  # "-c"
    # Before the finder that looks at the disk, after those for modules that are part of the interpreter.
    sys.meta_path.insert(-1, Importer(file, payload["modules"], hot, payload["start"]))
    prepare_environment(file, payload["environment"])
    return Bundle(file, payload["bundle"])


def prepare_environment(file: str, environment: dict[str, Any]) -> None:
    """Do what `site` does for a normal start, as far as a task can tell."""
    import builtins

    sys.prefix = sys.exec_prefix = environment["prefix"]
    sys.path += environment["path"]
    # Last: what is found nowhere else. Opening the zip costs 2 ms, and nearly no task gets here.
    sys.path += [file + folder for folder in environment["inside"]]
    for name in ("exit", "quit"):
        setattr(builtins, name, _Quitter(name))
    for folder, name in environment["start_files"]:
        from site import addpackage

        addpackage(folder, name, set(sys.path))
