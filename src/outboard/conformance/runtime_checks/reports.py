"""How a task ends: which report is sent, with what in it, and what the process exits with."""

from __future__ import annotations

from typing import Any

from outboard.conformance.check import MAY, MUST, SHOULD, Check, Failure, register
from outboard.conformance.probes import UNKNOWN_TASK
from outboard.conformance.runtime_bench import Answer, Run, RuntimeBench
from outboard.protocol.codec import decode_body

__all__ = ("CHECKS",)

CHECKS: list[Check] = []
check = register(CHECKS)


def expect_report(run: Run, kind: str, state: str | None = None) -> Any:
    """The report as a message of this type."""
    if run.report.get("type") != kind or (state is not None and run.report.get("state") != state):
        wanted = kind if state is None else f"{kind} with the state {state}"
        raise Failure(f"it reported {run.report!r}, not {wanted}")
    run.peer.check_messages([run.report])
    return decode_body(run.report)


@check("report.success", MUST, "the-report-of-a-task")
def _(bench: RuntimeBench) -> None:
    """A body that returns is reported as SucceedTask."""
    expect_report(bench.run("succeeds"), "SucceedTask")


@check("report.outlets-are-lists", MUST, "fields")
def _(bench: RuntimeBench) -> None:
    """SucceedTask has task_outlets and outlet_events as lists, never null or left out."""
    report = bench.run("succeeds").report
    for field in ("task_outlets", "outlet_events"):
        if not isinstance(report.get(field), list):
            raise Failure(f"SucceedTask.{field} is {report.get(field, 'left out')!r}")


@check("report.end-date", MUST, "the-report-of-a-task")
def _(bench: RuntimeBench) -> None:
    """The end_date of a report is a time with a zone."""
    if expect_report(bench.run("succeeds"), "SucceedTask").end_date is None:
        raise Failure("SucceedTask.end_date is null")


@check("report.failed", MUST, "the-report-of-a-task")
def _(bench: RuntimeBench) -> None:
    """A body that fails is reported as TaskState failed if no retry is left."""
    expect_report(bench.run("fails", should_retry=False), "TaskState", "failed")


@check("report.retry", MUST, "the-report-of-a-task")
def _(bench: RuntimeBench) -> None:
    """A body that fails is reported as RetryTask if the greeting says should_retry."""
    expect_report(bench.run("fails", should_retry=True), "RetryTask")


@check("report.removed", MUST, "the-report-of-a-task")
def _(bench: RuntimeBench) -> None:
    """A task that the bundle does not have is reported as TaskState removed."""
    expect_report(bench.run(UNKNOWN_TASK, should_retry=True), "TaskState", "removed")


@check("report.removed-dag", MUST, "the-report-of-a-task")
def _(bench: RuntimeBench) -> None:
    """A task of a Dag that the bundle does not have is reported as TaskState removed."""
    peer = bench.start()
    peer.connect()
    body = peer.greeting(UNKNOWN_TASK)
    body["ti"]["dag_id"] = body["ti_context"]["dag_run"]["dag_id"] = "there_is_no_such_dag"
    peer.task_id = UNKNOWN_TASK
    peer.send(0, body, None)
    expect_report(peer.serve(), "TaskState", "removed")


@check("report.skipped", SHOULD, "the-report-of-a-task")
def _(bench: RuntimeBench) -> None:
    """A body that skips itself is reported as TaskState skipped."""
    expect_report(bench.run("skips"), "TaskState", "skipped")


@check("report.deferred", MAY, "the-report-of-a-task")
def _(bench: RuntimeBench) -> None:
    """A body that defers is reported as DeferTask, with the trigger's class and the method to resume at."""
    report = expect_report(bench.run("defers"), "DeferTask")
    if (report.classpath, report.next_method) != ("example.Trigger", "resumes"):
        raise Failure(f"DeferTask names {report.classpath} and {report.next_method}")


