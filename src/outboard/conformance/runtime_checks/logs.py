"""The log: what records look like, what happens to what is printed, and that neither is lost or stops anything."""

from __future__ import annotations

import re
from datetime import datetime

from outboard.conformance.check import MUST, SHOULD, Check, Failure, register
from outboard.conformance.runtime_bench import RuntimeBench, RuntimePeer

__all__ = ("CHECKS",)

CHECKS: list[Check] = []
check = register(CHECKS)

LEVELS = ("debug", "info", "warning", "error", "critical")
LEVEL_VARIABLE = "AIRFLOW__LOGGING__LOGGING_LEVEL"

# What stock's logger takes for itself: a record with one of these fails the task there.
TAKEN = ("msg", "self", "target", "method_name", "positional_args")

FLOOD = 5_000

# What a pipe holds at least; the flood is a hundred times that, so whoever writes it has to wait.
UNREAD = 32 << 10


def records_of(peer: RuntimePeer, ending: str) -> list[dict[str, object]]:
    """The records of the body: those whose text ends so."""
    return [record for record in peer.records if str(record.get("event", "")).endswith(ending)]


def the_record(peer: RuntimePeer, event: str) -> dict[str, object]:
    """The one record of this text."""
    found = [record for record in peer.records if record.get("event") == event]
    if len(found) != 1:
        raise Failure(f"{len(found)} records say {event!r}, not one")
    return found[0]


def expect_sound(peer: RuntimePeer) -> None:
    """Every record is one that stock can take."""
    if peer.strays:
        raise Failure(f"its log has a line that is no record: {peer.strays[0][:200]!r}")
    for record in peer.records:
        if not isinstance(record.get("event"), str) or record.get("level") not in LEVELS:
            raise Failure(f"a record has no event, or none of the levels: {record!r}")
        if not is_time(record.get("timestamp")):
            raise Failure(f"the timestamp of a record is not RFC 3339: {record!r}")
        for field in TAKEN:
            if field in record:
                raise Failure(f"a record has the field {field}, over which stock fails: {record!r}")


def is_time(value: object) -> bool:
    """Whether a record's timestamp is left out, a time, or its text."""
    if value is None or (isinstance(value, datetime) and value.tzinfo is not None):
        return True
    try:
        return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None
    except ValueError:
        return False


@check("log.records", MUST, "log-records")
def _(bench: RuntimeBench) -> None:
    """A record has an event, one of the five levels in lower case, and a timestamp of RFC 3339 if it has one."""
    run = bench.run("logs")
    for level in ("info", "warning", "error"):
        record = the_record(run.peer, f"an {level} record" if level != "warning" else "a warning record")
        if record.get("level") != level:
            raise Failure(f"the level is not {level}: {record!r}")
    expect_sound(run.peer)


@check("log.extras", MUST, "log-records")
def _(bench: RuntimeBench) -> None:
    """What a body logs beside its text is a field of the record."""
    record = the_record(bench.run("logs").peer, "an info record")
    if record.get("rows") != 3:
        raise Failure(f"the record has no rows of 3: {record!r}")


@check("log.order", MUST, "log-records")
def _(bench: RuntimeBench) -> None:
    """Records arrive in the order in which they were logged."""
    events = [str(record["event"]) for record in records_of(bench.run("logs").peer, " record")]
    if events != ["an info record", "a warning record", "an error record"]:
        raise Failure(f"they are {events}")


@check("log.level", MUST, "levels-and-filtering")
def _(bench: RuntimeBench) -> None:
    """The runtime drops what is below the level in its environment, and nothing else; without one that is info."""
    for level, count in (("", 3), ("DEBUG", 4), ("warning", 2), ("ERROR", 1)):
        peer = bench.start(**({LEVEL_VARIABLE: level} if level else {}))
        peer.greet("logs")
        peer.serve()
        events = [record["event"] for record in records_of(peer, " record")]
        if len(events) != count:
            raise Failure(f"at the level {level or 'that is not set'} it sent {events}")


