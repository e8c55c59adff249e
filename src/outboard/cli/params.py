"""A run's conf against the params of its Dag, before any task starts. Pure; the error names the Dag, the param and the rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from outboard.errors import UsageError
from outboard.protocol.serialized_params import SerializedParam, read_params
from outboard.sdk.exceptions import ParamValidationError
from outboard.sdk.param import NOTSET, Param
from outboard.sdk.params import resolve

__all__ = ("check_conf", "conf_problems")


def check_conf(serialized: Any, conf: Mapping[str, object], *, only_task: str | None = None) -> None:
    """Refuse a conf that some task would refuse.

    Args:
        serialized: the Dag as its bundle has sent it; None for one that lives elsewhere, whose params nobody here knows.
        conf: what the run is to be given.
        only_task: the only task that is to run, if not all.

    Raises:
        UsageError: a param has no value in this run, or one that does not fit; for each of them one reason.
    """
    problems = conf_problems(serialized, conf, only_task=only_task)
    if problems:
        raise UsageError(f"{problems}; give values with --conf")


def conf_problems(serialized: Any, conf: Mapping[str, object], *, only_task: str | None = None) -> str:
    """Say what is wrong with a conf, as `check_conf` does; empty for nothing."""
    if serialized is None:
        return ""
    dag = serialized["dag"]
    label = f"Dag {dag['dag_id']!r}"
    wrong = dict.fromkeys(_wrong(label, params, conf) for params in _of_tasks(dag, only_task))
    return "; ".join(problem for problem in wrong if problem)


def _of_tasks(dag: Mapping[str, Any], only_task: str | None) -> list[list[SerializedParam]]:
    tasks = [task["__var"] for task in dag["tasks"]]
    return [read_params(task) for task in tasks if only_task in (None, task["task_id"]) and task.get("params")]


def _wrong(label: str, params: list[SerializedParam], conf: Mapping[str, object]) -> str:
    declared = {
        param.name: Param(param.default if param.has_default else NOTSET, schema=param.schema) for param in params
    }
    try:
        resolve(declared, None, conf, label=label)
    except ParamValidationError as error:
        return str(error)
    return ""
