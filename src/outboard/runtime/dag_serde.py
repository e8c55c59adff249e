"""A Dag of the author's in Airflow's serialized form, version 3: what the Dag processor stores and schedulers read.

As in Airflow, values at their default are left out wherever its schema allows that. Callables, arguments and whatever else
only the bundle needs to know stay in the bundle.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from outboard.sdk.dag import CRON_PRESETS
from outboard.sdk.task_arguments import CALLBACKS, DEFAULTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.sdk.dag import DAG
    from outboard.sdk.operator import BaseOperator

__all__ = ("SERIALIZED_VERSION", "serialize_dag")

SERIALIZED_VERSION = 3

# Task arguments that are written under their own names when they are not at their defaults.
_PLAIN_ARGUMENTS = (
    "doc_md",
    "owner",
    "pool",
    "pool_slots",
    "priority_weight",
    "queue",
    "retries",
    "retry_exponential_backoff",
)

# The look of the root group, which no author can change.
_ROOT_GROUP_COLOURS = {"ui_color": "CornflowerBlue", "ui_fgcolor": "#000"}


def serialize_dag(dag: DAG) -> dict[str, Any]:
    """The Dag as plain data: strings, numbers, lists, dicts.

    The order of the tasks is the order of their declaration; sets are sorted, so the same Dag gives the same data.
    """
    data: dict[str, Any] = {
        "dag_id": dag.dag_id,
        "fileloc": dag.fileloc,
        "timezone": _zone_of(dag.start_date or dag.default_args.get("start_date")),
        "timetable": _timetable(dag),
        "tasks": [_task(task) for task in dag.tasks],
        "task_group": _root_group(dag),
        "edge_info": {},
        "params": _dag_params(dag),
        "dag_dependencies": _dependencies(dag),
        "deadline": None,
        "allowed_run_types": None,
        "catchup": dag.catchup,
        "max_active_tasks": dag.max_active_tasks,
        "max_active_runs": dag.max_active_runs,
        "max_consecutive_failed_dag_runs": dag.max_consecutive_failed_dag_runs,
        "disable_bundle_versioning": False,
    }
    data.update(_optional_fields(dag))
    return {"__version": SERIALIZED_VERSION, "dag": data}


def _optional_fields(dag: DAG) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "description": dag.description,
        "doc_md": dag.doc_md,
        "start_date": dag.start_date and dag.start_date.timestamp(),
        "end_date": dag.end_date and dag.end_date.timestamp(),
        "dagrun_timeout": dag.dagrun_timeout and dag.dagrun_timeout.total_seconds(),
        "is_paused_upon_creation": dag.is_paused_upon_creation,
        "dag_display_name": dag.dag_display_name if dag.dag_display_name != dag.dag_id else None,
        "tags": sorted(dag.tags) or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _task(task: BaseOperator) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "task_id": task.task_id,
        "task_type": type(task).__name__,
        "_task_module": type(task).__module__,
        "_operator_name": task.operator_name,
        "_needs_expansion": False,
        "has_retry_policy": task.retry_policy is not None,
        "template_fields": [],
        "template_fields_renderers": {},
        "retry_delay": task.retry_delay.total_seconds(),
    }
    fields.update(_nature(task))
    for name in _PLAIN_ARGUMENTS:
        value = getattr(task, name)
        if value != DEFAULTS[name]:
            fields[name] = value
    if task.max_retry_delay is not None:
        fields["max_retry_delay"] = task.max_retry_delay.total_seconds()
    if task.trigger_rule != DEFAULTS["trigger_rule"]:
        fields["trigger_rule"] = str(task.trigger_rule.value)
    if task.multiple_outputs:
        fields["multiple_outputs"] = True
    if not task.do_xcom_push:
        fields["do_xcom_push"] = False
    if task.task_display_name:
        fields["_task_display_name"] = task.task_display_name
    if task.downstream_task_ids:
        fields["downstream_task_ids"] = sorted(task.downstream_task_ids)
    if task.inlets or task.outlets:
        from outboard.runtime import asset_serde

        fields.update(asset_serde.inlets_and_outlets(task))
    fields.update(_task_dates(task))
    fields.update(_task_params(task))
    return {"__type": "operator", "__var": fields}


def _nature(task: BaseOperator) -> dict[str, Any]:
    """What the scheduler must know of a task beside its arguments, where it is not the ordinary case."""
    function = getattr(task, "python_callable", None)
    fields: dict[str, Any] = {}
    if function is not None:
        fields["python_callable_name"] = getattr(function, "__qualname__", task.task_id)
    if task.execution_timeout is not None:
        fields["execution_timeout"] = task.execution_timeout.total_seconds()
    if task.inherits_from_skipmixin:
        fields["_can_skip_downstream"] = True
    if hasattr(task, "poke"):
        fields["_is_sensor"] = True
        fields["reschedule"] = bool(getattr(task, "reschedule", False))
    fields.update({f"has_{name}": True for name in CALLBACKS if getattr(task, name)})
    return fields


def _task_dates(task: BaseOperator) -> dict[str, float]:
    # Dates that are the Dag's own are the Dag's to state.
    dates = {"start_date": task.start_date, "end_date": task.end_date}
    return {
        name: value.timestamp()
        for name, value in dates.items()
        if value is not None and value != getattr(task.dag, name)
    }


def _dag_params(dag: DAG) -> list[list[Any]]:
    if not dag.has_params:
        return []
    from outboard.runtime import param_serde

    return param_serde.serialize_dag_params(dag)


def _task_params(task: BaseOperator) -> dict[str, Any]:
    own = getattr(task, "params", None)
    if not own and not (task.dag is not None and task.dag.has_params):
        return {}
    from outboard.runtime import param_serde

    return {"params": param_serde.serialize_task_params(task.dag, own)}


def _root_group(dag: DAG) -> dict[str, Any]:
    return {
        "_group_id": None,
        "group_display_name": "",
        "prefix_group_id": True,
        "tooltip": "",
        **_ROOT_GROUP_COLOURS,
        "children": {task_id: ["operator", task_id] for task_id in dag.task_dict},
        "upstream_group_ids": [],
        "downstream_group_ids": [],
        "upstream_task_ids": [],
        "downstream_task_ids": [],
    }


def _timetable(dag: DAG) -> dict[str, Any]:
    # A bare cron expression or timedelta means Airflow's trigger timetables, which is its default since version 3.
    schedule = dag.schedule
    if schedule is None:
        return _typed("simple.NullTimetable")
    if schedule == "@once":
        return _typed("simple.OnceTimetable")
    if schedule == "@continuous":
        return _typed("simple.ContinuousTimetable")
    if isinstance(schedule, timedelta):
        return _typed("trigger.DeltaTriggerTimetable", delta=schedule.total_seconds(), interval=0.0)
    if not isinstance(schedule, str):
        from outboard.runtime import asset_serde

        return asset_serde.timetable(schedule)
    return _typed(
        "trigger.CronTriggerTimetable",
        expression=CRON_PRESETS.get(schedule, schedule),
        timezone=_zone_of(dag.start_date or dag.default_args.get("start_date")),
        interval=0.0,
        run_immediately=False,
    )


def _dependencies(dag: DAG) -> list[dict[str, str]]:
    if isinstance(dag.schedule, (str, timedelta, type(None))) and not any(task.outlets for task in dag.tasks):
        return []
    from outboard.runtime import asset_serde

    return asset_serde.dependencies(dag.dag_id, dag.schedule, dag.tasks)


def _typed(name: str, **values: object) -> dict[str, Any]:
    return {"__type": f"airflow.timetables.{name}", "__var": values}


def _zone_of(date: datetime | None) -> str | int:
    """The zone by name, or its offset in seconds when it has none; UTC when there is no date to say."""
    if date is None or date.tzinfo is None:
        return "UTC"
    for attribute in ("key", "name", "zone"):  # of zoneinfo, pendulum and pytz
        name = getattr(date.tzinfo, attribute, None)
        if isinstance(name, str):
            return name
    offset = date.utcoffset()
    return int(offset.total_seconds()) if offset else "UTC"
