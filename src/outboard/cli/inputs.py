"""What a user writes on the command line, to what the local store takes. Pure; errors name the option and what it got."""

from __future__ import annotations

import json
from collections.abc import Sequence

from outboard.errors import SerializationError, UsageError
from outboard.protocol import messages as m
from outboard.protocol.codec import check_json
from outboard.sdk.connection import Connection
from outboard.sdk.exceptions import AirflowException

__all__ = ("parse_conf", "parse_connections", "parse_variables")

_SHAPES = {"--var": "KEY=VALUE", "--conn": "ID=URI or ID=JSON"}


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
    try:
        conf = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"--conf is not JSON: {error}") from error
    if not isinstance(conf, dict):
        raise UsageError(f"--conf must be a JSON object, such as '{{\"day\": 3}}', not {text}")
    try:
        check_json(conf, "--conf")  # Python reads a little more than JSON, and more than a message can carry
    except SerializationError as error:
        raise UsageError(str(error)) from error
    return conf


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
