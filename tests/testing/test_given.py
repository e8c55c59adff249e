"""The forms in which variables, connections and XComs are given, and how wrong ones are told."""

from __future__ import annotations

from typing import Any

import pytest

from outboard import DAG, Connection, task
from outboard.errors import UsageError
from outboard.testing import run_task

with DAG("sales") as sales:
    task(task_id="extract")(lambda: 3)()
    task(task_id="load")(lambda: 4)()


def body() -> None: ...


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"a": 3}, r"'a' is 3; write what is read with deserialize_json as JSON text"),
        ({"a": {"b": 1}}, r"'a' is \{'b': 1\}"),
        ({"a": None}, "'a' is None"),
        ({3: "a"}, "3 is 'a'"),
        (["a=b"], r"variables is a dict, not \['a=b'\]"),
    ],
)
def test_variables_that_are_none_are_an_error(variables: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run_task(body, variables=variables)


@pytest.mark.parametrize(
    ("connections", "said"),
    [
        ({"db": 3}, "'db' is 3, and should be a Connection, its URI, or JSON text"),
        ({3: "postgres://host"}, "3 is 'postgres://host'"),
        ({"db": "no uri"}, "'db' (is no connection|has no type)"),
        ({"db": "{no json"}, "'db' is no connection"),
        ({"db": '{"hots": "a"}'}, "'db' is no connection: .*hots"),
        ({"db": "postgres://host:port"}, "'db' is no connection: .*port"),
        ({"db": Connection(conn_id="other", conn_type="postgres")}, "'db' is a connection with another id, 'other'"),
        ({"db": Connection(conn_id="db", host="h")}, "'db' has no type"),
        ("db", "connections is a dict, not 'db'"),
    ],
)
def test_connections_that_are_none_are_an_error(connections: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run_task(body, connections=connections)


@pytest.mark.parametrize(
    ("xcoms", "said"),
    [
        ({3: 4}, r"a key is a task's id, \(task id, XCom key\) or \(task id, XCom key, map index\), not 3"),
        ({("a",): 4}, r"not \('a',\)"),
        ({("a", "b", "c"): 4}, r"not \('a', 'b', 'c'\)"),
        ({("a", "b", 1, 2): 4}, "not"),
        ({("a", 1): 4}, "not"),
        ([("a", 1)], "xcoms is a dict, not"),
    ],
)
def test_xcoms_that_are_none_are_an_error(xcoms: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        run_task(body, xcoms=xcoms)


def test_an_xcom_of_a_task_that_the_dag_has_not_is_an_error() -> None:
    with pytest.raises(UsageError, match="xcoms: Dag 'sales' has no task 'extrac'; its tasks: 'extract', 'load'"):
        run_task(sales.get_task("load"), xcoms={"extrac": 3})
    assert run_task(sales.get_task("load"), xcoms={"extract": 3}).value == 4
