from __future__ import annotations

import os
import subprocess
import sys
import venv
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from outboard.bundle import contents, packer, target
from outboard.bundle.archive import MAX_SIZE
from outboard.bundle.contents import AuthorContents, Module, collect
from outboard.errors import LoadError, UsageError
from tests.benchmarks.plain_supervisor import greeting, run_task

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from outboard.bundle.target import Target

INSTALLED = {
    "installed.py": "",
    "utensils.py": "",
    "toolbox/__init__.py": "",
    "acme/core/__init__.py": "NAME = 'installed'",
}


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Target:
    """An environment with a module, a package and a part of a namespace package, `acme`."""
    folder = tmp_path_factory.mktemp("environments") / "there"
    venv.create(folder, symlinks=True)
    packages = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    write(packages, INSTALLED)
    return target.inspect(folder, libraries=contents.CHILD_LIBRARIES)


def write(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def names(found: AuthorContents) -> set[str]:
    return {module.name for module in found.modules}


def module(found: AuthorContents, name: str) -> Module:
    return next(each for each in found.modules if each.name == name)


DAG = "from outboard import dag\n"


# ── one file ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_that_imports_nothing_of_its_own_comes_alone(there: Target, tmp_path: Path) -> None:
    text = "import json, os.path, msgpack, installed, toolbox.anything\nfrom outboard import dag\n"
    write(tmp_path, {"weather.py": text, "other.py": "", "notes.txt": ""})
    assert collect([tmp_path / "weather.py"], [], there) == AuthorContents(
        name="weather",
        entry_modules=("weather",),
        modules=(Module(name="weather", is_package=False, file="weather.py", text=text.encode()),),
    )


def test_modules_beside_it_come_along_one_by_one_with_what_they_import(there: Target, tmp_path: Path) -> None:
    write(
        tmp_path, {"weather.py": "import one", "one.py": "def f():\n  from two import x", "two.py": "", "three.py": ""}
    )
    found = collect([tmp_path / "weather.py"], [], there)
    assert [each.name for each in found.modules] == ["weather", "one", "two"]
    assert found.entry_modules == ("weather",)
    assert not any(each.is_cold for each in found.modules)


@pytest.mark.parametrize(
    "statement",
    [
        "import lib.sub.leaf",
        "from lib.sub import leaf",
        "from lib.sub.leaf import name",
        "import importlib; importlib.import_module('lib.sub.leaf')",
        "try:\n  import lib.sub.leaf\nexcept ImportError: ...",
    ],
)
def test_a_package_comes_whole_with_its_data_and_what_is_loaded_of_it_is_hot(
    there: Target, tmp_path: Path, statement: str
) -> None:
    write(
        tmp_path,
        {
            "weather.py": statement,
            "lib/__init__.py": "",
            "lib/unused.py": "import nowhere",
            "lib/sub/__init__.py": "",
            "lib/sub/leaf.py": "name = 1",
            "lib/sub/query.sql": "select 1",
            "lib/templates/page.html": "<p>",
            "beside.txt": "",
        },
    )
    found = collect([tmp_path / "weather.py"], [], there)
    hot = {"weather", "lib", "lib.sub", "lib.sub.leaf"}
    assert {each.name for each in found.modules if not each.is_cold} == hot
    assert names(found) == hot | {"lib.unused"}
    assert found.data == {"lib/sub/query.sql": b"select 1", "lib/templates/page.html": b"<p>"}
    assert (module(found, "lib.sub").is_package, module(found, "lib.sub").file) == (True, "lib/sub/__init__.py")


def test_a_package_imports_its_siblings_by_dots_and_by_its_own_name(there: Target, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "weather.py": "import lib.a",
            "lib/__init__.py": "",
            "lib/a.py": "from . import b\nfrom .c import x\nfrom lib import d\nfrom .sub import e",
            "lib/b.py": "",
            "lib/c.py": "",
            "lib/d.py": "",
            "lib/sub/__init__.py": "from .. import f\nfrom ..g import y",
            "lib/sub/e.py": "",
            "lib/f.py": "import beside",
            "lib/g.py": "",
            "beside.py": "",
        },
    )
    found = collect([tmp_path / "weather.py"], [], there)
    assert not [each.name for each in found.modules if each.is_cold]
    assert names(found) == {
        "weather", "lib", "lib.a", "lib.b", "lib.c", "lib.d", "lib.sub", "lib.sub.e", "lib.f", "lib.g", "beside",
    }  # fmt: skip


