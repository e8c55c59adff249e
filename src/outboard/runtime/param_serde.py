"""Params in Airflow's serialized form: what its forms are made of, and what its API checks a conf with.

The class that is named is Airflow's, since that is how its readers know a param.
"""

from __future__ import annotations

from outboard.sdk.param import ArgNotSet
from outboard.sdk.params import merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.sdk.dag import DAG
    from outboard.sdk.params import ParamsDict

__all__ = ("serialize_dag_params", "serialize_task_params")

_CLASS = "airflow.sdk.definitions.param.Param"


def serialize_dag_params(dag: DAG) -> list[list[Any]]:
    """The params of a Dag, as pairs of name and param."""
    return _pairs(dag.params)


def serialize_task_params(dag: DAG | None, own: ParamsDict | None) -> list[list[Any]]:
    """All params of a task: its own and, as in Airflow, those of its Dag."""
    return _pairs(merge(dag.params if dag is not None and dag.has_params else None, own))


def _pairs(params: ParamsDict) -> list[list[Any]]:
    return [
        [
            name,
            {
                "__class": _CLASS,
                "default": _value(param.value),
                "description": param.description,
                "schema": _value(param.schema),
                "source": param.source,
            },
        ]
        for name, param in params.items()
    ]


def _value(value: Any) -> Any:
    if isinstance(value, ArgNotSet):
        return {"__type": "arg_not_set", "__var": None}
    if isinstance(value, dict):
        return {"__type": "dict", "__var": {str(key): _value(item) for key, item in value.items()}}
    if isinstance(value, tuple):
        return {"__type": "tuple", "__var": [_value(item) for item in value]}
    if isinstance(value, list):
        return [_value(item) for item in value]
    return value
