"""A supervisor that goes away, that never greets, that greets in a way nobody knows; and signals."""

from __future__ import annotations

import signal

from outboard.conformance.check import MUST, SHOULD, Check, Failure, register
from outboard.conformance.runtime_bench import Body, RuntimeBench, RuntimePeer
from outboard.conformance.runtime_checks.requests import VALUE
from outboard.conformance.wire import frame

__all__ = ("CHECKS",)

CHECKS: list[Check] = []
check = register(CHECKS)

SUCCESSES = ("SucceedTask",)


def expect_gone(peer: RuntimePeer) -> None:
    """The process has ended with another code than 0."""
    if peer.wait_exit() == 0:
        raise Failure("its supervisor was gone, and it exits with 0")


# ── the supervisor is gone ────────────────────────────────────────────────────────────────────────────────────────


@check("lost.before-the-greeting", MUST, "the-end")
def _(bench: RuntimeBench) -> None:
    """An end of the stream before the greeting ends the process with another code than 0, and it has sent nothing."""
    peer = bench.start()
    peer.connect()
    peer.end_input()
    expect_gone(peer)
    peer.sends_only_logs()


@check("lost.in-the-greeting", MUST, "the-end")
def _(bench: RuntimeBench) -> None:
    """An end of the stream in the middle of the greeting ends the process with another code than 0."""
    peer = bench.start()
    peer.connect()
    data = frame(0, peer.greeting("succeeds"), None)
    peer.write(data[: len(data) // 2])
    peer.end_input()
    expect_gone(peer)
    peer.sends_only_logs()


@check("lost.in-a-request", MUST, "the-end")
def _(bench: RuntimeBench) -> None:
    """A supervisor that is gone while a request waits ends the process with another code than 0."""
    peer = bench.greeted("reads_variable")
    peer.expect_request("GetVariable")
    peer.hang_up()
    expect_gone(peer)


@check("lost.in-a-reply", MUST, "the-end")
def _(bench: RuntimeBench) -> None:
    """An end of the stream in the middle of a reply ends the process with another code than 0, and is no reply."""
    peer = bench.greeted("reads_variable")
    data = frame(peer.expect_request("GetVariable").id, VALUE, None)
    peer.write(data[: len(data) // 2])
    peer.end_input()
    expect_gone(peer)
    expect_no_success(peer)


@check("lost.in-the-body", MUST, "the-end")
def _(bench: RuntimeBench) -> None:
    """A supervisor that is gone while the body runs stops the body, and ends the process with another code than 0."""
    peer = bench.greeted("waits")
    wait_for_record(peer, "waiting")
    peer.hang_up()
    expect_gone(peer)


@check("lost.in-the-flood", SHOULD, "the-end")
def _(bench: RuntimeBench) -> None:
    """A supervisor that is gone while records pour out ends the process with another code than 0."""
    peer = bench.greeted("floods")
    peer.wait_until(lambda: bool(peer.records) or bool(peer.frames), "a first record")
    if peer.frames:
        peer.next_request()  # which says that the bundle has no such task, or that it has sent no record
        raise Failure("it sent a request before any record")
    peer.hang_up()
    expect_gone(peer)


def expect_no_success(peer: RuntimePeer) -> None:
    """No success was reported."""
    if any((sent.body or {}).get("type") in SUCCESSES for sent in peer.frames):
        raise Failure("it reported a success")


def wait_for_record(peer: RuntimePeer, event: str) -> None:
    """Wait until the body has logged this; a report instead means that the bundle has no such task, or is a failure."""
    peer.wait_until(
        lambda: bool(peer.frames) or has_record(peer, event) or "comm" in peer.ended, f"the record {event!r}"
    )
    if not has_record(peer, event):
        found = peer.next_request()
        raise Failure(f"it sent {found.body!r} instead of the record {event!r}")


def has_record(peer: RuntimePeer, event: str) -> bool:
    """Whether the body has logged this."""
    return any(record.get("event") == event for record in peer.records)


# ── greetings ─────────────────────────────────────────────────────────────────────────────────────────────────────


def expect_refused(peer: RuntimePeer, body: object) -> None:
    """A first frame that is no greeting: the process ends with another code than 0, and says why somewhere."""
    peer.connect()
    peer.send(0, body, None)
    if peer.wait_exit() == 0:
        raise Failure(f"it exits with 0 behind the greeting {body!r}")
    peer.sends_only_logs()
    if not peer.records and not any(peer.output.values()):
        raise Failure("it says nothing about a greeting that it does not know")


@check("greeting.unknown", MUST, "order-of-events")
def _(bench: RuntimeBench) -> None:
    """A first message that is no greeting, of an unknown type, of none, or nil, ends the process; it says why."""
    for body in ({"type": "MakeCoffee"}, {"kind": "none"}, {**VALUE}, None):
        expect_refused(bench.start(), body)


@check("greeting.incomplete", MUST, "fields")
def _(bench: RuntimeBench) -> None:
    """A greeting without a required field, or with one of the wrong type, ends the process; it says why."""

    def without(body: Body) -> None:
        del body["ti"]["try_number"]

    def wrong(body: Body) -> None:
        body["ti"]["try_number"] = "one"

    for change in (without, wrong):
        peer = bench.start()
        body = peer.greeting("succeeds")
        change(body)
        expect_refused(peer, body)


@check("start.arguments", SHOULD, "starting-a-runtime")
def _(bench: RuntimeBench) -> None:
    """Arguments that are none of the protocol's end the process with a line on stderr, and another code than 0."""
    peer = bench.start_with(("--comm=nowhere",))
    if peer.wait_exit() == 0 or not peer.output["stderr"]:
        raise Failure("it takes --comm without --logs, or says nothing")


# ── signals ───────────────────────────────────────────────────────────────────────────────────────────────────────


@check("signal.before-the-greeting", MUST, "the-end")
def _(bench: RuntimeBench) -> None:
    """SIGTERM before the greeting ends the process with another code than 0, and without a report."""
    peer = bench.start()
    peer.connect()
    peer.signal(signal.SIGTERM)
    if peer.wait_exit() == 0:
        raise Failure("it exits with 0")
    peer.sends_only_logs()


@check("signal.in-the-body", MUST, "the-end")
def _(bench: RuntimeBench) -> None:
    """SIGTERM stops the body: the process ends, and reports no success."""
    peer = bench.greeted("waits", should_retry=True)
    wait_for_record(peer, "waiting")
    peer.signal(signal.SIGTERM)
    expect_stopped(peer)


@check("signal.is-reported", SHOULD, "the-end")
def _(bench: RuntimeBench) -> None:
    """The body that SIGTERM stops is reported like any that fails: for a retry, if one is left."""
    for should_retry, kind in ((True, "RetryTask"), (False, "TaskState")):
        peer = bench.greeted("waits", should_retry=should_retry)
        wait_for_record(peer, "waiting")
        peer.signal(signal.SIGTERM)
        run = peer.serve()
        if run.report.get("type") != kind:
            raise Failure(f"it reported {run.report!r}, not {kind}")


@check("signal.in-a-request", MUST, "the-end")
def _(bench: RuntimeBench) -> None:
    """SIGTERM while a request waits for its reply ends the task too, and as no success."""
    peer = bench.greeted("reads_variable")
    peer.expect_request("GetVariable")
    peer.signal(signal.SIGTERM)
    expect_stopped(peer)


@check("signal.twice", SHOULD, "the-end")
def _(bench: RuntimeBench) -> None:
    """A second SIGTERM ends a process whose body refuses to stop."""
    peer = bench.greeted("refuses_to_stop")
    wait_for_record(peer, "waiting")
    peer.signal(signal.SIGTERM)
    # Two signals that are pending at once are one: the second may only follow when the first has been taken.
    wait_for_record(peer, "refusing")
    peer.signal(signal.SIGTERM)
    expect_stopped(peer)


@check("signal.interrupt", SHOULD, "the-end")
def _(bench: RuntimeBench) -> None:
    """SIGINT stops the body as SIGTERM does."""
    peer = bench.greeted("waits")
    wait_for_record(peer, "waiting")
    peer.signal(signal.SIGINT)
    expect_stopped(peer)


def expect_stopped(peer: RuntimePeer) -> None:
    """The process ends, whatever it reports or asks for before, as long as that is no success."""
    while True:
        peer.wait_until(lambda: bool(peer.frames) or "comm" in peer.ended, "the end")
        if not peer.frames:
            break
        request = peer.next_request()
        if (request.body or {}).get("type") in SUCCESSES:
            raise Failure("it was told to stop, and reports a success")
        peer.answer(request, {})
    peer.wait_exit()


@check("end.leaves-nothing", SHOULD, "the-end")
def _(bench: RuntimeBench) -> None:
    """A process that has ended leaves no other process behind that stays."""
    bench.run("succeeds").peer.wait_kin_gone()