def test_a_folder_without_init_is_a_package_with_an_empty_one(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"weather.py": "from lib.sub import leaf", "lib/sub/leaf.py": "", "lib/data.csv": "1"})
    found = collect([tmp_path / "weather.py"], [], there)
    assert names(found) == {"weather", "lib", "lib.sub", "lib.sub.leaf"}
    assert module(found, "lib") == Module(name="lib", is_package=True, file="lib/__init__.py", text=b"")
    assert found.data == {"lib/data.csv": b"1"}


def test_a_folder_without_any_module_is_no_package(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"weather.py": "import lib", "lib/data.csv": "1"})
    with pytest.raises(UsageError, match=r"^weather\.py, line 1: no module lib "):
        collect([tmp_path / "weather.py"], [], there)


def test_what_is_installed_goes_before_a_folder_without_init_and_after_everything_else(
    there: Target, tmp_path: Path
) -> None:
    """As Python has it: the script's own folder is the first on the path, but regular packages go before folders."""
    text = "import utensils\nimport installed.x\nimport json.decoder"
    write(tmp_path, {"weather.py": text, "utensils.py": "", "installed/x.py": "", "json/decoder.py": ""})
    assert names(collect([tmp_path / "weather.py"], [], there)) == {"weather", "utensils"}


def test_nothing_breaks_the_file_in_a_package_with_the_name_that_the_package_gives_it(
    there: Target, tmp_path: Path
) -> None:
    write(
        tmp_path,
        {
            "flows/__init__.py": "",
            "flows/daily/__init__.py": "",
            "flows/daily/weather.py": "from . import near\nfrom ..common import x\nfrom flows.lib import y",
            "flows/daily/near.py": "",
            "flows/daily/unused.py": "",
            "flows/daily/big.csv": "",
            "flows/common.py": "",
            "flows/lib/__init__.py": "",
            "flows/lib/query.sql": "",
        },
    )
    found = collect([tmp_path / "flows" / "daily" / "weather.py"], [], there)
    assert found.name == "weather"
    assert found.entry_modules == ("flows.daily.weather",)
    assert [each.name for each in found.modules] == [
        "flows.daily.weather", "flows", "flows.common", "flows.daily", "flows.daily.near", "flows.lib",
    ]  # fmt: skip
    assert found.modules[0].file == "flows/daily/weather.py"
    assert set(found.data) == {"flows/lib/query.sql"}


def test_a_file_in_a_package_finds_its_neighbours_by_bare_names_unless_those_are_installed(
    there: Target, tmp_path: Path
) -> None:
    """Folders of Dags often have a stray ``__init__.py``, and Airflow puts the folder itself on the path."""
    text = "import near\nimport installed\nimport email\nimport kit.tool"
    package = {"__init__.py": "", "near.py": "", "installed.py": "", "email.py": "", "kit/__init__.py": ""}
    write(tmp_path / "dags", {"weather.py": text, **package, "kit/tool.py": "from . import nail", "kit/nail.py": ""})
    found = collect([tmp_path / "dags" / "weather.py"], [], there)
    assert names(found) == {"dags.weather", "dags", "near", "kit", "kit.tool", "kit.nail"}
    assert module(found, "kit.nail").file == "dags/kit/nail.py"


def test_the_texts_are_the_files_bytes_whatever_their_encoding(there: Target, tmp_path: Path) -> None:
    text = "# coding: latin-1\nimport é\n".encode("latin-1")
    write(tmp_path, {"weather.py": text, "é.py": b"\xef\xbb\xbfx = 1\r\n"})
    found = collect([tmp_path / "weather.py"], [], there)
    assert [each.text for each in found.modules] == [text, b"\xef\xbb\xbfx = 1\r\n"]


def test_the_part_of_a_namespace_package_that_is_beside_the_file_joins_the_installed_part(
    there: Target, tmp_path: Path
) -> None:
    text = (
        "from outboard import dag, task\nfrom acme import core, flows\nimport acme.flows.near\n"
        "@dag\ndef d():\n  @task\n  def t():\n    return [core.NAME, flows.near.NAME]\n  t()\nd()\n"
    )
    write(tmp_path, {"weather.py": text, "acme/flows/__init__.py": "", "acme/flows/near.py": "NAME = 'mine'"})
    packer.write(packer.draft(collect([tmp_path / "weather.py"], [], there), there), tmp_path / "bundle", {"d": ()})
    ended = run_task([str(tmp_path / "bundle")], greeting("d", "t"))
    assert ended.returned == ["installed", "mine"]


