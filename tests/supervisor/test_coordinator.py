"""One process, from its spawn to its outcome, against real peers, sound ones and others."""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import anyio
import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outboard.errors import InvalidMessageError, LoadError, UsageError
from outboard.protocol import messages as m
from outboard.protocol.messages import SCHEMA_DATES
from outboard.supervisor.coordinator import parse_dags, run_task, run_trigger
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.outcome import Outcome
from tests.supervisor.conftest import QUICK, Records, World, is_alive, is_there, peer, startup
from tests.supervisor.peer import NOW

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

TRANSPORTS = ("stdio", "sockets")
SCHEMA = max(SCHEMA_DATES)


# ── outcomes ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_reported_success_is_a_success(world: World, transport: Any) -> None:
    outcome = await world.run("succeed", transport=transport)
    assert (outcome.state, outcome.reason, outcome.exit_code) == ("success", "reported success", 0)
    assert isinstance(outcome.terminal, m.SucceedTask)
    assert outcome.started_at <= outcome.ended_at


@pytest.mark.parametrize("state", ["failed", "skipped", "removed"])
async def test_a_reported_state_is_the_state(world: World, state: str) -> None:
    outcome = await world.run("report", state)
    assert (outcome.state, outcome.reason) == (state, f"reported {state}")


async def test_the_reason_of_a_failure_is_told(world: World) -> None:
    outcome = await world.run("fail_with_reason", should_retry=True)
    assert (outcome.state, outcome.reason) == ("failed", "reported failed: the moon is gone")


async def test_a_retry_is_granted_where_one_was_offered(world: World) -> None:
    outcome = await world.run("retry", should_retry=True)
    assert (outcome.state, outcome.retry_delay) == ("up_for_retry", 7.5)
    assert outcome.reason == "asked for a retry: the moon is wrong"


async def test_a_retry_that_was_not_offered_is_a_failure(world: World) -> None:
    outcome = await world.run("retry", should_retry=False)
    assert (outcome.state, outcome.retry_delay) == ("failed", None)
    assert outcome.reason == "asked for a retry that is not left to it: the moon is wrong"


async def test_a_task_may_ask_to_be_run_again_later(world: World) -> None:
    outcome = await world.run("reschedule")
    assert outcome.state == "up_for_reschedule"
    assert isinstance(outcome.terminal, m.RescheduleTask)


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize(
    ("scenario", "reason"),
    [
        (("exit_silently", 0), "exited with 0 without reporting"),
        (("exit_silently", 3), "exited with 3 without reporting"),
        (("die", 9), "killed by signal 9 (SIGKILL) while running"),
        (("die", 11), "killed by signal 11 (SIGSEGV) while running"),
        (("die_in_a_frame",), "killed by signal 9 (SIGKILL) while running"),
        (("exit_at_once", 4), "exited with 4 while starting"),
        (("exit_at_once", 0), "exited with 0 while starting"),
    ],
)
async def test_an_end_without_a_report_is_a_failure(
    world: World, scenario: tuple[str, ...], reason: str, transport: Any
) -> None:
    outcome = await world.run(*scenario, transport=transport)
    assert (outcome.state, outcome.reason, outcome.terminal) == ("failed", reason, None)


async def test_an_end_without_a_report_is_retried_where_a_retry_is_left(world: World) -> None:
    outcome = await world.run("exit_silently", 0, should_retry=True)
    assert (outcome.state, outcome.retry_delay) == ("up_for_retry", None)


async def test_a_report_stands_though_the_process_then_exits_with_one(world: World) -> None:
    outcome = await world.run("report_then_exit", 1)
    assert (outcome.state, outcome.exit_code) == ("success", 1)
    assert outcome.reason == "reported success; its process then exited with 1"


async def test_a_report_stands_though_the_process_is_then_killed(world: World) -> None:
    outcome = await world.run("report_then_die")
    assert outcome.state == "success"
    assert outcome.reason == "reported success; its process then was killed by signal 9 (SIGKILL)"


async def test_a_report_whose_reply_is_not_read_is_a_report(world: World) -> None:
    assert (await world.run("report_without_reading_the_reply")).reason == "reported success"


