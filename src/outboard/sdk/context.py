"""The context of a running task: a dict under Airflow's keys.

Keys that make no sense for a run are absent, not None: a run without a logical date has no ``logical_date``, ``ds``, ``ts``
or data interval. The runtime fills the context and makes it current; this module only holds it, and makes the values of some
keys when they are looked up.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any, TypedDict

    from outboard.sdk.dag import DAG
    from outboard.sdk.operator import BaseOperator
    from outboard.sdk.task_instance import TaskInstance

    class Context(TypedDict, total=False):
        """What a task's body can know about its run."""

        asset_state_store: Any
        conn: Any
        dag: DAG
        dag_run: Any
        data_interval_end: datetime | None
        data_interval_start: datetime | None
        ds: str
        ds_nodash: str
        exception: BaseException | None
        inlet_events: Any
        inlets: Sequence[Any]
        logical_date: datetime
        loop: Any
        outlet_events: Any
        outlets: Sequence[Any]
        partition_date: datetime | None
        partition_key: str | None
        params: dict[str, Any]
        prev_data_interval_end_success: datetime | None
        prev_data_interval_start_success: datetime | None
        prev_end_date_success: datetime | None
        prev_start_date_success: datetime | None
        run_id: str
        task: BaseOperator
        task_instance: TaskInstance
        task_instance_key_str: str
        task_reschedule_count: int
        task_state_store: Any
        ti: TaskInstance
        triggering_asset_events: Any
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
            if key in self and key in LATER_KEYS:
                value = self[key] = _made(self, key)
                return value
            if key in DATED_KEYS:
                raise KeyError(f"{key}: this run has no logical date, so its context has no {key!r}")
            raise KeyError(key)

        def __contains__(self, key):
            if dict.__contains__(self, key):
                return True
            return key in LATER_KEYS and (key not in DATED_KEYS or dict.__contains__(self, "logical_date"))

        def get(self, key, default=None):
            """What is under a key, made if need be, or the default."""
            if key in self:
                return self[key]
            return default


__all__ = (
    "CONTEXT_KEYS",
    "DATED_KEYS",
    "LATER_KEYS",
    "Context",
    "get_current_context",
    "looked_up",
    "pop_context",
    "push_context",
    "spread",
)

# What is made when it is looked up, since few tasks do: the module of `outboard.sdk` that has a function of the key's name,
# which takes the context. These keys are in a context without being among those that it lists.
LATER_KEYS = {
    "conn": "accessors",
    "inlet_events": "asset_events",
    "outlet_events": "asset_events",
    "prev_data_interval_end_success": "previous_success",
    "prev_data_interval_start_success": "previous_success",
    "prev_end_date_success": "previous_success",
    "prev_start_date_success": "previous_success",
    "task_state_store": "state_stores",
    "triggering_asset_events": "asset_events",
    "var": "accessors",
}

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
        "loop",
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


def spread(context: Mapping[str, Any]) -> dict[str, Any]:
    """All that is in a context as a plain dict, such as ``**context`` of a function takes it.

    What is made when it is looked up is represented by something that acts like it, and makes it at its first use.
    """
    if not isinstance(context, Context):  # type: ignore[misc]  # a TypedDict to type checkers only
        return dict(context)
    from outboard.sdk.later import Later

    later = {key: Later(context, key) for key in LATER_KEYS if key in context and not dict.__contains__(context, key)}
    return {**later, **context}


def looked_up(context: Context, key: str) -> Any:
    """What is under a key if it was looked up, else None."""
    return dict.get(context, key)  # type: ignore[call-overload]  # a TypedDict to type checkers only


def _made(context: Context, key: str) -> Any:
    module = __import__(f"outboard.sdk.{LATER_KEYS[key]}", fromlist=(key,))
    return getattr(module, key)(context)
