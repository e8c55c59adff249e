"""What a task's body can know about its run: the supervisor's greeting under the names of Airflow's context."""

from __future__ import annotations

from outboard.runtime.environment import variables
from outboard.sdk.context import Context
from outboard.sdk.task_instance import TaskInstance

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    from outboard.protocol.messages import DagRun, StartupDetails
    from outboard.sdk.operator import BaseOperator

__all__ = ("build_context",)


def build_context(details: StartupDetails, operator: BaseOperator) -> Context:
    """The context of one try.

    A run without a logical date has none of the keys that are made from it, as in Airflow.

    Raises:
        ParamValidationError: a param has no value in this run, or one that does not fit.
    """
    ti, run = details.ti, details.ti_context.dag_run
    instance = TaskInstance(
        id=ti.id,
        task_id=ti.task_id,
        dag_id=ti.dag_id,
        run_id=ti.run_id,
        try_number=ti.try_number,
        max_tries=details.ti_context.max_tries,
        map_index=ti.map_index,
        start_date=details.ti_context.start_date or details.start_date,
        dag_version_id=ti.dag_version_id,
        hostname=ti.hostname,
        queue=ti.queue,
        task=operator,
        first_reschedule_date=details.ti_context.first_task_reschedule_start_date,
    )
    context: dict[str, Any] = {
        "dag": operator.dag,
        "dag_run": run,
        "params": _params(operator, run),
        "inlets": operator.inlets,
        "outlets": operator.outlets,
        "partition_date": run.partition_date,
        "partition_key": run.partition_key,
        "run_id": ti.run_id,
        "task": operator,
        "task_instance": instance,
        "task_instance_key_str": f"{ti.dag_id}__{ti.task_id}__{_compact_date(run)}",
        "task_reschedule_count": details.ti_context.task_reschedule_count,
        "ti": instance,
        "try_number": ti.try_number,
    }
    if operator.inlets or operator.outlets:
        from outboard.sdk.state_stores import AssetStateStoreAccessors

        context["asset_state_store"] = AssetStateStoreAccessors(operator.inlets, operator.outlets)
    if details.ti_context.loop is not None:
        from outboard.sdk.loop import LoopContextAccessor

        context["loop"] = LoopContextAccessor(details.ti_context.loop, ti.dag_id, ti.run_id)
    if run.logical_date is not None:
        context.update(_dated(run.logical_date))
        context["data_interval_start"] = run.data_interval_start
        context["data_interval_end"] = run.data_interval_end
    return Context(context)  # type: ignore[misc,no-any-return]


def _params(operator: BaseOperator, run: DagRun) -> dict[str, object]:
    conf = run.conf or {}
    if conf:
        from outboard.runtime import configuration

        if not configuration.read(variables(), "core", "dag_run_conf_overrides_params", True):
            conf = {}
    dag, own = operator.dag, operator.context_params()
    declared = dag.params if dag is not None and dag.has_params else None
    if not declared and not own:
        return dict(conf)
    from outboard.sdk.params import resolve

    return resolve(declared, own, conf, label=operator.label)


def _dated(logical_date: datetime) -> dict[str, object]:
    day, stamp = logical_date.date().isoformat(), logical_date.isoformat()
    return {
        "logical_date": logical_date,
        "ds": day,
        "ds_nodash": day.replace("-", ""),
        "ts": stamp,
        "ts_nodash": logical_date.strftime("%Y%m%dT%H%M%S"),
        "ts_nodash_with_tz": stamp.replace("-", "").replace(":", ""),
    }


def _compact_date(run: DagRun) -> str:
    return (run.logical_date or run.run_after).strftime("%Y%m%d")
