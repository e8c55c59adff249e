"""Tasks in every state, and with what stands around a body, out of the live tests' files, under our supervisor."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from outboard.protocol import messages as m
from outboard.supervisor import resumption
from outboard.supervisor.local_store import LocalStore
from tests.supervisor.author_bundles import RUN, Ended, Packed, pack_author_files
from tests.supervisor.conftest import UUID, startup

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(60)]

RETRIES = [pytest.param(False, "failed", id="no retry left"), pytest.param(True, "up_for_retry", id="a retry left")]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return pack_author_files(tmp_path_factory.mktemp("packed"), "around", "discreet", "retries", "states")


@pytest.fixture
def packed(bundles: dict[str, Path]) -> Packed:
    return Packed(bundles)


def resumed_by(waiting: Ended, event: object) -> dict[str, Any]:
    """What the context of a waiting task holds when that event has come."""
    terminal: Any = waiting.terminal
    assert isinstance(terminal, (m.DeferTask, m.AwaitInputTask)), waiting
    resume = resumption.with_event(terminal.next_method, terminal.next_kwargs, event)
    return {"next_method": resume.next_method, "next_kwargs": resume.next_kwargs}


def with_conf(dag_id: str, **conf: object) -> m.DagRun:
    run = startup().ti_context.dag_run
    run.dag_id, run.conf = dag_id, conf
    return run


# ── skips ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("task_id", "skipped", "xcom"),
    [
        ("chooses_one", ["also_chosen", "left_out"], {"followed": ["chosen"]}),
        ("chooses_none", ["also_chosen", "chosen", "left_out"], {"followed": []}),
        ("chooses_while_awaiting", ["also_chosen", "left_out"], {"followed": ["chosen"]}),
        ("stops", ["also_chosen", "behind", "chosen"], {"skipped": ["also_chosen", "behind", "chosen"]}),
        ("stops_what_is_next", ["also_chosen", "chosen"], {"skipped": ["also_chosen", "chosen"]}),
    ],
)
async def test_branches_and_short_circuits_skip_what_they_do_not_go_on_with(
    packed: Packed, task_id: str, skipped: list[str], xcom: object
) -> None:
    done = await packed.run("states", task_id)
    assert (done.state, done.xcoms) == ("success", {"skipmixin_key": xcom})
    assert sorted(packed.store.skipped("states", RUN)) == skipped


async def test_a_short_circuit_that_lets_through_stores_what_it_returns_and_skips_nothing(packed: Packed) -> None:
    done = await packed.run("states", "lets_through")
    assert (done.state, done.xcoms) == ("success", {"return_value": {"rows": 3}})
    assert not packed.store.skipped("states", RUN)


# ── being put off ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_task_that_puts_itself_off_says_until_when(packed: Packed) -> None:
    done = await packed.run("states", "puts_itself_off")
    assert done.state == "up_for_reschedule"
    assert isinstance(done.terminal, m.RescheduleTask)
    assert done.terminal.reschedule_date == datetime(2030, 1, 1, 12, tzinfo=UTC)


async def test_a_date_without_a_zone_fails_the_task(packed: Packed) -> None:
    assert (await packed.run("states", "puts_itself_off_without_a_zone")).state == "failed"


@pytest.mark.parametrize(("task_id", "state"), [("looks_three_times", "success"), ("looks_in_vain", "failed")])
async def test_a_sensor_in_its_process_looks_until_it_finds_or_its_time_is_up(
    packed: Packed, task_id: str, state: str
) -> None:
    assert (await packed.run("states", task_id, should_retry=True)).state == state


async def test_a_sensor_that_finds_nothing_is_put_off_until_it_does(packed: Packed) -> None:
    assert (await packed.run("states", "looks_again")).state == "up_for_reschedule"
    packed.store = LocalStore(variables={"there": "yes"})
    assert (await packed.run("states", "looks_again")).state == "success"


@pytest.mark.parametrize(
    ("task_id", "waited", "state"),
    [
        ("looks_again", timedelta(days=1), "up_for_reschedule"),
        ("looks_again", timedelta(days=3), "failed"),
        ("looks_again_softly", timedelta(days=3), "skipped"),
    ],
)
async def test_a_sensors_time_counts_from_its_first_look(
    packed: Packed, task_id: str, waited: timedelta, state: str
) -> None:
    packed.store.add_reschedule(UUID, datetime.now(UTC) - waited)
    assert (await packed.run("states", task_id, should_retry=True, task_reschedule_count=3)).state == state


# ── waiting ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_deferred_task_goes_on_with_the_event_and_what_it_left_for_itself(packed: Packed) -> None:
    waiting = await packed.run("states", "waits_for_a_moment")
    assert waiting.state == "deferred"
    assert isinstance(waiting.terminal, m.DeferTask)
    assert waiting.terminal.trigger_timeout == timedelta(seconds=90)
    done = await packed.run("states", "waits_for_a_moment", **resumed_by(waiting, {"status": "ok"}))
    value: Any = done.xcoms["return_value"]
    assert (done.state, value["event"], value["pair"]["__data__"]) == ("success", {"status": "ok"}, ["left", 2])


@pytest.mark.parametrize(("should_retry", "state"), RETRIES)
@pytest.mark.parametrize(
    "failure", [resumption.after_timeout(), resumption.after_failure(["no such trigger\n"])], ids=str
)
async def test_a_trigger_that_fails_or_takes_too_long_fails_the_task(
    packed: Packed, failure: resumption.Resume, should_retry: bool, state: str
) -> None:
    context = {"next_method": failure.next_method, "next_kwargs": failure.next_kwargs}
    assert (await packed.run("states", "waits_for_nobody", should_retry=should_retry, **context)).state == state


async def test_a_question_is_put_before_the_task_waits_for_its_answer(packed: Packed) -> None:
    waiting = await packed.run("states", "asks_some_for_a_while")
    assert waiting.state == "awaiting_input"
    question = packed.store.question(UUID)
    assert question is not None
    assert (question.subject, question.options, question.defaults) == ("Which ways?", ["north", "south"], ["south"])
    assert isinstance(waiting.terminal, m.AwaitInputTask)
    assert waiting.terminal.timeout == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("task_id", "event", "state", "skipped"),
    [
        ("asks", {"chosen_options": ["north"], "params_input": {"depth": 7.5}}, "success", []),
        ("asks", {"chosen_options": ["north"], "params_input": {"depth": -1}}, "failed", []),
        ("asks", {"error": "nobody has answered", "error_type": "timeout"}, "failed", []),
        ("asks_whether_to_go_on", {"chosen_options": ["Approve"]}, "success", []),
        ("asks_whether_to_go_on", {"chosen_options": ["Reject"]}, "success", ["also_chosen", "chosen"]),
        ("asks_whether_to_go_on_or_fails", {"chosen_options": ["Reject"]}, "failed", []),
        ("asks_where_to_go_on", {"chosen_options": ["the other one"]}, "success", ["also_chosen", "chosen"]),
    ],
)
async def test_an_answer_decides(
    packed: Packed, task_id: str, event: dict[str, object], state: str, skipped: list[str]
) -> None:
    event = {"params_input": {}, "responded_at": None, "responded_by_user": None, "timedout": False, **event}
    waiting = await packed.run("states", task_id)
    done = await packed.run("states", task_id, **resumed_by(waiting, event))
    assert (done.state, sorted(packed.store.skipped("states", RUN))) == (state, skipped)


# ── around the body ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("should_retry", "state"), RETRIES)
async def test_a_body_that_takes_too_long_is_interrupted_and_tidies_up(
    packed: Packed, should_retry: bool, state: str
) -> None:
    done = await packed.run("around", "takes_too_long", should_retry=should_retry)
    assert (done.state, done.said("author")) == (state, [("info", "left its desk tidy")])


async def test_what_a_task_has_started_elsewhere_is_ended_when_its_time_is_up(packed: Packed) -> None:
    assert (await packed.run("around", "has_too_much_elsewhere")).state == "failed"
    assert await packed.store.variables.get("ended_elsewhere") is not None


async def test_hooks_are_called_around_the_body_each_side_in_a_group_of_the_log(packed: Packed) -> None:
    done = await packed.run("around", "hooked")
    assert done.state == "success"
    assert [event for _, event in done.said("")][1:-1] == [
        *("::group::Pre Execute", "before hooked", "its own before", "::endgroup::"),
        "the body",
        *("::group::Post Execute", "after, with result", "its own after, with result", "::endgroup::"),
    ]


@pytest.mark.parametrize(
    ("task_id", "should_retry", "callback", "value"),
    [
        ("succeeds", False, "on_success_callback", "succeeds: NoneType"),
        ("raises", False, "on_failure_callback", "raises: ConnectionError"),
        ("raises", True, "on_retry_callback", "raises: ConnectionError"),
        ("has_nothing_to_do", True, "on_skipped_callback", "has_nothing_to_do: NoneType"),
    ],
)
async def test_the_callback_of_the_state_is_called_with_the_exception(
    packed: Packed, task_id: str, should_retry: bool, callback: str, value: str
) -> None:
    await packed.run("around", task_id, should_retry=should_retry)
    stored = await packed.store.variables.get(callback)
    assert stored is not None
    assert stored.value == value


# ── retries and secrets ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("raised", "state", "delay"),
    [
        ("ConnectionError", "up_for_retry", 90),
        ("PermissionError", "failed", None),
        ("ValueError", "up_for_retry", None),
    ],
)
async def test_the_rule_for_the_exception_decides(packed: Packed, raised: str, state: str, delay: float | None) -> None:
    run = with_conf("retries", raised=raised)
    done = await packed.run("retries", "by_exception", should_retry=True, dag_run=run)
    assert (done.state, getattr(done.terminal, "retry_delay_seconds", None)) == (state, delay)


@pytest.mark.parametrize(
    ("task_id", "reason"), [("talks_too_much", "ä" * 500), ("tells_a_secret", "no login with ***")]
)
async def test_a_reason_is_cut_and_tells_no_secret(packed: Packed, task_id: str, reason: str) -> None:
    packed.store = LocalStore(connections={"warehouse": WAREHOUSE})
    run = with_conf("retries", raised="ValueError")
    done = await packed.run("retries", task_id, should_retry=True, dag_run=run)
    assert isinstance(done.terminal, m.RetryTask)
    assert done.terminal.retry_reason == reason


WAREHOUSE = m.ConnectionResult(
    **{"conn_id": "warehouse", "conn_type": "http", "host": "db.example", "schema": None, "login": "reader"},
    **{"password": "pass-of-the-warehouse", "port": None, "extra": '{"api_key": "key-of-the-warehouse"}'},
)

SECRETS = {
    "password": "pass-of-the-warehouse",
    "extra": "key-of-the-warehouse",
    "variable": "token-of-the-service",
    "derived": "pass-of-the-warehouse"[::-1],
    "named": "open-sesame-7",
}


@pytest.mark.parametrize("source", SECRETS)
async def test_a_secret_is_masked_in_whatever_a_task_says(packed: Packed, source: str) -> None:
    variables: dict[str, str | None] = {"service_token": "token-of-the-service"}
    packed.store = LocalStore(connections={"warehouse": WAREHOUSE}, variables=variables)
    done = await packed.run("discreet", "tells", dag_run=with_conf("discreet", source=source))
    assert SECRETS[source] not in json.dumps(done.logs.kept, default=str)
    assert {event for _, event in done.said("") if "***" in event} == {
        *("printed: ***", "in pieces: ***", "to stderr: ***", "logged: ***"),
        *("written: ***", "written in pieces: ***", "by a command: ***"),
    }