# ── what is missing ───────────────────────────────────────────────────────────────────────────────────────────────


def refused(there: Target, path: Path, *includes: Path) -> str:
    with pytest.raises(UsageError) as caught:
        collect([path], includes, there)
    text = str(caught.value)
    assert "\n" not in text
    return text


@pytest.mark.parametrize(
    ("statement", "module"),
    [
        ("import nowhere.at.all", "nowhere.at.all"),
        ("from nowhere import x", "nowhere"),
        ("if debug:\n  import nowhere", "nowhere"),
        ("try:\n  import nowhere\nexcept KeyError: ...", "nowhere"),
        ("def f(): __import__('nowhere')", "nowhere"),
        ("import lib.nowhere", "lib.nowhere"),
        ("import lib.near.nowhere", "lib.near.nowhere"),
        ("from lib.nowhere import x", "lib.nowhere"),
        ("import folder.nowhere", "folder.nowhere"),
        ("from folder import nowhere", "folder.nowhere"),
        ("import acme.nowhere", "acme.nowhere"),
        ("from acme import core, nowhere", "acme.nowhere"),
    ],
)
def test_an_import_that_leads_nowhere_is_named_with_its_file_and_line(
    there: Target, tmp_path: Path, statement: str, module: str
) -> None:
    files = {"weather.py": "import one", "lib/__init__.py": "", "lib/near.py": "", "folder/near.py": ""}
    write(tmp_path, {**files, "one.py": f"import json\n{statement}"})
    line = 3 if "\n" in statement else 2
    assert refused(there, tmp_path / "weather.py") == (
        f"one.py, line {line}: no module {module} in the standard library, in the environment or beside the file; "
        "add what provides it to the file's dependencies, name its file with --include, or catch the ImportError where the "
        "file can do without"
    )


def test_all_that_is_missing_is_told_at_once(there: Target, tmp_path: Path) -> None:
    write(
        tmp_path, {"weather.py": "import nowhere\nimport one\nimport gone", "one.py": "import gone, nothing, nowhere"}
    )
    text = refused(there, tmp_path / "weather.py")
    assert text.startswith("weather.py, line 1: no module nowhere in")
    assert text.endswith("; nor is there gone (weather.py, line 3), nothing (one.py, line 1)")


def test_airflow_has_an_advice_of_its_own(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"weather.py": "from airflow.sdk import dag"})
    assert refused(there, tmp_path / "weather.py").endswith("import the same names from outboard")


@pytest.mark.parametrize(
    "statement",
    [
        "try:\n  import nowhere\nexcept ImportError: ...",
        "if TYPE_CHECKING:\n  import nowhere",
        "if sys.version_info < (3, 0):\n  import nowhere",
        "from lib import attribute",
        "from lib import *",
        "from folder import *",
        "from toolbox import attribute",
    ],
)
def test_what_a_file_can_do_without_and_what_may_be_no_module_may_be_missing(
    there: Target, tmp_path: Path, statement: str
) -> None:
    write(tmp_path, {"weather.py": statement, "lib/__init__.py": "", "folder/near.py": ""})
    assert "weather" in names(collect([tmp_path / "weather.py"], [], there))


def test_what_an_optional_module_misses_is_no_error(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"weather.py": "try:\n  import fast\nexcept ImportError: ...", "fast.py": "import nowhere"})
    assert names(collect([tmp_path / "weather.py"], [], there)) == {"weather", "fast"}


@pytest.mark.parametrize(
    ("file", "statement", "said"),
    [
        ("weather.py", "from . import near", "no package, which dots could stand for; write a module without them"),
        ("weather.py", "from .near import x", "no package, which dots could stand for; write near without them"),
        ("lib/weather.py", "from ..near import x", "the dots lead out of the package that the file is in"),
        ("lib/__init__.py", "from .. import x", "the dots lead out of the package that the file is in"),
    ],
)
def test_dots_that_lead_nowhere_are_refused(
    there: Target, tmp_path: Path, file: str, statement: str, said: str
) -> None:
    write(tmp_path, {"lib/__init__.py": "", "near.py": "", file: statement})
    text = refused(there, tmp_path / file)
    assert text.startswith(f"{file}, line 1: ")
    assert said in text


