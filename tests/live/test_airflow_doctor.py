"""The printed settings make a real Airflow find a bundle, and where the doctor sees a problem, that Airflow fails."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from outboard.airflow.configuration import Configuration
from outboard.airflow.doctor import Question, diagnose
from outboard.airflow.rendering import render
from outboard.airflow.settings import COORDINATOR_CLASS, Deployment, options
from outboard.airflow.worker import worker
from tests.airflow.breaking import DAGS, for_an_older_python, pack, put_copy, with_a_changed_byte
from tests.live.supervisor import started_supervisor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.live

LAUNCHER = Path(__file__).with_name("coordinator_launcher.py")
LAUNCHER_SECONDS = 120  # Airflow's imports, from a cold disk

NOT_FOUND = "FileNotFoundError: cannot find executable bundle"
QUEUE = "native"
STAMPED_3_4 = b'{"dags": {"hello": {}}, "sdk": {"supervisor_schema_version": "2026-10-30"}}'

# Whoever is root can read everything, and would prove nothing about what a worker's user can't.
NOBODY = 65534


@pytest.fixture(scope="module")
def version(airflow_version: str) -> str:
    """Such as ``"3.3"``."""
    return airflow_version[:3]


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pack(DAGS / "hello.py", tmp_path_factory.mktemp("packed") / "hello")


@pytest.fixture
def root() -> Iterator[Path]:
    """A folder for bundles that every user can reach."""
    with tempfile.TemporaryDirectory() as parent:
        Path(parent).chmod(0o755)
        folder = Path(parent) / "bundles"
        folder.mkdir()
        folder.chmod(0o755)
        yield folder


def printed(root: Path, version: str) -> dict[str, str]:
    """The variables that `outboard airflow config` prints."""
    deployment = Deployment(airflow=version, root=PurePosixPath(root), queue=QUEUE)
    return {option.variable: json.dumps(option.value) for option in options(deployment)}


def ask_airflow(
    python: Path, home: Path, *variables: dict[str, str], user: int | None = None, start: dict[str, str] | None = None
) -> list[dict[str, Any]]:
    """What Airflow's own manager and coordinator say of a task of the Dag, once for each set of variables."""
    jobs = [{"environment": each, "queue": QUEUE, "dag_id": "hello", "user": user} for each in variables]
    done = subprocess.run(
        [python, LAUNCHER],
        input="".join(json.dumps(job) + "\n" for job in jobs),
        capture_output=True,
        text=True,
        timeout=LAUNCHER_SECONDS,
        env={"PATH": "/usr/bin:/bin", "AIRFLOW_HOME": str(home), **(start or {})},
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(jobs), done.stderr[-4000:]
    return answers


def diagnosed(version: str, variables: dict[str, str], home: Path, user: int | None = None) -> list[str]:
    """The codes of the doctor's problems."""
    configuration = Configuration.of({**variables, "AIRFLOW_HOME": str(home)})
    somebody = worker(None if user is None else str(user))
    question = Question(airflow=version, configuration=configuration, queues=(QUEUE,), dag_id="hello", worker=somebody)
    return [finding.code for finding in diagnose(question).findings if finding.severity == "problem"]


# ── settings ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_printed_variables_make_airflow_find_a_bundle(
    airflow_python: Path, version: str, packed: Path, root: Path, tmp_path: Path
) -> None:
    bundle = put_copy(packed, root / "hello")
    [answer] = ask_airflow(airflow_python, tmp_path, printed(root, version))
    assert answer == {
        "coordinator": "ExecutableCoordinator",
        "command": [str(bundle)],
        "schema_version": "2026-06-16",
    }
    assert diagnosed(version, printed(root, version), tmp_path) == []


