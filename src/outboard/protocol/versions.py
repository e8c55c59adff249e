"""The dates of the supervisor schema, and what a message of the newest one becomes on the wire of an older one.

A bundle is stamped with one date, and its supervisor speaks that date to it. Each date has only added to the one before
(the generator of the catalogue sees to that), so migration is leaving things out. What a supervisor leaves out, an older
runtime could not have used. What a runtime would have to leave out is different: somebody asked for it, so that is an error,
and it says which Airflow has it.
"""

from __future__ import annotations

from outboard.errors import InvalidMessageError
from outboard.protocol import messages

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ("AIRFLOW", "DEFAULT_SCHEMA", "LATEST_SCHEMA", "check_request", "migrate_down")

LATEST_SCHEMA = messages.SCHEMA_DATES[-1]

# Which Airflow brought each date, and takes it ever since.
AIRFLOW = {"2026-06-16": "3.3", "2026-10-30": "3.4"}

# Every Airflow that has a coordinator takes the first date; a newer stamp is refused by an older Airflow.
DEFAULT_SCHEMA = messages.SCHEMA_DATES[0]


def check_request(name: str, body: dict[str, object], schema: str) -> None:
    """Make a request of ours fit a schema date: fields that it lacks go, as long as they say nothing.

    Args:
        name: the message's type.
        body: its map, changed in place.
        schema: the date that the bundle is stamped with.

    Raises:
        InvalidMessageError: the message, or a field that has a value, is newer than the date.
    """
    for date in messages.SCHEMA_DATES:
        if date <= schema or name not in messages.ADDED.get(date, ()):
            continue
        fields = messages.ADDED[date][name]
        if fields is None:
            raise InvalidMessageError(name, "", _newer(date, schema))
        defaults = {field: default for field, _, _, default in messages.definition(name).spec}
        for field in fields:
            if body.get(field) not in (None, defaults[field]):
                raise InvalidMessageError(name, field, _newer(date, schema))
            body.pop(field, None)


def migrate_down(name: str, body: dict[str, Any], schema: str) -> None:
    """Take out of a body, at every depth, what a schema date does not know yet.

    Args:
        name: the definition that the body is of.
        body: its map, changed in place.
        schema: the date that the receiver is stamped with.
    """
    for date in messages.SCHEMA_DATES:
        if date > schema:
            for field in messages.ADDED[date].get(name) or ():
                body.pop(field, None)
    for field, kind, _, _ in messages.definition(name).spec:
        if body.get(field) is not None:
            _migrate_value(kind, body[field], schema)


def _migrate_value(kind: Any, value: Any, schema: str) -> None:
    head = kind[0] if isinstance(kind, tuple) else ""
    if head == "optional":
        _migrate_value(kind[1], value, schema)
    elif head == "ref" and isinstance(value, dict):
        migrate_down(kind[1], value, schema)
    elif head == "list":
        for item in value:
            _migrate_value(kind[1], item, schema)
    elif head == "union" and isinstance(value, dict) and value.get("type") in messages.MESSAGES:
        # The members of a union of structures are told apart by their type.
        migrate_down(value["type"], value, schema)


def _newer(date: str, schema: str) -> str:
    return (
        f"this needs Airflow {AIRFLOW[date]} or newer (schema {date}), and the bundle is packed for "
        f"Airflow {AIRFLOW.get(schema, '?')} (schema {schema}); pack it with --airflow {AIRFLOW[date]}"
    )
