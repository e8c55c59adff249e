"""Bundles that carry their dependencies, run by our supervisor: what a start does, and what stops it in time."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import anyio
import attrs
import pytest

from outboard.bundle import cache, packer, reader, unpack
from outboard.bundle.dependencies import pack_environment
from outboard.bundle.environment import environment_for
from outboard.bundle.inline_metadata import InlineMetadata
from outboard.bundle.manifest import Manifest
from outboard.bundle.target import inspect
from outboard.protocol import messages as m
from outboard.supervisor.coordinator import parse_dags
from tests.bundle import fat
from tests.bundle.fat import Carried, run
from tests.runtime.test_module_list import INTERPRETERS
from tests.supervisor.conftest import Records

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
UNPACKER = "outboard.bundle.unpack"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """A cache folder of this test's own."""
    return tmp_path / "cache"


@pytest.fixture(scope="module")
def bundle(native: Carried, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with native code."""
    return native.bundle(tmp_path_factory.mktemp("fat"))


def entries(store: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder of a cache: its number on the disk, and when it was last written."""
    found = {path: path.lstat() for path in store.rglob("*")}
    return {str(path.relative_to(store)): (stat.st_ino, stat.st_mtime_ns) for path, stat in found.items()}


# ── starts ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_first_start_unpacks_what_every_later_one_finds(bundle: Path, native: Carried, store: Path) -> None:
    first = await run(bundle, OUTBOARD_CACHE_DIR=store)
    folder = store / "unpacked" / native.packed.digest
    assert (first.outcome.state, first.troubles) == ("success", [])
    assert first.result["prefix"] == str(folder)
    assert Path(first.result["native"]).is_relative_to(folder)
    assert first.result["escaped"] == "&lt;&amp;&gt;"
    before = entries(store)
    second = await run(bundle, OUTBOARD_CACHE_DIR=store)
    assert (second.outcome.state, second.troubles) == ("success", [])
    assert entries(store) == before
    assert (UNPACKER in first.result["modules"], UNPACKER in second.result["modules"]) == (True, False)


async def test_the_supervisor_waits_while_a_bundle_unpacks(bundle: Path, native: Carried, store: Path) -> None:
    """Airflow gives a process ten seconds to connect; a large environment may take longer."""
    (store / "unpacked").mkdir(parents=True, mode=0o700)
    store.chmod(0o700)
    occupied = os.open(store / "unpacked" / f".{native.packed.digest}.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(occupied, fcntl.LOCK_EX)  # as if somebody else were still unpacking it
    connected = anyio.Event()
    records = Records(on_record=lambda record: connected.set())
    done = []

    async def running() -> None:
        done.append(await run(bundle, records=records, OUTBOARD_CACHE_DIR=store))

    async with anyio.create_task_group() as group:
        group.start_soon(running)
        with anyio.fail_after(60):
            await connected.wait()
        assert records.texts() == ["the task starts"]
        assert os.listdir(store / "unpacked") == [f".{native.packed.digest}.lock"]
        os.close(occupied)
    assert done[0].outcome.state == "success"


async def test_first_starts_at_once_unpack_it_once(bundle: Path, native: Carried, store: Path) -> None:
    done = []

    async def running() -> None:
        done.append(await run(bundle, OUTBOARD_CACHE_DIR=store))

    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(running)
    assert [each.outcome.state for each in done] == ["success"] * 4
    assert {each.result["prefix"] for each in done} == {str(store / "unpacked" / native.packed.digest)}


async def test_the_first_start_and_later_ones_import_alike(native: Carried, tmp_path: Path, store: Path) -> None:
    tells = """
import sys
from outboard import dag, task

@dag
def d():
    @task
    def t():
        import msgpack._cmsgpack
        return {"path": sys.path, "native": msgpack._cmsgpack.__file__, "prefixes": [sys.prefix, sys.exec_prefix]}
    t()

d()
"""
    bundle = native.bundle(tmp_path, tells)
    first, second = [await run(bundle, OUTBOARD_CACHE_DIR=store) for _ in range(2)]
    assert (first.outcome.state, first.troubles) == ("success", [])
    assert first.result == second.result


async def test_native_parts_of_msgpack_are_used_from_the_second_start_on(bundle: Path, store: Path) -> None:
    """The first has to talk before there is a file to load them from."""
    found = [(await run(bundle, OUTBOARD_CACHE_DIR=store)).result["msgpack"] for _ in range(2)]
    assert found == ["msgpack.fallback", "msgpack._cmsgpack"]


async def test_what_is_unpacked_is_run_as_it_was_compiled(bundle: Path, native: Carried, store: Path) -> None:
    """Compiling it again would cost every start what unpacking once was to save."""
    await run(bundle, OUTBOARD_CACHE_DIR=store)
    [source] = (store / "unpacked" / native.packed.digest).glob("lib/*/site-packages/markupsafe/__init__.py")
    source.write_text("raise RuntimeError('compiled anew')")
    before = entries(store)
    assert (await run(bundle, OUTBOARD_CACHE_DIR=store)).outcome.state == "success"
    assert entries(store) == before


async def test_a_parse_finds_the_dependencies_too(native: Carried, tmp_path: Path, store: Path) -> None:
    bundle = native.bundle(tmp_path, "import markupsafe._speedups\n" + fat.AUTHOR)
    request = m.DagFileParseRequest(file="tasks.py", bundle_path=str(tmp_path), bundle_name="tests")
    for _ in range(2):
        result = await parse_dags([str(bundle), "--stdio"], request, env={"OUTBOARD_CACHE_DIR": str(store)})
        assert not result.import_errors
        assert [dag.data["dag"]["dag_id"] for dag in result.serialized_dags] == ["d"]


async def test_two_bundles_with_the_same_dependencies_share_one_place(
    native: Carried, tmp_path: Path, store: Path
) -> None:
    one = native.bundle(tmp_path, name="one")
    other = native.bundle(tmp_path, fat.AUTHOR + "# otherwise\n", name="other")
    first, second = [await run(bundle, OUTBOARD_CACHE_DIR=store) for bundle in (one, other)]
    assert first.result["prefix"] == second.result["prefix"]
    assert UNPACKER not in second.result["modules"]
    assert [path.name for path in (store / "unpacked").iterdir() if path.is_dir()] == [native.packed.digest]


async def test_what_a_running_task_uses_is_not_evicted(native: Carried, tmp_path: Path, store: Path) -> None:
    waits = """
import os, time
from outboard import dag, task

@dag
def d():
    @task
    def t():
        print("started")
        while not os.path.exists(os.environ["GO"]):
            time.sleep(0.01)
        import markupsafe._speedups as native
        return {"native": native.__file__}
    t()

d()
"""
    bundle = native.bundle(tmp_path, waits)
    evicted = []

    def on_record(record: dict[str, object]) -> None:
        if record["event"] == "started":
            evicted.extend(unpack.evict(str(store), 0))
            (tmp_path / "go").touch()

    for _ in range(2):  # the start that unpacks holds it as much as one that finds it
        (tmp_path / "go").unlink(missing_ok=True)
        done = await run(bundle, records=Records(on_record=on_record), OUTBOARD_CACHE_DIR=store, GO=tmp_path / "go")
        assert (done.outcome.state, evicted) == ("success", [])
    assert [entry.digest for entry in unpack.evict(str(store), 0)] == [native.packed.digest]


# ── what the author's code finds ──────────────────────────────────────────────────────────────────────────────────


async def test_processes_that_the_author_spawns_find_it_all(native: Carried, tmp_path: Path, store: Path) -> None:
    spawns = """
import multiprocessing
from outboard import dag, task

def escaped(text):
    import markupsafe._speedups
    return [str(markupsafe.escape(text)), markupsafe._speedups.__file__]

@dag
def d():
    @task
    def t():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            return {"found": pool.map(escaped, ["<", ">"])}
    t()

d()
"""
    bundle = native.bundle(tmp_path, spawns)
    for _ in range(2):
        done = await run(bundle, OUTBOARD_CACHE_DIR=store)
        assert (done.outcome.state, done.troubles) == ("success", [])
        assert [text for text, _ in done.result["found"]] == ["&lt;", "&gt;"]
        assert all(file.startswith(f"{store}/unpacked/") for _, file in done.result["found"])


async def test_the_authors_data_is_beside_the_authors_code(native: Carried, tmp_path: Path, store: Path) -> None:
    asks = """
import importlib.resources
from pathlib import Path
from outboard import dag, task
import shapes

@dag
def d():
    @task
    def t():
        return {
            "beside": Path(__file__).with_name("limits.txt").read_text(),
            "in_the_package": Path(shapes.__file__).with_name("shape.txt").read_text(),
            "as_a_resource": importlib.resources.files("shapes").joinpath("shape.txt").read_text(),
            "below": importlib.resources.files("shapes").joinpath("deep/deeper.txt").read_text(),
        }
    t()

d()
"""
    (tmp_path / "shapes" / "deep").mkdir(parents=True)
    (tmp_path / "shapes" / "__init__.py").touch()
    (tmp_path / "shapes" / "shape.txt").write_text("round")
    (tmp_path / "shapes" / "deep" / "deeper.txt").write_text("oval")
    (tmp_path / "limits.txt").write_text("10")
    (tmp_path / "tasks.py").write_text(asks)
    packer.write(native.draft(tmp_path / "tasks.py", tmp_path / "limits.txt"), tmp_path / "bundle", {"d": ()})
    for _ in range(2):
        done = await run(tmp_path / "bundle", OUTBOARD_CACHE_DIR=store)
        assert (done.outcome.state, done.troubles) == ("success", [])
        assert done.result == {
            "beside": "10", "in_the_package": "round", "as_a_resource": "round", "below": "oval",
        }  # fmt: skip


@pytest.mark.parametrize("version", INTERPRETERS)
async def test_it_runs_on_every_python(version: str, tmp_path: Path, store: Path) -> None:
    carried = fat.carried(fat.NATIVE, INTERPRETERS[version])
    bundle = carried.bundle(tmp_path)
    for number in range(2):
        done = await run(bundle, OUTBOARD_CACHE_DIR=store)
        assert (done.outcome.state, done.troubles) == ("success", [])
        assert f"/lib/python{version}/site-packages/markupsafe/" in done.result["native"]
        assert (UNPACKER in done.result["modules"]) == (number == 0)


# ── the interpreter ───────────────────────────────────────────────────────────────────────────────────────────────


def packed_elsewhere(native: Carried, folder: Path, **target: object) -> Path:
    """A bundle whose interpreter is not where it was on the machine that packed it."""
    source = folder / "tasks.py"
    source.write_text(fat.AUTHOR)
    sketch = native.draft(source)
    gone = {"executable": Path("/nowhere/bin/python"), **target}
    packer.write(attrs.evolve(sketch, target=attrs.evolve(sketch.target, **gone)), folder / "bundle", {"d": ()})
    return folder / "bundle"


def linked(folder: Path, name: str) -> Path:
    """Another name for the interpreter of this test."""
    folder.mkdir()
    (folder / name).symlink_to(Path(sys.executable).resolve())
    return folder / name


async def test_an_interpreter_that_is_gone_is_looked_for_on_the_path(
    native: Carried, tmp_path: Path, store: Path
) -> None:
    bundle = packed_elsewhere(native, tmp_path)
    found = linked(tmp_path / "bin", f"python{HERE}")
    done = await run(bundle, OUTBOARD_CACHE_DIR=store, PATH=f"{found.parent}:/usr/bin:/bin")
    assert (done.outcome.state, done.troubles) == ("success", [])
    assert done.result["python"] == str(found)


async def test_the_environment_can_name_the_interpreter(bundle: Path, tmp_path: Path, store: Path) -> None:
    named = linked(tmp_path / "bin", "our-own")
    done = await run(bundle, OUTBOARD_CACHE_DIR=store, OUTBOARD_PYTHON=named)
    assert done.result["python"] == str(named)


async def test_a_machine_without_one_is_told_in_one_line_of_the_log(
    native: Carried, tmp_path: Path, store: Path
) -> None:
    bundle = packed_elsewhere(native, tmp_path, version=(3, 99, 0))
    done = await run(bundle, OUTBOARD_CACHE_DIR=store, PATH=str(tmp_path))
    assert (done.outcome.state, done.outcome.exit_code) == ("failed", 127)
    assert done.records.texts() == [
        "tasks: this bundle needs Python 3.99; looked for it at /nowhere/bin/python python3.99 "
        "/usr/local/bin/python3.99 /usr/bin/python3.99; install it, or name one in OUTBOARD_PYTHON"
    ]


@pytest.mark.parametrize("version", [version for version in INTERPRETERS if version != HERE])
async def test_an_interpreter_of_another_version_is_told_in_one_line_of_the_log(
    bundle: Path, store: Path, version: str
) -> None:
    done = await run(bundle, OUTBOARD_CACHE_DIR=store, OUTBOARD_PYTHON=INTERPRETERS[version])
    assert (done.outcome.state, done.outcome.exit_code) == ("failed", 1)
    [line] = done.records.texts()
    assert line.startswith(f"this bundle was packed for Python {HERE}; pack it again, or give it that: here is Python ")
    assert line.rpartition(" ")[2].startswith(version)
    assert not store.exists()


# ── the machine ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("needed", "words"),
    [
        ({"machine": "s390x"}, "tasks holds native code for s390x, and this machine is "),
        ({"glibc": "9.99"}, "tasks holds native code that needs glibc 9.99 or newer, and here is glibc "),
    ],
)
@pytest.mark.parametrize(("should_retry", "state"), [(False, "failed"), (True, "up_for_retry")])
async def test_a_machine_that_it_was_not_made_for_is_told_before_any_of_the_authors_code(
    native: Carried, tmp_path: Path, store: Path, needed: dict[str, str], words: str, should_retry: bool, state: str
) -> None:
    elsewhere = attrs.evolve(native, packed=attrs.evolve(native.packed, **needed))
    bundle = elsewhere.bundle(tmp_path)
    done = await run(bundle, should_retry=should_retry, OUTBOARD_CACHE_DIR=store)
    assert (done.outcome.state, done.outcome.exit_code) == (state, 0)
    assert len(done.troubles) == 1
    assert done.troubles[0].startswith(words)
    assert "the author's code" not in done.records.texts()
    assert not store.exists()


# ── always the same ───────────────────────────────────────────────────────────────────────────────────────────────


def test_environments_of_the_same_packages_in_different_places_are_packed_alike(
    native: Carried, tmp_path: Path
) -> None:
    metadata = InlineMetadata(requires_python=None, dependencies=fat.NATIVE)
    elsewhere = environment_for(metadata, "another file", cache=tmp_path, tell=print)
    assert elsewhere != native.target.prefix
    assert pack_environment(inspect(elsewhere)).archive == native.packed.archive


def test_packing_twice_gives_the_same_bytes(native: Carried, tmp_path: Path) -> None:
    once = native.bundle(tmp_path).read_bytes()
    again = attrs.evolve(native, packed=pack_environment(native.target)).bundle(tmp_path).read_bytes()
    assert again == once


def test_what_it_carries_is_in_its_manifest(bundle: Path, native: Carried) -> None:
    done = subprocess.run([bundle, "--metadata"], capture_output=True, timeout=60, check=True)
    told = Manifest.from_json(done.stdout)
    assert told.is_fat
    assert "MarkupSafe==3.0.3" in told.distributions
    assert (told.environment_digest, told.machine) == (native.packed.digest, os.uname().machine)
    assert told.environment == ""


def test_what_airflow_hashes_does_not_grow_with_the_dependencies(bundle: Path, native: Carried) -> None:
    """Each of Airflow's processes reads the executable region of every bundle that it passes."""
    regions = reader.verify(bundle).regions
    assert len(native.packed.archive) > 1_000_000
    assert regions.source_start < len(bundle.read_bytes()) - len(native.packed.archive)


def test_telling_what_it_is_unpacks_nothing(bundle: Path, store: Path) -> None:
    environment = {**os.environ, cache.CACHE_VARIABLE: str(store)}
    subprocess.run([bundle, "--metadata"], capture_output=True, timeout=60, check=True, env=environment)
    assert not store.exists()
