"""What a task asks for, what it makes of replies and of errors, and how it matches them."""

from __future__ import annotations

from typing import Any

from outboard.conformance.check import MAY, MUST, SHOULD, Check, Failure, register
from outboard.conformance.probes import DAG_ID
from outboard.conformance.runtime_bench import RUN_ID, Body, Run, RuntimeBench, error

__all__ = ("CHECKS",)

CHECKS: list[Check] = []
check = register(CHECKS)

VALUE = {"type": "VariableResult", "key": "conformance", "value": "a value"}


def expect_returned(run: Run, value: object) -> None:
    """The task has returned this, and succeeded."""
    if run.returned != value:
        raise Failure(f"it returned {run.returned!r}, not {value!r}")
    if run.report.get("type") != "SucceedTask":
        raise Failure(f"it reported {run.report!r}, not SucceedTask")


def expect_failed(run: Run) -> None:
    """The task has failed, by a report."""
    if run.report.get("type") != "TaskState" or run.report.get("state") != "failed":
        raise Failure(f"it reported {run.report!r}, not TaskState failed")


@check("request.return-value", MUST, "messages")
def _(bench: RuntimeBench) -> None:
    """What a body returns is set as the XCom return_value of its own task and run, before its success is reported."""
    run = bench.run("returns")
    expect_returned(run, {"answer": 42, "text": "naïve ☃", "list": [1, 2.5, None, True]})
    expect_own(run.request("SetXCom"), "returns")


@check("request.nothing-returned", SHOULD, "messages")
def _(bench: RuntimeBench) -> None:
    """A body that returns nothing sets no XCom."""
    run = bench.run("succeeds")
    if any(body.get("type") == "SetXCom" for body in run.requests):
        raise Failure("it set an XCom")


@check("request.push", MUST, "requests")
def _(bench: RuntimeBench) -> None:
    """A body can set an XCom under a key of its own."""
    body = bench.run("pushes").request("SetXCom")
    if (body.get("key"), body.get("value")) != ("conformance", "pushed"):
        raise Failure(f"it set {body!r}")
    expect_own(body, "pushes")


def expect_own(body: Body, task_id: str) -> None:
    """An XCom stands with the task that set it."""
    where = {"dag_id": DAG_ID, "run_id": RUN_ID, "task_id": task_id}
    if {key: body.get(key) for key in where} != where:
        raise Failure(f"the XCom is set as {body!r}, not of {where}")


@check("request.pull", MUST, "requests")
def _(bench: RuntimeBench) -> None:
    """A body can get the XCom of another task of its run."""
    run = bench.run("pulls", {"GetXCom": {"type": "XComResult", "key": "conformance", "value": [1, {"a": None}]}})
    expect_returned(run, [1, {"a": None}])
    asked = run.request("GetXCom")
    expected = {"dag_id": DAG_ID, "run_id": RUN_ID, "task_id": "upstream", "key": "conformance"}
    if {key: asked.get(key) for key in expected} != expected:
        raise Failure(f"it asked for {asked!r}")


@check("request.pull-nothing", MUST, "replies-and-errors")
def _(bench: RuntimeBench) -> None:
    """An XCom that does not exist comes as null, and is no error."""
    report = bench.run("pulls", {"GetXCom": {"type": "XComResult", "key": "conformance", "value": None}}).report
    if report.get("type") != "SucceedTask":
        raise Failure(f"it reported {report!r}, not SucceedTask")


@check("request.variable", MUST, "requests")
def _(bench: RuntimeBench) -> None:
    """A body can read a variable."""
    expect_returned(bench.run("reads_variable", {"GetVariable": VALUE}), "a value")


@check("request.put-variable", SHOULD, "fields")
def _(bench: RuntimeBench) -> None:
    """A variable is set with the description sent as null where there is none."""
    run = bench.run("writes_variable")
    body = run.request("PutVariable")
    if body.get("value") != "written" or "description" not in body or body["description"] is not None:
        raise Failure(f"it sent {body!r}")
    run.peer.check_messages([body])


@check("request.delete-variable", SHOULD, "requests")
def _(bench: RuntimeBench) -> None:
    """A body can delete a variable."""
    run = bench.run("deletes_variable")
    if run.request("DeleteVariable").get("key") != "conformance" or run.report.get("type") != "SucceedTask":
        raise Failure(f"it sent {run.requests!r}")


CONNECTION: Body = {
    "type": "ConnectionResult",
    **{"conn_id": "conformance", "conn_type": "postgres", "host": "db.example", "schema": "sales", "login": "reader"},
    **{"password": "p", "port": 5432, "extra": '{"sslmode": "require"}'},
}


@check("request.connection", MUST, "requests")
def _(bench: RuntimeBench) -> None:
    """A body can read a connection, with its schema under the key schema."""
    run = bench.run("reads_connection", {"GetConnection": CONNECTION})
    expect_returned(run, {"host": "db.example", "schema": "sales", "login": "reader", "port": 5432})


@check("request.connection-of-nulls", MUST, "fields")
def _(bench: RuntimeBench) -> None:
    """A connection whose fields are null has none of them: no empty text, no port 0."""
    nothing = dict.fromkeys(("host", "schema", "login", "password", "port", "extra"))
    run = bench.run("reads_connection", {"GetConnection": {**CONNECTION, **nothing}})
    expect_returned(run, {"host": None, "schema": None, "login": None, "port": None})


