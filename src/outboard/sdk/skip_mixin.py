"""Skipping what is behind a task: the part of an operator that branches and short circuits are made of."""

from __future__ import annotations

from outboard.sdk.client import current
from outboard.sdk.dependencies import Node
from outboard.sdk.exceptions import AirflowException, DownstreamTasksSkipped
from outboard.sdk.xcom_arg import UNMAPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from outboard.sdk.operator import BaseOperator
    from outboard.sdk.task_instance import TaskInstance

__all__ = ("XCOM_SKIPMIXIN_FOLLOWED", "XCOM_SKIPMIXIN_KEY", "XCOM_SKIPMIXIN_SKIPPED", "SkipMixin")

# The XCom in which Airflow's scheduler looks up, when tasks are cleared and run again, what was skipped before.
XCOM_SKIPMIXIN_KEY = "skipmixin_key"
XCOM_SKIPMIXIN_SKIPPED = "skipped"
XCOM_SKIPMIXIN_FOLLOWED = "followed"


class SkipMixin:
    """Adds `skip` and `skip_all_except` to an operator. Both end the body if there is something to skip."""

    def skip(self, ti: TaskInstance, tasks: Iterable[Any]) -> None:
        """Skip tasks of this run, and end as a success.

        Args:
            ti: the running task.
            tasks: tasks, references to their results, or ids.
        """
        skipped = [task_id for task in tasks for task_id in _ids(task)]
        if skipped:
            ti.xcom_push(XCOM_SKIPMIXIN_KEY, {XCOM_SKIPMIXIN_SKIPPED: skipped})
            _skip(ti, skipped)

    def skip_all_except(self, ti: TaskInstance, branch_task_ids: str | Iterable[str] | None) -> None:
        """Go on with some of the tasks right behind this one, skip the others, and end as a success.

        A task that waits for one of those that are gone on with, directly or not, is not skipped either.

        Args:
            ti: the running task.
            branch_task_ids: the ids of the tasks to go on with: one, several or None.

        Raises:
            AirflowException: these are no ids of tasks of the Dag.
        """
        operator = _operator(ti)
        chosen = _chosen(operator, branch_task_ids)
        for task_id in sorted(chosen):
            chosen |= _behind(operator, task_id)
        followed = sorted(operator.downstream_task_ids & chosen)
        skipped = sorted(operator.downstream_task_ids - chosen)
        current().say("info", f"goes on with {followed}, skips {skipped}")
        if operator.downstream_task_ids:
            ti.xcom_push(XCOM_SKIPMIXIN_KEY, {XCOM_SKIPMIXIN_FOLLOWED: followed})
            _skip(ti, [(task_id, ti.map_index) for task_id in skipped])


def _skip(ti: TaskInstance, tasks: list[Any]) -> None:
    # What is behind a mapped task is not expanded yet; the scheduler finds out by the XCom.
    if tasks and ti.map_index == UNMAPPED:
        raise DownstreamTasksSkipped(tasks=tasks)


def _operator(ti: TaskInstance) -> BaseOperator:
    if ti.task is None:
        raise AirflowException("there is no task to skip anything behind")
    return ti.task


def _chosen(operator: BaseOperator, branch_task_ids: str | Iterable[str] | None) -> set[str]:
    if branch_task_ids is None:
        return set()
    given = [branch_task_ids] if isinstance(branch_task_ids, str) else branch_task_ids
    try:
        chosen = set(given)
    except TypeError:
        raise AirflowException(
            f"{operator.label}: a branch returns a task's id, several of them or None, not {branch_task_ids!r}"
        ) from None
    dag = operator.dag
    known = set(dag.task_ids) if dag is not None else operator.downstream_task_ids
    unknown = sorted(map(repr, chosen - known))
    if unknown:
        raise AirflowException(
            f"{operator.label}: a branch chose {', '.join(unknown)}, which is no task of its Dag; "
            f"the tasks behind it are {', '.join(map(repr, sorted(operator.downstream_task_ids))) or 'none'}"
        )
    return chosen


def _behind(operator: BaseOperator, task_id: str) -> set[str]:
    return operator.dag.get_task(task_id).get_flat_relative_ids() if operator.dag is not None else set()


def _ids(task: Any) -> list[str]:
    if isinstance(task, str):
        return [task]
    if isinstance(task, Node):
        return [root.task_id for root in task.roots]
    raise AirflowException(f"only tasks can be skipped, not {task!r}")
