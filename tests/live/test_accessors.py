"""Variables and connections by way of the context, under the real supervisor of an unmodified Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.live.supervisor import AirflowSupervisor, TaskReport

pytestmark = pytest.mark.live

VARIABLES = {"region": "eu", "limits": '{"rows": 5}', "my.dotted.key": "dotted"}
WAREHOUSE = {
    "conn_type": "postgres",
    "host": "db.example",
    "port": 5432,
    "login": "reader",
    "extra": '{"sslmode": "require"}',
}


def run(airflow: AirflowSupervisor, task_id: str) -> tuple[Any, TaskReport]:
    report = airflow.run("accessors", task_id, variables=VARIABLES, connections={"warehouse": WAREHOUSE})
    assert report.outcome == (0, "success", ["success"]), report.log
    [value] = report.bodies(f"POST /xcoms/accessors/live/{task_id}/return_value")
    return value, report


def test_variables_and_connections_are_read_by_name(airflow: AirflowSupervisor) -> None:
    value, report = run(airflow, "reads_by_name")
    assert value == ["eu", 5, "db.example", "none"]
    gets = ["variables/region", "variables/limits", "connections/warehouse", "connections/absent"]
    assert report.told[:4] == [f"GET /{what}" for what in gets]


def test_names_may_have_dots_and_defaults(airflow: AirflowSupervisor) -> None:
    value, _ = run(airflow, "reads_from_the_whole_context")
    assert value == ["dotted", "else", {"rows": 5}]


def test_a_variable_is_written_listed_and_deleted(airflow: AirflowSupervisor) -> None:
    value, report = run(airflow, "keeps_variables")
    assert "limits" in value  # the script does not look at the prefix
    assert report.bodies("PUT /variables/limits") == [{"val": '{\n  "rows": 5\n}', "description": "how much"}]
    [listing] = [call for call in report.calls if call.path == "/variables/keys"]
    assert listing.params["prefix"] == "lim"
    assert "DELETE /variables/limits" in report.told


def test_a_connection_has_a_uri_and_extras(airflow: AirflowSupervisor) -> None:
    value, _ = run(airflow, "shows_a_connection")
    assert value == ["postgres://reader@db.example:5432/?sslmode=require", {"sslmode": "require"}, 5432]
