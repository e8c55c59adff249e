"""Record what Airflow's SDK makes of connection URIs and of Dag files, as fixtures for our author API.

::

    AIRFLOW/bin/python src/outboard/_tools/record_sdk.py            # writes fixtures/sdk/*.json
    AIRFLOW/bin/python src/outboard/_tools/record_sdk.py --check    # exits 1 when a recording would differ
    AIRFLOW/bin/python src/outboard/_tools/record_sdk.py --load     # reads serialized Dags on stdin, tells what they became

Runs inside an Airflow environment (``.ci/pins/airflow-3.3.2.txt``), which has no outboard: this file imports nothing of
it. The Dag files are kept as source, so that the tests can load the same text with our names in place of Airflow's.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[3] / "fixtures" / "sdk"

URIS = [
    "postgres://",
    "postgresql://user:pass@host:5432/db",
    "my-sql://user@Host.Example/db",
    "http://https://example.org:8443/path",
    "http://example.org/",
    "https://https://example.org",
    "aws://AKIA%2F:se%2Fcret%3A@/?region_name=eu-west-1",
    "google-cloud-platform://?key_path=%2Fkeys%2Fkey.json&num_retries=5",
    "generic://?__extra__=%7B%22a%22%3A+%7B%22b%22%3A+1%7D%7D",
    "postgres://%2Ftmp%2Fsocket/db",
    "postgres://user:p%40ss%3Aword@%2Ftmp%2FSocket:5432/db%2Fname?sslmode=require&empty=",
    "ssh://:pass@host",
    "ssh://user:@host",
    "fs://",
    "//host:80/schema",
    "scheme://host:0",
    "ftp://[::1]:21/x",
    "sqlite:///relative/path.db",
]

WRONG_URIS = ["a://b://c://d", "a://user:pass@b://c", "http://host:port/x"]

PARTS: list[dict[str, Any]] = [
    {"conn_type": "postgres", "host": "h", "login": "u", "password": "p/w", "port": 1, "schema": "s"},
    {"conn_type": "http", "host": "https://h"},
    {"conn_type": "https", "host": "https://h"},
    {"conn_type": "my_sql", "extra": '{"a": "b c", "d": ""}'},
    {"conn_type": "x", "extra": '{"a": {"b": 1}}', "schema": "s"},
    {"conn_type": "x", "extra": '{"a": 1}'},
    {"conn_type": "x", "extra": "no json"},
    {"host": "only"},
    {"conn_type": "x", "port": 80},
    {"conn_type": "x", "login": "", "password": ""},
    {"conn_type": "x", "description": "not in a URI", "schema": "a/b"},
]

DAG_FILES = {
    "assets": """
from airflow.sdk import DAG, Asset, AssetAlias, AssetAll, AssetAny, task

orders = Asset("orders", "S3://user:word@bucket/orders/?b=2&a=1#part", extra={"rows": 3}, group="raw")
places = Asset(uri="x-own://Places/")
named = Asset("named")

with DAG("makes", schedule="@daily"):

    @task(outlets=[orders, AssetAlias("daily", group="q"), Asset.ref(name="named"), Asset.ref(uri="x-own://u")], inlets=places)
    def makes():
        pass

    @task(inlets=[AssetAlias("daily"), Asset.ref(uri="s3://bucket/z"), Asset("d", "file:///tmp/d/")])
    def reads():
        pass

    makes() >> reads()

with DAG("of_one", schedule=orders):
    pass

with DAG("of_all", schedule=[orders, places]):
    pass

with DAG("of_some", schedule=((orders & places & named) | AssetAlias("daily") | Asset.ref(name="named"))):
    pass

with DAG("of_any", schedule=AssetAny(orders, AssetAll(places, Asset.ref(uri="x-own://u")))):
    pass
""",
    "minimal": """
from airflow.sdk import DAG

with DAG("minimal"):
    pass
""",
    "taskflow": """
from datetime import datetime, timedelta, timezone

from airflow.sdk import dag, task


