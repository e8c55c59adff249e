"""A task that asks about other runs and tasks; with its import changed, Airflow runs the same file by itself."""

from datetime import UTC, datetime

from outboard import dag, task


@task
def asks(*, ti, prev_start_date_success, **context):
    run, instance = ti.get_previous_dagrun(state="success"), ti.get_previous_ti(map_index=-1)
    return [
        [run.run_id, instance.run_id, instance.try_number],
        [prev_start_date_success.isoformat(), str(context["prev_data_interval_end_success"])],
        ti.get_ti_count("other", task_ids=["a", "b"], states=["success"]),
        ti.get_task_states("other", task_group_id="group", run_ids=["r1"]),
        list(ti.get_task_breadcrumbs("other", "r1")),
        ti.get_dr_count("other", logical_dates=[datetime(2026, 1, 1, tzinfo=UTC)], states=["running"]),
        str(getattr(ti.get_dagrun_state("other", "r1"), "value", ti.get_dagrun_state("other", "r1"))),
        [ti.get_dag("other").is_paused, ti.get_dag("other").tags],
    ]


@dag
def queries():
    asks()


queries()
