from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import venv
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import pytest

from outboard.bundle import contents, packer, target
from outboard.bundle.contents import collect
from outboard.bundle.format import parse
from outboard.bundle.manifest import Manifest
from outboard.bundle.metadata import read_metadata
from outboard.errors import BundleError, LoadError, UsageError
from tests.benchmarks.plain_supervisor import greeting, run_task
from tests.bundle.conftest import HELLO
from tests.bundle.small_disk import MOUNT, may_mount

if TYPE_CHECKING:
    from outboard.bundle.target import Target

PACK = """
import sys
from pathlib import Path
from outboard.bundle import contents, packer, target
from outboard.bundle.contents import collect
found = target.inspect(Path(sys.prefix), libraries=contents.CHILD_LIBRARIES)
packer.pack(collect([Path(sys.argv[1])], [], found), Path(sys.argv[2]), found, lambda bundle: {"hello": ()})
"""


def run(*command: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload]


def author_file(folder: Path, text: str, name: str = "tasks.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def write(source: Path, output: Path, target: Target) -> Path:
    packer.write(packer.draft(collect([source], [], target), target), output, {"some_dag": ()})
    return output


# ── the file ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_packing_twice_gives_the_same_bytes_in_other_processes_from_other_folders_with_other_surroundings(
    hello: Path, tmp_path: Path
) -> None:
    for seed in ("1", "2"):
        folder = tmp_path / seed
        folder.mkdir()
        environment = os.environ | {"PYTHONHASHSEED": seed, "HOME": str(folder), "TZ": f"X{seed}", "SOME": "thing" * 9}
        done = run(sys.executable, "-c", PACK, HELLO, f"hello{seed}", cwd=folder, env=environment)
        assert (done.returncode, done.stderr) == (0, "")
        assert (folder / f"hello{seed}").read_bytes() == hello.read_bytes()


def test_a_copy_of_the_file_elsewhere_with_another_date_gives_the_same_bytes(
    hello: Path, here: Target, tmp_path: Path
) -> None:
    copy = author_file(tmp_path, HELLO.read_text(), "hello.py")
    os.utime(copy, (0, 0))
    packer.pack(collect([copy], [], here), tmp_path / "hello", here, lambda bundle: {"hello": ()})
    assert (tmp_path / "hello").read_bytes() == hello.read_bytes()


def test_no_path_of_the_packing_machine_is_inside_but_the_environments_own(hello: Path, here: Target) -> None:
    content = hello.read_bytes()
    assert str(HELLO.parent).encode() not in content
    assert str(here.prefix).encode() in content


def test_everybody_may_run_it(hello: Path) -> None:
    assert stat.S_IMODE(hello.stat().st_mode) == 0o755


def test_the_zip_shows_the_manifest_and_every_source(hello: Path) -> None:
    with zipfile.ZipFile(hello) as opened:
        assert opened.testzip() is None
        names = opened.namelist()
        assert opened.read("hello.py") == HELLO.read_bytes()
        manifest = Manifest.from_json(opened.read("manifest.json"))
    assert {"outboard/__init__.py", "outboard/runtime/server.py", "outboard/bundle/bootstrap.py"} <= set(names)
    assert manifest.dag_ids == ("hello",)
    assert manifest.sources[0].sha256 == hashlib.sha256(HELLO.read_bytes()).hexdigest()


def test_nothing_of_the_parents_is_inside(hello: Path) -> None:
    with zipfile.ZipFile(hello) as opened:
        names = opened.namelist()
    assert not [name for name in names if name.startswith(("outboard/supervisor", "outboard/cli", "outboard/testing"))]
    assert "outboard/bundle/packer.py" not in names
    assert not {f"outboard/{name}" for name in contents.PARENT_MODULES} & set(names)


def test_texts_are_the_source_region_the_authors_first(hello: Path) -> None:
    """Each of Airflow's processes reads the executable region of every bundle that it passes."""
    layout = parse(hello.read_bytes())
    with zipfile.ZipFile(hello) as opened:
        texts = [opened.read(name) for name in opened.namelist() if name.endswith(".py")]
    assert texts[0] == HELLO.read_bytes()
    assert all(text in layout.sources and (len(text) < 40 or text not in layout.executable) for text in texts)
    assert read_metadata(layout.metadata, "hello").dag_ids == ("hello",)


