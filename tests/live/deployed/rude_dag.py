"""Stub tasks whose processes end as they please; their handlers are in rude_handlers.py."""

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task

TASKS = ("says_nothing", "succeeds_and_exits_with_7", "skips_and_exits_with_7", "fails_for_good_and_exits_with_7")


def stub(task_id, **options):
    @task.stub(task_id=task_id, queue="outboard", **options)
    def nothing(): ...

    return nothing()


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False)
def rude():
    for task_id in TASKS:
        stub(task_id)
        stub(f"{task_id}_with_a_retry", retries=1, retry_delay=timedelta(seconds=1))


rude()
