"""What a user writes on the command line, to what the local store takes. Pure; errors name the option and what it got."""

from __future__ import annotations

import json
from collections.abc import Sequence

from outboard.errors import SerializationError, UsageError
from outboard.protocol import messages as m
from outboard.protocol.codec import check_json
from outboard.sdk.connection import Connection
from outboard.sdk.exceptions import AirflowException

__all__ = ("parse_answers", "parse_conf", "parse_connections", "parse_events", "parse_user", "parse_variables")

_SHAPES = {
    "--var": "KEY=VALUE",
    "--conn": "ID=URI or ID=JSON",
    "--answer": "TASK_ID=OPTION or TASK_ID=JSON",
    "--trigger-event": "JSON or TASK_ID=JSON",
}


def parse_variables(options: Sequence[str]) -> dict[str, str]:
    """Read ``--var KEY=VALUE`` options; the last of several with one key wins.

    Raises:
        UsageError: one has no key or no ``=``.
    """
    return dict(_pair("--var", option) for option in options)


def parse_connections(options: Sequence[str]) -> dict[str, m.ConnectionResult]:
    """Read ``--conn ID=URI`` options, where a JSON object may stand for the URI, in Airflow's form of either.

    Raises:
        UsageError: one has no id, or what follows it is no connection.
    """
    return {conn_id: _connection(conn_id, text) for conn_id, text in (_pair("--conn", option) for option in options)}


def parse_conf(text: str | None) -> dict[str, object] | None:
    """Read ``--conf``: a JSON object.

    Raises:
        UsageError: it is no JSON, no object, or holds what no message can carry.
    """
    if text is None:
        return None
    conf = _json("--conf", text)
    if not isinstance(conf, dict):
        raise UsageError(f"--conf must be a JSON object, such as '{{\"day\": 3}}', not {text}")
    _check("--conf", conf)
    return conf


def parse_events(options: Sequence[str]) -> tuple[dict[str, list[object]], list[object]]:
    """Read ``--trigger-event JSON`` options, each for all tasks, and ``--trigger-event TASK_ID=JSON``, for one.

    Returns:
        The events of single tasks by task id, and those of all others, in order.

    Raises:
        UsageError: one is no JSON, or holds what no message can carry.
    """
    by_task: dict[str, list[object]] = {}
    for_all: list[object] = []
    for option in options:
        try:
            # A task's id is no JSON, so what is JSON is no task's.
            event, events = json.loads(option), for_all
        except (ValueError, RecursionError):
            task_id, text = _pair("--trigger-event", option)
            event, events = _json(f"--trigger-event {task_id}", text), by_task.setdefault(task_id, [])
        _check("--trigger-event", event)
        events.append(event)
    return by_task, for_all


def parse_answers(options: Sequence[str]) -> dict[str, str]:
    """Read ``--answer TASK_ID=OPTION`` options; what an answer means, the question decides. The last one of a task wins.

    Raises:
        UsageError: one has no task id or no ``=``.
    """
    return dict(_pair("--answer", option) for option in options)


def parse_user(option: str | None, default: str) -> tuple[str, str]:
    """Read ``--as-user ID[=NAME]``.

    Returns:
        The id and the name; without the option the default for both.

    Raises:
        UsageError: there is no id.
    """
    user_id, mark, name = (default if option is None else option).partition("=")
    if not user_id:
        raise UsageError(f"--as-user {option}: write it as --as-user ID or ID=NAME")
    return user_id, name if mark and name else user_id


def _json(what: str, text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{what} is not JSON: {error}") from error


def _check(what: str, value: object) -> None:
    try:
        check_json(value, what)  # Python reads a little more than JSON, and more than a message can carry
    except SerializationError as error:
        raise UsageError(str(error)) from error


def _pair(option: str, text: str) -> tuple[str, str]:
    key, mark, value = text.partition("=")
    if not key or not mark:
        raise UsageError(f"{option} {text}: write it as {option} {_SHAPES[option]}")
    return key, value


def _connection(conn_id: str, text: str) -> m.ConnectionResult:
    try:
        found = _parsed(conn_id, text)
    except json.JSONDecodeError as error:
        raise UsageError(f"--conn {conn_id}: what follows it is not JSON: {error}") from error
    except (ValueError, TypeError, AirflowException) as error:
        raise UsageError(f"--conn {conn_id}: no connection: {error}") from error
    if not found.conn_type:
        raise UsageError(f"--conn {conn_id}: no type; write it as {conn_id}=TYPE://host, or give a JSON conn_type")
    return m.ConnectionResult(
        conn_id=conn_id,
        conn_type=found.conn_type,
        host=found.host,
        schema=found.schema,
        login=found.login,
        password=found.password,
        port=found.port,
        extra=found.extra,
    )


def _parsed(conn_id: str, text: str) -> Connection:
    if text.lstrip().startswith("{"):
        return Connection.from_json(text, conn_id)
    return Connection.from_uri(text, conn_id)
