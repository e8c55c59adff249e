"""What a test gives a task to find: variables, connections and XComs, in the forms that are easy to write, checked.

Must not know where they are kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outboard.errors import UsageError
from outboard.protocol import serde
from outboard.sdk.connection import Connection
from outboard.sdk.dag import DAG
from outboard.sdk.exceptions import AirflowException
from outboard.sdk.xcom_arg import XCOM_RETURN_KEY
from outboard.supervisor.ports import UNMAPPED, XComKey
from outboard.testing.run_facts import Facts

__all__ = ("read_connections", "read_variables", "read_xcoms")


def read_variables(variables: Mapping[str, str] | None) -> dict[str, str | None]:
    """Check variables: texts by key.

    Raises:
        UsageError: something else.
    """
    given = _mapping("variables", variables)
    for key, value in given.items():
        if not isinstance(key, str) or not isinstance(value, str):
            raise UsageError(
                f"variables: a variable is a text under a key, and {key!r} is {value!r}; "
                "write what is read with deserialize_json as JSON text: json.dumps(…)"
            )
    return given


def read_connections(connections: Mapping[str, Connection | str] | None) -> dict[str, Connection]:
    """Read connections by id: each as it is, as its URI, or as JSON text in Airflow's form.

    Raises:
        UsageError: one is none.
    """
    return {conn_id: _connection(conn_id, value) for conn_id, value in _mapping("connections", connections).items()}


def _connection(conn_id: object, value: object) -> Connection:
    label = f"connections: {conn_id!r}"
    if not isinstance(conn_id, str) or not isinstance(value, (Connection, str)):
        raise UsageError(f"{label} is {value!r}, and should be a Connection, its URI, or JSON text")
    if isinstance(value, Connection):
        found = value
        if found.conn_id != conn_id:
            raise UsageError(f"{label} is a connection with another id, {found.conn_id!r}")
    else:
        parse = Connection.from_json if value.lstrip().startswith("{") else Connection.from_uri
        try:
            found = parse(value, conn_id)
        except (ValueError, TypeError, AirflowException) as error:
            raise UsageError(f"{label} is no connection: {error}") from error
    if not found.conn_type:
        raise UsageError(f"{label} has no type; write its URI as TYPE://host, or give it a conn_type")
    return found


def read_xcoms(xcoms: Mapping[Any, Any] | None, facts: Facts) -> dict[tuple[XComKey, int], Any]:
    """Read the XComs that there are in the run: values by task id, by (task id, key) or by (task id, key, map index).

    Returns:
        Encoded values, by where they stand.

    Raises:
        UsageError: a key is none, or names no task of the Dag.
        SerializationError: a value has no encoding.
    """
    found = {}
    for key, value in _mapping("xcoms", xcoms).items():
        task_id, name, map_index = _place(key)
        dag = facts.task.declaration
        if facts.task.is_declared and isinstance(dag, DAG) and not dag.has_task(task_id):
            known = ", ".join(map(repr, dag.task_ids))
            raise UsageError(f"xcoms: Dag {dag.dag_id!r} has no task {task_id!r}; its tasks: {known}")
        place = XComKey(dag_id=facts.key.dag_id, run_id=facts.key.run_id, task_id=task_id, key=name)
        found[place, map_index] = serde.serialize(value, f"xcoms[{key!r}]")
    for name, (task_id, value) in facts.arguments.items():
        place = XComKey(dag_id=facts.key.dag_id, run_id=facts.key.run_id, task_id=task_id, key=XCOM_RETURN_KEY)
        found[place, UNMAPPED] = serde.serialize(value, f"context.arguments.{name}")
    return found


def _place(key: object) -> tuple[str, str, int]:
    match key:
        case str():
            return key, XCOM_RETURN_KEY, UNMAPPED
        case (str() as task_id, str() as name):
            return task_id, name, UNMAPPED
        case (str() as task_id, str() as name, int() as map_index):
            return task_id, name, map_index
    raise UsageError(f"xcoms: a key is a task's id, (task id, XCom key) or (task id, XCom key, map index), not {key!r}")


def _mapping(name: str, given: Any) -> dict[Any, Any]:
    if given is not None and not isinstance(given, Mapping):
        raise UsageError(f"{name} is a dict, not {given!r}")
    return dict(given or {})