def test_a_folder_whose_name_no_import_can_say_is_no_package_despite_its_init(there: Target, tmp_path: Path) -> None:
    write(tmp_path / "my-flows", {"__init__.py": "", "weather.py": "import near", "near.py": "from . import weather"})
    text = refused(there, tmp_path / "my-flows" / "weather.py")
    assert text == "near.py, line 1: the folder my-flows is no package, since no import can name it; rename it"


@pytest.mark.parametrize("name", ["json", "outboard", "msgpack", "__main__", "_vendor"])
def test_a_name_that_would_hide_another_module_is_refused(there: Target, tmp_path: Path, name: str) -> None:
    write(tmp_path / "one", {f"{name}.py": ""})
    assert refused(there, tmp_path / "one" / f"{name}.py").endswith("would be hidden; rename the file")
    write(tmp_path / "two", {f"{name}/__init__.py": "", f"{name}/weather.py": ""})
    assert refused(there, tmp_path / "two" / name / "weather.py").endswith("would be hidden; rename the folder")
    write(tmp_path / "three", {"weather.py": f"\nimport {name}.x", f"{name}.py": ""})
    assert refused(there, tmp_path / "three" / "weather.py").startswith(f"weather.py, line 2: {name} is a module that ")


def test_a_file_that_hides_what_it_imports_from_itself_is_refused(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"installed.py": "from installed import x"})
    assert refused(there, tmp_path / "installed.py") == (
        "installed.py, line 1: installed is installed, but hidden by the file that imports it; rename the file"
    )


def test_a_package_beside_the_file_may_import_itself_though_it_is_installed_too(there: Target, tmp_path: Path) -> None:
    package = {"toolbox/__init__.py": "from . import saw\nimport toolbox", "toolbox/saw.py": "import toolbox"}
    write(tmp_path, {"weather.py": "import toolbox", **package})
    assert names(collect([tmp_path / "weather.py"], [], there)) == {"weather", "toolbox", "toolbox.saw"}


def test_a_syntax_error_is_refused_with_its_file_and_line_in_whatever_is_loaded(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"weather.py": "import lib.broken", "lib/__init__.py": "", "lib/broken.py": "x = 1\ndef"})
    with pytest.raises(LoadError, match=r"^lib/broken\.py, line 2: invalid syntax$"):
        collect([tmp_path / "weather.py"], [], there)


def test_a_file_that_is_not_there_is_refused(there: Target, tmp_path: Path) -> None:
    assert refused(there, tmp_path / "gone.py") == f"{tmp_path}/gone.py cannot be read: No such file or directory"
    write(tmp_path, {"weather.py": ""})
    assert "gone cannot be read" in refused(there, tmp_path / "weather.py", tmp_path / "gone")


def test_nothing_is_refused(there: Target) -> None:
    with pytest.raises(UsageError, match="nothing to pack"):
        collect([], [], there)


# ── a folder ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_of_a_folder_those_files_are_loaded_that_import_outboard_themselves_or_through_others(
    there: Target, tmp_path: Path
) -> None:
    write(
        tmp_path / "flows",
        {
            "weather.py": DAG,
            "made.py": "import factory",
            "factory.py": "def make():\n  from outboard import DAG",
            "helper.py": "import json",
            "my-report.py": DAG,
            "notebook-export.py": "import nowhere",
            "test_weather.py": "import weather",
            "weather_test.py": "from outboard.testing import run_task",
            "test_flight.py": DAG,
            "checks.py": "import pytest, weather",
            "conftest.py": "import weather",
            "__main__.py": "import weather",
            "sub/inner.py": DAG,
        },
    )
    found = collect([tmp_path / "flows"], [], there)
    assert found.name == "flows"
    assert found.entry_modules == ("factory", "made", "my_report", "test_flight", "weather")
    assert tuple(each.name for each in found.modules[:5]) == found.entry_modules
    assert {each.name for each in found.modules if each.is_cold} == {
        "helper", "test_weather", "weather_test", "checks", "conftest", "sub", "sub.inner",
    }  # fmt: skip
    assert set(found.data) == {"notebook-export.py", "__main__.py"}


