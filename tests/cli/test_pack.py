"""Bundles, thin and fat, packed by the command. The libraries that outboard itself needs come from where uv finds them."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from outboard.bundle.environment import CACHE_VARIABLE
from outboard.bundle.format import parse
from outboard.bundle.manifest import ENVIRONMENT_MEMBER
from outboard.bundle.metadata import Metadata, read_metadata
from outboard.bundle.uv import find_uv
from outboard.cli.asking import ask
from outboard.cli.pack import Request, pack_bundle
from tests.benchmarks.plain_supervisor import greeting, run_task
from tests.bundle.package_index import PASSWORD, private_index, wheel
from tests.cli.conftest import DAGS

HERE = sys.prefix

DAG = """\
from outboard import dag, task

{imports}

@dag
def {name}():
    @task
    def only(): ...
    only()

{name}()
"""

NEEDING_A = """\
# /// script
# dependencies = ["outboard-test-a"]
# ///
""" + DAG.format(imports="import outboard_test_a", name="needing")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all tests: most of them need the same environments."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def wheels(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that uv takes packages from, besides the index."""
    folder = cache.parent / "wheels-of-packing"
    folder.mkdir(exist_ok=True)
    for version in ("1.0", "2.0"):
        wheel(folder, "outboard-test-a", version)
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv(CACHE_VARIABLE, str(cache))
    # What is not given is not looked for in the checkout that these tests are in.
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    return folder


def manifest_of(bundle: str | Path) -> dict[str, Any]:
    told = subprocess.run([Path(bundle).absolute(), "--metadata"], capture_output=True, timeout=60, check=True)
    document: dict[str, Any] = json.loads(told.stdout)
    return document


def metadata_of(bundle: str) -> Metadata:
    """What Airflow reads."""
    return read_metadata(parse(Path(bundle).read_bytes()).metadata, bundle)


def dag_ids_of(bundle: str | Path) -> tuple[str, ...]:
    """By starting it, which loads the author's files and what they import."""
    return anyio.run(ask, Path(bundle).absolute(), Path(bundle)).dag_ids


def test_a_packed_file_knows_its_dags_and_says_so(outboard, tmp_path: Path) -> None:
    done = outboard("pack", DAGS / "hello.py", "-o", "hello", "--thin", HERE)
    assert (done.code, done.out, done.err) == (0, "", "hello: hello\n")
    told = subprocess.run([tmp_path / "hello", "--metadata"], capture_output=True, timeout=60, check=True)
    assert json.loads(told.stdout)["dag_ids"] == ["hello"]


def test_the_dags_of_registered_handlers_count_too(outboard, author_file) -> None:
    """Airflow finds a bundle by the ids of the Dags whose stub tasks it handles."""
    source = author_file(
        "from outboard import TaskRegistry, dag, task\n"
        "handlers = TaskRegistry()\n"
        "handlers.register('elsewhere', 'one', lambda: 1)\n"
        "handlers.register('elsewhere', 'two', lambda: 2)\n"
        "@dag\ndef here():\n    @task\n    def only(): ...\n    only()\nhere()\n"
    )
    assert outboard("pack", source, "-o", "both", "--thin", HERE).err == "both: here, elsewhere\n"
    assert metadata_of("both").dag_ids == ("here", "elsewhere")


def test_packing_twice_gives_the_same_bytes(outboard) -> None:
    for name in ("one", "two"):
        assert outboard("pack", DAGS / "hello.py", "-o", name, "--thin", HERE).code == 0
    assert Path("one").read_bytes() == Path("two").read_bytes()


def test_a_file_that_does_not_import_is_one_line_with_its_place(outboard, author_file) -> None:
    source = author_file("x = 1\n\ndef fails():\n    return x / 0\n\nfails()\n")
    done = outboard("pack", source, "-o", "bundle", "--thin", HERE)
    assert (done.code, done.err) == (2, "outboard: tasks.py, line 4: ZeroDivisionError: division by zero\n")
    assert not Path("bundle").exists()