async def test_the_first_of_two_reports_counts_and_the_second_is_refused(world: World) -> None:
    outcome = await world.run("report_twice")
    assert outcome.state == "success"
    assert world.logs.texts("peer") == ["TaskState: not allowed while the exchange is reported"]


async def test_a_process_that_lingers_after_success_is_ended(world: World) -> None:
    outcome = await world.run("report_then_linger", limits=attrs.evolve(QUICK, overtime=0.05, grace=0.05))
    assert (outcome.state, outcome.exit_code) == ("success", -9)
    assert outcome.reason == "reported success; its process was still there 0.05 seconds later, and was ended"


@pytest.mark.parametrize(
    ("raw", "cause"),
    [
        ("00000003c1c1c1", "a frame's payload is not one msgpack value"),
        ("00000000", "an empty frame: its length prefix is zero"),
        ("ffffffff", "a frame of 4294967295 bytes is above the limit"),
        ("0000000101", "a frame holds an array of at least one element"),
        ("00000002a16100", "a frame holds an array of at least one element"),
    ],
)
async def test_a_broken_frame_fails_only_its_task(world: World, raw: str, cause: str) -> None:
    outcome = await world.run("send_raw", raw)
    assert outcome.state == "failed"
    assert outcome.reason.startswith(f"broke the protocol while running: {cause}")


async def test_a_broken_frame_after_the_report_does_not_undo_it(world: World) -> None:
    outcome = await world.run("report_then_send_raw", "00000000", limits=attrs.evolve(QUICK, overtime=0.05))
    assert outcome.state == "success"


async def test_a_process_that_closes_its_channel_is_ended(world: World) -> None:
    outcome = await world.run("hang_up", limits=attrs.evolve(QUICK, grace=0.05))
    assert (outcome.state, outcome.reason) == (
        "failed",
        "closed its channel while running, without reporting, and was ended",
    )


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (["/no/such/program"], "cannot be started: No such file or directory (/no/such/program)"),
        ([os.fspath(Path(__file__))], "cannot be started: Permission denied"),
    ],
)
async def test_what_cannot_be_started_is_a_failure_that_says_why(world: World, command: list[str], reason: str) -> None:
    outcome = await run_task(command, startup(), ports=world.store.ports())
    assert (outcome.state, outcome.exit_code) == ("failed", None)
    assert outcome.reason.startswith(reason)


async def test_an_invalid_greeting_is_the_callers_error_and_starts_nothing(world: World) -> None:
    greeting = startup()
    greeting.ti.try_number = "one"  # type: ignore[assignment]
    with pytest.raises(InvalidMessageError, match=r"StartupDetails\.ti\.try_number"):
        await run_task(["/no/such/program"], greeting, ports=world.store.ports())


async def test_an_empty_command_is_a_usage_error(world: World) -> None:
    with pytest.raises(UsageError):
        await run_task([], startup(), ports=world.store.ports())


@pytest.mark.property
@settings(max_examples=20)
@given(st.binary(max_size=40))
def test_whatever_a_process_sends_it_ends_as_a_failure(data: bytes) -> None:
    """No bytes but a report make a success, and none make us wait for ever."""

    async def run() -> Outcome:
        with anyio.fail_after(30):
            return await World().run("send_raw_and_exit", data.hex())

    assert anyio.run(run).state == "failed"


# ── limits ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_process_that_does_not_read_its_greeting_is_ended(world: World) -> None:
    outcome = await world.run("never_reads", limits=attrs.evolve(QUICK, startup=0.3, grace=0.05))
    assert (outcome.state, outcome.reason) == ("failed", "did not read its greeting within 0.3 seconds")


async def test_a_process_that_does_not_dial_is_ended(world: World) -> None:
    outcome = await world.run("never_dials", transport="sockets", limits=attrs.evolve(QUICK, startup=0.2))
    assert (outcome.state, outcome.reason) == ("failed", "did not connect within 0.2 seconds")


# What a peer does within its limit has 2 seconds for what takes 0.1.
BRIEF = attrs.evolve(QUICK, startup=2, execution=2.5)


