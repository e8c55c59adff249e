"""What a stub task is called with in its Dag reaches the handler's parameters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outboard.protocol import messages as m
from tests.runtime.child import Child

HANDLERS = """
from outboard import TaskRegistry, BaseOperator, task
handlers = TaskRegistry()

@handlers.task("example", "plain")
def plain(rows, limit=10, *, ds=None):
    return [rows, limit, ds]

@handlers.task("example", "by_position")
def by_position(rows, /, limit):
    return [rows, limit]

@handlers.task("example", "anything")
def anything(**given):
    return [given["rows"], given["limit"]]

@handlers.task("example", "waits")
@task.sensor
def waits(rows):
    return rows == "stored"

class Loads(BaseOperator):
    def execute(self, context):
        return "loaded"

handlers.register("example", "loads", Loads(task_id="loads"))
"""

ROWS = m.XComArgBinding(name="rows", kind="xcom", task_id="extract")
LIMIT = m.LiteralArgBinding(name="limit", kind="literal", value=3)


def run(folder: Path, task_id: str, *bindings: Any) -> tuple[Any, Child]:
    with Child(folder, HANDLERS, schema="2026-10-30") as child:
        child.answers["GetXCom"] = lambda request: m.XComResult(
            key=request.key, value="stored" if request.task_id == "extract" else None
        )
        report = child.run(task_id, arg_bindings=list(bindings))
    return report, child


def pushed(child: Child) -> Any:
    return next(request.value for request in child.requests if isinstance(request, m.SetXCom))


@pytest.mark.parametrize(
    ("task_id", "expected"),
    [("plain", ["stored", 3, "2026-01-01"]), ("by_position", ["stored", 3]), ("anything", ["stored", 3])],
)
def test_values_and_results_arrive_by_name(task_id: str, expected: object, tmp_path: Path) -> None:
    report, child = run(tmp_path, task_id, ROWS, LIMIT)
    assert (report.state, pushed(child)) == ("success", expected)


def test_a_sensor_gets_its_arguments_too(tmp_path: Path) -> None:
    assert run(tmp_path, "waits", ROWS)[0].state == "success"


def test_a_task_that_returned_nothing_gives_none(tmp_path: Path) -> None:
    nothing = m.XComArgBinding(name="rows", kind="xcom", task_id="returns_nothing")
    assert pushed(run(tmp_path, "plain", nothing)[1])[0] is None


def test_what_the_dag_does_not_give_keeps_the_handlers_default(tmp_path: Path) -> None:
    assert pushed(run(tmp_path, "plain", ROWS)[1])[:2] == ["stored", 10]


@pytest.mark.parametrize(
    ("task_id", "text"),
    [("plain", "the handler's parameters are 'rows', 'limit', 'ds'"), ("loads", "the handler takes no arguments")],
)
def test_an_argument_that_the_handler_has_no_parameter_for_is_an_error_that_names_both(
    task_id: str, text: str, tmp_path: Path
) -> None:
    colour = m.LiteralArgBinding(name="colour", kind="literal", value="red")
    report, child = run(tmp_path, task_id, colour)
    [error] = [record for record in child.said() if record["level"] == "error"]
    assert report.state == "failed"
    assert "is given 'colour' by its Dag" in str(error)
    assert text in str(error)


def test_a_default_of_the_stubs_that_the_handler_does_not_know_is_left_out(tmp_path: Path) -> None:
    colour = m.LiteralArgBinding(name="colour", kind="literal", value="red", from_default=True)
    assert pushed(run(tmp_path, "plain", ROWS, colour)[1])[:2] == ["stored", 10]
    assert run(tmp_path, "loads", colour)[0].state == "success"
