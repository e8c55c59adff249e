"""Reading the params in a Dag of Airflow's serialized form, as plain data: names, defaults, JSON schemas."""

from __future__ import annotations

from outboard.errors import UndecodableMessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ("SerializedParam", "read_params")


class SerializedParam:
    """One param as whoever starts a run sees it.

    Attributes:
        name: its name.
        has_default: whether there is a default; a run must give a value otherwise.
        default: the default; None where there is none.
        schema: what a value must fit.
    """

    __slots__ = ("default", "has_default", "name", "schema")

    def __init__(self, name: str, has_default: bool, default: Any, schema: Any) -> None:
        self.name = name
        self.has_default = has_default
        self.default = default
        self.schema = schema

    def __repr__(self) -> str:
        return f"<SerializedParam {self.name}>"


def read_params(fields: Any) -> list[SerializedParam]:
    """The params among the fields of a serialized Dag, or of a serialized task, in the order of their declaration.

    Raises:
        UndecodableMessageError: they are not in the form that they have in version 3.
    """
    pairs = fields.get("params", []) if isinstance(fields, dict) else None
    if not isinstance(pairs, list):
        raise _refusal("params", "a list of pairs is wanted")
    return [_read(pair, f"params[{index}]") for index, pair in enumerate(pairs)]


def _read(pair: Any, where: str) -> SerializedParam:
    name, param = pair if isinstance(pair, (list, tuple)) and len(pair) == 2 else (None, None)
    if not isinstance(name, str) or not isinstance(param, dict) or "default" not in param:
        raise _refusal(where, "a pair of a name and a param is wanted")
    default = param["default"]
    has_default = not (isinstance(default, dict) and default.get("__type") == "arg_not_set")
    return SerializedParam(
        name,
        has_default,
        _value(default, f"{where}.default") if has_default else None,
        _value(param.get("schema"), f"{where}.schema") or {},
    )


def _value(value: Any, where: str) -> Any:
    if isinstance(value, list):
        return [_value(item, where) for item in value]
    if not isinstance(value, dict):
        return value
    if "__type" not in value:
        return {key: _value(item, where) for key, item in value.items()}
    kind, inside = value["__type"], value.get("__var")
    if kind == "dict" and isinstance(inside, dict):
        return {key: _value(item, where) for key, item in inside.items()}
    if kind == "tuple" and isinstance(inside, list):
        return tuple([_value(item, where) for item in inside])
    raise _refusal(where, f"a value of the unknown kind {kind!r}")


def _refusal(field: str, rule: str) -> UndecodableMessageError:
    return UndecodableMessageError("DagFileParsingResult", f"serialized_dags.dag.{field}", rule)