async def test_a_silent_task_that_has_read_its_greeting_outlives_the_startup_limit(world: World) -> None:
    outcome = await world.run("busy", limits=BRIEF)
    assert outcome.reason == "was ended after 2.5 seconds, the limit for its execution"


async def test_a_task_above_its_execution_limit_is_ended_though_it_ignores_sigterm(world: World) -> None:
    outcome = await world.run("ignore_sigterm", limits=attrs.evolve(BRIEF, grace=0.05))
    assert (outcome.state, outcome.exit_code) == ("failed", -9)
    assert outcome.reason == "was ended after 2.5 seconds, the limit for its execution"


async def test_a_task_whose_time_is_up_may_say_how_it_fails_but_not_that_it_succeeds() -> None:
    worlds = {"retry": World(), "failed": World(), "success": World()}
    found = {}

    async def run(report: str) -> None:
        found[report] = await worlds[report].run("report_on_sigterm", report, should_retry=True, limits=BRIEF)

    async with anyio.create_task_group() as tasks:
        for report in worlds:
            tasks.start_soon(run, report)
    assert {report: (outcome.state, outcome.retry_delay) for report, outcome in found.items()} == {
        "retry": ("up_for_retry", 3.0),
        "failed": ("failed", None),
        "success": ("up_for_retry", None),
    }
    # What they log in their last seconds is read too.
    assert [world.logs.texts("peer") for world in worlds.values()] == [["waiting", "told to stop"]] * 3


# ── requests ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_invalid_requests_are_answered_by_naming_the_field(world: World) -> None:
    outcome = await world.run("send_invalid")
    assert outcome.reason == "reported success"
    assert world.logs.texts("peer") == [
        "GetVariable.key: a string is wanted, not 7",
        f"MakeCoffee.type: schema {SCHEMA} defines no such message",
        "?.type: a message names its type, but this is {'kind': 'none'}",
        "?.type: a message names its type, but this is None",
    ]


async def test_requests_that_are_not_served_are_answered_too(world: World) -> None:
    assert (await world.run("ask_unserved")).reason == "reported success"
    assert world.logs.texts("peer") == [
        "GetTaskBreadcrumbs is not served by this supervisor",
        "GetVariable: key must not be empty",
    ]


async def test_pipelined_requests_take_effect_in_order(world: World) -> None:
    assert (await world.run("pipeline")).reason == "reported success"
    assert world.store.run_xcoms("d", "r")["t"] == {f"k{number}": number for number in range(100)}


async def test_reading_goes_on_while_a_large_reply_is_being_written() -> None:
    world = World(store=LocalStore(variables={"large": "v" * (4 * 1024 * 1024)}))
    with anyio.fail_after(30):
        assert (await world.run("flood_logs_under_a_large_reply")).reason == "reported success"
    assert [record["number"] for record in world.logs.kept] == list(range(2_000))


async def test_a_reply_above_the_frame_limit_is_an_error_not_silence() -> None:
    world = World(store=LocalStore(variables={"large": "v" * 100_000}))
    outcome = await world.run("flood_logs_under_a_large_reply", limits=attrs.evolve(QUICK, frame=50_000))
    assert outcome.reason == "exited with 1 without reporting"
    assert any("'NoneType' object has no attribute 'value'" in text for text in world.logs.texts("task.output"))


async def test_a_peer_that_never_reads_its_replies_cannot_fill_our_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outboard.comms.serving.MAX_UNREAD_BYTES", 10_000_000)
    world = World(store=LocalStore(variables={"large": "v" * 1_000_000}))
    with anyio.fail_after(30):
        outcome = await world.run("never_reads_replies")
    assert outcome.reason.startswith(
        "broke the protocol while running: it sends requests but does not read the replies"
    )


# ── surroundings ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_process_leads_its_session_and_inherits_three_descriptors(world: World) -> None:
    readable, writable = os.pipe()
    os.set_inheritable(writable, True)
    try:
        assert (await world.run("environment")).reason == "reported success"
    finally:
        os.close(readable)
        os.close(writable)
    seen = await world.xcom("seen")
    assert seen["pid"] == seen["session"] == seen["group"]
    # 3 is the folder that it listed.
    assert seen["descriptors"] == [0, 1, 2, 3]


