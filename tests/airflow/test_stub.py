"""What the stub file says. That Airflow reads the same Dags out of it is shown in tests/live."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard import DAG, task
from outboard.airflow.stub import StubDag, stub_source
from outboard.errors import LoadError
from outboard.runtime.dag_serde import serialize_dag

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def stub_of(*dags: DAG, handlers: dict[str, list[str]] | None = None, queue: str = "outboard") -> str:
    return stub_source("nightly", [StubDag.read(serialize_dag(dag)) for dag in dags], handlers or {}, queue=queue)


def dag_of(*task_ids: str, **arguments: Any) -> DAG:
    """A Dag whose tasks are in a row."""
    with DAG("nightly", **arguments) as dag:
        above = None
        for task_id in task_ids:
            each = task(task_id=task_id)(nothing)()
            if above is not None:
                above >> each
            above = each
    return dag


def nothing() -> None: ...


def test_a_small_dag_reads_as_somebody_would_write_it() -> None:
    with DAG(
        "nightly", schedule="0 3 * * *", start_date=datetime(2026, 1, 1, tzinfo=AMSTERDAM), tags=["b", "a"]
    ) as dag:

        @task(retries=2, retry_delay=timedelta(minutes=3))
        def extract() -> None: ...

        @task(queue="gpu", trigger_rule="all_done")
        def load() -> None: ...

        @task
        def alone() -> None: ...

        extract() >> load()
        alone()

    assert (
        stub_of(dag)
        == '''\
"""What Airflow schedules of the bundle nightly, which runs these tasks.

