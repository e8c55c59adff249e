"""Fields and values: what may be left out or null, what nobody knows, and every form that a value may have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgpack

from outboard.conformance.check import MUST, SHOULD, Check, Failure, register
from outboard.conformance.probes import DAG_ID
from outboard.conformance.runtime_bench import RUN_ID, Body, Run, RuntimeBench
from outboard.conformance.runtime_checks.requests import CONNECTION, VALUE, expect_returned
from outboard.conformance.wire import unknown_extension
from outboard.protocol import messages as m

__all__ = ("CHECKS",)

CHECKS: list[Check] = []
check = register(CHECKS)


def told(bench: RuntimeBench, change: Any = None) -> Run:
    """Run the probe that tells its context, under a greeting that was changed."""
    peer = bench.start()
    peer.greet("tells_context", change)
    run = peer.serve()
    if run.report.get("type") != "SucceedTask":
        raise Failure(f"it reported {run.report!r}, not SucceedTask")
    return run


def expect_context(run: Run, **expected: object) -> None:
    """The task has told these of its context; times are compared as times."""
    found = run.returned
    if not isinstance(found, dict):
        raise Failure(f"it returned {found!r}, not a map")
    for key, value in expected.items():
        if (as_time(found.get(key)) if isinstance(value, datetime) else found.get(key)) != value:
            raise Failure(f"its {key} is {found.get(key)!r}, not {value!r}")


def as_time(text: object) -> object:
    """A time in ISO 8601, or what is none as it is."""
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else text
    except ValueError:
        return text


@check("greeting.context", MUST, "greetings")
def _(bench: RuntimeBench) -> None:
    """A body knows its own ids, its try, its map index, and the logical date of its run."""
    expect_context(
        told(bench),
        **{"dag_id": DAG_ID, "task_id": "tells_context", "run_id": RUN_ID, "try_number": 1, "map_index": -1},
        logical_date=datetime(2026, 3, 29, 1, 30, 0, 250_000, tzinfo=UTC),
    )


@check("greeting.no-logical-date", MUST, "fields")
def _(bench: RuntimeBench) -> None:
    """A run without a logical date has none."""

    def change(body: Body) -> None:
        body["ti_context"]["dag_run"]["logical_date"] = None

    expect_context(told(bench, change), logical_date=None)


@check("greeting.optional-absent", MUST, "fields")
def _(bench: RuntimeBench) -> None:
    """Every optional field of the greeting may be left out, at every depth."""
    expect_context(told(bench, lambda body: visit("StartupDetails", body, leave_out)), map_index=-1)


@check("greeting.optional-null", MUST, "fields")
def _(bench: RuntimeBench) -> None:
    """Every optional field of the greeting that may be null may be null, at every depth."""
    expect_context(told(bench, lambda body: visit("StartupDetails", body, make_null)), task_id="tells_context")


@check("greeting.unknown-fields", MUST, "fields")
def _(bench: RuntimeBench) -> None:
    """Fields of the greeting that nobody knows are ignored, at every depth."""

    def add(body: Body, _: Any) -> None:
        body["a_field_of_the_future"] = {"nested": [1, None, {"x": b"\x00"}]}

    expect_context(told(bench, lambda body: visit("StartupDetails", body, add)), task_id="tells_context")


@check("greeting.unknown-extension", MUST, "values")
def _(bench: RuntimeBench) -> None:
    """A value of an extension type that nobody knows stops nobody."""

    def change(body: Body) -> None:
        body["a_field_of_the_future"] = unknown_extension()

    expect_context(told(bench, change), task_id="tells_context")


def visit(name: str, body: Body, do: Any) -> None:
    """Do something with the map of a definition, and with all below it; it gets the map and the definition's fields."""
    spec = m.definition(name).spec
    do(body, spec)
    for field, kind, _, _ in spec:
        inner = kind[1] if isinstance(kind, tuple) and kind[0] == "optional" else kind
        if isinstance(inner, tuple) and inner[0] == "ref" and isinstance(body.get(field), dict):
            visit(inner[1], body[field], do)


def leave_out(body: Body, spec: Any) -> None:
    """Leave out what may be left out."""
    for field, _, required, _ in spec:
        if not required:
            body.pop(field, None)


def make_null(body: Body, spec: Any) -> None:
    """Make null what may be null and need not be there, as far as the date of the schema knows it."""
    for field, kind, required, _ in spec:
        if not required and isinstance(kind, tuple) and kind[0] == "optional" and not is_newer(spec, field):
            body[field] = None


def is_newer(spec: Any, field: str) -> bool:
    """Whether a field came with a later date than the first."""
    return any(
        field in (fields or ()) and m.definition(name).spec is spec
        for added in m.ADDED.values()
        for name, fields in added.items()
    )


@check("reply.unknown-fields", MUST, "fields")
def _(bench: RuntimeBench) -> None:
    """Fields of a reply that nobody knows are ignored."""
    reply = {**VALUE, "a_field_of_the_future": [1], "another": None}
    expect_returned(bench.run("reads_variable", {"GetVariable": reply}), "a value")
    run = bench.run("reads_connection", {"GetConnection": {**CONNECTION, "a_field_of_the_future": {}}})
    expect_returned(run, {"host": "db.example", "schema": "sales", "login": "reader", "port": 5432})