def test_of_a_folder_everything_comes_along_but_what_is_hidden_compiled_installed_or_a_bundle(
    here: Target, hello: Path, tmp_path: Path
) -> None:
    write(
        tmp_path / "flows",
        {
            "weather.py": DAG,
            "sql/extract.sql": "select 1",
            "sql/deeper/load.sql": "select 2",
            "plugins/one.py": "import nowhere",
            "plugins/broken.py": "def",
            "bad-name/module.py": "",
            "json/codec.py": "",
            "msgpack.py": "",
            ".env": "PASSWORD=x",
            ".git/config": "",
            "__pycache__/weather.cpython-311.pyc": b"",
            "old.pyc": b"",
            "venv/pyvenv.cfg": "",
            "venv/lib/x.py": "",
            "conda/conda-meta/history": "",
            "pip.conf": "[global]\nindex-url = https://me:planted-secret@example.org/simple",
            "settings/uv.toml": "",
            "hello": hello.read_bytes(),
        },
    )
    found = collect([tmp_path / "flows"], [], here)
    assert names(found) == {"weather", "plugins", "plugins.one"}
    assert found.data == {
        "bad-name/module.py": b"",
        "json/codec.py": b"",
        "msgpack.py": b"",
        "plugins/broken.py": b"def",
        "sql/deeper/load.sql": b"select 2",
        "sql/extract.sql": b"select 1",
    }
    assert list(found.data) == sorted(found.data)


@pytest.mark.parametrize("name", ["pyproject.toml", "uv.lock", "dev-requirements.txt", "sub/requirements.in"])
def test_a_password_of_an_index_does_not_come_along(there: Target, tmp_path: Path, name: str) -> None:
    write(tmp_path / "flows", {"weather.py": DAG, name: "https://example.org/simple/x-1.0.whl"})
    assert set(collect([tmp_path / "flows"], [], there).data) == {name}
    write(tmp_path / "flows", {name: "url = 'https://me:planted-secret@example.org/simple'"})
    text = refused(there, tmp_path / "flows")
    assert text.startswith(f"{name} names a package index with a password, ")
    assert "planted-secret" not in text


def test_more_than_a_bundle_holds_is_refused_before_it_is_read(there: Target, tmp_path: Path) -> None:
    write(tmp_path / "flows", {"weather.py": DAG, "small.bin": "1", "large.bin": ""})
    os.truncate(tmp_path / "flows" / "large.bin", MAX_SIZE)
    text = refused(there, tmp_path / "flows")
    assert text.endswith(f"and a bundle holds {MAX_SIZE} at most; the largest is large.bin; keep it elsewhere")


def test_a_module_that_nobody_imports_hides_nothing_that_is_installed(there: Target, tmp_path: Path) -> None:
    write(tmp_path / "flows", {"weather.py": DAG, "installed.py": "", "toolbox/__init__.py": "", "toolbox/x.py": ""})
    found = collect([tmp_path / "flows"], [], there)
    assert names(found) == {"weather"}
    assert set(found.data) == {"installed.py", "toolbox/__init__.py", "toolbox/x.py"}


def test_a_folder_that_is_a_package_gives_its_modules_its_name(there: Target, tmp_path: Path) -> None:
    write(
        tmp_path / "flows",
        {
            "__init__.py": "from . import weather",
            "weather.py": "from outboard import dag\nfrom .common import x\nimport near\nimport beside",
            "common.py": "",
            "near.py": "",
            "sql/extract.sql": "",
            "sub/__init__.py": "",
            "sub/inner.py": "",
        },
    )
    write(tmp_path, {"beside.py": "", "not_needed.py": ""})
    found = collect([tmp_path / "flows"], [], there)
    assert found.entry_modules == ("flows.weather",)
    assert {each.name for each in found.modules if not each.is_cold} == {
        "flows", "flows.weather", "flows.common", "near", "beside",
    }  # fmt: skip
    assert {each.name for each in found.modules if each.is_cold} == {"flows.near", "flows.sub", "flows.sub.inner"}
    assert set(found.data) == {"flows/sql/extract.sql"}