def test_the_digest_follows_the_code_and_not_the_dag_ids(here: Target, tmp_path: Path) -> None:
    one, other = author_file(tmp_path, "x = 1"), author_file(tmp_path, "x = 2", "other.py")
    first = packer.write(packer.draft(collect([one], [], here), here), tmp_path / "a", {"a": ()})
    again = packer.write(packer.draft(collect([one], [], here), here), tmp_path / "b", {"b": ()})
    different = packer.write(packer.draft(collect([other], [], here), here), tmp_path / "c", {"a": ()})
    assert first.digest == again.digest != different.digest


def test_a_hundred_kilobytes_of_source_are_no_problem(here: Target, tmp_path: Path) -> None:
    """Python looks for the zip's end within the last 64 kB, and there it is, behind the sources."""
    source = author_file(tmp_path, "# " + "long " * 40_000 + "\n")
    bundle = write(source, tmp_path / "bundle", here)
    with zipfile.ZipFile(bundle) as opened:
        assert opened.read("tasks.py") == source.read_bytes()
    assert run(bundle, "--metadata").returncode == 0


# ── the process ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_without_flags_it_says_what_it_is_and_exits_with_2(hello: Path) -> None:
    done = run(hello)
    assert (done.returncode, done.stdout) == (2, "")
    assert "hello is an outboard bundle" in done.stderr


def test_metadata_prints_the_manifest(hello: Path) -> None:
    done = run(hello, "--metadata")
    assert (done.returncode, done.stderr) == (0, "")
    with zipfile.ZipFile(hello) as opened:
        assert done.stdout.encode() == opened.read("manifest.json") + b"\n"


def test_metadata_needs_no_json_and_the_start_neither_runpy_nor_site(here: Target, tmp_path: Path) -> None:
    # Without the .pth file by which coverage watches our child processes: that one does load them.
    bundle = write(HELLO, tmp_path / "hello", attrs.evolve(here, start_files=()))
    head = bundle.read_bytes()[:4096].decode("latin-1").partition(" -ISc")[2]
    loader = head.partition('"')[2].partition('"')[0] if head.startswith(' "') else head.partition("\n")[0]
    traced = run(sys.executable, "-X", "importtime", "-ISc", loader, bundle, "--metadata")
    loaded = {line.rpartition("|")[2].strip() for line in traced.stderr.splitlines()}
    assert "select" in loaded
    assert not loaded & {"json", "re", "runpy", "site", "typing"}


def test_it_can_be_started_by_a_relative_path_through_a_link_and_from_any_folder(hello: Path, tmp_path: Path) -> None:
    link = tmp_path / "a link"
    link.symlink_to(hello)
    for command, folder in ((f"./{hello.name}", hello.parent), ("./a link", tmp_path), (str(hello), Path("/"))):
        assert run(command, "--metadata", cwd=folder).returncode == 0


# ── what is refused ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["weather.bundle", ".weather", "v1.2"])
def test_a_name_with_a_dot_is_refused_with_the_reason(here: Target, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"Airflow 3\.4 takes only files without a suffix"):
        packer.pack(collect([HELLO], [], here), tmp_path / name, here, lambda bundle: {"hello": ()})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["json.py", "outboard.py"])
def test_a_file_that_would_hide_another_module_is_refused(here: Target, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="rename the file"):
        packer.draft(collect([author_file(tmp_path, "", name)], [], here), here)


@pytest.mark.parametrize(("name", "module"), [("my-dag.py", "my_dag"), ("2024 report.py", "_2024_report")])
def test_a_file_whose_name_is_no_module_name_gets_one(here: Target, tmp_path: Path, name: str, module: str) -> None:
    manifest = packer.write(
        packer.draft(collect([author_file(tmp_path, "", name)], [], here), here), tmp_path / "bundle", {"a": ()}
    )
    assert (manifest.sources[0].module, manifest.sources[0].file) == (module, name)


def test_a_file_that_is_not_there_is_refused_by_name(here: Target, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"nothing\.py cannot be read: No such file"):
        packer.draft(collect([tmp_path / "nothing.py"], [], here), here)


def test_a_syntax_error_is_refused_with_its_line(here: Target, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match=r"^tasks\.py, line 1: "):
        packer.draft(collect([author_file(tmp_path, "def")], [], here), here)


def test_a_file_without_any_dag_is_refused(here: Target, tmp_path: Path) -> None:
    with pytest.raises(LoadError, match="no Dag"):
        packer.pack(collect([author_file(tmp_path, "x = 1")], [], here), tmp_path / "bundle", here, lambda bundle: {})
    assert not (tmp_path / "bundle").exists()


