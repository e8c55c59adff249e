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
    from types import CodeType, ModuleType
    from typing import Any, BinaryIO, NoReturn

__all__ = ("Bundle", "Importer", "prepare")

# The folders, inside the bundle, of what the author has not written.
_NOT_THE_AUTHORS = ("outboard/", "_vendor/")


class Importer:
    """Imports the bundle's modules from the code that came with the bundle, and shows their source to tracebacks.

    The bundle stays open: another one may be deployed in its place meanwhile, and what is read late must be of this one.

    Args:
        file: the bundle's path.
        stream: the bundle, open.
        modules: by name: whether it is a package, its file, and where its code starts and ends within all code.
        start: where the code begins in the file.

    Attributes:
        folder: where the author's files are unpacked, if they are: what ``__file__`` of their modules then tells.
        natives: the files of native modules that belong to packages in memory, by name.
    """

    __slots__ = ("_file", "_modules", "_start", "_stream", "folder", "natives")

    def __init__(self, file: str, stream: BinaryIO, modules: dict[str, tuple[bool, str, int, int]], start: int) -> None:
        self._file = file
        self._stream = stream
        self._modules = modules
        self._start = start
        self.folder = ""
        self.natives: dict[str, str] = {}

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The import system's question: is this module yours?"""
        entry = self._modules.get(name)
        if entry is None:
            return self._native_spec(name) if name in self.natives else None
        return self._spec(name, entry[0])

    def _spec(self, name: str, is_package: bool) -> ModuleSpec:
        # The class is taken from a living specimen: importlib.machinery would have to be imported.
        spec: ModuleSpec = type(sys.__spec__)(name, self, is_package=is_package)  # type: ignore[arg-type]
        return spec

    def _native_spec(self, name: str) -> ModuleSpec:
        from _frozen_importlib_external import ExtensionFileLoader  # what importlib.machinery only passes on

        file = self.natives[name]
        spec: ModuleSpec = type(sys.__spec__)(name, ExtensionFileLoader(name, file), origin=file)
        spec.has_location = True
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """The import system's own kind of module will do."""

    def exec_module(self, module: ModuleType) -> None:
        """Run a module's code."""
        is_package, file = self._modules[module.__name__][:2]
        module.__file__ = self._base(file) + "/" + file
        if is_package and self.folder:
            module.__path__ = [module.__file__.rpartition("/")[0]]
        exec(self.get_code(module.__name__), module.__dict__)

    def _base(self, file: str) -> str:
        # What is ours, or carried for us, is never unpacked.
        return self.folder if self.folder and not file.startswith(_NOT_THE_AUTHORS) else self._file

    def get_resource_reader(self, name: str) -> object:
        """For `importlib.resources`: the data files beside a module, where they are unpacked."""
        if not self.folder:
            return None
        from importlib.readers import FileReader
        from types import SimpleNamespace

        return FileReader(SimpleNamespace(path=self._base("") + "/" + self._modules[name][1]))  # type: ignore[arg-type]

    def is_package(self, name: str) -> bool:
        """Whether a module of ours is a package."""
        return self._modules[name][0]

    def is_authors(self, name: str) -> bool:
        """Whether a module of ours is one that the author has written."""
        entry = self._modules.get(name)
        return entry is not None and not entry[1].startswith(_NOT_THE_AUTHORS)

    def get_code(self, name: str) -> Any:
        """A module's code object."""
        from posix import pread

        _, _, start, end = self._modules[name]
        found = loads(pread(self._stream.fileno(), end - start, self._start + start))
        return found[name] if type(found) is dict else found

    def load(self, codes: dict[str, CodeType]) -> None:
        """Import modules whose code is at hand.

        The import system would come to the same, but it takes longer for a module than most of them take for themselves.

        Args:
            codes: by name, in an order in which each module finds those that it imports.
        """
        loaded, new = sys.modules, type(sys)
        for name in codes:
            is_package, file = self._modules[name][:2]
            module = loaded[name] = new(name)
            module.__spec__ = spec = self._spec(name, is_package)
            module.__loader__ = self  # type: ignore[assignment]
            module.__package__ = spec.parent
            module.__file__ = f"{self._file}/{file}"
            if is_package:
                module.__path__ = spec.submodule_search_locations  # type: ignore[assignment]
        for name, code in codes.items():
            module = loaded[name]
            exec(code, module.__dict__)
            package, _, last = name.rpartition(".")
            if package:
                setattr(loaded[package], last, module)

    def get_source(self, name: str) -> str:
        """A module's text, for the lines of a traceback."""
        from importlib.util import decode_source
        from zipfile import ZipFile

        with ZipFile(self.open_path) as members:
            return decode_source(members.read(self._modules[name][1]))

    @property
    def open_path(self) -> str:
        """A path that leads to this very file, also when another one has taken its place."""
        return f"/proc/self/fd/{self._stream.fileno()}"


