"""Frames: how they may be cut, how many elements they may have, and what a runtime does with what is none."""

from __future__ import annotations

from collections.abc import Callable

from outboard.conformance.check import MUST, SHOULD, Check, Failure, register
from outboard.conformance.runtime_bench import RuntimeBench, RuntimePeer
from outboard.conformance.runtime_checks.requests import VALUE, expect_returned
from outboard.conformance.wire import frame, pack, prefixed, wide_frame

__all__ = ("CHECKS",)

CHECKS: list[Check] = []
check = register(CHECKS)

# Far above what a runtime needs, and far below what the largest length promises.
MUCH_MEMORY = 1 << 30

# What is no frame, each in its own way. The supervisor must not send any of it, and a runtime must not go on behind it.
BROKEN = {
    "an empty frame": prefixed(b""),
    "an empty array": prefixed(pack([])),
    "a map instead of an array": prefixed(pack({"type": "VariableResult"})),
    "an array that goes on behind its end": prefixed(pack([1, None, None]) + b"\xc0"),
    "an array that is cut short": prefixed(pack([1, None, None])[:-1]),
    "a payload that is no msgpack": prefixed(b"\xc1\xc1\xc1"),
    "an id that is text": frame("1", None, None),
    "a body that is a list": frame(1, ["VariableResult"], None),
}


@check("frame.drip", MUST, "frames")
def _(bench: RuntimeBench) -> None:
    """A greeting and a reply that arrive byte by byte mean the same as whole ones."""
    peer = bench.start()
    peer.connect()
    peer.task_id = "reads_variable"
    peer.drip(frame(0, peer.greeting("reads_variable"), None))
    peer.drip(frame(peer.expect_request("GetVariable").id, VALUE, None))
    expect_returned(peer.serve(), "a value")


@check("frame.every-split", MUST, "frames")
def _(bench: RuntimeBench) -> None:
    """A reply may be split behind any of its bytes."""
    peer = bench.greeted("reads_repeatedly")
    size = len(frame(1, {**VALUE, "value": "more"}, None))
    for position in range(1, size):
        request = peer.expect_request("GetVariable")
        peer.write_in_two(frame(request.id, {**VALUE, "value": "more"}, None), position)
    peer.send(peer.expect_request("GetVariable").id, {**VALUE, "value": "done"}, None)
    expect_returned(peer.serve(), size)


@check("frame.two-at-once", MUST, "frames")
def _(bench: RuntimeBench) -> None:
    """Two replies that arrive together are two replies."""
    peer = bench.greeted("reads_together")
    asked = [peer.expect_request("GetVariable"), peer.expect_request("GetVariable")]
    keys = [(request.body or {}).get("key") for request in asked]
    replies = [
        frame(request.id, {"type": "VariableResult", "key": key, "value": f"of {key}"}, None)
        for request, key in zip(asked, keys, strict=True)
    ]
    peer.write(b"".join(replies))
    expect_returned(peer.serve(), {"first": "of first", "second": "of second"})


@check("frame.one-element", MUST, "frames")
def _(bench: RuntimeBench) -> None:
    """A reply without a body may be an array of its id alone."""
    answered_with(bench, lambda peer, id: peer.send(id))


@check("frame.two-elements", MUST, "frames")
def _(bench: RuntimeBench) -> None:
    """A greeting and a reply may be an array of two elements."""
    peer = bench.start()
    peer.connect()
    peer.task_id = "reads_variable"
    peer.send(0, peer.greeting("reads_variable"))
    peer.send(peer.expect_request("GetVariable").id, VALUE)
    expect_returned(peer.serve(), "a value")


@check("frame.more-elements", MUST, "frames")
def _(bench: RuntimeBench) -> None:
    """A greeting and a reply may have elements behind the third, which mean nothing."""
    peer = bench.start()
    peer.connect()
    peer.task_id = "reads_variable"
    peer.send(0, peer.greeting("reads_variable"), None, "unknown")
    peer.send(peer.expect_request("GetVariable").id, VALUE, None, None, ["unknown"])
    expect_returned(peer.serve(), "a value")