def test_a_package_that_declares_its_dags_in_init_is_loaded_itself(there: Target, tmp_path: Path) -> None:
    write(tmp_path / "flows", {"__init__.py": DAG, "common.py": ""})
    assert collect([tmp_path / "flows"], [], there).entry_modules == ("flows",)
    by_file = collect([tmp_path / "flows" / "__init__.py"], [], there)
    assert (by_file.name, by_file.entry_modules, names(by_file)) == ("flows", ("flows",), {"flows"})


def test_a_folder_without_any_dag_is_refused(there: Target, tmp_path: Path) -> None:
    write(tmp_path / "flows", {"helper.py": "import json", "sub/weather.py": DAG})
    assert refused(there, tmp_path / "flows").endswith(
        "none of the files in this folder imports outboard; name the files with Dags"
    )


def test_a_broken_file_that_names_outboard_is_not_passed_over(there: Target, tmp_path: Path) -> None:
    write(tmp_path / "flows", {"weather.py": DAG, "broken.py": "from outboard import dag\ndef"})
    with pytest.raises(LoadError, match=r"^broken\.py, line 2"):
        collect([tmp_path / "flows"], [], there)


def test_the_folder_may_be_the_current_one(there: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "flows", {"weather.py": DAG})
    monkeypatch.chdir(tmp_path / "flows")
    assert collect([Path()], [], there) == collect([tmp_path / "flows"], [], there)
    assert collect([Path("weather.py")], [], there).entry_modules == ("weather",)


# ── several ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_two_files_in_different_folders_each_find_what_is_beside_them(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"a/one.py": "import near", "a/near.py": "", "b/two.py": "import far", "b/far.py": ""})
    found = collect([tmp_path / "b" / "two.py", tmp_path / "a" / "one.py"], [], there)
    assert found.name == "two"
    assert found.entry_modules == ("two", "one")
    assert [each.name for each in found.modules] == ["two", "one", "far", "near"]


def test_a_module_that_is_beside_another_given_file_is_found_if_it_is_nowhere_else(
    there: Target, tmp_path: Path
) -> None:
    write(tmp_path, {"a/one.py": "import far, installed", "b/two.py": "", "b/far.py": "", "b/installed.py": ""})
    found = collect([tmp_path / "a" / "one.py", tmp_path / "b" / "two.py"], [], there)
    assert names(found) == {"one", "two", "far"}


def test_what_is_given_twice_counts_once(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"weather.py": DAG, "helper.py": ""})
    found = collect([tmp_path / "helper.py", tmp_path, tmp_path / "weather.py", tmp_path / "helper.py"], [], there)
    assert found.entry_modules == ("helper", "weather")


def test_two_modules_of_one_name_are_refused(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"a/one.py": "import near", "a/near.py": "", "b/two.py": "import near", "b/near.py": ""})
    with pytest.raises(UsageError, match="two modules would be called near: ") as caught:
        collect([tmp_path / "a" / "one.py", tmp_path / "b" / "two.py"], [], there)
    assert f"{tmp_path}/a/near.py and {tmp_path}/b/near.py; rename one" in str(caught.value)


def test_two_files_of_one_name_are_refused_unless_they_are_alike(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"a/one.py": DAG, "a/notes.md": "same", "b/two.py": DAG, "b/notes.md": "same"})
    assert collect([tmp_path / "a", tmp_path / "b"], [], there).data == {"notes.md": b"same"}
    write(tmp_path, {"b/notes.md": "different"})
    with pytest.raises(UsageError, match=r"two files would be called notes\.md"):
        collect([tmp_path / "a", tmp_path / "b"], [], there)


def test_one_name_for_the_environments_module_and_anothers_own_is_refused(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"a/one.py": "\nimport installed", "b/two.py": "import installed", "b/installed.py": ""})
    with pytest.raises(UsageError, match=r"^one\.py, line 2: installed is the environment's for this file, and "):
        collect([tmp_path / "a" / "one.py", tmp_path / "b" / "two.py"], [], there)