@check("request.trigger-dag-run", MAY, "requests")
def _(bench: RuntimeBench) -> None:
    """A body can trigger a run of another Dag."""
    body = bench.run("triggers_dag_run").request("TriggerDagRun")
    if (body.get("dag_id"), body.get("run_id"), body.get("conf")) != ("other", "triggered", {"from": "conformance"}):
        raise Failure(f"it sent {body!r}")


@check("request.mask", SHOULD, "requests")
def _(bench: RuntimeBench) -> None:
    """A secret is told to the supervisor by MaskSecret before a record with it is sent, or it never leaves."""
    run = bench.run("masks")
    told = any(body.get("type") == "MaskSecret" and body.get("value") == "correct horse" for body in run.requests)
    leaked = [record for record in run.peer.records if "correct horse" in str(record)]
    if leaked and not told:
        raise Failure(f"it logged the secret, and sent no MaskSecret: {leaked[0]!r}")


# ── errors ────────────────────────────────────────────────────────────────────────────────────────────────────────


@check("error.in-the-body", MUST, "replies-and-errors")
def _(bench: RuntimeBench) -> None:
    """An ErrorResponse as the body of a reply fails the request, here by name: the variable is not there."""
    expect_failed(bench.run("reads_variable", {"GetVariable": error("VARIABLE_NOT_FOUND", message="none")}))


@check("error.in-the-error-element", MUST, "replies-and-errors")
def _(bench: RuntimeBench) -> None:
    """An ErrorResponse as the third element of a reply fails the request."""
    peer = bench.greeted("reads_variable")
    peer.send(peer.expect_request("GetVariable").id, None, error("API_SERVER_ERROR", status_code=500, message="down"))
    expect_failed(peer.serve())


@check("error.without-detail", MUST, "fields")
def _(bench: RuntimeBench) -> None:
    """An ErrorResponse without a detail, or of a kind that nobody knows, fails the request and nothing else."""
    for body in ({"type": "ErrorResponse"}, {"type": "ErrorResponse", "error": "NO_SUCH_KIND", "detail": None}):
        peer = bench.greeted("reads_variable")
        peer.send(peer.expect_request("GetVariable").id, None, body)
        expect_failed(peer.serve())


@check("error.undecodable-reply", MUST, "replies-and-errors")
def _(bench: RuntimeBench) -> None:
    """A reply of an unknown type, or with a field of the wrong one, fails its request by a report, and does not hang."""
    replies: tuple[Body, ...] = ({"type": "MakeCoffee"}, {"kind": "none"}, {**VALUE, "value": {"not": "text"}})
    for body in replies:
        peer = bench.greeted("reads_variable")
        peer.send(peer.expect_request("GetVariable").id, body, None)
        run = peer.serve()
        if run.report.get("type") == "SucceedTask" and body.get("type") != "VariableResult":
            raise Failure(f"it took {body!r} for a variable")


# ── ids ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@check("id.unlike", MUST, "ids")
def _(bench: RuntimeBench) -> None:
    """Ids are integers, and a request's id is none of a request that still waits."""
    peer = bench.greeted("reads_together")
    first, second = peer.expect_request("GetVariable"), peer.expect_request("GetVariable")
    if first.id == second.id:
        raise Failure(f"two requests that wait have the id {first.id}")


@check("id.out-of-order", SHOULD, "ids")
def _(bench: RuntimeBench) -> None:
    """Replies are matched by id: two that come in the opposite order reach those who asked."""
    peer = bench.greeted("reads_together")
    asked = [peer.expect_request("GetVariable"), peer.expect_request("GetVariable")]
    for request in reversed(asked):
        key = (request.body or {}).get("key")
        peer.send(request.id, {"type": "VariableResult", "key": key, "value": f"of {key}"}, None)
    expect_returned(peer.serve(), {"first": "of first", "second": "of second"})


@check("id.late-reply", SHOULD, "order-of-events")
def _(bench: RuntimeBench) -> None:
    """A second reply to one request is dropped, and the next request gets its own."""
    peer = bench.greeted("reads_repeatedly")
    first = peer.expect_request("GetVariable")
    peer.send(first.id, {**VALUE, "value": "more"}, None)
    second = peer.expect_request("GetVariable")
    peer.send(first.id, {**VALUE, "value": "done"}, None)
    peer.send(second.id, {**VALUE, "value": "more"}, None)
    peer.send(peer.expect_request("GetVariable").id, {**VALUE, "value": "done"}, None)
    expect_returned(peer.serve(), 3)


@check("id.stray-reply", MUST, "order-of-events")
def _(bench: RuntimeBench) -> None:
    """A reply to a request that was never sent is not taken for the reply to another one."""
    peer = bench.greeted("reads_variable")
    request = peer.expect_request("GetVariable")
    peer.send(request.id + 1000, {**VALUE, "value": "a stray value"}, None)
    peer.send(request.id, VALUE, None)
    peer.wait_until(lambda: bool(peer.frames) or "comm" in peer.ended, "a request or the end")
    if any((frame.body or {}).get("value") == "a stray value" for frame in peer.frames):
        raise Failure("it took the stray reply for its own")
    if not peer.frames and peer.wait_exit() == 0:
        raise Failure("it gave up over the stray reply, and exits with 0")


@check("id.fork", MAY, "ids")
def _(bench: RuntimeBench) -> None:
    """A forked copy of the process that asks too breaks no frame, and takes no reply from the original."""
    values = iter(range(10_000))

    def answer(_: Any) -> Body:
        return {**VALUE, "value": str(next(values))}

    run = bench.run("reads_in_a_fork", {"GetVariable": answer})
    if run.report.get("type") != "SucceedTask":
        raise Failure(f"it reported {run.report!r}, not SucceedTask")
