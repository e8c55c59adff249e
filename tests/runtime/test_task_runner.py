"""A task in a real process: what the supervisor is told, whatever the body does."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from outboard.protocol import messages as m
from tests.runtime.child import Child

HEAD = """
from datetime import datetime, timezone, timedelta
from outboard import dag, task, Variable, Connection, get_current_context
"""


def source(body: str, *, head: str = "", decorator: str = "@task") -> str:
    """An author's file with the Dag ``example`` of one task ``body``."""
    return f"{HEAD}{head}\n@dag\ndef example():\n    {decorator}\n{_indent(body)}\n    body()\nexample()\n"


def _indent(text: str) -> str:
    return "\n".join("    " + line for line in text.strip("\n").splitlines())


def run(folder: Path, text: str, answers: dict[str, Any] | None = None, **context: Any) -> tuple[Any, Child]:
    with Child(folder, text) as child:
        child.answers = answers or {}
        report = child.run(**context)
    return report, child


def test_a_result_is_pushed_before_success_is_reported(tmp_path: Path) -> None:
    report, child = run(tmp_path, source("def body():\n    return {'rows': 3}"))
    assert [type(r).__name__ for r in child.requests] == ["SetXCom", "SucceedTask"]
    assert (child.requests[0].key, child.requests[0].value) == ("return_value", {"rows": 3})
    assert (report.state, report.task_outlets, report.outlet_events) == ("success", [], [])
    assert child.process.returncode == 0


def test_nothing_is_pushed_for_none(tmp_path: Path) -> None:
    _, child = run(tmp_path, source("def body():\n    pass"))
    assert [type(r).__name__ for r in child.requests] == ["SucceedTask"]


def test_nothing_is_pushed_where_the_author_forbids_it(tmp_path: Path) -> None:
    _, child = run(tmp_path, source("def body():\n    return 1", decorator="@task(do_xcom_push=False)"))
    assert [type(r).__name__ for r in child.requests] == ["SucceedTask"]


def test_multiple_outputs_are_pushed_one_by_one_and_as_a_whole(tmp_path: Path) -> None:
    body = "def body():\n    return {'a': 1, 'b': 2}"
    _, child = run(tmp_path, source(body, decorator="@task(multiple_outputs=True)"))
    assert [(r.key, r.value) for r in child.requests[:-1]] == [("a", 1), ("b", 2), ("return_value", {"a": 1, "b": 2})]


def test_a_coroutine_task_is_awaited(tmp_path: Path) -> None:
    body = "async def body():\n    import anyio\n    await anyio.lowlevel.checkpoint()\n    return 'awaited'"
    report, child = run(tmp_path, source(body))
    assert (child.requests[0].value, report.state) == ("awaited", "success")


def test_a_variable_and_a_connection_are_read(tmp_path: Path) -> None:
    body = "def body():\n    c = Connection.get('db')\n    return [Variable.get('region'), c.host, c.port, c.password]"
    answers = {
        "GetVariable": lambda r: m.VariableResult(key=r.key, value="north"),
        "GetConnection": lambda r: m.ConnectionResult(
            conn_id=r.conn_id, conn_type="http", host="h", schema=None, login=None, password="p", port=8, extra=None
        ),
    }
    _, child = run(tmp_path, source(body), answers)
    assert child.requests[2].value == ["north", "h", 8, "p"]


def test_what_does_not_exist_is_an_exception_of_the_sdk(tmp_path: Path) -> None:
    body = """
def body():
    from outboard.sdk.exceptions import AirflowRuntimeError
    try:
        Variable.get('absent')
    except AirflowRuntimeError as error:
        return error.error.error, Variable.get('absent', default='else')
"""
    answers = {"GetVariable": lambda r: m.ErrorResponse(error="VARIABLE_NOT_FOUND", detail={"key": r.key})}
    _, child = run(tmp_path, source(body), answers)
    pushed = child.requests[-2].value
    assert "VARIABLE_NOT_FOUND" in repr(pushed)
    assert "else" in repr(pushed)


