"""What a task's process is told first, in the form in which Airflow's server tells it. Pure but for the reading of values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from outboard.protocol import messages as m
from outboard.supervisor.run_report import RunRequest
from outboard.supervisor.task_run import TaskRun

__all__ = ("describe_run", "greet", "identify")


def describe_run(
    dag_id: str,
    request: RunRequest,
    *,
    started_at: datetime | None,
    state: str = "running",
    ended_at: datetime | None = None,
) -> m.DagRun:
    """Describe a Dag run.

    Args:
        dag_id: the Dag's id.
        request: what was asked for.
        started_at: when it started; None before it does.
        state: its state.
        ended_at: when it ended; None before it has.
    """
    date = request.logical_date
    run_after = request.run_after or date or started_at
    assert run_after is not None
    return m.DagRun(
        dag_id=dag_id,
        run_id=request.run_id,
        logical_date=date,
        # A run by hand, or by a task, covers the moment that it is for.
        data_interval_start=date,
        data_interval_end=date,
        run_after=run_after,
        start_date=started_at,
        end_date=ended_at,
        clear_number=request.clear_number,
        run_type=request.run_type,
        state=state,  # type: ignore[arg-type]
        conf=dict(request.conf),
        consumed_asset_events=[],
        partition_key=request.partition_key,
        note=request.note,
    )


def identify(run: TaskRun, dag_id: str, run_id: str, version_id: str) -> m.TaskInstance:
    """Name the current try of a task."""
    return m.TaskInstance(
        id=run.instance_id,
        task_id=run.task.task_id,
        dag_id=dag_id,
        run_id=run_id,
        try_number=run.try_number,
        dag_version_id=version_id,
    )


def greet(
    run: TaskRun,
    instance: m.TaskInstance,
    dag_run: m.DagRun,
    request: RunRequest,
    *,
    now: datetime,
    reschedules: Sequence[datetime],
    xcom_keys: Sequence[str],
) -> m.StartupDetails:
    """Make the greeting of an execution.

    Args:
        run: where the task stands.
        instance: its current try, see `identify`.
        dag_run: its Dag run, see `describe_run`.
        request: what was asked for.
        now: the run's time.
        reschedules: when the current try was put off before.
        xcom_keys: what the task has left of earlier executions.
    """
    resumes = run.next_method is not None
    context = m.TIRunContext(
        dag_run=dag_run,
        task_reschedule_count=len(reschedules),
        first_task_reschedule_start_date=min(reschedules, default=None),
        max_tries=run.task.retries,
        # What a task has left before it deferred itself is its own.
        xcom_keys_to_clear=[] if resumes else list(xcom_keys),
        should_retry=run.may_retry,
        next_method=run.next_method,
        next_kwargs=dict(run.next_kwargs or {}) if resumes else None,
        start_date=run.started_at if resumes else None,
    )
    return m.StartupDetails(
        ti=instance,
        dag_rel_path=request.file,
        bundle_info=m.BundleInfo(name=request.bundle_name),
        start_date=now,
        ti_context=context,
        sentry_integration="",
    )
