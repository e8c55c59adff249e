"""A task that asks for a run of another Dag, in a real process: what the supervisor is asked, and how the task ends."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from outboard.protocol import events
from outboard.protocol import messages as m
from tests.runtime.child import Child, startup
from tests.runtime.test_task_runner import run

OPERATOR = """
from datetime import datetime, timezone
from outboard import DAG, TriggerDagRunOperator

NOON = datetime(2026, 1, 31, 12, tzinfo=timezone.utc)

with DAG("example"):
    TriggerDagRunOperator(task_id="body", trigger_dag_id="other", **{arguments})
"""


def operator(**arguments: Any) -> str:
    return OPERATOR.format(arguments=repr({"trigger_run_id": "r9", **arguments}))


def asked(child: Child) -> list[Any]:
    """The requests, but for the one that is made for the task's page."""
    return [request for request in child.requests if not isinstance(request, m.SetRenderedFields)]


def kinds(child: Child) -> list[str]:
    return [type(request).__name__ for request in asked(child)]


def test_a_run_is_asked_for_and_its_id_is_pushed(tmp_path: Path) -> None:
    text = operator(conf={"rows": 3}, note="by hand", logical_date="2026-01-31T12:00:00Z", reset_dag_run=True)
    report, child = run(tmp_path, text)
    made, pushed, _ = asked(child)
    assert report.state == "success"
    assert (made.dag_id, made.run_id, made.conf, made.note) == ("other", "r9", {"rows": 3}, "by hand")
    assert (made.logical_date, made.run_after, made.reset_dag_run) == (
        datetime(2026, 1, 31, 12, tzinfo=UTC),
        None,
        True,
    )
    assert (pushed.key, pushed.value) == ("trigger_run_id", "r9")
    assert "asked for the run 'r9' of the Dag 'other'" in child.logged("task")


@pytest.mark.parametrize(("skip", "state"), [(True, "skipped"), (False, "failed")])
def test_a_run_that_is_there_already_skips_the_task_or_fails_it_for_good(
    tmp_path: Path, skip: bool, state: str
) -> None:
    answers = {"TriggerDagRun": lambda _: m.ErrorResponse(error="DAGRUN_ALREADY_EXISTS", detail={"dag_id": "other"})}
    report, child = run(tmp_path, operator(skip_when_already_exists=skip), answers, should_retry=True)
    assert (report.state, kinds(child)) == (state, ["TriggerDagRun", "TaskState"])
    assert any("the Dag 'other' has a run 'r9' already" in event for event in child.logged("task"))


def test_a_dag_that_is_not_there_leads_to_the_retry_decision(tmp_path: Path) -> None:
    answers = {"TriggerDagRun": lambda _: m.ErrorResponse(error="API_SERVER_ERROR", detail={"status_code": 404})}
    report, child = run(tmp_path, operator(), answers, should_retry=True)
    assert report.state == "up_for_retry"
    assert "404" in repr(child.said())


@pytest.mark.parametrize(
    ("states", "state"), [(["running", "success"], "success"), (["queued", "failed"], "up_for_retry")]
)
def test_a_run_is_waited_for_until_it_ends(tmp_path: Path, states: list[str], state: str) -> None:
    told = iter(states)
    answers = {"GetDagRunState": lambda _: m.DagRunStateResult(state=next(told))}
    text = operator(wait_for_completion=True, poke_interval=0)
    report, child = run(tmp_path, text, answers, should_retry=True)
    assert report.state == state
    assert kinds(child)[2:-1] == ["GetDagRunState", "GetDagRunState"]
    assert ("ended failed" in repr(child.said())) == (state != "success")