def test_the_result_of_another_task_is_pulled_as_an_argument(tmp_path: Path) -> None:
    text = (
        f"{HEAD}\n@dag\ndef example():\n    @task\n    def first():\n        return 1\n"
        "    @task\n    def body(value):\n        return value + 1\n    body(first())\nexample()\n"
    )
    _, child = run(tmp_path, text, {"GetXCom": lambda r: m.XComResult(key=r.key, value=41)})
    pulled, shown, pushed, _ = child.requests
    assert (pulled.task_id, pulled.key, pushed.value) == ("first", "return_value", 42)
    assert shown.rendered_fields["op_args"] == [41]


def test_the_context_is_injected_and_current(tmp_path: Path) -> None:
    body = """
def body(ti, ds, **context):
    assert get_current_context()['ti'] is ti
    return [ti.task_id, ti.try_number, ds, context['run_id'], context['dag_run'].run_type, context['ts_nodash']]
"""
    _, child = run(tmp_path, source(body), try_number=3)
    assert child.requests[0].value == ["body", 3, "2026-01-01", "r1", "manual", "20260101T000000"]


def test_a_run_without_a_logical_date_has_no_keys_made_from_it(tmp_path: Path) -> None:
    body = "def body(**context):\n    return sorted({'ds', 'ts', 'logical_date', 'data_interval_start'} & set(context))"
    with Child(tmp_path, source(body)) as child:
        from tests.runtime.child import startup

        greeting = startup("body")
        greeting.ti_context.dag_run.logical_date = None
        child.greet(greeting)
        child.serve()
    assert child.requests[0].value == []


def test_xcoms_of_an_earlier_try_are_cleared_first(tmp_path: Path) -> None:
    _, child = run(tmp_path, source("def body():\n    return 1"), xcom_keys_to_clear=["return_value", "rows"])
    assert [(type(r).__name__, getattr(r, "key", "")) for r in child.requests] == [
        ("DeleteXCom", "return_value"),
        ("DeleteXCom", "rows"),
        ("SetXCom", "return_value"),
        ("SucceedTask", ""),
    ]


def test_a_handler_of_a_stub_task_runs(tmp_path: Path) -> None:
    text = """
from outboard import TaskRegistry
registry = TaskRegistry()
@registry.task(dag_id="example", task_id="body")
def load(ti):
    return ti.dag_id
"""
    _, child = run(tmp_path, text)
    assert child.requests[0].value == "example"


# ── ends other than success ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_task_that_the_bundle_lacks_is_removed(tmp_path: Path) -> None:
    with Child(tmp_path, source("def body():\n    pass")) as child:
        report = child.run("other")
    assert report.state == "removed"
    assert "the bundle has no task 'other' of Dag 'example'" in child.logged("outboard")
    assert child.process.returncode == 0


@pytest.mark.parametrize(
    ("statement", "logged"),
    [
        ("raise ValueError('no rows')", "no rows"),
        ("raise SystemExit(0)", "0"),
        ("raise SystemExit('stop')", "stop"),
        ("raise KeyboardInterrupt", ""),
        ("import sys; sys.exit(3)", "3"),
        ("exec('raise BaseExceptionGroup(\"g\", [ValueError(1)])')", "g (1 sub-exception)"),
    ],
)
@pytest.mark.parametrize(("should_retry", "state"), [(True, "up_for_retry"), (False, "failed")])
def test_an_exception_is_logged_and_leads_to_the_retry_decision(
    tmp_path: Path, statement: str, logged: str, should_retry: bool, state: str
) -> None:
    report, child = run(tmp_path, source(f"def body():\n    {statement}"), should_retry=should_retry)
    assert report.state == state
    [record] = [r for r in child.records if "exception" in r]
    assert record["exception"][0]["exc_value"] == logged
    assert record["exception"][0]["frames"][0]["name"] == "body"
    assert child.process.returncode == 0


def test_a_file_that_does_not_import_is_told_to_the_supervisor(tmp_path: Path) -> None:
    report, child = run(tmp_path, "import nowhere_to_be_found\n", should_retry=True)
    assert report.state == "up_for_retry"
    assert any("nowhere_to_be_found" in repr(r) for r in child.records)


def test_a_result_that_cannot_be_serialised_names_its_path(tmp_path: Path) -> None:
    report, child = run(tmp_path, source("def body():\n    return {'rows': [1, object()]}"))
    assert report.state == "failed"
    assert any("return_value.rows[1]" in event for event in child.logged())