def test_an_output_that_cannot_be_written_leaves_nothing_behind(here: Target, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(BundleError, match="taken cannot be written"):
        packer.pack(collect([HELLO], [], here), tmp_path / "taken", here, lambda bundle: {"hello": ()})
    with pytest.raises(UsageError, match="there is no folder"):
        packer.pack(collect([HELLO], [], here), tmp_path / "missing" / "hello", here, lambda bundle: {"hello": ()})
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_full_disk_is_told_and_leaves_nothing_behind(here: Target, tmp_path: Path) -> None:
    if not may_mount(tmp_path):
        pytest.skip("this machine lets nobody but its administrator mount a small disk")
    program = f"""
import os, subprocess, sys
from pathlib import Path
from outboard.bundle import packer, target
from outboard.bundle.contents import collect
from outboard.errors import BundleError
subprocess.run([*{MOUNT}, sys.argv[2]], check=True)
folder = Path(sys.argv[2])
try:
    here = target.inspect(Path(sys.prefix))
    packer.write(packer.draft(collect([Path(sys.argv[1])], [], here), here), folder / "bundle", dict())
except BundleError as error:
    print(error, os.listdir(folder))
"""
    done = run("unshare", "-rm", sys.executable, "-c", program, HELLO, tmp_path)
    assert done.stdout == f"the disk that holds {tmp_path}/bundle is full; free some space []\n"


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Target:
    """An environment that has nothing of what the child needs."""
    folder = tmp_path_factory.mktemp("environments") / "bare"
    venv.create(folder, symlinks=True)
    return target.inspect(folder, libraries=contents.CHILD_LIBRARIES)


def test_libraries_that_the_environment_lacks_are_packed_as_pure_python(bare: Target, tmp_path: Path) -> None:
    manifest = packer.write(
        packer.draft(collect([author_file(tmp_path, "x = 1")], [], bare), bare), tmp_path / "bundle", {"a": ()}
    )
    assert manifest.vendored == contents.CHILD_LIBRARIES
    with zipfile.ZipFile(tmp_path / "bundle") as opened:
        assert {"_vendor/msgpack/fallback.py", "_vendor/typing_extensions.py"} <= set(opened.namelist())
    assert run(tmp_path / "bundle", "--metadata").returncode == 0


def test_libraries_that_the_environment_has_are_not_packed(hello: Path) -> None:
    with zipfile.ZipFile(hello) as opened:
        assert not [name for name in opened.namelist() if name.startswith("_vendor")]


def test_a_coroutine_task_runs_where_there_is_no_anyio(bare: Target, tmp_path: Path) -> None:
    source = author_file(
        tmp_path,
        "import anyio\nfrom outboard import dag, task\n\n@dag\ndef waits():\n    @task\n    async def only():\n"
        "        await anyio.sleep(0)\n        return anyio.__file__\n    only()\n\nwaits()\n",
    )
    bundle = tmp_path / "waits"
    packer.pack(collect([source], [], bare), bundle, bare, lambda bundle: {"waits": ()})
    ended = run_task([str(bundle)], greeting("waits", "only"))
    assert ended.terminal == "SucceedTask"
    assert ended.returned == f"{bundle}/_vendor/anyio/__init__.py"


def other_python(version: str) -> Path | None:
    """An interpreter of that version: on the path, or installed beside the running one by a version manager."""
    beside = sorted(Path(sys.base_prefix).parent.glob(f"*{version}*/bin/python{version}"))
    found = [Path(path) for path in [shutil.which(f"python{version}")] if path]
    works = (path for path in (*found, *beside) if run(path, "-c", "").returncode == 0)
    return next(works, None)


@pytest.mark.parametrize("version", ["3.10", "3.12", "3.13", "3.14"])
def test_other_pythons_run_it_and_get_the_same_bytes_each_time(tmp_path: Path, version: str) -> None:
    interpreter = other_python(version)
    if interpreter is None:
        pytest.skip(f"there is no Python {version} on this machine")
    run(interpreter, "-m", "venv", "--without-pip", tmp_path / "environment")
    found = target.inspect(tmp_path / "environment", libraries=contents.CHILD_LIBRARIES)
    for name in ("hello", "again"):
        packer.pack(collect([HELLO], [], found), tmp_path / name, found, lambda bundle: {"hello": ()})
    assert (tmp_path / "hello").read_bytes() == (tmp_path / "again").read_bytes()
    ended = run_task([str(tmp_path / "hello")], greeting("hello", "greet"))
    assert (ended.terminal, ended.returned) == ("SucceedTask", "Hello, world!")
