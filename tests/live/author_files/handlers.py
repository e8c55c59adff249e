"""Handlers for the stub tasks of a Dag that lives in Airflow: plain callables, registered by Dag id and task id."""

from outboard import TaskRegistry

registry = TaskRegistry()


@registry.task(dag_id="handlers")
def doubles():
    return 2 * 21