# ── --include ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_included_files_and_folders_come_along_by_their_paths(there: Target, tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "flows/weather.py": DAG,
            "flows/sql/extract.sql": "1",
            "flows/plugins/one.py": "import plain",
            "flows/plain.py": "",
            "flows/notes/today.txt": "2",
            "shared/common.csv": "3",
            "shared/mine/__init__.py": "",
            "shared/mine/deep/__init__.py": "",
            "shared/mine/deep/leaf.py": "",
            "shared/mine/other.py": "",
        },
    )
    includes = ["flows/sql", "flows/plugins", "flows/notes/today.txt", "shared/common.csv", "shared/mine/deep"]
    found = collect([tmp_path / "flows" / "weather.py"], [tmp_path / each for each in includes], there)
    assert found.entry_modules == ("weather",)
    assert [each.name for each in found.modules if each.is_cold] == [
        "mine", "mine.deep", "mine.deep.leaf", "mine.other", "plain", "plugins", "plugins.one",
    ]  # fmt: skip
    assert found.data == {"common.csv": b"3", "notes/today.txt": b"2", "sql/extract.sql": b"1"}


def test_a_files_own_folder_may_be_included(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"flows/weather.py": "import near", "flows/near.py": "", "flows/other.py": DAG, "flows/a.sql": ""})
    found = collect([tmp_path / "flows" / "weather.py"], [tmp_path / "flows"], there)
    assert found.entry_modules == ("weather",)
    assert names(found) == {"weather", "near", "other"}
    assert set(found.data) == {"a.sql"}


def test_an_included_module_is_found_by_imports_and_goes_before_what_is_installed(
    there: Target, tmp_path: Path
) -> None:
    text = "import lib.x, installed, plain, acme.own"
    write(tmp_path, {"flows/weather.py": text, "shared/lib/x.py": "import installed", "shared/installed.py": ""})
    write(tmp_path, {"shared/plain.py": "", "flows/acme/own.py": ""})
    includes = [tmp_path / "shared" / each for each in ("lib", "installed.py", "plain.py")]
    found = collect([tmp_path / "flows" / "weather.py"], includes, there)
    assert names(found) == {"weather", "lib", "lib.x", "installed", "plain", "acme", "acme.own"}
    assert not any(each.is_cold for each in found.modules)


# ── links and files that are none ─────────────────────────────────────────────────────────────────────────────────


def test_links_within_the_folder_are_followed(there: Target, tmp_path: Path) -> None:
    write(
        tmp_path, {"flows/weather.py": "import outboard, near", "flows/real/text.py": "x = 1", "flows/real/a.sql": "1"}
    )
    (tmp_path / "flows" / "near.py").symlink_to("real/text.py")
    (tmp_path / "flows" / "queries").symlink_to(tmp_path / "flows" / "real")
    (tmp_path / "link").symlink_to("flows")
    found = collect([tmp_path / "link"], [], there)
    assert module(found, "near").text == b"x = 1"
    assert set(found.data) == {"real/a.sql", "queries/a.sql"}


def test_a_file_that_is_given_may_be_a_link_to_anywhere(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"real/original.py": "import near", "flows/near.py": ""})
    (tmp_path / "flows" / "weather.py").symlink_to(tmp_path / "real" / "original.py")
    assert names(collect([tmp_path / "flows" / "weather.py"], [], there)) == {"weather", "near"}


@pytest.mark.parametrize("link", ["near.py", "secret.txt", "folder"])
def test_a_link_that_leaves_the_folder_is_refused(there: Target, tmp_path: Path, link: str) -> None:
    write(tmp_path, {"flows/weather.py": DAG + "import near", "flows/near.py": "", "outside/file.py": ""})
    where = tmp_path / "flows" / link
    where.unlink(missing_ok=True)
    original = tmp_path / "outside" if link == "folder" else tmp_path / "outside" / "file.py"
    where.symlink_to(original)
    text = refused(there, tmp_path / "flows")
    assert text.startswith(f"{where} is a link to {original}, which is outside of what is packed; ")


def test_what_a_link_leads_to_may_be_included(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"flows/weather.py": DAG, "outside/file.csv": "1"})
    (tmp_path / "flows" / "file.csv").symlink_to(tmp_path / "outside" / "file.csv")
    found = collect([tmp_path / "flows"], [tmp_path / "outside" / "file.csv"], there)
    assert found.data == {"file.csv": b"1"}


def test_a_link_in_circles_is_refused(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"flows/weather.py": DAG, "flows/sub/x.txt": ""})
    (tmp_path / "flows" / "sub" / "up").symlink_to("..")
    assert refused(there, tmp_path / "flows").endswith("sub/up is a link to a folder that it is in itself; remove it")
    (tmp_path / "flows" / "sub" / "up").unlink()
    (tmp_path / "flows" / "sub" / "self").symlink_to("self")
    assert "sub/self cannot be read: Too many levels" in refused(there, tmp_path / "flows")