def test_verbose_shows_the_traceback_above_that_line(outboard, author_file) -> None:
    source = author_file("def fails():\n    return 1 / 0\n\nfails()\n")
    done = outboard("pack", source, "-o", "bundle", "--thin", HERE, "--verbose")
    lines = done.err.splitlines()
    assert lines[-1] == "outboard: tasks.py, line 2: ZeroDivisionError: division by zero"
    assert '  File "tasks.py", line 4, in <module>' in lines


def test_a_folder_that_is_no_environment_is_exit_code_3(outboard, tmp_path: Path) -> None:
    done = outboard("pack", DAGS / "hello.py", "-o", "hello", "--thin", tmp_path)
    assert done.code == 3
    assert done.err.startswith(f"outboard: no Python environment at {tmp_path}")


def test_a_name_with_a_dot_is_refused_before_anything_is_done(outboard) -> None:
    done = outboard("pack", "missing.py", "-o", "weather.bin", "--thin", "/missing")
    assert done.code == 2
    assert "Airflow 3.4 takes only files without a suffix" in done.err


@pytest.mark.parametrize(
    "options", [["--with", "x"], ["--python", "3.12"], ["--lock", "l"], ["--offline"], ["--lock", "l", "--locked"]]
)
def test_a_thin_bundle_takes_its_environment_as_it_is(outboard, options: list[str]) -> None:
    done = outboard("pack", DAGS / "hello.py", "-o", "hello", "--thin", HERE, *options)
    assert done.code == 2
    assert done.err == (
        f"outboard: --thin takes an environment as it is, and {options[0]} would change it; leave out one\n"
    )


# ── fat ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_fat_bundle_needs_nothing_of_where_it_was_packed(outboard, author_file, cache: Path, monkeypatch) -> None:
    assert outboard("pack", author_file(NEEDING_A), "-o", "needing").err.endswith("\nneeding: needing\n")
    manifest = manifest_of("needing")
    assert "outboard-test-a==2.0" in manifest["distributions"]
    assert manifest["environment"] == ""
    monkeypatch.setenv(CACHE_VARIABLE, "elsewhere")
    shutil.rmtree(cache / "unpacked")
    assert dag_ids_of("needing") == ("needing",)
    assert str(cache).encode() not in Path("needing").read_bytes()


def test_packing_fat_twice_gives_the_same_bytes_whatever_is_in_the_cache(
    outboard, author_file, tmp_path: Path, monkeypatch
) -> None:
    source = author_file(NEEDING_A).absolute()
    assert outboard("pack", source, "-o", "one").code == 0
    assert outboard("pack", source, "-o", "two").err == "two: needing\n"
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "another"))
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path / "folder")
    assert outboard("pack", source, "-o", "three").err.startswith(
        "building the environment of tasks.py: outboard-test-a\n"
    )
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes() == Path("three").read_bytes()


def test_several_files_and_folders_become_one_bundle_that_has_what_each_asks_for(
    outboard, author_file, tmp_path: Path
) -> None:
    author_file(NEEDING_A, "one.py")
    (tmp_path / "more").mkdir()
    for name in ("first", "second"):
        (tmp_path / "more" / f"{name}.py").write_text(DAG.format(imports="import helper", name=name))
    (tmp_path / "more" / "helper.py").write_text("import outboard_test_b\n")
    (tmp_path / "more" / "first.py").write_text(
        "# /// script\n# dependencies = ['outboard-test-b']\n# ///\n" + (tmp_path / "more" / "first.py").read_text()
    )
    wheel(Path(os.environ["UV_FIND_LINKS"]), "outboard-test-b", "1.0")
    done = outboard("pack", "one.py", "more", "-o", "all")
    assert done.err.endswith("\nall: needing, first, second\n")
    assert "building the environment of one.py, more: outboard-test-a, outboard-test-b\n" in done.err
    assert dag_ids_of("all") == ("needing", "first", "second")