class Bundle:
    """The constants that were packed, and what of the bundle is not in its memory yet.

    Attributes:
        file: the bundle's absolute path.
        name: its name, after the author's file.
        modules: the author's modules to load, importable by these names.
        dag_ids: the Dags that it has tasks for.
        digest: SHA-256 over all that was packed, in hexadecimal.
        schema: the date of the supervisor schema that it is stamped with.
        about: what the first record of each task says of it, as text by name.
    """

    __slots__ = ("_dag_modules", "_environment", "_importer", "_manifest", "_private", "about", "dag_ids", "digest",
                 "file", "modules", "name", "schema")  # fmt: skip

    def __init__(self, file: str, constants: dict[str, Any], environment: dict[str, Any], importer: Importer) -> None:
        self.file = file
        self.name: str = constants["name"]
        self.modules: Sequence[str] = constants["modules"]
        self.dag_ids: Sequence[str] = constants["dag_ids"]
        self._dag_modules: dict[str, Sequence[str]] = constants["dag_modules"]
        self.digest: str = constants["digest"]
        self.schema: str = constants["schema"]
        self.about: dict[str, str] = constants["about"]
        self._manifest: bytes = constants["manifest"]
        self._environment = environment
        self._importer = importer
        self._private: list[str] = []

    def metadata(self) -> bytes:
        """The manifest: UTF-8 JSON text."""
        return self._manifest

    def modules_of(self, dag_id: str) -> Sequence[str]:
        """The modules to load for a task of a Dag: a file that it is not in costs it nothing, and cannot break it."""
        return self._dag_modules.get(dag_id) or self.modules

    def is_authors(self, module: str) -> bool:
        """Whether a module is one of the author's own, and not of a library's."""
        return self._importer.is_authors(module)

    def enter_environment(self) -> bool:
        """Give the process its environment, if that is already where it can be used.

        Costs a fat bundle a few system calls from its second start on. Returns whether the environment is there.
        """
        environment = self._environment
        if not environment["digest"]:
            _enter(environment, environment["prefix"] + "/")
            return True
        from outboard.bundle import cache

        folder = cache.find(environment["digest"], cache.variables())
        if folder is None:
            return False
        self._enter_unpacked(folder)
        return True

    def complete(self) -> None:
        """Make everything available that the author's code may need: unpack what is not yet unpacked on this machine.

        Called after the supervisor was connected, so that it can be told what goes wrong, and may take its time.

        Raises:
            BundleError: the bundle is for another kind of machine, or there is no place to unpack it.
        """
        environment = self._environment
        if environment["machine"]:
            from outboard.bundle.platform import check

            check(self.name, environment["machine"], environment["glibc"])
        if environment["digest"]:
            folder = self._unpacked(environment["member"], environment["digest"], environment["native"])
            # In the order that later starts have: before what is found inside the bundle, which is on the path already.
            inside = sys.path[-len(environment["inside"]) :]
            del sys.path[-len(inside) :]
            self._enter_unpacked(folder)
            sys.path += inside
        if environment["files_digest"]:
            self._importer.folder = self._unpacked(environment["files_member"], environment["files_digest"], False)

    def _enter_unpacked(self, folder: str) -> None:
        environment = self._environment
        self._importer.natives = {name: f"{folder}/{file}" for name, file in environment["natives"].items()}
        _enter(environment, folder + "/")
        environment["digest"] = ""

    def _unpacked(self, member: str, digest: str, native: bool) -> str:
        from outboard.bundle import cache

        found = cache.find(digest, cache.variables())
        if found is not None:
            return found
        from os import environ

        from outboard.bundle.unpack import unpack

        folder, is_private = unpack(
            self._importer.open_path, member, digest, needs_execution=native, environment=environ
        )
        if is_private:
            import atexit
            import shutil

            atexit.register(shutil.rmtree, folder, ignore_errors=True)
        return folder


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
        hot: the code of the modules that every task needs, marshalled as `Importer.load` takes it.
    """
    import gc

    gc.disable()
    if not file.startswith("/"):
        # The author's code may change the folder, and the path must outlive that.
        from posix import getcwd

        file = getcwd() + "/" + file
    del sys.argv[0]  # "-c"
    importer = Importer(file, payload["file"], payload["modules"], payload["start"])
    # Before the finder that looks at the disk, after those for modules that are part of the interpreter.
    sys.meta_path.insert(-1, importer)
    _load(importer, loads(hot))
    bundle = Bundle(file, payload["bundle"], payload["environment"], importer)
    _prepare_builtins()
    bundle.enter_environment()
    # Last: what is found nowhere else, for interpreters that the author's code starts, and that get this one's path.
    # Opening the zip costs 2 ms, and nearly no task gets here.
    sys.path += [file + folder for folder in payload["environment"]["inside"]]
    # Nothing of all this is ever garbage, so the collector need not look at it: not while it grows, and not later.
    gc.freeze()
    gc.enable()
    return bundle


def _load(importer: Importer, codes: dict[str, CodeType]) -> None:
    """Load what every task needs. What that takes from `datetime`, it gets from the compiled module behind it.

    `datetime` itself would first define all of its classes in Python, to have them replaced at its end. Whoever imports it
    later gets it whole, with these same classes in it.
    """
    import _datetime  # type: ignore[import-not-found]

    sys.modules["datetime"] = _datetime
    importer.load(codes)
    del sys.modules["datetime"]


def _prepare_builtins() -> None:
    """What `site` would have done for interactive users, and scripts have come to use."""
    import builtins

    for name in ("exit", "quit"):
        setattr(builtins, name, _Quitter(name))


def _enter(environment: dict[str, Any], prefix: str) -> None:
    """Do what `site` does for a normal start in an environment, as far as a task can tell.

    Args:
        environment: its import path and start files; relative ones lie below the prefix.
        prefix: its folder, with a slash behind it.
    """
    sys.prefix = sys.exec_prefix = prefix[:-1]
    sys.path += [entry if entry.startswith("/") else prefix + entry for entry in environment["path"]]
    for folder, name in environment["start_files"]:
        from site import addpackage

        addpackage(folder if folder.startswith("/") else prefix + folder, name, set(sys.path))