@check("log.careless", MUST, "log-records")
def _(bench: RuntimeBench) -> None:
    """Extras of names that stock's own logger takes are renamed or left out, so that no line of an author fails a task."""
    run = bench.run("logs_carelessly")
    the_record(run.peer, "a careless record")
    expect_sound(run.peer)


@check("log.failure", SHOULD, "log-records")
def _(bench: RuntimeBench) -> None:
    """The log of a body that fails has a record at level error or above with what it failed with."""
    peer = bench.run("fails").peer
    if not any(r.get("level") in ("error", "critical") and "it was meant to fail" in str(r) for r in peer.records):
        raise Failure(f"none of its {len(peer.records)} records says so")
    expect_sound(peer)


@check("log.nothing-lost", MUST, "log-records")
def _(bench: RuntimeBench) -> None:
    """Every record arrives before the exchange ends, however many there are."""
    expect_flood(bench.run("floods").peer)


@check("log.undrained", MUST, "log-records")
def _(bench: RuntimeBench) -> None:
    """A supervisor that does not read the log for a while loses none of it."""
    peer = bench.start()
    peer.connect()
    peer.task_id = "floods"
    peer.send(0, peer.greeting("floods"), None)
    peer.wait_until(lambda: bool(peer.records) or bool(peer.frames), "a first record")
    channel = "logs" if bench.transport == "sockets" else "comm"
    peer.pause(channel)
    peer.wait_unread(channel, UNREAD)
    peer.resume()
    run = peer.serve()
    expect_flood(run.peer)


def expect_flood(peer: RuntimePeer) -> None:
    """All records of the flood are there, in order."""
    found = [re.match(r"record (\d+) ", str(record.get("event"))) for record in peer.records]
    numbers = [int(match[1]) for match in found if match]
    if numbers != list(range(FLOOD)):
        raise Failure(f"{len(numbers)} of {FLOOD} records arrived, or not in order")


# ── what is printed ───────────────────────────────────────────────────────────────────────────────────────────────


@check("output.printed", MUST, "starting-a-runtime")
def _(bench: RuntimeBench) -> None:
    """What a body prints comes out where the supervisor reads it, the last line without a newline too."""
    run = bench.run("prints")
    expect_printed(run.peer, b"printed to stdout")
    expect_printed(run.peer, b"printed to stderr")


@check("output.off-the-wire", MUST, "standard-descriptors")
def _(bench: RuntimeBench) -> None:
    """What a body prints never gets among the frames."""
    run = bench.run("prints")
    if run.report.get("type") != "SucceedTask":
        raise Failure(f"it reported {run.report!r}, not SucceedTask")


@check("output.bytes", SHOULD, "starting-a-runtime")
def _(bench: RuntimeBench) -> None:
    """Bytes that are no text and a line of ten megabytes come out as they are, and stop nothing."""
    run = bench.run("prints_bytes")
    if run.report.get("type") != "SucceedTask":
        raise Failure(f"it reported {run.report!r}, not SucceedTask")
    expect_printed(run.peer, b"\xff\xfe\n")
    expect_printed(run.peer, b"y" * 10_000_000)
    expect_printed(run.peer, b"the end")


def expect_printed(peer: RuntimePeer, text: bytes) -> None:
    """This is among the output, or a record's text."""
    printed = b"".join(map(bytes, peer.output.values()))
    shown = text.decode(errors="replace").strip()
    if text not in printed and not any(shown in str(record.get("event")) for record in peer.records):
        raise Failure(f"{text[:40]!r} is not in its output of {len(printed)} bytes, nor in its log")


@check("output.nothing-of-its-own", SHOULD, "starting-a-runtime")
def _(bench: RuntimeBench) -> None:
    """A bundle that succeeds prints nothing of its own."""
    peer = bench.run("succeeds").peer
    printed = b"".join(map(bytes, peer.output.values()))
    if printed:
        raise Failure(f"it printed {printed[:200]!r}")
