"""What an author's code finds in a bundle's process. Each test packs a file that tells, and asks it to."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from outboard.bundle import packer, target
from outboard.bundle.compiler import Unit, compile_units, join_codes
from outboard.bundle.contents import collect
from tests.runtime.test_module_list import INTERPRETERS

if TYPE_CHECKING:
    from outboard.bundle.target import Target

# Takes the runtime's place: does the import that it would do, and lets the author's code tell.
STAND_IN = b"""
def main(arguments, bundle):
    import importlib, json, os
    told = importlib.import_module(bundle.modules[0]).tell()
    os.write(1, json.dumps(told).encode())
    os._exit(0)
"""


@pytest.fixture
def told(here: Target, tmp_path: Path):
    """Run an author's file in the process of its bundle, and return what its function ``tell`` returns."""

    def run(text: str, name: str = "tasks.py", there: Target = here) -> object:
        source = tmp_path / name
        source.write_text(text)
        bundle = tmp_path / "bundle"
        sketch = packer.draft(collect([source], [], there), there)
        sketch = with_module(sketch, "outboard.runtime.server", STAND_IN)
        packer.write(sketch, bundle, {"some_dag": ()})
        done = subprocess.run([bundle, "an", "argument"], capture_output=True, text=True, timeout=60, check=False)
        assert done.stderr == ""
        return json.loads(done.stdout)

    return run


def with_module(sketch: packer.Draft, name: str, text: bytes) -> packer.Draft:
    python = sketch.target.executable
    (code,) = compile_units(python, [Unit("stand_in.py", text)])
    starting = [module.name for module in sketch.modules if module.is_ours and not module.is_cold]
    codes = [(each, code if each == name else sketch.code_of(each)) for each in starting]
    return attrs.evolve(sketch, start_code=join_codes(python, codes))


def test_the_arguments_are_those_of_the_command_line(told, tmp_path: Path) -> None:
    assert told("import sys\ndef tell(): return sys.argv") == [str(tmp_path / "bundle"), "an", "argument"]


def test_the_prefix_is_the_environments_and_its_packages_can_be_imported(told, here: Target) -> None:
    text = "import sys\ndef tell():\n    import attrs\n    return [sys.prefix, sys.exec_prefix, attrs.__name__]"
    assert told(text) == [str(here.prefix), str(here.prefix), "attrs"]


def test_exit_and_quit_are_there_as_in_any_script(told) -> None:
    text = """
def tell():
    found = []
    for leave in (exit, quit):
        try:
            leave(3)
        except SystemExit as error:
            found.append([error.code, repr(leave)])
    return found
"""
    assert told(text) == [[3, "Use exit() to exit"], [3, "Use quit() to exit"]]


def test_the_authors_garbage_is_collected_and_what_was_there_before_is_not_looked_at(told) -> None:
    text = """
import gc, weakref, outboard

class Circle: pass

def tell():
    circle = Circle()
    circle.itself = circle
    gone, kept = [], []
    weakref.finalize(circle, gone.append, "gone")
    del circle
    while not gone and len(kept) < 100_000:
        kept.append([])
    return [gone, any(each is vars(outboard) for each in gc.get_objects())]
"""
    assert told(text) == [["gone"], False]


def test_a_module_knows_its_file_name_and_loader(told, tmp_path: Path) -> None:
    text = "def tell(): return [__file__, __name__, __spec__.name, type(__loader__).__name__]"
    assert told(text) == [f"{tmp_path}/bundle/tasks.py", "tasks", "tasks", "Importer"]


def test_what_is_loaded_in_one_go_is_as_if_it_had_been_imported(told, tmp_path: Path) -> None:
    text = """
import importlib, sys

def shape(module):
    spec = module.__spec__
    return {
        "names": sorted(name for name in vars(module) if name[:2] == "__"),
        "name": module.__name__, "package": module.__package__, "file": module.__file__,
        "path": getattr(module, "__path__", None), "loader": module.__loader__ is spec.loader,
        "spec": [spec.name, spec.parent, spec.origin, spec.submodule_search_locations, spec.has_location],
        "in": sys.modules[module.__name__.rpartition(".")[0]].__dict__[module.__name__.rpartition(".")[2]] is module,
    }

def tell():
    told = []
    for name in ("outboard.protocol.messages", "outboard.protocol.frames"):
        found = shape(sys.modules.pop(name))
        told.append([found, shape(importlib.import_module(name)), shape(importlib.reload(sys.modules[name]))])
    return told
"""
    package, module = told(text)
    assert package[0] == package[1] == package[2]
    assert module[0] == module[1] == module[2]
    assert (package[0]["path"], module[0]["file"]) == ([], f"{tmp_path}/bundle/outboard/protocol/frames.py")


@pytest.mark.parametrize("version", INTERPRETERS)
def test_datetime_is_pythons_own_with_the_classes_that_outboard_uses(told, version: str) -> None:
    text = """
import pickle, sys
was_there = "datetime" in sys.modules
import datetime
from datetime import date, time, timedelta, timezone, tzinfo
from outboard.protocol import codec, log_records, serde

def tell():
    moment = datetime.datetime(2026, 11, 30, 12, tzinfo=timezone.utc)
    values = [moment, moment.date(), moment.timetz(), timedelta(days=1), timezone.utc, timezone(timedelta(hours=1))]
    ours = [codec.datetime, codec.timedelta, serde.date, serde.timezone, serde.tzinfo, log_records.time]
    return {
        "was there": was_there,
        "file": datetime.__file__.rpartition("/")[2],
        "same": [datetime.datetime, timedelta, date, timezone, tzinfo, time] == ours,
        "pickled": pickle.loads(pickle.dumps(values)) == values,
        "parsed": str(datetime.datetime.strptime("2026-11-30", "%Y-%m-%d")),
    }
"""
    there = attrs.evolve(target.inspect(Path(INTERPRETERS[version])), start_files=())
    assert told(text, there=there) == {
        "was there": False,
        "file": "datetime.py",
        "same": True,
        "pickled": True,
        "parsed": "2026-11-30 00:00:00",
    }


def test_a_traceback_shows_the_authors_lines_and_ours(told) -> None:
    text = """
import traceback
from outboard import errors

def fails():
    raise errors.InvalidMessageError(*[])  # the author's line

def tell():
    try:
        fails()
    except TypeError:
        return traceback.format_exc()
"""
    shown = told(text)
    assert 'File "tasks.py", line 6, in fails' in shown
    assert "raise errors.InvalidMessageError(*[])  # the author's line" in shown


def test_inspect_finds_the_source_of_the_authors_functions_and_of_ours(told) -> None:
    text = """
import inspect
from outboard.errors import UsageError

def tell():
    return [inspect.getsource(tell), inspect.getsource(UsageError)]
"""
    author, ours = told(text)
    assert author.startswith("def tell():")
    assert ours.startswith("class UsageError(OutboardError):")


def test_a_file_with_a_declared_encoding_shows_its_source(told) -> None:
    text = "# coding: utf-8\nimport inspect\ndef tell():\n    return inspect.getsource(tell)  # größe"
    assert "größe" in told(text)


def test_a_spawned_child_of_the_author_can_import_the_module(told) -> None:
    """multiprocessing's spawn starts a fresh interpreter and hands it sys.path: the bundle itself is on it."""
    text = """
import multiprocessing

def double(number):
    return number * 2

def tell():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.map(double, [1, 2, 3])
"""
    assert told(text) == [2, 4, 6]