Written by `outboard airflow stub`. Don't edit it: change the bundle's own file, pack it, and write this anew.
"""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from airflow.sdk import DAG, task

with DAG(
    "nightly",
    schedule="0 3 * * *",
    start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam")),
    tags=["a", "b"],
):

    @task.stub(queue="outboard", retries=2, retry_delay=timedelta(minutes=3))
    def extract(): ...

    @task.stub(queue="gpu", trigger_rule="all_done")
    def load(): ...

    @task.stub(queue="outboard")
    def alone(): ...

    extract_task = extract()
    load_task = load()
    alone()

    extract_task >> load_task
'''
    )


def test_the_same_dags_make_the_same_bytes() -> None:
    assert stub_of(dag_of("a", "b")) == stub_of(dag_of("a", "b"))


def param(default: Any, description: str | None = None, source: str = "dag", **schema: Any) -> dict[str, Any]:
    """A param as Airflow serializes it."""
    rules = {"__type": "dict", "__var": schema}
    return {
        "__class": "airflow.sdk.Param",
        "default": default,
        "description": description,
        "schema": rules,
        "source": source,
    }


NOT_SET = {"__type": "arg_not_set", "__var": None}


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (param(3), "3"),
        (param(None), "None"),
        (param([1, {"__type": "tuple", "__var": ["a"]}]), '[1, ("a",)]'),
        (param({"__type": "dict", "__var": {"a b": True}}), '{"a b": True}'),
        (param(float("inf")), 'float("inf")'),
        (param(3, type="integer", minimum=1), 'Param(3, type="integer", minimum=1)'),
        (param(NOT_SET, "Which?", type="string"), 'Param(description="Which?", type="string")'),
        (param(NOT_SET), "Param()"),
        (param(1) | {"schema": {"description": "of the schema"}}, 'Param(1, schema={"description": "of the schema"})'),
        (param(1, **{"not a name": [1, None]}), 'Param(1, schema={"not a name": [1, None]})'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_param_is_written_as_its_default_or_with_what_else_is_known(given: dict[str, Any], text: str) -> None:
    dag = serialize_dag(dag_of("a"))
    dag["dag"]["params"] = [["rows", given]]
    source = stub_source("nightly", [StubDag.read(dag)], {})
    assert f'params={{"rows": {text}}}' in source
    assert ("import DAG, Param, task" in source) == ("Param(" in text)
    ast.parse(source)


def test_a_task_has_its_own_params_and_airflow_adds_the_dags() -> None:
    dag = serialize_dag(dag_of("a"))
    dag["dag"]["tasks"][0]["__var"]["params"] = [["rows", param(3)], ["where", param("south", source="task")]]
    assert '@task.stub(queue="outboard", params={"where": "south"})' in stub_source("nightly", [StubDag.read(dag)], {})


def test_many_params_stand_on_lines_of_their_own() -> None:
    dag = serialize_dag(dag_of("a"))
    dag["dag"]["params"] = [[f"param_{number}", param("x" * 30, "y" * 30, type="string")] for number in range(3)]
    source = stub_source("nightly", [StubDag.read(dag)], {})
    line = f'        "param_0": Param("{"x" * 30}", description="{"y" * 30}", type="string"),'
    assert f"    params={{\n{line}\n" in source
    assert max(map(len, source.splitlines())) <= 120
    ast.parse(source)


def test_a_task_that_skips_others_is_marked_for_the_scheduler() -> None:
    dag = serialize_dag(dag_of("choose", "go-on"))
    dag["dag"]["tasks"][0]["__var"]["_can_skip_downstream"] = True
    source = stub_source("nightly", [StubDag.read(dag)], {})
    assert "\n    choose_task.operator._can_skip_downstream = True\n" in source
    assert source.count("_can_skip_downstream") == 1
    assert source.index("choose_task = choose()") < source.index("_can_skip_downstream") < source.index(">>")


def test_a_task_that_skips_nobody_since_nobody_waits_for_it_needs_no_mark() -> None:
    dag = serialize_dag(dag_of("choose"))
    dag["dag"]["tasks"][0]["__var"]["_can_skip_downstream"] = True
    assert "_can_skip_downstream" not in stub_source("nightly", [StubDag.read(dag)], {})


# ── names ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("task_id", "function"),
    [("load-it.now", "load_it_now"), ("class", "class_"), ("2nd", "task_2nd"), ("task", "task_2"), ("DAG", "DAG_2")],
)
def test_an_id_that_is_no_name_gets_one(task_id: str, function: str) -> None:
    assert f'    @task.stub(task_id="{task_id}", queue="outboard")\n    def {function}(): ...' in stub_of(
        dag_of(task_id)
    )


def test_names_never_clash() -> None:
    source = stub_of(dag_of("a-b", "a.b", "a_b", "a_b_task", "a_b_2"))
    names = [node.name for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    variables = [
        target.id
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    ]
    assert len(names) == len(variables) == 5
    assert len({*names, *variables, "task", "DAG"}) == 12


@pytest.mark.property
@given(
    st.lists(st.text("ab-._1é", min_size=1, max_size=4), min_size=1, max_size=8, unique=True),
    st.text(max_size=30),
)
def test_whatever_the_ids_and_texts_the_file_is_python_with_those_ids(task_ids: list[str], text: str) -> None:
    source = stub_of(dag_of(*task_ids, description=text))
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    [dag] = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "DAG"]
    assert [ast.literal_eval(keyword.value) for keyword in dag.keywords if keyword.arg == "description"] == [text]
    functions = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)]
    assert [_task_id(function) for function in functions] == task_ids


def _task_id(function: ast.FunctionDef) -> str:
    [decorator] = function.decorator_list
    assert isinstance(decorator, ast.Call)
    given_ids = [ast.literal_eval(keyword.value) for keyword in decorator.keywords if keyword.arg == "task_id"]
    return given_ids[0] if given_ids else function.name


# ── arguments ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"schedule": None}, "schedule=None"),
        ({"schedule": "@daily"}, 'schedule="0 0 * * *"'),
        ({"schedule": "@once"}, 'schedule="@once"'),
        ({"schedule": "@continuous", "max_active_runs": 1}, 'schedule="@continuous"'),
        ({"schedule": timedelta(days=2)}, "schedule=timedelta(days=2)"),
        ({"schedule": timedelta(seconds=1.5)}, "schedule=timedelta(seconds=1.5)"),
        ({"schedule": timedelta(seconds=1234567.25)}, "schedule=timedelta(seconds=1234567.25)"),
        (
            {"schedule": "0 3 * * *", "default_args": {"start_date": datetime(2026, 1, 1, tzinfo=AMSTERDAM)}},
            'start_date=datetime(2026, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam"))',
        ),
        (
            {"start_date": datetime(2026, 3, 4, 5, tzinfo=UTC)},
            "start_date=datetime(2026, 3, 4, 5, tzinfo=timezone.utc)",
        ),
        (
            {"start_date": datetime(2026, 10, 25, 2, 30, tzinfo=AMSTERDAM, fold=1)},
            'start_date=datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Amsterdam"), fold=1)',
        ),
        (
            {"start_date": datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))},
            "start_date=datetime(2026, 1, 1, tzinfo=timezone(timedelta(hours=2)))",
        ),
        ({"dagrun_timeout": timedelta(hours=3)}, "dagrun_timeout=timedelta(hours=3)"),
        ({"catchup": True}, "catchup=True"),
        ({"doc_md": 'a "b"\nc'}, 'doc_md="a \\"b\\"\\nc"'),
    ],
)
def test_an_argument_of_the_dag_is_written(arguments: dict[str, Any], text: str) -> None:
    source = stub_of(dag_of("a", **arguments))
    ast.parse(source)
    assert text in source


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"retries": 3}, "retries=3"),
        ({"retry_delay": timedelta(seconds=90)}, "retry_delay=timedelta(seconds=90)"),
        ({"retry_delay": timedelta(0)}, "retry_delay=timedelta(seconds=0)"),
        ({"max_retry_delay": timedelta(hours=2)}, "max_retry_delay=timedelta(hours=2)"),
        ({"retry_exponential_backoff": 2.0}, "retry_exponential_backoff=2.0"),
        ({"trigger_rule": "one_failed"}, 'trigger_rule="one_failed"'),
        ({"pool": "p", "pool_slots": 2, "priority_weight": 5}, 'pool="p", pool_slots=2, priority_weight=5'),
        ({"owner": "me", "task_display_name": "Größe"}, 'owner="me", task_display_name="Größe"'),
    ],
)
def test_an_argument_of_a_task_is_written(arguments: dict[str, Any], text: str) -> None:
    with DAG("nightly") as dag:
        task(**arguments)(nothing)()
    source = stub_of(dag)
    ast.parse(source)
    assert text in source


def test_a_task_without_a_queue_gets_the_one_that_is_routed() -> None:
    assert 'stub(queue="native")' in stub_of(dag_of("a"), queue="native")
    assert "queue" not in stub_of(dag_of("a"), queue="default")


def test_a_task_whose_start_is_not_its_dags_says_so() -> None:
    common, later = datetime(2026, 1, 1, tzinfo=AMSTERDAM), datetime(2026, 2, 1, tzinfo=AMSTERDAM)
    with DAG("nightly", default_args={"start_date": common}) as dag:
        task(task_id="a")(nothing)()
        task(task_id="b", start_date=later)(nothing)()
    source = stub_of(dag)
    assert '@task.stub(queue="outboard")\n    def a' in source
    assert (
        '@task.stub(queue="outboard", start_date=datetime(2026, 2, 1, tzinfo=ZoneInfo("Europe/Amsterdam")))' in source
    )


def test_a_schedule_that_is_not_known_is_refused() -> None:
    data = serialize_dag(dag_of("a"))
    data["dag"]["timetable"] = {"__type": "airflow.timetables.events.EventsTimetable", "__var": {}}
    with pytest.raises(LoadError, match="Dag 'nightly' has a schedule of the kind EventsTimetable"):
        stub_source("nightly", [StubDag.read(data)], {})


# ── handlers ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_handlers_of_a_dag_that_lives_elsewhere_come_without_order() -> None:
    source = stub_of(handlers={"theirs": ["a", "b"]})
    assert 'with DAG("theirs", schedule=None):' in source
    assert "# The bundle handles these tasks for a Dag that lives elsewhere" in source
    assert source.endswith("    a()\n    b()\n")


def test_handlers_of_a_dag_in_the_bundle_are_not_written_twice() -> None:
    assert stub_of(dag_of("a"), handlers={"nightly": ["a"]}) == stub_of(dag_of("a"))


def test_a_bundle_of_nothing_is_refused() -> None:
    with pytest.raises(LoadError, match="nothing to schedule"):
        stub_of()