def test_the_printed_airflow_cfg_makes_airflow_find_a_bundle(
    airflow_python: Path, version: str, packed: Path, tmp_path: Path
) -> None:
    root = tmp_path / "50 % off"
    root.mkdir()
    bundle = put_copy(packed, root / "hello")
    (tmp_path / "airflow.cfg").write_text(
        render(Deployment(airflow=version, root=PurePosixPath(root), queue=QUEUE), "ini")
    )
    [answer] = ask_airflow(airflow_python, tmp_path, {})
    assert answer["command"] == [str(bundle)]
    assert diagnosed(version, {}, tmp_path) == []


def coordinator(classpath: str = COORDINATOR_CLASS, **kwargs: object) -> dict[str, str]:
    return {"AIRFLOW__SDK__COORDINATORS": json.dumps({"outboard": {"classpath": classpath, "kwargs": kwargs}})}


# What is changed in the settings, what the doctor calls it, and what Airflow says. None: nothing, and it runs the task itself.
BROKEN_SETTINGS: list[tuple[dict[str, str], str, str | None]] = [
    ({"AIRFLOW__SDK__COORDINATORS": "{"}, "coordinators", "AirflowConfigException"),
    ({"AIRFLOW__SDK__COORDINATORS": "[]"}, "coordinators", "AttributeError"),
    ({"AIRFLOW__SDK__COORDINATORS": '{"outboard": {}}'}, "coordinators", "ValidationError"),
    ({"AIRFLOW__SDK__QUEUE_TO_COORDINATOR": '{"native": "go"}'}, "routes", "ValueError"),
    ({"AIRFLOW__SDK__QUEUE_TO_COORDINATOR": '{"other": "outboard"}'}, "queue-not-routed", None),
    (coordinator(COORDINATOR_CLASS[:-1]), "classpath", "InvalidCoordinatorError: Cannot import coordinator"),
    (coordinator(timeout=5), "kwargs", "InvalidCoordinatorError: Cannot instantiate coordinator"),
]
BROKEN_SETTINGS_OF_ONE: dict[str, list[tuple[dict[str, str], str, str | None]]] = {
    "3.3": [
        (coordinator(), "kwargs", "InvalidCoordinatorError: Cannot instantiate coordinator"),
        (coordinator(executables_root=[]), "kwargs", "ValueError"),
        (coordinator(executables_root=["/nowhere"]), "root", NOT_FOUND),
        (coordinator(task_handler_bundle_name="outboard"), "kwargs", "InvalidCoordinatorError"),
    ],
    "3.4": [
        (coordinator(task_handler_bundle_name="other"), "dag-bundle", "InvalidCoordinatorError"),
        (coordinator(executables_root=["/srv"]), "kwargs", "InvalidCoordinatorError"),
    ],
}


def test_airflow_fails_with_each_setting_that_the_doctor_calls_broken(
    airflow_python: Path, version: str, packed: Path, root: Path, tmp_path: Path
) -> None:
    put_copy(packed, root / "hello")
    cases = BROKEN_SETTINGS + BROKEN_SETTINGS_OF_ONE[version]
    settings = [{**printed(root, version), **changes} for changes, _, _ in cases]
    answers = ask_airflow(airflow_python, tmp_path, *settings)
    for (changes, code, said), variables, answer in zip(cases, settings, answers, strict=True):
        assert code in diagnosed(version, variables, tmp_path), changes
        if said is None:
            assert answer == {"coordinator": "_PythonCoordinator"}
        else:
            assert answer.get("error", "").startswith(said), (changes, answer)


# ── bundles that Airflow passes over ──────────────────────────────────────────────────────────────────────────────

BROKEN_BUNDLES: dict[str, dict[str, Any]] = {
    "trailer": {"change": lambda data: data[:-100]},
    "hash": {"change": with_a_changed_byte},
    "yaml": {"metadata": b"dags: {hello: {}"},
    "dags": {"metadata": b'{"dags": ["hello"], "sdk": {"supervisor_schema_version": "2026-06-16"}}'},
    "schema-date": {"metadata": b"{dags: {hello: {}}, sdk: {supervisor_schema_version: 2026-06-16}}"},
}


