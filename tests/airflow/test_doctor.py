"""Every diagnosis, with a bundle or a configuration that is really broken. That Airflow fails alike is shown in tests/live."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import pytest

from outboard.airflow import doctor
from outboard.airflow.configuration import Configuration
from outboard.airflow.doctor import Diagnosis, Question, diagnose
from outboard.airflow.settings import COORDINATOR_CLASS, Deployment, options
from outboard.airflow.worker import worker
from outboard.bundle.entry import searching_start
from outboard.bundle.format import compose
from outboard.errors import UsageError
from tests.airflow.breaking import DAGS, for_an_older_python, pack, with_a_changed_byte, without_its_directory
from tests.bundle.test_reader import sealed

if TYPE_CHECKING:
    from tests.airflow.conftest import Put

# A user who owns none of the tests' files; nobody need have an account.
SOMEBODY_ELSE = "54321"

SCHEMA = '"sdk": {"supervisor_schema_version": "2026-06-16"}'


def configured(root: Path, airflow: str = "3.3", **changes: Any) -> Configuration:
    """What `outboard airflow config` prints, with changes to options."""
    deployment = Deployment(airflow=airflow, root=PurePosixPath(root), queue="native")
    values = {f"{option.section}__{option.key}": json.dumps(option.value) for option in options(deployment)}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in changes.items()}
    variables = {f"AIRFLOW__{name.upper()}": text for name, text in (values | texts).items()}
    return Configuration.of({**variables, "AIRFLOW_HOME": str(root.parent / "home")})


def ask(folder: Path, airflow: str = "3.3", /, *, user: str | None = None, **question: Any) -> Diagnosis:
    configuration = question.pop("configuration", None) or configured(folder, airflow)
    return diagnose(Question(airflow=airflow, configuration=configuration, worker=worker(user), **question))


def problem_of(diagnosis: Diagnosis) -> doctor.Finding:
    """The one problem, apart from what follows from it."""
    followers = {"no-bundle", "dag-id-unknown"}
    [problem] = [found for found in diagnosis.findings if found.code not in followers and found.severity == "problem"]
    assert not diagnosis.is_healthy
    assert "\n" not in problem.line
    assert problem.remedy
    return problem


def codes(diagnosis: Diagnosis) -> list[str]:
    return [finding.code for finding in diagnosis.findings]


@pytest.mark.parametrize("airflow", ["3.3", "3.4"])
def test_a_sound_bundle_in_a_configured_folder_is_healthy(put: Put, root: Path, airflow: str) -> None:
    put()
    diagnosis = ask(root, airflow, dag_id="hello", queues=("native",))
    assert diagnosis.findings == ()
    assert diagnosis.is_healthy
    [look_up] = diagnosis.look_ups
    assert (look_up.bundles, look_up.dag_ids, look_up.cost.files) == (1, ("hello",), 1)


def test_files_that_were_never_bundles_are_nobodys_problem(put: Put, root: Path) -> None:
    put()
    (root / "README").write_text("hello\n")
    script = root / "script"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    diagnosis = ask(root)
    assert diagnosis.findings == ()
    assert diagnosis.look_ups[0].cost.files == 2  # the one that can be executed is read by Airflow 3.3
    assert ask(root, "3.4").look_ups[0].cost.files == 3


# ── bundles that Airflow passes over ──────────────────────────────────────────────────────────────────────────────


def test_a_bundle_without_an_execute_bit_is_passed_over_by_airflow_3_3(put: Put, root: Path) -> None:
    bundle = put(mode=0o644)
    problem = problem_of(ask(root))
    assert (problem.code, problem.where) == ("execute-bit", str(bundle))
    assert f"chmod a+x {bundle}" in problem.remedy


def test_airflow_3_4_sets_the_execute_bit_if_it_may(put: Put, root: Path) -> None:
    bundle = put(mode=0o644)
    assert ask(root, "3.4").findings == ()
    problem = problem_of(ask(root, "3.4", user=SOMEBODY_ELSE))
    assert problem.code == "execute-bit"
    assert "does not own it" in problem.what
    assert bundle.stat().st_mode & 0o111 == 0  # the doctor touches nothing


def test_a_bundle_that_the_workers_user_may_not_read_is_named(put: Put, root: Path) -> None:
    bundle = put(mode=0o700)
    problem = problem_of(ask(root, user=SOMEBODY_ELSE))
    assert (problem.code, problem.where) == ("unreadable", str(bundle))
    assert SOMEBODY_ELSE in problem.what


def test_a_folder_in_between_that_is_closed_is_named(put: Put, root: Path) -> None:
    put()
    closed = root / "team"
    closed.mkdir(mode=0o700)
    [problem] = [found for found in ask(root, user=SOMEBODY_ELSE).findings if found.code == "unreadable"]
    assert problem.where == str(closed)


def test_a_link_to_nothing_is_named(put: Put, root: Path) -> None:
    put()
    (root / "gone").symlink_to(root / "nothing")
    problem = problem_of(ask(root))
    assert (problem.code, problem.where) == ("unreadable", str(root / "gone"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data: data[:-100], "its trailer cannot be used: the file ends with"),
        (lambda data: data + b"\n", "its trailer cannot be used: the file ends with"),
        (lambda data: data[:-56] + b"\x02\0\0\0" + data[-52:], "it is of layout 2"),
        (lambda data: data[:-20] + b"\x01" + data[-19:], "reserved bytes are not zero"),
        (lambda data: data[:-64] + b"\xff" * 4 + data[-60:], "leaves no executable"),
    ],
    ids=["cut short", "appended to", "another layout", "reserved bytes", "regions"],
)
def test_a_bundle_with_a_broken_trailer_is_told_from_a_file_that_is_none(
    put: Put, root: Path, change: Any, told: str
) -> None:
    bundle = put(change=change)
    problem = problem_of(ask(root))
    assert (problem.code, problem.where) == ("trailer", str(bundle))
    assert told in problem.what


def test_a_changed_byte_breaks_the_hash(put: Put, root: Path) -> None:
    put(change=with_a_changed_byte)
    problem = problem_of(ask(root))
    assert problem.code == "hash"
    assert "SHA-256 differs" in problem.what


@pytest.mark.parametrize(
    ("metadata", "code", "told"),
    [
        (b"dags: {hello: {}", "yaml", "its metadata is not YAML"),
        (b"dags: \xff", "yaml", "its metadata is not UTF-8"),
        (b"[hello]", "yaml", "its metadata is not a mapping but list"),
        (b"", "yaml", "its metadata is not a mapping but NoneType"),
        (b"{" + SCHEMA.encode() + b"}", "dags", "names no Dag"),
        (b'{"dags": ["hello"], ' + SCHEMA.encode() + b"}", "dags", "names no Dag"),
        (b"{dags: {on: {}}, " + SCHEMA.encode() + b"}", "dags", "has True for a Dag's id"),
        (b'{"dags": {"hello": {}}}', "schema-date", "no sdk.supervisor_schema_version that is text"),
        (
            b"{dags: {hello: {}}, sdk: {supervisor_schema_version: 2026-06-16}}",
            "schema-date",
            "no sdk.supervisor_schema_version that is text",
        ),
    ],
)
def test_metadata_that_airflow_cannot_use_is_named(put: Put, root: Path, metadata: bytes, code: str, told: str) -> None:
    bundle = put(metadata=metadata)
    problem = problem_of(ask(root))
    assert (problem.code, problem.where) == (code, str(bundle))
    assert told in problem.what


def test_a_stamp_that_is_newer_than_airflow_is_named(put: Put, root: Path) -> None:
    put(metadata=b'{"dags": {"hello": {}}, "sdk": {"supervisor_schema_version": "2026-10-30"}}')
    problem = problem_of(ask(root))
    assert problem.code == "schema-date"
    assert "stamped 2026-10-30, and Airflow 3.3 refuses every date but 2026-06-16" in problem.what
    assert problem.remedy == "pack it with --airflow 3.3, or run it under Airflow 3.4"
    assert "schema-date" not in codes(ask(root, "3.4"))


def test_a_dot_in_the_name_matters_to_airflow_3_4_alone(put: Put, root: Path) -> None:
    bundle = put("hello.v2")
    assert ask(root).findings == ()
    problem = problem_of(ask(root, "3.4"))
    assert (problem.code, problem.where) == ("name", str(bundle))
    assert problem.remedy == "call it hello"


# ── bundles that do not start ─────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def short_lived(root: Path) -> Path:
    """An environment of its own, with a bundle for it in the folder."""
    environment = root.parent / "environment"
    command = [sys.executable, "-m", "venv", "--without-pip", "--copies", environment]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    pack(DAGS / "hello.py", root / "hello", environment)
    return environment


def test_an_interpreter_that_is_gone_is_named(short_lived: Path, root: Path) -> None:
    shutil.rmtree(short_lived)
    problem = problem_of(ask(root))
    assert (problem.code, problem.where) == ("interpreter", str(root / "hello"))
    assert f"its interpreter {short_lived}/bin/python is gone" in problem.what


def test_an_interpreter_that_the_workers_user_may_not_execute_is_named(short_lived: Path, root: Path) -> None:
    interpreter = short_lived / "bin" / "python"
    interpreter.chmod(0o700)
    problem = problem_of(ask(root, user=str(os.geteuid() + 1)))
    assert problem.code == "interpreter"
    assert f"may not execute {interpreter}" in problem.what


def test_an_interpreter_of_another_version_is_named_by_the_bundle(put: Put, root: Path) -> None:
    put(change=for_an_older_python)
    problem = problem_of(ask(root))
    assert problem.code == "interpreter"
    assert "it says: this bundle was packed for Python" in problem.what


def test_a_bundle_that_finds_no_interpreter_says_where_it_looked(root: Path) -> None:
    """With the variables of Airflow, not with those of the command."""
    start = searching_start(Path("/nowhere/python"), "9.9", "small")(0)
    sealed(root / "small", head=start + b"# outboard.bundle.bootstrap\n")
    problem = problem_of(ask(root))
    assert problem.code == "interpreter"
    assert "it says: small: this bundle needs Python 9.9; looked for it at /nowhere/python" in problem.what
    named = configured(root)
    named.environment["OUTBOARD_PYTHON"] = "/elsewhere/python"
    assert "looked for it at /elsewhere/python" in problem_of(ask(root, configuration=named)).what


def test_damage_that_airflow_does_not_notice_is_named(put: Put, root: Path) -> None:
    bundle = put(change=without_its_directory)
    problem = problem_of(ask(root))
    assert (problem.code, problem.where) == ("damaged", str(bundle))
    assert "zip directory" in problem.what


def test_a_bundle_of_another_sdk_is_not_started(root: Path, tmp_path: Path) -> None:
    mark = tmp_path / "started"
    bundle = root / "theirs"
    metadata = f'{{"dags": {{"theirs": {{}}}}, {SCHEMA}}}'.encode()
    bundle.write_bytes(compose(f"#!/bin/sh\ntouch {mark}\n".encode(), b"", metadata))
    bundle.chmod(0o755)
    assert ask(root, dag_id="theirs").is_healthy
    assert not mark.exists()


def test_a_start_that_takes_longer_than_airflow_waits_is_named(put: Put, root: Path) -> None:
    put()
    coordinators = {
        "o": {"classpath": COORDINATOR_CLASS, "kwargs": {"executables_root": str(root), "task_startup_timeout": 0.001}}
    }
    changed = configured(root, sdk__coordinators=coordinators, sdk__queue_to_coordinator={"native": "o"})
    problem = problem_of(ask(root, configuration=changed))
    assert problem.code == "startup-timeout"
    assert "Airflow gives it 0.001" in problem.what


# ── which bundle has the Dag ──────────────────────────────────────────────────────────────────────────────────────


def test_a_dag_in_two_bundles_is_named_with_both(put: Put, root: Path) -> None:
    both = {str(put("one")), str(put("two"))}
    problem = problem_of(ask(root))
    assert problem.code == "dag-id-twice"
    taken = next(str(path) for path in root.iterdir())
    assert problem.where == taken
    assert "the Dag 'hello' is also in " + next(iter(both - {taken})) in problem.what


def test_a_dag_that_no_bundle_has_is_named_with_those_that_are_there(put: Put, root: Path) -> None:
    put()
    [finding] = ask(root, dag_id="nightly").findings
    assert (finding.code, finding.where) == ("dag-id-unknown", str(root))
    assert finding.what == "no usable bundle here has the Dag 'nightly'; there are: hello"


def test_an_empty_folder_is_a_problem(root: Path) -> None:
    [finding] = ask(root).findings
    assert finding.code == "no-bundle"


# ── the folder ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_folder_that_is_missing_is_named(root: Path) -> None:
    root.rmdir()
    problem = problem_of(ask(root))
    assert problem.code == "root"
    assert f"the folder {root} does not exist here" in problem.what
    assert "AIRFLOW__SDK__COORDINATORS" in problem.where


def test_a_folder_that_the_workers_user_may_not_look_into_is_named(put: Put, root: Path) -> None:
    put()
    root.chmod(0o700)
    diagnosis = ask(root, user=SOMEBODY_ELSE)
    problem = problem_of(diagnosis)
    assert problem.code == "root"
    assert f"{SOMEBODY_ELSE} may not look into the folder {root}" in problem.what
    assert diagnosis.look_ups == ()


def test_a_relative_folder_is_refused(root: Path) -> None:
    coordinators = {"outboard": {"classpath": COORDINATOR_CLASS, "kwargs": {"executables_root": ["bundles"]}}}
    problem = problem_of(ask(root, configuration=configured(root, sdk__coordinators=coordinators)))
    assert problem.code == "root"
    assert "is relative" in problem.what


def test_a_folder_that_is_asked_for_takes_the_place_of_the_configured_one(put: Put, root: Path) -> None:
    put()
    elsewhere = configured(Path("/nowhere/bundles"))
    assert ask(root, configuration=elsewhere, root=root).is_healthy


def test_a_folder_can_be_checked_where_no_airflow_is(put: Put, root: Path) -> None:
    put()
    nothing = Configuration.of({"AIRFLOW_HOME": str(root.parent / "home")})
    diagnosis = ask(root, configuration=nothing, root=root, dag_id="hello")
    assert codes(diagnosis) == ["coordinators"]
    assert diagnosis.is_healthy


def test_a_look_up_that_costs_too_much_is_a_problem(put: Put, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put()
    monkeypatch.setattr(doctor, "LOOKUP_LIMIT", 0.0)
    problem = problem_of(ask(root))
    assert problem.code == "look-up-cost"
    assert "looking through 1 files costs each task up to" in problem.what


# ── the settings ──────────────────────────────────────────────────────────────────────────────────────────────────


def coordinator(classpath: object = COORDINATOR_CLASS, **kwargs: object) -> dict[str, object]:
    return {"outboard": {"classpath": classpath, "kwargs": kwargs}}


ROOT = ["/srv/bundles"]


@pytest.mark.parametrize(
    ("airflow", "changes", "code", "told"),
    [
        ("3.3", {"sdk__coordinators": "{"}, "coordinators", "it is not JSON"),
        ("3.3", {"sdk__coordinators": "[]"}, "coordinators", "it is a JSON list and not an object"),
        ("3.3", {"sdk__coordinators": ""}, "coordinators", "no coordinator is configured"),
        ("3.3", {"sdk__coordinators": {"outboard": {}}}, "coordinators", "it has no classpath"),
        ("3.3", {"sdk__coordinators": {"outboard": "x"}}, "coordinators", "it has no classpath"),
        ("3.3", {"sdk__queue_to_coordinator": "x"}, "routes", "it is not JSON"),
        (
            "3.3",
            {"sdk__queue_to_coordinator": {"native": "go"}},
            "routes",
            "'go', which is no coordinator",
        ),
        ("3.3", {"sdk__queue_to_coordinator": {}}, "queue-not-routed", "no queue is routed to it"),
        (
            "3.3",
            {"sdk__coordinators": coordinator("airflow.sdk.coordinators.executable.ExecutableCordinator")},
            "classpath",
            "Airflow 3.3 has no class airflow.sdk.coordinators.executable.ExecutableCordinator",
        ),
        (
            "3.3",
            {"sdk__coordinators": coordinator("airflow.sdk.coordinators.node.NodeCoordinator")},
            "classpath",
            "no class",
        ),
        (
            "3.3",
            {"sdk__coordinators": {"outboard": {"classpath": COORDINATOR_CLASS, "kwargs": []}}},
            "kwargs",
            "no JSON object",
        ),
        ("3.3", {"sdk__coordinators": coordinator()}, "kwargs", "it has no executables_root"),
        ("3.3", {"sdk__coordinators": coordinator(executables_root=[])}, "kwargs", "it has no executables_root"),
        ("3.3", {"sdk__coordinators": coordinator(executables_root=[1])}, "kwargs", "is no list of folders"),
        (
            "3.3",
            {"sdk__coordinators": coordinator(task_handler_bundle_name="outboard")},
            "kwargs",
            "Airflow 3.3 knows no task_handler_bundle_name (that is Airflow 3.4's)",
        ),
        (
            "3.4",
            {"sdk__coordinators": coordinator(executables_root=ROOT)},
            "kwargs",
            "Airflow 3.4 knows no executables_root (that is Airflow 3.3's)",
        ),
        (
            "3.3",
            {"sdk__coordinators": coordinator(executables_root=ROOT, timeout=5)},
            "kwargs",
            "Airflow 3.3 knows no timeout,",
        ),
        (
            "3.3",
            {"sdk__coordinators": coordinator(executables_root=ROOT, task_startup_timeout="10")},
            "startup-timeout",
            "is '10' and not a number",
        ),
        (
            "3.3",
            {"sdk__coordinators": coordinator(executables_root=ROOT, task_startup_timeout=0)},
            "startup-timeout",
            "is 0 seconds, within which no bundle connects",
        ),
        (
            "3.4",
            {"sdk__coordinators": coordinator(task_handler_bundle_name="natve")},
            "dag-bundle",
            "'natve', which is no bundle in [dag_processor] dag_bundle_config_list",
        ),
        ("3.4", {"dag_processor__dag_bundle_config_list": "{}"}, "dag-bundle", "is no list of objects"),
        ("3.4", {"dag_processor__dag_bundle_config_list": "["}, "dag-bundle", "it is not JSON"),
    ],
)
def test_a_setting_that_airflow_cannot_use_is_named(
    root: Path, airflow: str, changes: dict[str, Any], code: str, told: str
) -> None:
    root.rmdir()  # nothing but the settings is in question
    diagnosis = ask(root, airflow, configuration=configured(root, airflow, **changes))
    [problem] = [finding for finding in diagnosis.findings if finding.code != "root"]
    assert problem.code == code
    assert told in problem.what
    assert problem.remedy
    assert "[sdk]" in problem.where or "AIRFLOW__SDK__" in problem.where


def test_a_queue_that_is_not_routed_is_named(put: Put, root: Path) -> None:
    put()
    problem = problem_of(ask(root, queues=("native", "gpu")))
    assert problem.code == "queue-not-routed"
    assert "the queue 'gpu' is not routed, so Airflow runs its tasks in its own Python" in problem.what
    assert problem.remedy == 'add "gpu": "outboard"'


def test_a_queue_that_is_routed_to_another_language_is_named(put: Put, root: Path) -> None:
    put()
    java = {"java": {"classpath": "airflow.sdk.coordinators.java.JavaCoordinator", "kwargs": {"jars_root": ["/jars"]}}}
    both = coordinator(executables_root=[str(root)]) | java
    routes = {"native": "outboard", "jvm": "java"}
    changed = configured(root, sdk__coordinators=both, sdk__queue_to_coordinator=routes)
    assert ask(root, configuration=changed).is_healthy
    problem = problem_of(ask(root, configuration=changed, queues=("jvm",)))
    assert "the queue 'jvm' is routed to 'java', which runs no bundles" in problem.what


def test_a_class_of_ones_own_is_left_alone(root: Path) -> None:
    changed = configured(root, sdk__coordinators=coordinator("mine.Coordinator", anything=1))
    [note] = ask(root, configuration=changed).findings
    assert (note.code, note.severity) == ("classpath", "note")


def test_a_dag_bundle_that_is_fetched_from_elsewhere_cannot_be_looked_into(put: Put, root: Path) -> None:
    put()
    listed = [{"name": "outboard", "classpath": "airflow.providers.git.bundles.git.GitDagBundle", "kwargs": {}}]
    changed = configured(root, "3.4", dag_processor__dag_bundle_config_list=listed)
    diagnosis = ask(root, "3.4", configuration=changed)
    [note] = diagnosis.findings
    assert (note.code, note.severity) == ("dag-bundle", "note")
    assert "is a GitDagBundle, whose files are not here" in note.what
    assert [finding.code for finding in ask(root, "3.4", configuration=changed, root=root).findings] == ["dag-bundle"]


def test_without_a_name_airflow_3_4_looks_into_the_dags_own_bundle(put: Put, root: Path) -> None:
    put()
    changed = configured(
        root,
        "3.4",
        sdk__coordinators=coordinator(),
        dag_processor__dag_bundle_config_list="",
        core__dags_folder=str(root),
    )
    diagnosis = ask(root, "3.4", configuration=changed, dag_id="hello")
    assert diagnosis.is_healthy
    assert diagnosis.look_ups[0].roots == (str(root),)


def test_a_broken_airflow_cfg_is_named(root: Path) -> None:
    home = root.parent / "home"
    home.mkdir()
    (home / "airflow.cfg").write_text("nonsense\n")
    diagnosis = ask(root, configuration=Configuration.of({"AIRFLOW_HOME": str(home)}))
    assert codes(diagnosis) == ["airflow-cfg", "coordinators"]
    assert diagnosis.findings[0].where == str(home / "airflow.cfg")


def test_a_version_that_is_not_known_is_refused(root: Path) -> None:
    with pytest.raises(UsageError, match=r"--airflow 3.2: outboard knows 3.3 and 3.4"):
        Question(airflow="3.2", configuration=configured(root))


def test_a_user_that_is_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match="there is no such user here; give its number"):
        worker("no-such-user-here")
