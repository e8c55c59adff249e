"""What of a worker's environment a task does not find."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from outboard.runtime.environment import drop_secrets, is_secret, variables
from tests.runtime.child import Child
from tests.runtime.test_task_runner import source

SECRETS = [
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_ENGINE_ARGS",
    "AIRFLOW__CORE__SQL_ALCHEMY_CONN",
    "AIRFLOW__CORE__FERNET_KEY",
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__WEBSERVER__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__API_AUTH__JWT_PRIVATE_KEY_PATH",
    "AIRFLOW__CELERY__BROKER_URL",
    "AIRFLOW__CELERY__RESULT_BACKEND",
    "AIRFLOW__CELERY__CELERY_RESULT_BACKEND",
    "AIRFLOW__CELERY__FLOWER_BASIC_AUTH",
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__SENTINEL_KWARGS",
    "AIRFLOW__SECRETS__BACKEND_KWARGS",
    "AIRFLOW__SECRETS__BACKEND_KWARG__ROLE_ID",
    "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARGS",
    "AIRFLOW__WORKERS__SECRETS_BACKEND_KWARG__TOKEN",
    "AIRFLOW__SENTRY__SENTRY_DSN",
    "AIRFLOW__SMTP__SMTP_PASSWORD",
    "AIRFLOW_CONN_AIRFLOW_DB",
    "_AIRFLOW_WWW_USER_PASSWORD",
]

FOR_TASKS = [
    "PATH",
    "HOME",
    "AIRFLOW_HOME",
    "AIRFLOW_CONN_WAREHOUSE",
    "AIRFLOW_VAR_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "DATABASE_URL",
    "AIRFLOW__API__BASE_URL",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__LOGGING__LOGGING_LEVEL",
    "AIRFLOW__LOGGING__NAMESPACE_LEVELS",
    "AIRFLOW__SMTP__SMTP_HOST",
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL",
    "SQL_ALCHEMY_CONN",
    "AIRFLOW__",
    "AIRFLOW__TEAM___",
]

# What the child harness cannot do without, and an answer that has no secret's value in it either way.
PLANTED = {**dict.fromkeys(SECRETS, "p1anted"), "AIRFLOW_VAR_REGION": "north"}

TELLS_WHAT_IT_FINDS = """
def body():
    import os, subprocess, sys
    def planted(environment):
        return sorted(name for name, value in environment.items() if value == "p1anted")
    def forked():
        reading, writing = os.pipe()
        if not os.fork():
            os.write(writing, " ".join(planted(os.environ)).encode())
            os._exit(0)
        os.close(writing)
        return os.read(reading, 1 << 16).decode().split()
    command = "import os; print(*[name for name, value in os.environ.items() if value == 'p1anted'])"
    spawned = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True)
    shell = subprocess.run("env", shell=True, capture_output=True, text=True, check=True)
    return {
        "own": planted(os.environ),
        "forked": forked(),
        "spawned": spawned.stdout.split(),
        "shell": [line for line in shell.stdout.splitlines() if line.endswith("=p1anted")],
        "kept": os.environ["AIRFLOW_VAR_REGION"],
    }
"""


@pytest.mark.parametrize("name", SECRETS)
def test_a_workers_own_secret_is_dropped(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    before = dict(os.environ)
    monkeypatch.setenv(name, "p1anted")
    assert drop_secrets() == [name]
    assert dict(os.environ) == before
    assert subprocess.run(["/bin/sh", "-c", "export -p"], capture_output=True, check=True).stdout.count(b"p1anted") == 0


@pytest.mark.parametrize("name", FOR_TASKS)
def test_what_is_there_for_tasks_stays(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "kept")
    before = dict(os.environ)
    assert drop_secrets() == []
    assert dict(os.environ) == before == variables()


def test_bytes_that_are_no_text_are_those_of_the_os_module(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environb, b"\xff\xfe", b"\xff=\xc3")
    assert variables() == dict(os.environ)


@pytest.mark.parametrize("ending", ["_CMD", "_SECRET"])
@pytest.mark.parametrize(
    "name",
    ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__CORE__FERNET_KEY", "AIRFLOW__API__SECRET_KEY"],
)
def test_the_way_to_a_secret_is_dropped_as_well(name: str, ending: str) -> None:
    assert is_secret(name + ending)


@pytest.mark.parametrize("name", [name for name in SECRETS if name.startswith("AIRFLOW__")])
def test_the_secrets_of_a_team_are_dropped_as_well(name: str) -> None:
    assert is_secret(name.replace("AIRFLOW__", "AIRFLOW__BLUE___", 1))


def test_the_configuration_of_a_team_stays() -> None:
    assert not is_secret("AIRFLOW__BLUE___CORE__EXECUTOR")


def test_neither_a_task_nor_a_process_that_it_starts_finds_a_secret(tmp_path: Path) -> None:
    with Child(tmp_path, source(TELLS_WHAT_IT_FINDS), env={**os.environ, **PLANTED}) as child:
        child.run()
        [found] = [each.value for each in child.requests if type(each).__name__ == "SetXCom"]
    assert found == {"own": [], "forked": [], "spawned": [], "shell": [], "kept": "north"}


def test_a_secret_is_gone_before_the_authors_file_is_loaded(tmp_path: Path) -> None:
    module = "import os\nfound = os.environ.get('AIRFLOW__CORE__FERNET_KEY', 'nothing')\n" + source(
        "def body():\n    return found"
    )
    with Child(tmp_path, module, env={**os.environ, **PLANTED}) as child:
        child.run()
        [found] = [each.value for each in child.requests if type(each).__name__ == "SetXCom"]
    assert found == "nothing"


def test_the_names_that_were_withheld_are_told_at_level_debug_and_no_value(tmp_path: Path) -> None:
    environment = {**os.environ, **PLANTED, "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"}
    with Child(tmp_path, source("def body():\n    pass"), env=environment) as child:
        child.run()
    [told] = [text for text in child.logged("outboard") if "withheld" in text]
    assert all(name in told for name in SECRETS)
    assert "p1anted" not in str(child.records)
