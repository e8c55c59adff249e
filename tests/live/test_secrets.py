"""What a task learns in confidence stands in no log, whatever the task does with it, and Airflow's supervisor knows of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

WAREHOUSE = {
    **{"conn_type": "http", "host": "db.example", "login": "reader", "password": "pass-of-the-warehouse"},
    "extra": '{"api_key": "key-of-the-warehouse", "zone": "north"}',
}
TOKEN = "token-of-the-service"

SECRETS = {
    "password": WAREHOUSE["password"],
    "extra": "key-of-the-warehouse",
    "variable": TOKEN,
    "derived": WAREHOUSE["password"][::-1],
    "named": "open-sesame-7",
}


def told(airflow: AirflowSupervisor, source: str) -> TaskReport:
    context = {"dag_run": {"conf": {"source": source}}}
    known = {"connections": {"warehouse": WAREHOUSE}, "variables": {"service_token": TOKEN}}
    return airflow.run("discreet", "tells", context=context, **known)


@pytest.mark.parametrize("source", SECRETS)
def test_a_secret_is_masked_in_whatever_a_task_says(airflow: AirflowSupervisor, source: str) -> None:
    report = told(airflow, source)
    assert report.outcome == (0, "failed", ["failed"])
    assert SECRETS[source] not in json.dumps(report.log)
    assert {record["event"] for record in report.log if "***" in record["event"]} == {
        *("printed: ***", "in pieces: ***", "to stderr: ***", "logged: ***"),
        *("written: ***", "written in pieces: ***", "by a command: ***"),
    }
    assert report.record(event="logged: ***")["field"] == {"deep": ["***"]}
    assert report.record(event="structured")["field"] == "***"
    assert report.record(event="caught")["error_detail"][0]["exc_value"] == "***"
    last = report.record(event="the task raised an exception")["error_detail"][0]
    assert last["exc_value"] == "*** was refused"


@pytest.mark.parametrize("source", ["derived", "named"])
def test_a_secret_that_the_task_declares_is_known_to_the_supervisor(airflow: AirflowSupervisor, source: str) -> None:
    told(airflow, source)
    assert airflow.redacted(f"host db.example, {SECRETS[source]}") == "host db.example, ***"


def test_the_page_of_a_task_shows_its_arguments_without_secrets(airflow: AirflowSupervisor) -> None:
    report = airflow.run("discreet", "takes", xcoms={"earlier/return_value": [1, 2]})
    assert (report.outcome, report.pushed) == ((0, "success", ["success"]), {"return_value": [1, 2]})
    [shown] = report.bodies("PUT /task-instances/{id}/rtif")
    assert shown["op_args"] == [[1, 2], "a ***"]
    assert shown["op_kwargs"] == {"api_key": "***", "options": {"password": "***", "n": 1}}