def test_a_requirement_of_the_command_line_comes_with_those_of_the_file(outboard, author_file) -> None:
    source = author_file(DAG.format(imports="import outboard_test_a", name="bare"))
    done = outboard("pack", source, "-o", "bare")
    assert done.code == 2
    assert "no module outboard_test_a" in done.err
    assert outboard("pack", source, "-o", "bare", "--with", "outboard-test-a<2").code == 0
    assert "outboard-test-a==1.0" in manifest_of("bare")["distributions"]


@pytest.mark.parametrize("thin", [[], ["--thin", HERE]], ids=["fat", "thin"])
def test_what_is_included_comes_along(outboard, author_file, thin: list[str]) -> None:
    reading = "from pathlib import Path\nassert (Path(__file__).parent / 'stations.csv').read_text() == 'a,b'"
    source = author_file(DAG.format(imports=reading, name="reading"))
    author_file("a,b", "stations.csv")
    assert outboard("pack", source, "-o", "reading", *thin).code == 2
    assert outboard("pack", source, "-o", "reading", *thin, "--include", "stations.csv").code == 0
    assert manifest_of("reading")["data"] == ["stations.csv"]


@pytest.mark.parametrize("wish", ["", "-r other.txt"])
def test_what_is_no_requirement_is_told(outboard, author_file, wish: str) -> None:
    done = outboard("pack", author_file(NEEDING_A), "-o", "bundle", f"--with={wish}")
    assert (done.code, done.err) == (
        2,
        f'outboard: --with: {wish!r} is not a requirement, such as "pandas==2.3.3"\n',
    )


def test_the_interpreter_may_be_chosen(outboard, author_file) -> None:
    source = author_file(DAG.format(imports="", name="plain"))
    assert outboard("pack", source, "-o", "plain", "--python", sys.executable).code == 0
    assert manifest_of("plain")["interpreter"] == str(Path(sys.executable).resolve())
    done = outboard("pack", source, "-o", "other", "--python", "3.99")
    assert (done.code, done.err.count("\n")) == (3, 1)
    assert "there is no Python 3.99 here" in done.err


@pytest.mark.parametrize("thin", [[], ["--thin", HERE]], ids=["fat", "thin"])
def test_the_oldest_airflow_decides_the_schema(outboard, author_file, thin: list[str]) -> None:
    source = author_file(DAG.format(imports="", name="plain"))
    for options, date in (
        ([], "2026-06-16"),
        (["--airflow", "3.3"], "2026-06-16"),
        (["--airflow", "3.4"], "2026-10-30"),
    ):
        assert outboard("pack", source, "-o", "plain", *thin, *options).code == 0
        assert metadata_of("plain").schema_date == date
    assert outboard("pack", source, "-o", "plain", "--airflow", "2.9").code == 2