def test_a_file_that_is_none_is_refused_without_waiting_for_it(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"flows/weather.py": DAG})
    os.mkfifo(tmp_path / "flows" / "pipe")
    assert "pipe is no file with a content that could be packed" in refused(there, tmp_path / "flows")


def test_a_link_to_nothing_is_refused(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"weather.py": "import near"})
    (tmp_path / "near.py").symlink_to("gone.py")
    assert refused(there, tmp_path / "weather.py") == f"{tmp_path}/near.py cannot be read: No such file or directory"


@contextmanager
def like_anybody() -> Iterator[None]:
    """Without the administrator's right to read everything."""
    before = os.geteuid()
    os.seteuid(before or 65534)
    try:
        yield
    finally:
        os.seteuid(before)


@pytest.mark.parametrize("closed", ["weather.py", "near.py", "sub"])
def test_what_may_not_be_read_is_told(there: Target, closed: str) -> None:
    with TemporaryDirectory() as name:  # pytest's own folders are closed to others
        folder = write(Path(name), {"weather.py": "import outboard, near", "near.py": "", "sub/notes": ""})
        folder.chmod(0o755)
        (folder / closed).chmod(0)
        with like_anybody():
            text = refused(there, folder)
        (folder / closed).chmod(0o755)
        assert text == f"{folder}/{closed} cannot be read: Permission denied"


def test_a_file_name_that_is_not_utf8_is_refused(there: Target, tmp_path: Path) -> None:
    write(tmp_path, {"flows/weather.py": DAG})
    (Path(os.fsdecode(os.fsencode(tmp_path) + b"/flows/\xff.txt"))).write_text("")
    assert "not UTF-8" in refused(there, tmp_path / "flows")


# ── the same each time ────────────────────────────────────────────────────────────────────────────────────────────

COLLECT = """
import sys
from pathlib import Path
from outboard.bundle import target
from outboard.bundle.contents import collect
print(collect([Path(sys.argv[1])], [], target.inspect(Path(sys.prefix))))
"""


def test_neither_the_order_of_the_disk_nor_the_seed_of_hashes_changes_anything(tmp_path: Path) -> None:
    files = {f"flows/{name}.py": f"from outboard import dag\nimport {name}_library.x, plain\n" for name in "abcdefgh"}
    files |= {f"flows/{name}_library/x.py": "" for name in "abcdefgh"} | {
        f"flows/{name}.sql": "" for name in "abcdefgh"
    }
    files |= {"flows/plain.py": "import a_library, zipfile, attrs, anyio, msgpack, pytest"}
    found = []
    for seed, order in (("1", sorted(files)), ("2", sorted(files, reverse=True))):
        folder = write(tmp_path / seed, {name: files[name] for name in order})
        command = [sys.executable, "-c", COLLECT, str(folder / "flows")]
        environment = os.environ | {"PYTHONHASHSEED": seed}
        found.append(subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60).stdout)
    assert found[0] == found[1]
    assert found[0].count(b"Module(") == 8 + 1 + 8 * 2


# ── the whole ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_packed_folder_finds_its_modules_and_reads_its_data(here: Target, tmp_path: Path) -> None:
    text = (
        "from pathlib import Path\nfrom outboard import dag, task\nfrom .lib import text\nimport flows.folder.leaf as leaf\n"
        "@dag\ndef d():\n  @task\n  def t():\n    here = Path(__file__).parent\n"
        "    return [text(), leaf.NAME, (here / 'sql' / 'a.sql').read_text()]\n  t()\nd()\n"
    )
    library = (
        "from importlib import resources\ndef text(): return resources.files(__name__).joinpath('a.txt').read_text()\n"
    )
    files = {"__init__.py": "", "weather.py": text, "sql/a.sql": "select", "folder/leaf.py": "NAME = 'leaf'"}
    write(tmp_path / "flows", {**files, "lib/__init__.py": library, "lib/a.txt": "text"})
    packer.write(packer.draft(collect([tmp_path / "flows"], [], here), here), tmp_path / "bundle", {"d": ()})
    ended = run_task([str(tmp_path / "bundle")], greeting("d", "t"))
    assert ended.returned == ["text", "leaf", "select"]