def test_a_wait_can_be_interrupted(tmp_path: Path) -> None:
    with Child(tmp_path, operator(wait_for_completion=True, poke_interval=0)) as child:
        child.greet(startup("body", should_retry=True))
        for _ in range(3):  # what is shown, the run and its id
            request = child.next_event()
            assert isinstance(request, events.Request)
            child.answer(request)
        assert isinstance(child.next_event(), events.Request)  # how the run does, which nobody says
        os.kill(child.process.pid, signal.SIGTERM)
        report = child.serve()
    assert report.state == "up_for_retry"


def test_a_wait_outside_of_the_process_names_airflows_trigger(tmp_path: Path) -> None:
    report, child = run(tmp_path, operator(wait_for_completion=True, deferrable=True, poke_interval=7))
    assert kinds(child) == ["TriggerDagRun", "SetXCom", "DeferTask"]
    assert (report.state, report.next_method) == ("deferred", "execute_complete")
    assert report.classpath == "airflow.providers.standard.triggers.external_task.DagStateTrigger"
    assert report.trigger_kwargs == {
        "dag_id": "other",
        "states": ["success", "failed"],
        "execution_dates": None,
        "run_ids": ["r9"],
        "poll_interval": 7.0,
    }


def test_the_deployment_may_say_where_to_wait(tmp_path: Path) -> None:
    environment = {**os.environ, "AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE": "True"}
    with Child(tmp_path, operator(wait_for_completion=True), env=environment) as child:
        assert child.run().state == "deferred"
    with Child(tmp_path, operator(), env=environment) as child:
        assert child.run().state == "success"
    assert "nothing is waited for, so deferrable=True changes nothing" in child.logged("task")


@pytest.mark.parametrize(("state", "expected"), [("success", "success"), ("failed", "up_for_retry")])
def test_a_task_that_goes_on_judges_the_run(tmp_path: Path, state: str, expected: str) -> None:
    event = {
        "__classname__": "builtins.tuple",
        "__version__": 1,
        "__data__": ["path", {"run_ids": ["r9"], "r9": state}],
    }
    greeting = {"next_method": "execute_complete", "next_kwargs": {"event": event}, "should_retry": True}
    report, _ = run(tmp_path, operator(wait_for_completion=True, deferrable=True), **greeting)
    assert report.state == expected


def test_a_paused_dag_is_asked_about_before_anything_is(tmp_path: Path) -> None:
    def paused(asked: m.GetDag) -> m.DagResult:
        return m.DagResult(
            dag_id=asked.dag_id, is_paused=True, bundle_name=None, bundle_version=None, relative_fileloc=None,
            owners=None, tags=[], next_dagrun=None,
        )  # fmt: skip

    report, child = run(tmp_path, operator(fail_when_dag_is_paused=True), {"GetDag": paused})
    assert (report.state, kinds(child)) == ("failed", ["GetDag", "TaskState"])
    assert "the Dag 'other' is paused" in repr(child.said())


def test_a_conf_that_cannot_be_sent_never_gets_to_the_supervisor(tmp_path: Path) -> None:
    text = operator().replace("'trigger_run_id': 'r9'", "'trigger_run_id': 'r9', 'conf': {'when': NOON}")
    report, child = run(tmp_path, text, should_retry=True)
    assert (report.state, kinds(child)) == ("up_for_retry", ["RetryTask"])
    assert "conf is a dict that JSON has a form for" in repr(child.said())


def test_an_exception_of_the_authors_own_is_served_the_same_way(tmp_path: Path) -> None:
    text = """
from outboard import dag, task
from outboard.sdk.exceptions import DagRunTriggerException

@dag
def example():
    @task
    def body():
        raise DagRunTriggerException(
            trigger_dag_id="other", dag_run_id="r9", conf=None, reset_dag_run=False, skip_when_already_exists=False,
            wait_for_completion=False, allowed_states=["success"], failed_states=["failed"], poke_interval=1,
            deferrable=False,
        )
    body()
example()
"""
    report, child = run(tmp_path, text)
    assert (report.state, kinds(child)) == ("success", ["TriggerDagRun", "SetXCom", "SucceedTask"])