async def test_a_process_sees_an_allow_list_and_what_was_added(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://secret")
    monkeypatch.setenv("LC_TIME", "C")
    assert (await world.run("environment", env={"EXTRA": "1", "HOME": "/nowhere"})).reason == "reported success"
    seen = (await world.xcom("seen"))["environ"]
    assert "DATABASE_URL" not in seen
    assert (seen["EXTRA"], seen["HOME"], seen["LC_TIME"]) == ("1", "/nowhere", "C")


async def test_a_connection_of_a_stranger_is_turned_away(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("outboard.supervisor.process.KINSHIP_PATIENCE", 0.05)
    told = tmp_path / "told"
    ours: list[socket.socket] = []

    def intrude(record: dict[str, Any]) -> None:
        ports = [int(flag.rpartition(":")[2]) for flag in record["event"].split()]
        ours.extend(socket.create_connection(("127.0.0.1", port)) for port in ports)
        told.touch()

    world.logs.on_record = intrude
    outcome = await world.run("dial_when_told", told, transport="sockets")
    assert outcome.reason == "reported success"
    for connection in ours:
        with connection:
            connection.settimeout(10)
            assert connection.recv(1) == b""
    assert len(ours) == 2


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_wrapper_may_let_its_child_do_the_work(world: World, transport: Any) -> None:
    assert (await world.run("dial_from_a_child", transport=transport)).reason == "reported success"


async def test_each_process_has_a_temporary_directory_that_goes_with_it(world: World) -> None:
    assert (await world.run("environment")).reason == "reported success"
    seen = await world.xcom("seen")
    assert seen["scratch_is_there"]
    assert not is_there(seen["environ"]["TMPDIR"])


# ── logs ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_what_a_process_prints_becomes_records(world: World) -> None:
    outcome = await world.run("print_stray", limits=attrs.evolve(QUICK, line=100))
    assert outcome.state == "success"
    assert world.logs.texts() == [
        "plain",
        "windows",
        r"\xff\xfe not text",
        "y" * 100 + " … (cut: 100 of 10000000 bytes)",
        "no newline at the end",
    ]
    assert {(record["logger"], record["level"]) for record in world.logs.kept} == {("task.output", "info")}


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_records_that_a_runtime_prints_for_want_of_a_channel_are_records(world: World, transport: Any) -> None:
    await world.run("fall_back_to_stderr", transport=transport)
    record, *others = world.logs.kept
    assert (record["event"], record["level"], record["logger"], record["rows"]) == ("words", "warning", "author", 3)
    assert record["timestamp"] == NOW
    assert [other["event"] for other in others] == ['{"event":"half a record"}', '{"event":broken']


async def test_over_sockets_both_streams_are_told_apart(world: World) -> None:
    await world.run("exit_at_once", 1, transport="sockets")
    assert [(r["event"], r["logger"], r["level"]) for r in world.logs.kept] == [("a last word", "task.stderr", "error")]


async def test_a_flood_of_output_does_not_stop_the_requests(world: World) -> None:
    with anyio.fail_after(30):
        outcome = await world.run("flood_output", limits=attrs.evolve(QUICK, line=100))
    assert outcome.state == "success"


async def test_lines_of_a_log_socket_become_records_whatever_they_hold(world: World) -> None:
    lines = (
        r'{"event": "fine", "level": "warning", "logger": "a", "timestamp": "2026-01-01T00:00:00Z", "n": 1}\n',
        r'{"event": "no level", "msg": 1}\n',
        r"not json\n",
        r"[1]\n",
        r"\xff\n",
        r"\n",
        '{"event": "' + "x" * 300 + r'"}\n',
        r'{"event": "no newline"}',
    )
    outcome = await world.run("log_lines", *lines, transport="sockets", limits=attrs.evolve(QUICK, record=200))
    assert outcome.state == "success"
    assert world.logs.kept[0]["n"] == 1
    assert world.logs.texts()[:5] == ["fine", "no level", "not json", "[1]", r"\xff"]
    assert "(cut: 200 of 313 bytes)" in world.logs.texts()[5]
    assert world.logs.texts()[6] == "no newline"


async def test_a_declared_secret_is_hidden_in_records_and_in_output(world: World) -> None:
    assert (await world.run("tell_secret")).reason == "reported success"
    assert sorted(world.logs.texts()) == ["*** battery", "it is ***, as ever"]


async def test_a_log_sink_that_raises_costs_the_log_and_not_the_task() -> None:
    def refuse(record: dict[str, Any]) -> None:
        raise OSError("disk full")

    world = World(logs=Records(on_record=refuse))
    assert (await world.run("tell_secret")).reason == "reported success"


# ── what is left behind (the fixture looks for it after every test; here are those who try) ─────────────────────


@pytest.mark.parametrize("kind", ["in_group", "stubborn", "in_session", "daemon"])
async def test_grandchildren_are_ended_with_the_process(world: World, kind: str) -> None:
    outcome = await world.run("leave_grandchild", kind, limits=attrs.evolve(QUICK, grace=0.1))
    assert outcome.state == "success"
    (left,) = (record["pid"] for record in world.logs.kept if record["event"] == "left")
    assert not is_alive(left)


async def test_grandchildren_of_a_killed_process_are_ended(world: World) -> None:
    outcome = await world.run("die_with_grandchild", limits=attrs.evolve(QUICK, grace=0.1))
    assert outcome.reason == "killed by signal 9 (SIGKILL) while running"
    assert not is_alive(world.logs.kept[0]["pid"])


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("scenario", ["busy", "ignore_sigterm"])
async def test_a_cancellation_ends_the_process_and_all_that_belongs_to_it(
    world: World, scenario: str, transport: Any
) -> None:
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            world.logs.on_record = lambda record: tasks.cancel_scope.cancel()
            limits = attrs.evolve(QUICK, grace=0.1 if scenario == "ignore_sigterm" else 20)
            tasks.start_soon(lambda: world.run(scenario, limits=limits, transport=transport))
    assert world.logs.texts("peer")


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_process_that_is_to_end_at_once_gets_no_time_of_grace(world: World, transport: Any) -> None:
    at_once = anyio.Event()
    forever = attrs.evolve(QUICK, grace=3600)
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:

            def told(record: dict[str, Any]) -> None:
                tasks.cancel_scope.cancel()
                at_once.set()

            world.logs.on_record = told
            tasks.start_soon(lambda: world.run("ignore_sigterm", limits=forever, transport=transport, at_once=at_once))
    assert world.logs.texts("peer") == ["deaf"]


async def test_a_cancellation_before_anything_was_sent_is_no_different(world: World) -> None:
    for delay in range(10):
        with anyio.move_on_after(delay / 200):
            await world.run("busy")


async def test_a_task_told_to_stop_by_a_cancellation_may_still_log(world: World) -> None:
    with anyio.fail_after(30):
        async with anyio.create_task_group() as tasks:
            world.logs.on_record = lambda record: tasks.cancel_scope.cancel()
            tasks.start_soon(lambda: world.run("report_on_sigterm", "failed"))
    assert world.logs.texts("peer") == ["waiting", "told to stop"]


async def test_a_hundred_runs_leave_nothing(world: World) -> None:
    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(_run_often, world, 5)


async def _run_often(world: World, times: int) -> None:
    for _ in range(times):
        assert (await world.run("succeed")).reason == "reported success"


# ── parsing ─────────────────────────────────────────────────────────────────────────────────────────────────────

PARSE_REQUEST = m.DagFileParseRequest(file="d.py", bundle_path="/nowhere", bundle_name="tests", callback_requests=[])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_parsing_gives_what_the_bundle_says(transport: Any) -> None:
    result = await parse_dags(peer("parse"), PARSE_REQUEST, transport=transport, limits=QUICK)
    assert result == m.DagFileParsingResult(fileloc="d.py", serialized_dags=[])


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (
            peer("exit_at_once", 3),
            r"d\.py: its process did not say what its Dags are: exited with 3 while starting; it printed: a last word$",
        ),
        (peer("die", signal.SIGSEGV), r"killed by signal 11 \(SIGSEGV\) while running$"),
        (["/no/such/program"], r"what its Dags are: cannot be started: No such file"),
        (peer("succeed"), r"exited with 1 without reporting"),
    ],
)
async def test_parsing_without_a_result_is_an_error_that_says_why(command: list[str], text: str) -> None:
    with pytest.raises(LoadError, match=text):
        await parse_dags(command, PARSE_REQUEST, limits=QUICK)


