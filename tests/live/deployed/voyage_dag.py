"""A Dag as it lies in Airflow: some tasks run in Airflow's own Python, and those under ``@task.stub`` in a bundle.

The names of the stub tasks say what their handlers do; these are in voyage_handlers.py.
"""

from datetime import UTC, datetime, timedelta

from airflow.sdk import dag, task

ONCE = {}
TWICE = {"retries": 1, "retry_delay": timedelta(seconds=1)}

# What has no tie to another task.
ALONE = {
    "reads_settings": ONCE,
    "awaits": ONCE,
    "succeeds_at_the_second_try": TWICE,
    "is_killed_at_the_first_try": TWICE,
    "raises": ONCE,
    "fails_for_good": TWICE,
    "was_never_written": ONCE,
    "speaks": ONCE,
    "looks_around": ONCE,
}


@task
def soundings():
    return {"harbour": "Ålesund", "depths": [4.5, 7.25, 2.0], "taken": datetime(2026, 3, 1, 6, 30, tzinfo=UTC)}


@task.stub(queue="outboard")
def finds_the_deepest(): ...


@task
def log_book(found):
    assert isinstance(found["taken"], datetime), found
    assert found["pair"] == (7.25, "m"), found
    return f"{found['harbour']}, {found['taken']:%H:%M}: {found['pair'][0]} {found['pair'][1]}"


@task.stub(queue="outboard")
def skips(): ...


@task
def follows_the_skipped(): ...


def stub(task_id, **options):
    @task.stub(task_id=task_id, queue="outboard", **options)
    def nothing(): ...

    return nothing()


@dag(schedule=None, start_date=datetime(2026, 1, 1, tzinfo=UTC), catchup=False)
def voyage():
    deepest = finds_the_deepest()
    soundings() >> deepest
    log_book(deepest)
    skips() >> follows_the_skipped()
    for task_id, options in ALONE.items():
        stub(task_id, **options)


voyage()