UPSTREAM = (
    HEAD
    + """
@dag
def example():
    @task
    def first():
        pass
    @task
    def body(value):
        return repr(value)
    body(first()%s)
example()
"""
)


def test_an_upstream_task_that_returned_nothing_gives_none(tmp_path: Path) -> None:
    _, child = run(tmp_path, UPSTREAM % "", {"GetXCom": lambda r: m.XComResult(key=r.key, value=None)})
    assert child.requests[-2].value == "None"


def test_an_upstream_output_that_is_missing_fails_the_task_and_is_named(tmp_path: Path) -> None:
    report, child = run(tmp_path, UPSTREAM % "['rows']", {"GetXCom": lambda r: m.XComResult(key=r.key, value=None)})
    assert report.state == "failed"
    [record] = [r for r in child.records if "exception" in r]
    assert "'first'" in record["exception"][0]["exc_value"]
    assert "'rows'" in record["exception"][0]["exc_value"]


CHOOSING = """
from outboard import DAG, task
from outboard.sdk.exceptions import *
with DAG("example"):
    @task%s
    def body():
        %s
    @task
    def left():
        pass
    @task
    def right():
        pass
    body() >> [left(), right()]
"""


@pytest.mark.parametrize(
    ("variant", "statement", "skipped"),
    [
        (".branch", "return 'left'", [("right", -1)]),
        (".short_circuit", "return False", ["left", "right"]),
        ("", "raise DownstreamTasksSkipped(tasks=['right'])", ["right"]),
        ("", "raise DownstreamTasksSkipped(tasks='right')", ["right"]),
    ],
)
def test_a_task_that_skips_what_is_behind_it_is_a_success_without_a_result(
    tmp_path: Path, variant: str, statement: str, skipped: list[Any]
) -> None:
    report, child = run(tmp_path, CHOOSING % (variant, statement))
    *pushed, skipping, last = child.requests
    assert report.state == last.state == "success"
    assert [tuple(task) if isinstance(task, list) else task for task in skipping.tasks] == skipped
    assert "return_value" not in [request.key for request in pushed]


def test_what_cannot_be_skipped_fails_the_task(tmp_path: Path) -> None:
    answers = {"SkipDownstreamTasks": lambda _: m.ErrorResponse(error="API_SERVER_ERROR", detail={"status_code": 404})}
    report, child = run(tmp_path, CHOOSING % (".branch", "return 'left'"), answers, should_retry=True)
    assert report.state == "up_for_retry"
    assert "API_SERVER_ERROR" in repr(child.said())


@pytest.mark.parametrize(
    ("statement", "state", "logged"),
    [
        ("raise AirflowSkipException('no rows')", "skipped", "skipped: no rows"),
        ("raise AirflowSkipException", "skipped", "skipped"),
        ("raise AirflowFailException('no use')", "failed", "the task raised an exception"),
        ("raise AirflowSensorTimeout('in vain')", "failed", "the task raised an exception"),
        ("raise TaskDeferralError('no trigger')", "up_for_retry", "the task raised an exception"),
    ],
)
def test_some_exceptions_say_how_the_task_ends(tmp_path: Path, statement: str, state: str, logged: str) -> None:
    report, child = run(tmp_path, CHOOSING % ("", statement), should_retry=True)
    assert report.state == state
    assert child.logged("task") == [logged]


def test_a_sensor_that_waits_in_vain_fails_whatever_retries_are_left(tmp_path: Path) -> None:
    decorator = "@task.sensor(poke_interval=0.01, timeout=0)"
    report, child = run(tmp_path, source("def body():\n    return False", decorator=decorator), should_retry=True)
    assert report.state == "failed"
    assert "AirflowSensorTimeout" in repr(child.said())


def test_a_rescheduled_sensor_leaves_until_its_next_look(tmp_path: Path) -> None:
    decorator = "@task.sensor(poke_interval=600, mode='reschedule')"
    report, _ = run(tmp_path, source("def body():\n    return False", decorator=decorator))
    assert report.state == "up_for_reschedule"
    assert report.reschedule_date > report.end_date