@dag(schedule="@daily", start_date=datetime(2024, 1, 1, tzinfo=timezone.utc), catchup=False, tags=["b", "a", "b"])
def taskflow():
    "What the Dag is for."

    @task
    def extract() -> dict[str, int]:
        "What the task does."
        return {}

    @task(retries=3, retry_delay=timedelta(minutes=1), multiple_outputs=False)
    def transform(rows, options=None) -> dict:
        return {}

    @task(do_xcom_push=False)
    async def load(*rows, ds=None):
        pass

    rows = extract()
    clean = transform(rows, options={"limits": [rows["low"], (rows["high"],)]})
    again = transform(clean)
    load(clean, again) << extract()


taskflow()
""",
    "every_argument": """
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, TriggerRule, task


@task(
    task_id="all-of.them",
    retries=7,
    retry_delay=12.5,
    retry_exponential_backoff=2.5,
    max_retry_delay=timedelta(hours=1),
    trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
    queue="fast",
    pool="narrow",
    pool_slots=2,
    priority_weight=9,
    owner="somebody",
    doc_md="Text.",
    task_display_name="All of them",
    start_date=datetime(2025, 6, 1, tzinfo=timezone.utc),
    end_date=datetime(2025, 7, 1, tzinfo=timezone.utc),
)
def everything():
    pass


with DAG(
    "every-argument.dag",
    description="A Dag.",
    schedule="15 3 * * 1-5",
    start_date=datetime(2025, 1, 1, tzinfo=timezone.utc),
    end_date=datetime(2026, 1, 1, tzinfo=timezone.utc),
    max_active_tasks=3,
    max_active_runs=2,
    max_consecutive_failed_dag_runs=5,
    dagrun_timeout=timedelta(hours=2),
    catchup=True,
    doc_md="More text.",
    is_paused_upon_creation=False,
    dag_display_name="Every argument",
):
    everything()
""",
    "every_argument_at_its_default": """
from datetime import timedelta

from airflow.sdk import DAG, task


@task(
    retries=0,
    retry_delay=timedelta(seconds=300),
    retry_exponential_backoff=0,
    max_retry_delay=None,
    trigger_rule="all_success",
    queue="default",
    pool="default_pool",
    pool_slots=1,
    priority_weight=1,
    owner="airflow",
    doc_md=None,
    multiple_outputs=False,
    do_xcom_push=True,
    depends_on_past=False,
    execution_timeout=None,
    email_on_failure=False,
)
def nothing():
    pass


with DAG("defaults", schedule=None, catchup=False, tags=None, default_args={}, description=None, fail_fast=False):
    nothing()
""",
    "default_args": """
from datetime import datetime, timedelta, timezone

from airflow.sdk import DAG, task

with DAG(
    "default_args",
    start_date=datetime(2024, 5, 1, tzinfo=timezone.utc),
    default_args={
        "owner": "the team",
        "retries": 2,
        "retry_delay": timedelta(seconds=5),
        "depends_on_past": False,
        "greeting": "hello",
    },
):

    @task
    def inherits(greeting):
        pass

    @task(retries=0)
    def overrides(greeting="mine"):
        pass

    inherits() >> overrides.override(owner="me", task_id="renamed")(greeting="given")
""",
    "edges": """
from airflow.sdk import DAG, chain, task


@task
def step():
    pass


with DAG("edges", schedule="@once") as dag:
    a, b, c, d, e = (step.override(task_id=name)() for name in "abcde")
    [a, b] >> c
    c << d
    c >> [d.operator, e][1:]
    chain(a, [b, d], [step(), step()], e)
    a.set_downstream([e])
    e.operator.set_upstream(b)
    dag.get_task("d").output >> e
""",
    "suffixes": """
from airflow.sdk import DAG, task


@task
def run():
    pass


@task(task_id="odd__7")
def odd():
    pass


with DAG("suffixes", schedule="@continuous", max_active_runs=1):
    run()
    run()
    run.override(task_id="run__5")()
    run()
    odd()
    odd()
""",
    "several": """
from datetime import timedelta

from airflow.sdk import DAG, dag, task

first = DAG("first", schedule=timedelta(hours=6))


@first.task
def one():
    pass


@task
def two():
    pass


one() >> two()


