"""Dags with something of everything that a stub must say, and a handler for a Dag that lives elsewhere."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from outboard import DAG, Param, TaskRegistry, task

AMSTERDAM = ZoneInfo("Europe/Amsterdam")

registry = TaskRegistry()


@registry.task(dag_id="theirs")
def handled(): ...


with DAG(
    "nightly",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=AMSTERDAM),
    end_date=datetime(2027, 6, 1, 12, 30, tzinfo=AMSTERDAM),
    tags=["b", "a"],
    description='It says "quoted" \\ and Größe',
    default_args={"retries": 2},
    dagrun_timeout=timedelta(hours=3),
    max_active_tasks=4,
    max_active_runs=2,
    max_consecutive_failed_dag_runs=3,
    catchup=True,
    is_paused_upon_creation=True,
    dag_display_name="Every night",
    doc_md="# Title\n\ntext",
):

    @task(queue="gpu", retries=1, retry_delay=timedelta(seconds=90))
    def extract(): ...

    @task(task_id="load-it.now", trigger_rule="all_done", doc_md="two\nlines", retry_delay=timedelta(seconds=1.5))
    def load(rows): ...

    @task(
        task_id="class",
        priority_weight=5,
        pool="small",
        pool_slots=2,
        owner="me",
        retry_exponential_backoff=2.0,
        max_retry_delay=timedelta(hours=2),
        task_display_name="The class",
    )
    def classify(rows): ...

    @task(start_date=datetime(2026, 2, 1, tzinfo=AMSTERDAM))
    def report(loaded, classified): ...

    @task(trigger_rule="one_failed")
    def alone(): ...

    extracted = extract()
    report(load(extracted), classify(extracted))
    alone()


with DAG("hourly", schedule=timedelta(hours=1), start_date=datetime(2026, 1, 1, tzinfo=UTC)):

    @task
    def tick(): ...

    tick()


with DAG("by_default", schedule="@daily", default_args={"start_date": datetime(2026, 1, 1, tzinfo=AMSTERDAM)}):

    @task
    def tock(): ...

    @task(start_date=datetime(2026, 2, 1, tzinfo=AMSTERDAM))
    def later(): ...

    tock() >> later()


with DAG("by_hand"):

    @task
    def one(): ...

    @task
    def two(): ...

    one() >> two()


def told(context): ...


with DAG(
    "weekly",
    params={
        "rows": Param(3, "How many?", type="integer", minimum=1),
        "where": "north",
        "key": Param(type=["string", "null"], title="The key"),
        "one of these": Param({"a": [1, 2.5, None]}, schema={"$comment": "no name", "default": "of the schema"}),
    },
):

    @task.branch(
        execution_timeout=timedelta(minutes=5), params={"where": "south", "mode": Param("slow", enum=["slow"])}
    )
    def choose(): ...

    @task.sensor(mode="reschedule", on_failure_callback=told)
    def watch(): ...

    @task.short_circuit
    def ends_here(): ...

    choose() >> [watch(), ends_here()]