# ── what a task says ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_print_logging_and_structlog_come_in_one_order(tmp_path: Path) -> None:
    body = """
def body():
    import logging, structlog, sys
    print('one')
    logging.getLogger('mine').warning('two %d', 2, extra={'rows': 7})
    structlog.get_logger('ours').info('three', rows=8)
    print('four', file=sys.stderr)
    sys.stdout.write('five without an end')
"""
    _, child = run(tmp_path, source(body))
    said = [(r["logger"], r["level"], r["event"], r.get("rows")) for r in child.said()]
    assert said == [
        ("task.stdout", "info", "one", None),
        ("mine", "warning", "two 2", 7),
        ("ours", "info", "three", 8),
        ("task.stderr", "error", "four", None),
        ("task.stdout", "info", "five without an end", None),
    ]


def test_levels_are_filtered_by_namespace(tmp_path: Path) -> None:
    body = """
import logging
def body():
    for name in ('a', 'a.b', 'c'):
        for level in ('debug', 'info', 'warning'):
            getattr(logging.getLogger(name), level)(f'{name} {level}')
""".replace("import logging\ndef body():", "def body():\n    import logging")
    environment = {
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "a=INFO a.b=DEBUG",
        "PATH": "/usr/bin:/bin",
    }
    with Child(tmp_path, source(body), env=environment) as child:
        child.run()
    assert [r["event"] for r in child.said()] == [
        "a info",
        "a warning",
        "a.b debug",
        "a.b info",
        "a.b warning",
        "c warning",
    ]


def test_an_exception_in_logging_keeps_its_traceback_and_its_cause(tmp_path: Path) -> None:
    body = """
def body():
    import logging
    try:
        try:
            {}['x']
        except KeyError as cause:
            raise ValueError('outer') from cause
    except ValueError:
        logging.exception('went wrong')
"""
    _, child = run(tmp_path, source(body))
    [record] = child.said()
    assert [(link["exc_type"], link["exc_value"]) for link in record["exception"]] == [
        ("ValueError", "outer"),
        ("KeyError", "'x'"),
    ]


def test_what_children_and_c_code_write_goes_to_stderr_and_never_into_the_wire(tmp_path: Path) -> None:
    body = """
def body():
    import os, subprocess
    subprocess.run(['echo', 'from a child'])
    os.write(1, b'from c code\\n')
    assert os.read(0, 1) == b''
    return 'clean'
"""
    with Child(tmp_path, source(body)) as child:
        report = child.run()
        assert child.process.stderr is not None
        assert child.process.stderr.read() == b"from a child\nfrom c code\n"
    assert report.state == "success"


def test_a_forked_copy_is_refused_and_the_task_goes_on(tmp_path: Path) -> None:
    body = """
def body():
    import os
    from outboard.errors import ForkedProcessError
    reading, writing = os.pipe()
    if os.fork() == 0:
        try:
            Variable.get('x')
        except ForkedProcessError:
            os.write(writing, b'refused')
        os._exit(0)
    os.wait()
    return os.read(reading, 100).decode(), Variable.get('x')
"""
    _, child = run(tmp_path, source(body), {"GetVariable": lambda r: m.VariableResult(key=r.key, value="v")})
    assert "refused" in repr(child.requests[-2].value)
    assert sum(isinstance(r, m.GetVariable) for r in child.requests) == 1


def test_fifty_threads_each_get_their_own_reply(tmp_path: Path) -> None:
    body = """
def body():
    from concurrent.futures import ThreadPoolExecutor
    keys = [f'k{n}' for n in range(500)]
    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(Variable.get, keys)) == keys
    return len(keys)
"""
    _, child = run(tmp_path, source(body), {"GetVariable": lambda r: m.VariableResult(key=r.key, value=r.key)})
    assert child.requests[-2].value == 500


def test_exit_functions_run_and_other_threads_are_waited_for(tmp_path: Path) -> None:
    body = """
def body():
    import atexit, threading
    go = threading.Event()
    atexit.register(lambda: (go.set(), print('at exit')))
    threading.Thread(target=lambda: print('in a thread')).start()
"""
    _, child = run(tmp_path, source(body))
    assert set(child.logged("task.stdout")) == {"in a thread", "at exit"}


@pytest.mark.skipif(sys.platform != "linux", reason="the runtime's promise about signals is for Linux")
def test_the_working_folder_and_the_arguments_are_the_authors_business(tmp_path: Path) -> None:
    _, child = run(tmp_path, source("def body():\n    import os\n    os.chdir('/')\n    return os.getcwd()"))
    assert child.requests[0].value == "/"