def test_the_revision_is_given_or_gits_or_none(outboard, author_file, tmp_path: Path) -> None:
    source = author_file(DAG.format(imports="", name="plain"))
    pack = ["pack", source, "-o", "plain", "--thin", HERE]
    assert outboard(*pack).code == 0
    assert manifest_of("plain")["revision"] == ""
    assert outboard(*pack, "--revision", "build 42").code == 0
    assert manifest_of("plain")["revision"] == "build 42"
    if shutil.which("git") is None:
        return
    for command in (["init", "-q"], ["add", source], ["commit", "-qm", "One"], ["tag", "-a", "v1", "-m", "One"]):
        identity = ["-c", "user.name=A", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", *identity, *command], cwd=tmp_path, check=True, timeout=60)
    assert outboard(*pack).code == 0
    assert manifest_of("plain")["revision"] == "v1"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["missing.py", "-o", "x"], "missing.py cannot be read: No such file"),
        (["tasks.py", "-o", "x.bin"], "a bundle's name has no dot"),
        (["tasks.py", "-o", "no/folder"], "no/folder cannot be written: there is no folder no"),
        (["tasks.py", "-o", "x", "--locked"], "--locked needs --lock FILE"),
        (["tasks.py", "-o", "x", "--lock", "missing"], "the lock missing cannot be read: No such file"),
        (["tasks.py", "-o", "x", "--python", "newest"], "--python newest: there is neither"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_wrong_is_told_before_anything_is_built(outboard, author_file, arguments: list[str], said: str) -> None:
    author_file(NEEDING_A)
    done = outboard("pack", *arguments)
    assert done.code == 2
    assert done.err.startswith(f"outboard: {said}") or said in done.err
    assert done.err.count("\n") == 1


# ── a lock ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def lock(tmp_path: Path) -> Callable[..., Path]:
    """Have uv write a lock."""

    def write(*requirements: str) -> Path:
        path = tmp_path / "requirements.lock"
        subprocess.run(
            [find_uv(), "pip", "compile", "-", "--quiet", "--generate-hashes", "--python", sys.executable, "-o", path],
            input="\n".join(requirements),
            text=True,
            timeout=60,
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return path

    return write


def test_a_lock_decides_and_the_bundle_names_it(outboard, author_file, lock) -> None:
    path = lock("outboard-test-a<2")
    assert outboard("pack", author_file(NEEDING_A), "-o", "needing", "--lock", path, "--locked").code == 0
    manifest = manifest_of("needing")
    assert "outboard-test-a==1.0" in manifest["distributions"]
    assert manifest["lock_digest"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_drift_is_a_warning_and_with_locked_an_error(outboard, author_file, lock) -> None:
    path = lock("attrs")
    pack = ["pack", author_file(NEEDING_A), "-o", "needing", "--lock", path]
    done = outboard(*pack, "--locked")
    expected = f"tasks.py asks for what the lock {path} does not hold: outboard-test-a; "
    assert (done.code, done.err.splitlines()[-1]) == (
        2,
        f"outboard: {expected}lock it again, or leave out --locked",
    )
    assert not Path("needing").exists()
    done = outboard(*pack)
    assert done.code == 0
    assert f"warning: {expected}that comes without a check of its hash; lock it again\n" in done.err


def test_a_file_that_is_not_the_locked_one_is_exit_code_3(outboard, author_file, lock) -> None:
    path = lock("outboard-test-a")
    path.write_text(re.sub("sha256:[0-9a-f]{8}", "sha256:00000000", path.read_text()))
    done = outboard("pack", author_file(NEEDING_A), "-o", "needing", "--lock", path)
    assert done.code == 3
    assert "outboard-test-a==2.0 is not what was locked" in done.err


def test_offline_says_what_is_missing(outboard, author_file, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "empty"))
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    done = outboard("pack", author_file(NEEDING_A), "-o", "needing", "--offline")
    assert done.code == 3
    line = done.err.splitlines()[-1]
    assert re.fullmatch(
        r"outboard: tasks.py: .* without a network: uv's cache has no (anyio|attrs|msgpack|structlog).*", line
    )


# ── credentials ───────────────────────────────────────────────────────────────────────────────────────────────────


def everything_in(bundle: Path) -> dict[str, bytes]:
    """The file itself, and all that it holds, unpacked as far as it is packed."""
    held = {"the file": bundle.read_bytes()}
    with zipfile.ZipFile(bundle) as members:
        held |= {name: members.read(name) for name in members.namelist()}
    with zipfile.ZipFile(io.BytesIO(held[ENVIRONMENT_MEMBER])) as files:
        held |= {name: files.read(name) for name in files.namelist()}
    return held


@pytest.mark.parametrize("way", ["variable", "lock", "requirement", "netrc"])
def test_the_password_of_an_index_is_nowhere_but_where_it_was(
    outboard, author_file, tmp_path: Path, wheels: Path, monkeypatch, way: str
) -> None:
    """Neither in the bundle, nor in the cache, nor in what is printed."""
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv("UV_FIND_LINKS")
    source = author_file(DAG.format(imports="import outboard_test_a", name="needing"))
    with private_index(wheels) as index:
        pack = ["pack", source, "-o", "needing", "--with", "outboard-test-a"]
        monkeypatch.setenv("UV_EXTRA_INDEX_URL", index.address if way == "netrc" else index.address_for())
        if way == "requirement":
            pack[-1] = f"outboard-test-a @ {index.address_for(path='files/outboard_test_a-1.0-py3-none-any.whl')}"
        elif way == "netrc":
            (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login somebody password {PASSWORD}\n")
            monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
        elif way == "lock":
            locked = subprocess.run(
                [find_uv(), "pip", "compile", "-", "-q", "--generate-hashes", "--python", sys.executable],
                input="outboard-test-a",
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
            (tmp_path / "lock.txt").write_text(f"--extra-index-url {index.address_for()}\n{locked.stdout}")
            pack += ["--lock", str(tmp_path / "lock.txt")]
        if way != "variable" and way != "netrc":
            monkeypatch.delenv("UV_EXTRA_INDEX_URL")
        done = outboard(*pack)
        assert done.code == 0, done.err
        assert index.asked
    held = everything_in(tmp_path / "needing")
    assert any(name.endswith("/outboard_test_a.py") for name in held)
    assert [name for name, data in held.items() if PASSWORD.encode() in data] == []
    cached = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert [path for path in cached if PASSWORD.encode() in path.read_bytes()] == []
    assert PASSWORD not in done.out + done.err


def test_a_credential_in_the_metadata_of_a_file_is_refused(outboard, author_file) -> None:
    source = author_file(NEEDING_A.replace('-a"', f'-a @ https://me:{PASSWORD}@host/a.whl"'))
    done = outboard("pack", source, "-o", "needing")
    assert done.code == 2
    assert done.err.startswith("outboard: tasks.py: its script metadata holds a credential")
    assert PASSWORD not in done.err


def test_a_file_with_a_credential_of_an_index_is_refused(outboard, author_file, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("UV_EXTRA_INDEX_URL", f"https://me:{PASSWORD}@host.invalid/simple")
    author_file("", "unused.py")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "plain.py").write_text(DAG.format(imports="", name="plain"))
    (folder / "notes.md").write_text(f"Packages: https://me:{PASSWORD}@host.invalid/simple\n")
    done = outboard("pack", folder, "-o", "plain", "--thin", HERE)
    assert done.code == 2
    assert done.err.startswith("outboard: notes.md holds a credential of a package index")
    assert PASSWORD not in done.err
    (folder / "notes.md").unlink()
    assert outboard("pack", folder, "-o", "plain", "--thin", HERE).code == 0


@pytest.mark.parametrize("verbose", [[], ["--verbose"]])
def test_whatever_the_command_says_has_no_user_in_its_addresses(outboard, author_file, verbose: list[str]) -> None:
    source = author_file("raise ValueError('https://me:s3cret@host/')\n")
    done = outboard("pack", source, "-o", "bundle", "--thin", HERE, *verbose)
    assert done.code == 2
    assert "https://****@host/" in done.err
    assert "s3cret" not in done.err


def test_a_task_loads_only_the_modules_of_its_dag(tmp_path: Path) -> None:
    """One broken file of a folder must not fail the tasks of the others, and three hundred must not cost three hundred."""
    folder, broken = tmp_path / "flows", tmp_path / "broken"
    folder.mkdir()
    (folder / "good.py").write_text(DAG.format(imports="", name="good"))
    breaks = f"import os\nif os.path.exists({str(broken)!r}):\n    raise RuntimeError('loaded')"
    (folder / "other.py").write_text(DAG.format(imports=breaks, name="other"))
    bundle = tmp_path / "bundle"
    manifest = pack_bundle(Request(paths=(folder,), output=bundle, thin=Path(HERE)))
    assert set(manifest.dag_ids) == {"good", "other"}

    def ended(dag_id: str) -> str:
        return run_task([str(bundle)], greeting(dag_id, "only")).terminal

    assert (ended("good"), ended("other")) == ("SucceedTask", "SucceedTask")
    broken.touch()
    assert (ended("good"), ended("other")) == ("SucceedTask", "TaskState")