@check("report.rescheduled", MAY, "the-report-of-a-task")
def _(bench: RuntimeBench) -> None:
    """A body that wants to be run later is reported as RescheduleTask, with the date."""
    report = expect_report(bench.run("reschedules"), "RescheduleTask")
    if report.reschedule_date.isoformat() != "2030-01-01T00:00:00+00:00":
        raise Failure(f"RescheduleTask.reschedule_date is {report.reschedule_date.isoformat()}")


@check("report.awaits-input", MAY, "the-report-of-a-task")
def _(bench: RuntimeBench) -> None:
    """A body that waits for a person is reported as AwaitInputTask, with the method to resume at."""
    report = expect_report(bench.run("awaits_input"), "AwaitInputTask")
    if report.next_method != "resumes":
        raise Failure(f"AwaitInputTask.next_method is {report.next_method}")


@check("report.exit-code", MUST, "the-end")
def _(bench: RuntimeBench) -> None:
    """The process exits with 0 after any report that was answered, also of a failure."""
    for task_id, should_retry in (("succeeds", False), ("fails", False), ("fails", True), (UNKNOWN_TASK, False)):
        run = bench.run(task_id, should_retry=should_retry)
        if run.exit_code:
            raise Failure(f"after {run.report.get('type')} for {task_id} it ended with {run.exit_code}")


@check("report.once", MUST, "order-of-events")
def _(bench: RuntimeBench) -> None:
    """Nothing but one report ends an exchange: no second one follows it."""
    run = bench.run("fails")
    run.peer.sends_only_logs()


@check("report.answer-is-awaited", SHOULD, "the-end")
def _(bench: RuntimeBench) -> None:
    """The process waits for the answer to its report: without one, it does not exit with 0."""
    peer = bench.greeted("succeeds")
    peer.expect_request("SucceedTask")
    peer.end_input()
    if peer.wait_exit() == 0:
        raise Failure("its report was never answered, and it exits with 0")


@check("report.rejected", SHOULD, "the-end")
def _(bench: RuntimeBench) -> None:
    """A success that is answered with an error ends the process, which says so: in its log, by a failure, or by its code."""
    peer = bench.greeted("succeeds")
    report = peer.expect_request("SucceedTask")
    detail = {"status_code": 409, "message": "not running"}
    peer.send(report.id, None, {"type": "ErrorResponse", "error": "API_SERVER_ERROR", "detail": detail})
    # It may report a failure now; that is a matter of taste.
    peer.wait_until(lambda: bool(peer.frames) or "comm" in peer.ended, "the end")
    reported = [peer.frames.popleft() for _ in range(len(peer.frames))]
    for request in reported:
        peer.answer(request, {})
    said = [record for record in peer.records if record.get("level") in ("warning", "error", "critical")]
    if peer.wait_exit() == 0 and not said and not reported:
        raise Failure("its success was refused, it exits with 0 and says nothing")


@check("report.dags", MUST, "the-result-of-a-parse")
def _(bench: RuntimeBench) -> None:
    """A DagFileParseRequest is answered with a DagFileParsingResult, also if there is no Dag; then it exits with 0."""
    peer = bench.start()
    peer.connect()
    request = {
        "type": "DagFileParseRequest",
        "file": bench.command[-1],
        "bundle_path": "/",
        "bundle_name": "conformance",
    }
    peer.send(0, request, None)
    run = peer.serve()
    expect_report(run, "DagFileParsingResult")
    if run.exit_code:
        raise Failure(f"after the result it ended with {run.exit_code}")


@check("report.valid-messages", MUST, "messages")
def _(bench: RuntimeBench) -> None:
    """Everything that it sends is a message of the schema date that it is spoken to in."""
    connection = dict.fromkeys(("host", "schema", "login", "password", "port", "extra"))
    answers: dict[str, Answer] = {
        "GetVariable": {"type": "VariableResult", "key": "conformance", "value": "done"},
        "GetConnection": {"type": "ConnectionResult", "conn_id": "conformance", "conn_type": "http", **connection},
    }
    for task_id in ("returns", "pushes", "reads_variable", "reads_connection", "pulls", "fails"):
        run = bench.run(task_id, answers, should_retry=True)
        run.peer.check_messages(run.requests)