# ── times ─────────────────────────────────────────────────────────────────────────────────────────────────────────

SECONDS = 1_774_747_800  # 2026-03-29T01:30:00Z, in the hour that Europe does not have that night


MOMENTS = {
    "a timestamp of 4 bytes": (msgpack.Timestamp(SECONDS, 0), datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    "a timestamp of 8 bytes": (
        msgpack.Timestamp(SECONDS, 250_000_000),
        datetime(2026, 3, 29, 1, 30, 0, 250_000, tzinfo=UTC),
    ),
    "a timestamp of 12 bytes, before 1970": (
        msgpack.Timestamp(-86_400, 500_000_000),
        datetime(1969, 12, 31, 0, 0, 0, 500_000, tzinfo=UTC),
    ),
    "a timestamp of 12 bytes, of the year 2600": (
        msgpack.Timestamp(19_880_899_200, 0),
        datetime(2600, 1, 1, tzinfo=UTC),
    ),
    "text with a Z": ("2026-03-29T01:30:00Z", datetime(2026, 3, 29, 1, 30, tzinfo=UTC)),
    "text with an offset": ("2026-03-29T03:30:00.25+02:00", datetime(2026, 3, 29, 1, 30, 0, 250_000, tzinfo=UTC)),
    "text with microseconds": (
        "2026-03-29T01:30:00.123456+00:00",
        datetime(2026, 3, 29, 1, 30, 0, 123_456, tzinfo=UTC),
    ),
}


def make_moment_check(tier: str, name: str, what: str) -> None:
    """One check for each form of a time."""
    sent, meant = MOMENTS[what]

    def body(bench: RuntimeBench) -> None:
        def change(greeting: Body) -> None:
            greeting["ti_context"]["dag_run"]["logical_date"] = sent

        expect_context(told(bench, change), logical_date=meant)

    body.__doc__ = f"A time may come as {what}."
    check(f"time.{name}", tier, "values")(body)


make_moment_check(MUST, "ext-4", "a timestamp of 4 bytes")
make_moment_check(MUST, "ext-8", "a timestamp of 8 bytes")
make_moment_check(MUST, "ext-12-past", "a timestamp of 12 bytes, before 1970")
make_moment_check(MUST, "ext-12-future", "a timestamp of 12 bytes, of the year 2600")
make_moment_check(MUST, "text-utc", "text with a Z")
make_moment_check(MUST, "text-offset", "text with an offset")
make_moment_check(SHOULD, "text-microseconds", "text with microseconds")


# ── XComs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def make_echo_check(tier: str, name: str, idea: str, value: object) -> None:
    """One check that a value comes back as it went."""

    def body(bench: RuntimeBench) -> None:
        run = bench.run("pulls", {"GetXCom": {"type": "XComResult", "key": "conformance", "value": value}})
        expect_returned(run, value)

    body.__doc__ = idea
    check(f"json.{name}", tier, "values")(body)


def nested(depth: int) -> object:
    """Lists inside of lists."""
    value: object = "the innermost"
    for _ in range(depth):
        value = [value]
    return value


make_echo_check(
    MUST,
    "scalars",
    "Scalars pass through a task as they are: integers up to 2^53, floats, booleans, null.",
    [None, True, False, 0, -1, 0.5, -1e300, 2**31, -(2**31), 2**53 - 1, -(2**53) + 1],
)
make_echo_check(
    MUST,
    "text",
    "Text passes through a task as it is: beyond the first plane, with zeros, long.",
    ["", "naïve ☃ 𝄞", "a\x00b", '"quoted"', "line\nline", "</script>", "\u2028", "x" * 70_000],
)
make_echo_check(
    MUST,
    "containers",
    "Containers pass through a task as they are: empty ones, odd keys, long ones.",
    [[], {}, {"": None}, {"a b": {"c.d": [[[]]]}}, {"toString": 1, "constructor": 2}, [list(range(300))]],
)
make_echo_check(
    SHOULD,
    "large-integers",
    "Integers of 64 bits pass through a task exactly.",
    [2**53 + 1, 2**63 - 1, -(2**63), 2**64 - 1],
)
make_echo_check(SHOULD, "nesting", "A value nested 100 deep passes through a task.", nested(100))
make_echo_check(
    SHOULD,
    "special-keys",
    "A key passes through whatever it means in the runtime's language.",
    {"__proto__": 1, "__init__": 2},
)


@check("json.unencodable", MUST, "values")
def _(bench: RuntimeBench) -> None:
    """What an XCom cannot hold is refused by the runtime itself, and the task fails by a report."""
    run = bench.run("returns_unencodable")
    if any(body.get("type") == "SetXCom" for body in run.requests):
        raise Failure(f"it sent it: {run.request('SetXCom')!r}")
    if run.report.get("type") != "TaskState" or run.report.get("state") != "failed":
        raise Failure(f"it reported {run.report!r}, not TaskState failed")