@dag("second")
def named_otherwise():
    two()


named_otherwise()
""",
}


def main() -> int:
    """Write the recordings, or compare them, or read Dags."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    parser.add_argument("--load", action="store_true", help="read serialized Dags")
    options = parser.parse_args()
    if options.load:
        json.dump([_loaded(data) for data in json.load(sys.stdin)], sys.stdout)
        return 0
    differing = []
    for name, recorded in (("connections", _connections()), ("dags", _dags())):
        path = TARGET / f"{name}.json"
        # Airflow goes through sets, so the order of its keys differs from process to process.
        text = json.dumps(recorded, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
        if not options.check:
            path.write_text(text)
        elif path.read_text() != text:
            differing.append(path.name)
    if differing:
        print(f"{', '.join(differing)} differ from a new recording", file=sys.stderr)
    return bool(differing)


def _connections() -> dict[str, Any]:
    connection: Any = importlib.import_module("airflow.sdk").Connection

    def parts_of(found: Any) -> dict[str, Any]:
        names = ("conn_type", "host", "schema", "login", "password", "port", "extra")
        return {name: getattr(found, name) for name in names}

    def refused(uri: str) -> str:
        try:
            connection.from_uri(uri, conn_id="c")
        except Exception as error:
            return type(error).__name__
        return ""

    read = [connection.from_uri(uri, conn_id="c") for uri in URIS]
    written = [connection(conn_id="c", **parts) for parts in PARTS]
    return {
        "uris": [
            {"uri": uri, "parts": parts_of(found), "written": found.get_uri()}
            for uri, found in zip(URIS, read, strict=True)
        ],
        "wrong": [{"uri": uri, "error": refused(uri)} for uri in WRONG_URIS],
        "parts": [
            {"parts": parts, "uri": found.get_uri(), "json": found.as_json(), "extra": found.extra_dejson}
            for parts, found in zip(PARTS, written, strict=True)
        ],
    }


def _dags() -> list[dict[str, Any]]:
    context: Any = importlib.import_module("airflow.sdk.definitions._internal.contextmanager").DagContext
    serialization: Any = importlib.import_module("airflow.serialization.serialized_objects").DagSerialization
    dag_class: Any = importlib.import_module("airflow.sdk").DAG
    recorded = []
    for name, source in DAG_FILES.items():
        module = sys.modules["author_file"] = type(sys)("author_file")
        context.current_autoregister_module_name = "author_file"
        context.autoregistered_dags.clear()
        exec(compile(source, "author_file.py", "exec"), vars(module))
        found = {dag.dag_id: dag for dag, _ in context.autoregistered_dags}
        found.update({value.dag_id: value for value in vars(module).values() if isinstance(value, dag_class)})
        dags = [serialization.to_dict(found[dag_id]) for dag_id in sorted(found)]
        for dag in dags:
            # The folder of whoever records.
            dag["dag"].pop("_processor_dags_folder", None)
        recorded.append({"name": name, "source": source, "dags": dags})
    return recorded


def _loaded(data: dict[str, Any]) -> dict[str, Any]:
    serialization: Any = importlib.import_module("airflow.serialization.serialized_objects").DagSerialization
    serialization.validate_schema(data)
    dag = serialization.from_dict(data)
    return {
        "dag_id": dag.dag_id,
        "timetable": type(dag.timetable).__name__,
        "params": {name: param.dump() for name, param in dag.params.items()},
        # Without the address of what stands for no condition.
        "asset_condition": repr(getattr(dag.timetable, "asset_condition", None)).partition(" object at ")[0],
        "tasks": {
            task.task_id: {
                "upstream": sorted(task.upstream_task_ids),
                "params": {name: param.dump() for name, param in task.params.items()},
                "retries": task.retries,
                "retry_delay": task.retry_delay.total_seconds(),
                "trigger_rule": str(task.trigger_rule),
                "inlets": list(map(repr, task.inlets)),
                "outlets": list(map(repr, task.outlets)),
                "start_date": task.start_date and task.start_date.isoformat(),
            }
            for task in dag.tasks
        },
    }


if __name__ == "__main__":
    sys.exit(main())
