"""Params on the command line: a conf that is refused in time, and the library that comes along where a schema takes it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from outboard.bundle.environment import CACHE_VARIABLE, own_requirements
from outboard.cli.params import check_conf
from outboard.errors import UsageError
from tests import recorded
from tests.benchmarks.plain_supervisor import greeting, run_task
from tests.cli.conftest import Done

RECORDED: Any = recorded.load("sdk/params.json")
OF_EVERY_KIND = next(entry["dags"][0] for entry in RECORDED["dags"] if entry["name"] == "of_every_kind")
FITS = {"required": "given"}


def refusal(conf: dict[str, Any], **options: Any) -> str:
    with pytest.raises(UsageError) as caught:
        check_conf(OF_EVERY_KIND, conf, **options)
    return str(caught.value)


# ── what is refused ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_conf_that_fits_the_dag_that_airflow_has_serialized_passes() -> None:
    check_conf(OF_EVERY_KIND, {**FITS, "choice": "b", "array": ["y"], "nothing": None, "more": {"a": 1}})


@pytest.mark.parametrize(
    ("conf", "said"),
    [
        ({"choice": "c"}, "param 'choice': 'c' is not one of ['a', 'b']"),
        ({"array": ["x", "z"]}, "param 'array': [1]: 'z' is not one of ['x', 'y']"),
        ({"nothing": 3}, "param 'nothing': 3 is not of type 'null', 'string'"),
        ({"pattern": "b"}, "param 'pattern': 'b' does not match '^a'"),
        ({"required": None}, "param 'required': None is not of type 'string'"),
    ],
)
def test_a_wrong_value_is_named_with_its_dag_its_param_and_the_rule(conf: dict[str, Any], said: str) -> None:
    assert refusal({**FITS, **conf}) == f"Dag 'of_every_kind': {said}; give values with --conf"


def test_a_param_without_a_value_is_named() -> None:
    said = "Dag 'of_every_kind': param 'required': it has no default, and no value was given; give values with --conf"
    assert refusal({}) == said


def test_params_of_a_task_count_where_that_task_runs() -> None:
    conf = {**FITS, "own": "too long"}
    assert "param 'own': 'too long' is too long: 8 of at most 3" in refusal(conf)
    assert "param 'own'" in refusal(conf, only_task="has_own")
    check_conf(OF_EVERY_KIND, conf, only_task="takes_all")


def test_of_a_dag_that_lives_elsewhere_nobody_here_knows_the_params() -> None:
    check_conf(None, {"anything": 1})


# ── real files ────────────────────────────────────────────────────────────────────────────────────────────────────────

METADATA = "# /// script\n# dependencies = []\n# ///\n"
SOURCE = """\
{metadata}from outboard import Param, dag, task

@dag(schedule={schedule!r}, params={{"code": Param("ab", {schema})}})
def coded(limit=3):
    @task
    def only(limit, params):
        return [limit, params["code"]]
    only(limit)

coded()
"""


def source(schema: str, *, schedule: str | None = None, metadata: str = METADATA) -> str:
    return SOURCE.format(schema=schema, schedule=schedule, metadata=metadata)


def returned(done: Done) -> Any:
    (task,) = json.loads(done.out)["tasks"]
    return task["xcoms"]["return_value"]


def test_a_wrong_conf_is_one_line_before_any_task_starts(outboard, author_file) -> None:
    file = author_file(source('type="string"', metadata=""))
    done = outboard("run", file, "--conf", '{"code": 3}')
    said = "outboard: Dag 'coded': param 'code': 3 is not of type 'string'; give values with --conf\n"
    assert (done.code, done.out, done.err) == (2, "", said)


def test_the_values_of_a_conf_reach_the_body_and_the_parameters_of_the_dag_function(outboard, author_file) -> None:
    file = author_file(source('type="string"', metadata=""))
    done = outboard("run", file, "--conf", '{"code": "x", "limit": 5}', "--json")
    assert returned(done) == [5, "x"]


# ── what comes along ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def packing(shared_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cache for all that is packed, since these need the same environments."""
    monkeypatch.setenv(CACHE_VARIABLE, str(shared_cache))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))


def projects_in(bundle: Path) -> set[str]:
    told = subprocess.run([bundle.absolute(), "--metadata"], capture_output=True, timeout=60, check=True)
    return {distribution.partition("==")[0] for distribution in json.loads(told.stdout)["distributions"]}


# With a schedule the default is judged where the Dag is declared, so that the file cannot be loaded without the library.
@pytest.mark.parametrize("schedule", [None, "@daily"])
def test_the_library_comes_along_where_a_schema_takes_it(outboard, author_file, schedule: str | None) -> None:
    done = outboard("pack", author_file(source('pattern="^a"', schedule=schedule)), "-o", "bundle")
    assert (done.code, done.err.splitlines()[-1]) == (0, "bundle: coded")
    assert "building the environment of tasks.py: no dependencies, with jsonschema" in done.err.splitlines()
    assert "jsonschema" in projects_in(Path("bundle"))
    run = run_task([str(Path("bundle").absolute())], greeting("coded", "only"))
    assert (run.terminal, run.returned) == ("SucceedTask", [3, "ab"])


@pytest.mark.usefixtures("packing")
def test_what_a_glance_can_judge_takes_no_library_along(outboard, author_file) -> None:
    assert outboard("pack", author_file(source('type="string", maxLength=3')), "-o", "bundle").code == 0
    assert not {"jsonschema", "isoduration"} & projects_in(Path("bundle"))


@pytest.mark.usefixtures("packing")
def test_a_run_in_an_environment_of_the_files_own_has_the_library_too(outboard, author_file) -> None:
    done = outboard("run", author_file(source('pattern="^a"', schedule="@daily")), "--json", "--conf", '{"code": "ac"}')
    assert returned(done) == [3, "ac"]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bare") / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder


def refused(done: Done) -> str:
    assert (done.code, done.out, Path("bundle").exists()) == (2, "", False)
    (line,) = done.err.splitlines()
    return line


def test_a_thin_bundle_whose_environment_lacks_the_library_is_refused_when_it_is_packed(
    outboard, author_file, bare: Path
) -> None:
    line = refused(outboard("pack", author_file(source('pattern="^a"')), "-o", "bundle", "--thin", bare))
    assert line == (
        f"outboard: tasks.py: its params have JSON schemas that take jsonschema, which {bare} has not got; "
        "add outboard[params] to it, or jsonschema"
    )


def test_so_is_one_whose_file_cannot_even_be_loaded_without_it(outboard, author_file, bare: Path) -> None:
    file = author_file(source('pattern="^a"', schedule="@daily"))
    line = refused(outboard("pack", file, "-o", "bundle", "--thin", bare))
    assert line.endswith(
        "MissingLibraryError: the JSON schema of the param 'code' of Dag 'coded' takes the library jsonschema, which this "
        "environment has not got; add outboard[params] to it, or jsonschema to the file's dependencies"
    )


def test_what_is_asked_for_besides_is_what_outboard_declares() -> None:
    (besides,) = {*own_requirements(["jsonschema"])} - {*own_requirements()}
    assert besides.startswith("jsonschema>=")
    assert own_requirements(["unheard-of"]) == own_requirements()
