"""The context of a running task: a dict under Airflow's keys.

Keys that make no sense for a run are absent, not None: a run without a logical date has no ``logical_date``, ``ds``, ``ts``
or data interval. The runtime fills the context and makes it current; this module only holds it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any, TypedDict

    from outboard.sdk.dag import DAG
    from outboard.sdk.operator import BaseOperator
    from outboard.sdk.task_instance import TaskInstance

    class Context(TypedDict, total=False):
        """What a task's body can know about its run."""

        conn: Any
        dag: DAG
        dag_run: Any
        data_interval_end: datetime | None
        data_interval_start: datetime | None
        ds: str
        ds_nodash: str
        exception: BaseException | None
        inlets: list[Any]
        logical_date: datetime
        outlets: list[Any]
        params: dict[str, Any]
        run_id: str
        task: BaseOperator
        task_instance: TaskInstance
        task_instance_key_str: str
        task_reschedule_count: int
        ti: TaskInstance
        ts: str
        ts_nodash: str
        ts_nodash_with_tz: str
        try_number: int
        var: Any

else:

    class Context(dict):
        """What a task's body can know about its run: a dict under Airflow's keys."""

        __slots__ = ()

        def __missing__(self, key):
            if key in DATED_KEYS:
                raise KeyError(f"{key}: this run has no logical date, so its context has no {key!r}")
            raise KeyError(key)


__all__ = ("CONTEXT_KEYS", "DATED_KEYS", "Context", "get_current_context", "pop_context", "push_context")

# Present only in runs that have a logical date.
DATED_KEYS = frozenset(
    (
        "data_interval_end",
        "data_interval_start",
        "ds",
        "ds_nodash",
        "logical_date",
        "prev_data_interval_end_success",
        "prev_data_interval_start_success",
        "ts",
        "ts_nodash",
        "ts_nodash_with_tz",
    )
)

# Every name that Airflow ever injects: a parameter called so needs no argument, in a run that has it or not.
CONTEXT_KEYS = DATED_KEYS | frozenset(
    (
        "asset_state_store",
        "conn",
        "dag",
        "dag_run",
        "exception",
        "expanded_ti_count",
        "inlet_events",
        "inlets",
        "macros",
        "map_index_template",
        "outlet_events",
        "outlets",
        "params",
        "partition_date",
        "partition_key",
        "prev_end_date_success",
        "prev_start_date_success",
        "reason",
        "run_id",
        "task",
        "task_instance",
        "task_instance_key_str",
        "task_reschedule_count",
        "task_state_store",
        "templates_dict",
        "test_mode",
        "ti",
        "triggering_asset_events",
        "try_number",
        "var",
    )
)

# A stack, since a task may run another callable under a context of its own; the top one is current in every thread.
_contexts: list[Context] = []


def get_current_context() -> Context:
    """The context of the task that runs in this process.

    Raises:
        RuntimeError: no task runs.
    """
    if not _contexts:
        raise RuntimeError("there is no current context, since no task is running; call this in a task's body only")
    return _contexts[-1]


def push_context(context: Context) -> None:
    """Make `context` current until the matching `pop_context`."""
    _contexts.append(context)


def pop_context() -> Context:
    """Undo the last `push_context`, and give its context back."""
    return _contexts.pop()
