"""Params as Python text, out of Airflow's serialized form. Must not know whose they are."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from outboard.airflow.python_text import call, keywords, literal, mapping

__all__ = ("params_text",)

# The arguments of a Param beside the rules of its schema.
_OF_PARAM = ("default", "description", "source", "schema")

_NOT_SET = object()


def params_text(params: Iterable[Sequence[Any]]) -> str:
    """The dict of a Dag's or a task's ``params``.

    Args:
        params: pairs of a name and the param, serialized.
    """
    return mapping({name: _param(fields) for name, fields in params}, indent="        params=")


def _param(fields: Mapping[str, Any]) -> str:
    """A param's default, or the whole of it where that is not all."""
    default, schema = _plain(fields["default"]), _plain(fields.get("schema") or {})
    arguments = [] if default is _NOT_SET else [literal(default)]
    if fields.get("description") is not None:
        arguments.append(f"description={literal(fields['description'])}")
    if any(not key.isidentifier() or keyword.iskeyword(key) or key in _OF_PARAM for key in schema):
        arguments.append(f"schema={literal(schema)}")
    else:
        arguments += keywords({key: literal(value) for key, value in schema.items()})
    return (
        arguments[0] if len(arguments) == 1 and default is not _NOT_SET else call("Param", arguments, indent="        ")
    )


def _plain(value: Any) -> Any:
    """What the serialized form writes in its own way, as it is."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    match value.get("__type"):
        case "arg_not_set":
            return _NOT_SET
        case "tuple":
            return tuple(map(_plain, value["__var"]))
        case "dict":
            return {key: _plain(item) for key, item in value["__var"].items()}
    return {key: _plain(item) for key, item in value.items()}