async def test_a_file_that_never_says_what_its_dags_are_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outboard.supervisor.coordinator.PARSE_TIME", 0.5)
    with pytest.raises(LoadError, match=r"Dags are: was ended after 0\.5 seconds, the limit for its execution"):
        await parse_dags(peer("busy"), PARSE_REQUEST)


def test_the_peers_run_on_this_interpreter() -> None:
    assert peer("succeed")[0] == sys.executable


# ── triggers ────────────────────────────────────────────────────────────────────────────────────────────────────


def trigger(**fields: Any) -> m.RunTrigger:
    given = {"ti": startup().ti, "classpath": "author.Tide", "trigger_kwargs": {"level": 3}, **fields}
    return m.RunTrigger(**given)


async def test_a_trigger_is_served_and_its_event_returned() -> None:
    store, logs = LocalStore(variables={"harbour": "north"}), Records()
    report = await run_trigger(peer("fire", "harbour"), trigger(), ports=store.ports(logs), limits=QUICK)
    assert report == m.TriggerFired(payload=["author.Tide", {"level": 3}, ["north"]])
    assert logs.texts("peer") == ["watching for t"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (peer("exit_silently", 3), "exited with 3 without reporting"),
        (peer("die", signal.SIGKILL), "killed by signal 9 (SIGKILL) without reporting"),
        (["/nowhere/at/all"], "cannot be started: No such file or directory (/nowhere/at/all)"),
    ],
)
async def test_a_trigger_that_ends_without_an_event_has_failed(command: list[str], why: str) -> None:
    report = await run_trigger(command, trigger(), ports=LocalStore().ports(), limits=QUICK)
    assert isinstance(report, m.TriggerFailed)
    assert report.error.startswith("the process of the trigger 'author.Tide' did not say what came of it: ")
    assert why.split(" without")[0] in report.error
    assert not report.is_missing