@check("frame.wide-headers", MUST, "frames")
def _(bench: RuntimeBench) -> None:
    """Headers of arrays, maps, strings and integers may have any width."""
    peer = bench.start()
    peer.connect()
    peer.task_id = "reads_variable"
    peer.transcript.sent("the greeting, with wide headers")
    peer.write(wide_frame(0, peer.greeting("reads_variable"), None), quietly=True)
    peer.write(wide_frame(peer.expect_request("GetVariable").id, VALUE, None))
    expect_returned(peer.serve(), "a value")


@check("frame.key-twice", SHOULD, "frames")
def _(bench: RuntimeBench) -> None:
    """Of a key that occurs twice in a map, the last value counts."""
    peer = bench.greeted("reads_variable")
    request = peer.expect_request("GetVariable")
    pairs = [("type", "VariableResult"), ("key", "conformance"), ("value", "the first"), ("value", "a value")]
    body = bytes([0x80 | len(pairs)]) + b"".join(pack(part) for pair in pairs for part in pair)
    peer.write(prefixed(b"\x93" + pack(request.id) + body + pack(None)))
    expect_returned(peer.serve(), "a value")


@check("frame.large-reply", MUST, "limits")
def _(bench: RuntimeBench) -> None:
    """A reply of eight megabytes is read."""
    value = "x" * (8 << 20)
    run = bench.run("reads_variable", {"GetVariable": {**VALUE, "value": value}})
    expect_returned(run, value)


@check("frame.large-request", MUST, "limits")
def _(bench: RuntimeBench) -> None:
    """A request of a megabyte is sent whole."""
    expect_returned(bench.run("returns_large"), "x" * (1 << 20))


# ── what is no frame ──────────────────────────────────────────────────────────────────────────────────────────────


def answered_with(bench: RuntimeBench, answer: Callable[[RuntimePeer, int], None]) -> None:
    """A report that is answered in this way ends the process with 0."""
    peer = bench.greeted("succeeds")
    report = peer.expect_request("SucceedTask")
    answer(peer, report.id)
    if code := peer.wait_exit():
        raise Failure(f"it did not take the answer to its report: exit code {code}")


def expect_given_up(peer: RuntimePeer, what: str) -> None:
    """The process ends, with another code than 0 and without having reported a success."""
    code = peer.wait_exit()
    if any((sent.body or {}).get("type") == "SucceedTask" for sent in peer.frames):
        raise Failure(f"it reported a success behind {what}")
    if code == 0 and not any((sent.body or {}).get("type") in ("TaskState", "RetryTask") for sent in peer.frames):
        raise Failure(f"it exits with 0 behind {what}, without a report")


@check("frame.broken-greeting", MUST, "frames")
def _(bench: RuntimeBench) -> None:
    """What is no frame, instead of a greeting, ends the process with another code than 0."""
    for what, data in BROKEN.items():
        peer = bench.start()
        peer.connect()
        peer.transcript.note(what)
        peer.write(data)
        code = peer.wait_exit()
        peer.sends_only_logs()
        if code == 0:
            raise Failure(f"it exits with 0 behind {what}")


@check("frame.broken-reply", MUST, "frames")
def _(bench: RuntimeBench) -> None:
    """What is no frame, instead of a reply, ends the task, and never as a success."""
    for what, data in BROKEN.items():
        peer = bench.greeted("reads_variable")
        peer.expect_request("GetVariable")
        peer.transcript.note(what)
        peer.write(data)
        expect_given_up(peer, what)


@check("frame.promises", MUST, "frames")
def _(bench: RuntimeBench) -> None:
    """A length of four gigabytes does not make it take the memory, and does not make it wait behind the end."""
    peer = bench.greeted("reads_variable")
    peer.expect_request("GetVariable")
    peer.write(b"\xff\xff\xff\xff\x93")
    peer.end_input()
    expect_given_up(peer, "a length of four gigabytes and an end")
    peer.close()
    if peer.peak_memory > MUCH_MEMORY:
        raise Failure(f"it took {peer.peak_memory >> 20} MiB for a length alone")