def test_airflow_passes_over_each_bundle_that_the_doctor_calls_broken(
    airflow_python: Path, version: str, packed: Path, root: Path, tmp_path: Path
) -> None:
    codes = list(BROKEN_BUNDLES)
    if version == "3.3":
        broken = BROKEN_BUNDLES | {"execute-bit": {"mode": 0o644}, "schema-date": {"metadata": STAMPED_3_4}}
        codes = list(broken)
    else:
        broken = BROKEN_BUNDLES
    settings = []
    for code in codes:
        (root / code).mkdir()
        put_copy(packed, root / code / "hello", **broken[code])
        settings.append(printed(root / code, version))
    answers = ask_airflow(airflow_python, tmp_path, *settings)
    for code, variables, answer in zip(codes, settings, answers, strict=True):
        assert code in diagnosed(version, variables, tmp_path)
        assert answer["error"].startswith(NOT_FOUND), code


def test_of_two_bundles_with_one_dag_airflow_takes_the_one_that_the_doctor_says(
    airflow_python: Path, version: str, packed: Path, root: Path, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        put_copy(packed, root / name)
    [answer] = ask_airflow(airflow_python, tmp_path, printed(root, version))
    configuration = Configuration.of({**printed(root, version), "AIRFLOW_HOME": str(tmp_path)})
    [finding] = diagnose(Question(airflow=version, configuration=configuration)).findings
    assert finding.code == "dag-id-twice"
    assert answer["command"] == [finding.where]


@pytest.mark.parametrize("closed", ["the folder", "the bundle"])
def test_airflow_passes_over_what_its_user_may_not_read(
    closed: str, airflow_python: Path, version: str, packed: Path, root: Path, tmp_path: Path
) -> None:
    """As root this becomes another user, as anybody else it takes the right from itself."""
    bundle = put_copy(packed, root / "hello", mode=0o700 if os.geteuid() == 0 else 0o100)
    if closed == "the folder":
        bundle.chmod(0o755)
        root.chmod(0o700 if os.geteuid() == 0 else 0)
    user = NOBODY if os.geteuid() == 0 else None
    home = root.parent / "home"  # pytest's own folders are closed to others
    home.mkdir()
    home.chmod(0o777)
    [answer] = ask_airflow(airflow_python, home, printed(root, version), user=user)
    assert answer["error"].startswith((NOT_FOUND, "AirflowException: Bundle 'outboard' path"))
    expected = "root" if closed == "the folder" else "unreadable"
    assert expected in diagnosed(version, printed(root, version), home, user)


# ── bundles that do not start ─────────────────────────────────────────────────────────────────────────────────────


def gone(packed: Path, bundle: Path) -> None:
    """Pack for an environment that is removed then."""
    environment = bundle.parent.parent / "environment"
    command = [sys.executable, "-m", "venv", "--without-pip", "--copies", environment]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    pack(DAGS / "hello.py", bundle, environment)
    shutil.rmtree(environment)


def older(packed: Path, bundle: Path) -> None:
    """Pack as if for another Python than the one that is there."""
    put_copy(packed, bundle, change=for_an_older_python)


@pytest.mark.parametrize("broken", [gone, older])
def test_a_bundle_whose_interpreter_the_doctor_misses_leaves_no_line_in_the_task_log(
    broken: Callable[[Path, Path], None],
    airflow_python: Path,
    version: str,
    packed: Path,
    tmp_path: Path,
) -> None:
    with started_supervisor(airflow_python, tmp_path) as airflow:
        broken(packed, airflow.executables / "hello")
        report = airflow.run("hello", "greet")
    # A short path stands in the first line, and the system says that it isn't there; for a long one a shell does.
    assert "FileNotFoundError" in (report.raised or "") or "before connecting" in (report.raised or "")
    assert report.log == []
    assert diagnosed(version, printed(airflow.executables, version), tmp_path / "home") == ["interpreter"]