async def test_a_trigger_that_is_not_wanted_any_more_may_clean_up() -> None:
    started = anyio.Event()
    logs = Records(on_record=lambda record: started.set())
    with anyio.fail_after(50):
        async with anyio.create_task_group() as tasks:
            ports = LocalStore().ports(logs)
            tasks.start_soon(lambda: run_trigger(peer("fire_never"), trigger(), ports=ports, limits=QUICK))
            await started.wait()
            tasks.cancel_scope.cancel()
    assert logs.texts("peer") == ["waiting", "cleaned up"]


async def test_a_trigger_that_is_none_is_the_callers_mistake() -> None:
    with pytest.raises(InvalidMessageError, match="classpath"):
        await run_trigger(peer("fire"), trigger(classpath=7), ports=LocalStore().ports())


# ── the limit that a task announces ─────────────────────────────────────────────────────────────────────────────


async def test_a_task_that_outlives_its_own_limit_is_ended(world: World) -> None:
    limits = attrs.evolve(QUICK, grace=0.5)
    outcome = await world.run("announce_a_limit", "0.25", limits=limits, should_retry=True)
    assert outcome.state == "up_for_retry"
    assert outcome.reason == "did not stop when its execution_timeout of 0.25 seconds had passed, and was ended"


async def test_a_limit_of_its_own_does_not_outlast_that_of_the_supervisor(world: World) -> None:
    limits = attrs.evolve(QUICK, execution=1.0)
    outcome = await world.run("announce_a_limit", "3600", limits=limits)
    assert outcome.reason == "was ended after 1 seconds, the limit for its execution"
