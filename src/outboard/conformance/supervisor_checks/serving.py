"""How a supervisor serves requests, sound and invalid, and the log."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime

from outboard.conformance.actor import SUCCESS, Actor, scene
from outboard.conformance.check import MAY, MUST, SHOULD, Check, Failure, register
from outboard.conformance.supervisor_bench import SupervisorBench
from outboard.conformance.wire import frame, wide_frame

__all__ = ("CHECKS",)

CHECKS: list[Check] = []
check = register(CHECKS)

VARIABLES = {"conformance": "a value"}
GET = {"type": "GetVariable", "key": "conformance"}


def make_request_check(
    tier: str, name: str, heading: str, idea: str, count: int, play: Callable[[Actor], None]
) -> None:
    """One check that a scene gets the variable so many times, and succeeds."""

    def whole(actor: Actor) -> None:
        actor.start()
        play(actor)
        replies = [actor.receive() for _ in range(count)]
        actor.tell(got=sorted(reply.id for reply in replies if (reply.body or {}).get("value") == "a value"))
        actor.succeed()

    whole.__name__ = f"request_{name.replace('-', '_')}"
    scene(whole)

    def judge(bench: SupervisorBench) -> None:
        run = bench.run(whole.__name__, variables=VARIABLES)
        run.expect_answers()
        if run.facts.get("got") != list(range(1, count + 1)):
            raise Failure(
                f"the variable came under the ids {run.facts.get('got')}, not once under each of 1 to {count}"
            )
        run.expect("success")

    judge.__doc__ = idea
    check(f"serving.{name}", tier, heading)(judge)


def byte_by_byte(actor: Actor) -> None:
    """Send a request a byte at a time."""
    for byte in frame(1, GET):
        actor.send_bytes(bytes([byte]))


def pipelined(actor: Actor) -> None:
    """Send a hundred requests at once."""
    actor.send_bytes(b"".join(frame(number, GET) for number in range(1, 101)))


def one(*elements: object) -> Callable[[Actor], None]:
    """Send one request of these elements."""
    return lambda actor: actor.send(1, *elements)


make_request_check(MUST, "variable", "requests", "A request is answered.", 1, one(GET))
make_request_check(
    MUST, "carrier", "frames", "A request may have a trace carrier.", 1, one(GET, {"traceparent": "00-1"})
)
make_request_check(
    MUST, "more-elements", "frames", "A request may have elements behind the third.", 1, one(GET, None, None, [1])
)
make_request_check(
    MUST,
    "wide-headers",
    "frames",
    "Headers of a request may have any width.",
    1,
    lambda actor: actor.send_bytes(wide_frame(1, GET)),
)
make_request_check(MUST, "drip", "frames", "A request may come byte by byte.", 1, byte_by_byte)
make_request_check(MUST, "pipelined", "ids", "A hundred requests that come at once are all answered.", 100, pipelined)
make_request_check(
    SHOULD,
    "unknown-field",
    "fields",
    "A request may have a field that nobody knows.",
    1,
    one({**GET, "a_field_of_the_future": 1}),
)


@scene
def ids(actor: Actor) -> None:
    actor.start()
    for number in (0, 7, 7, -5, 2**31, 2**63 - 1, -(2**63)):
        actor.ask(GET, id=number)
    actor.succeed()


@check("serving.ids", MUST, "ids")
def _(bench: SupervisorBench) -> None:
    """A request is answered under its own id: 0, negative, of 64 bits, or one that was there before."""
    run = bench.run("ids", variables=VARIABLES)
    run.expect_answers()
    run.expect("success")


@scene
def not_found(actor: Actor) -> None:
    actor.start()
    reply = actor.ask({"type": "GetVariable", "key": "there_is_none"})
    found = reply.body or reply.third
    actor.tell(error=found.get("error") if isinstance(found, dict) else None, is_body=reply.body is not None)
    actor.succeed()


@check("serving.not-found", MUST, "replies-and-errors")
def _(bench: SupervisorBench) -> None:
    """A variable that is not there is an ErrorResponse VARIABLE_NOT_FOUND as the body of the reply."""
    run = bench.run("not_found")
    run.expect_answers()
    if (run.facts.get("error"), run.facts.get("is_body")) != ("VARIABLE_NOT_FOUND", True):
        raise Failure(f"the reply says {run.facts.get('error')!r}")
    run.expect("success")


def make_invalid_check(name: str, body: object, idea: str) -> None:
    """One check that an invalid request is answered with an error, and the next one as usual."""

    def play(actor: Actor) -> None:
        actor.start()
        reply = actor.ask(body)
        found = [element for element in (reply.body, reply.third) if isinstance(element, dict)]
        actor.tell(is_error=any(element.get("type") == "ErrorResponse" for element in found))
        actor.tell(value=actor.get_variable())
        actor.succeed()

    play.__name__ = f"invalid_{name.replace('-', '_')}"
    scene(play)

    def judge(bench: SupervisorBench) -> None:
        run = bench.run(play.__name__, variables=VARIABLES)
        run.expect_answers()
        if not run.facts.get("is_error"):
            raise Failure("the answer is no error")
        if run.facts.get("value") != "a value":
            raise Failure(f"the next request got {run.facts.get('value')!r}")
        run.expect("success")

    judge.__doc__ = f"{idea} is answered with an error, and the next request is served."
    check(f"invalid.{name}", MUST, "replies-and-errors")(judge)


make_invalid_check("field", {"type": "GetVariable", "key": 7}, "A request with a field of the wrong type")
make_invalid_check("missing", {"type": "GetVariable"}, "A request without a required field")
make_invalid_check("type", {"type": "MakeCoffee"}, "A request of an unknown type")
make_invalid_check("no-type", {"key": "conformance"}, "A request without a type")
make_invalid_check("nil", None, "A request whose body is nil")


@scene
def after_report(actor: Actor) -> None:
    actor.start()
    actor.ask(SUCCESS)
    actor.tell(value=actor.get_variable())
    actor.leave(0)


@check("serving.after-the-report", SHOULD, "order-of-events")
def _(bench: SupervisorBench) -> None:
    """A request after the report is answered."""
    run = bench.run("after_report", variables=VARIABLES)
    run.expect_answers()
    if run.facts.get("value") != "a value":
        raise Failure("it was not answered before the process was ended")
    run.expect("success")


LARGE = 4 << 20


@scene
def flood_before_reading(actor: Actor) -> None:
    actor.start()
    actor.send(1, GET)
    for number in range(2_000):
        actor.log(f"record {number} " + "x" * 1_000)
    actor.tell(size=len(str((actor.receive().body or {}).get("value"))))
    actor.succeed()


@check("serving.both-ways", MUST, "limits")
def _(bench: SupervisorBench) -> None:
    """A large reply and a flood of records at once lock up neither side, and no record is lost."""
    run = bench.run("flood_before_reading", variables={"conformance": "v" * LARGE})
    run.expect_answers()
    run.expect("success")
    if run.facts.get("size") != LARGE:
        raise Failure(f"the reply has {run.facts.get('size')} characters, not {LARGE}")
    count = sum(str(record.get("event")).startswith("record ") for record in run.log)
    if count != 2_000:
        raise Failure(f"{count} of 2,000 records are in the log")


# ── the log ───────────────────────────────────────────────────────────────────────────────────────────────────────


@scene
def logs(actor: Actor) -> None:
    actor.start()
    for number, level in enumerate(("debug", "info", "warning", "error", "critical")):
        actor.log(f"at {level}", level, rows=number)
    actor.succeed()


@check("log.in-order", MUST, "log-records")
def _(bench: SupervisorBench) -> None:
    """Records arrive in the task's log in their order, with their levels, times and extras."""
    run = bench.run("logs")
    run.expect("success")
    levels = [record for record in run.log if str(record.get("event")).startswith("at ")]
    found = [(record.get("event"), record.get("level"), record.get("rows")) for record in levels]
    names = ("debug", "info", "warning", "error", "critical")
    if found != [(f"at {level}", level, number) for number, level in enumerate(names)]:
        raise Failure(f"the log has {found}")
    for record in levels:
        if not str(record.get("timestamp")).startswith("2026-03-29"):
            raise Failure(f"its time is {record.get('timestamp')!r}")