def test_the_first_record_says_which_code_it_is_and_the_last_what_it_took(tmp_path: Path) -> None:
    answers = {"GetVariable": lambda r: m.VariableResult(key=r.key, value="v")}
    _, child = run(tmp_path, source("def body():\n    print(Variable.get('x'))\n    return 1"), answers)
    first, last = child.records[0], child.records[-1]
    assert (first["event"], first["bundle"], first["digest"], first["revision"]) == (
        "the task starts",
        "author",
        "0" * 64,
        "r7",
    )
    assert first["python"] == ".".join(map(str, sys.version_info[:3]))
    assert (last["event"], last["requests"]) == ("the task ends", 3)
    assert 0 < last["cpu_seconds"] < 60
    assert 2**20 < last["peak_memory"] < 2**30


# ── secrets ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_secrets_are_hidden_in_whatever_a_task_says_and_never_in_what_it_does(tmp_path: Path) -> None:
    body = """
def body():
    import logging, sys
    from outboard.sdk.log import mask_secret
    connection, token = Connection.get('db'), Variable.get('api_token')
    mask_secret('told-to-hide')
    print(connection.password)
    logging.warning('%s and %s', token, connection.extra_dejson['secret_key'], extra={'field': 'told-to-hide'})
    sys.stdout.write('split over tw'), sys.stdout.write('o writes: hunt'), sys.stdout.write('er22')
    raise ValueError(f'no login with {connection.get_uri()}')
"""
    answers = {
        "GetVariable": lambda r: m.VariableResult(key=r.key, value="t-123456"),
        "GetConnection": lambda r: m.ConnectionResult(
            conn_id=r.conn_id, conn_type="http", host="h", schema=None, login="u", password="hunter22", port=8,
            extra='{"secret_key": "s-123456"}',
        ),
    }  # fmt: skip
    _, child = run(tmp_path, source(body), answers)
    said = repr(child.records)
    assert not any(secret in said for secret in ("hunter22", "t-123456", "s-123456", "told-to-hide"))
    assert [r["event"] for r in child.said()] == [
        "***", "*** and ***", "split over two writes: ***", "the task raised an exception"
    ]  # fmt: skip
    assert child.said()[1]["field"] == "***"
    # The password and the variable a supervisor hides by itself, what stands in an extra field it does not.
    declared = [r.value for r in child.requests if isinstance(r, m.MaskSecret)]
    assert declared == [{"secret_key": "s-123456"}, "told-to-hide"]


def test_what_was_masked_in_the_log_is_whole_in_an_xcom(tmp_path: Path) -> None:
    answers = {"GetVariable": lambda r: m.VariableResult(key=r.key, value="t-123456")}
    _, child = run(tmp_path, source("def body():\n    return Variable.get('api_token')"), answers)
    assert child.requests[-2].value == "t-123456"


def test_a_secret_is_masked_whatever_the_supervisor_makes_of_it(tmp_path: Path) -> None:
    body = """
def body():
    from outboard.sdk.log import mask_secret
    mask_secret({'token': {'tuple-one', 'other-one'}, 'user': 'somebody'})
    mask_secret(('in-a-tuple',), 'password')
    print('tuple-one other-one in-a-tuple somebody')
"""
    answers = {"MaskSecret": lambda asked: m.ErrorResponse(error="API_SERVER_ERROR", detail={"not": asked.value})}
    report, child = run(tmp_path, source(body), answers)
    assert report.state == "success"
    assert child.logged("task.stdout") == ["*** *** *** somebody"]
    assert sorted(child.requests[0].value["token"]) == ["other-one", "tuple-one"]
    warnings = [record["event"] for record in child.records if record["level"] == "warning"]
    assert len(warnings) == 2
    assert all("a secret is masked in this task's records only" in event for event in warnings)
    assert not [secret for secret in ("in-a-tuple", "tuple-one", "other-one") if secret in repr(child.records)]


def test_a_coroutine_may_hide_a_secret_too(tmp_path: Path) -> None:
    body = """
async def body():
    from outboard.sdk.log import amask_secret
    await amask_secret('told-to-hide')
    print('told-to-hide')
"""
    _, child = run(tmp_path, source(body))
    assert child.logged("task.stdout") == ["***"]
    assert child.requests[0].value == "told-to-hide"
