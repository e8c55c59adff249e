"""``outboard airflow``: what is printed, where to, and the exit code."""

from __future__ import annotations

import ast
import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.airflow.breaking import DAGS, OUTBOARD, pack

SECONDS = 60
HANDLERS = """\
from outboard import TaskRegistry

registry = TaskRegistry()


@registry.task(dag_id="theirs")
def loads(): ...
"""


def airflow(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command in an environment that has no configuration but what is given."""
    command = [OUTBOARD, "airflow", *map(str, arguments)]
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    variables = {**ours, "AIRFLOW_HOME": "/nowhere", **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, env=variables, check=False)


@pytest.fixture(scope="module")
def hello(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest Dag in a folder of its own."""
    return pack(DAGS / "hello.py", tmp_path_factory.mktemp("bundles") / "hello")


def test_the_printed_settings_make_the_doctor_content(hello: Path, tmp_path: Path) -> None:
    printed = airflow("config", "--airflow", "3.3", "--root", hello.parent, "--queue", "native")
    assert (printed.returncode, printed.stderr) == (0, "")
    file = tmp_path / "airflow.env"
    file.write_text(printed.stdout)
    asked = airflow("doctor", "--airflow", "3.3", "--env", file, "--dag-id", "hello", "--queue", "native")
    assert asked.returncode == 0, asked.stdout
    look_up, verdict = asked.stdout.splitlines()
    assert look_up.startswith(f"look-up: {hello.parent}: 1 bundle with 1 Dag; to find one takes up to ")
    assert verdict == "healthy"


def test_the_doctor_reads_the_environment_and_tells_each_problem_in_one_line(hello: Path) -> None:
    asked = airflow("doctor", "--airflow", "3.3", AIRFLOW__SDK__COORDINATORS="{")
    assert asked.returncode == 1
    line, verdict = asked.stdout.splitlines()
    assert line.startswith("problem: AIRFLOW__SDK__COORDINATORS: it is not JSON")
    assert verdict == "1 problem"


def test_the_doctor_prints_one_json_document(hello: Path) -> None:
    asked = airflow("doctor", "--airflow", "3.3", "--root", hello.parent, "--dag-id", "nightly", "--json")
    assert asked.returncode == 1
    document = json.loads(asked.stdout)
    assert document["healthy"] is False
    note, problem = document["findings"]
    assert (note["code"], note["severity"]) == ("coordinators", "note")
    assert problem == {
        "code": "dag-id-unknown",
        "severity": "problem",
        "where": str(hello.parent),
        "what": "no usable bundle here has the Dag 'nightly'; there are: hello",
        "remedy": "deploy its bundle there, and see the problems above",
    }
    [look_up] = document["look_ups"]
    assert look_up["dag_ids"] == ["hello"]
    assert look_up["first_cpu_ms"] >= look_up["next_cpu_ms"] > 0


def test_a_stub_is_written_from_what_the_bundle_answers(hello: Path, tmp_path: Path) -> None:
    output = tmp_path / "hello_stub.py"
    done = airflow("stub", hello, "-o", output, "--queue", "native")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", f"{output}: hello\n")
    source = output.read_text()
    functions = [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    assert functions == ["greet", "shout"]
    assert source.count('queue="native"') == 2
    assert "greet_task >> shout_task" in source
    again = tmp_path / "again.py"
    airflow("stub", hello, "-o", again, "--queue", "native")
    assert again.read_bytes() == output.read_bytes()


def test_a_stub_of_handlers_names_their_dag(tmp_path: Path) -> None:
    author = tmp_path / "handlers.py"
    author.write_text(HANDLERS)
    output = tmp_path / "stub.py"
    done = airflow("stub", pack(author, tmp_path / "handlers"), "-o", output)
    assert done.returncode == 0, done.stderr
    assert 'with DAG("theirs", schedule=None):' in output.read_text()


def test_a_pod_template_is_written_where_the_settings_say(tmp_path: Path) -> None:
    template = tmp_path / "pod.yaml"
    common = ("--airflow", "3.3", "--root", "/srv/bundles", "--queue", "native", "--executor", "kubernetes")
    done = airflow("config", *common, "--bundles-image", "registry.example/b:1", "--pod-template", template)
    assert done.returncode == 0, done.stderr
    assert json.dumps(str(template)) in done.stdout
    pod = yaml.safe_load(template.read_text())
    assert pod["spec"]["initContainers"][0]["image"] == "registry.example/b:1"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("config", "--airflow", "3.3", "--root", "here", "--queue", "q"), "--root here: give an absolute path"),
        (("config", "--airflow", "3.2", "--root", "/b", "--queue", "q"), 'Invalid value "3.2" for --airflow'),
        (
            ("config", "--airflow", "3.3", "--root", "/b", "--queue", "q", "--executor", "kubernetes"),
            "--executor kubernetes needs --pod-template FILE",
        ),
        (
            ("config", "--airflow", "3.3", "--root", "/b", "--queue", "q", "--pod-template", "/p.yaml"),
            "--pod-template is for --executor kubernetes",
        ),
        (("stub", "/nowhere/bundle", "-o", "/tmp/stub.py"), "/nowhere/bundle: there is no such bundle"),
        (("doctor", "--airflow", "3.3", "--env", "/nowhere/env"), "--env /nowhere/env: it cannot be read"),
        (("doctor", "--airflow", "3.3", "--user", "no-such-user"), "--user no-such-user: there is no such user here"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(arguments: tuple[str, ...], told: str) -> None:
    done = airflow(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    [line] = done.stderr.splitlines()
    assert line.startswith(f"outboard: {told}")