@scene
def masks(actor: Actor) -> None:
    actor.start()
    actor.ask({"type": "MaskSecret", "value": "correct horse"})
    actor.log("it is correct horse")
    actor.succeed()


@check("log.masked", MUST, "log-records")
def _(bench: SupervisorBench) -> None:
    """A secret that was told by MaskSecret is not in the log."""
    run = bench.run("masks")
    run.expect_answers()
    if not any(str(record.get("event")).startswith("it is ") for record in run.log):
        raise Failure("the record is not in the log")
    if "correct horse" in str(run.log):
        raise Failure("the secret is in the log")


@scene
def prints(actor: Actor) -> None:
    actor.start()
    out = 2 if actor.is_over_stdio else 1
    os.write(out, b"a first line\n")
    os.write(2, b"\xff\xfe not text\n")
    os.write(out, b"y" * 10_000_000 + b"\n")
    os.write(2, b"the end, without a newline")
    actor.succeed()


@check("output.lines", MUST, "starting-a-runtime")
def _(bench: SupervisorBench) -> None:
    """What a process prints is in the log line by line: also what is no text, ten megabytes long, or has no newline."""
    run = bench.run("prints")
    run.expect("success")
    run.expect_logged("a first line")
    text = [str(record.get("event")) for record in run.log]
    for part in ("not text", "yyyyyyyyyy", "the end, without a newline"):
        if not any(part in event for event in text):
            raise Failure(f"{part!r} is not in the log")


@check("log.times", MAY, "log-records")
def _(bench: SupervisorBench) -> None:
    """Every record of the task's log has a time with a zone."""
    for record in bench.run("logs").log:
        try:
            zone = datetime.fromisoformat(str(record.get("timestamp"))).tzinfo
        except ValueError:
            zone = None
        if zone is None:
            raise Failure(f"a record has the time {record.get('timestamp')!r}")
