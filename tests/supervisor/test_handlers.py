"""Every request of the catalogue gets its answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import attrs
import pytest

from outboard.errors import UndecodableMessageError
from outboard.protocol import messages as m
from outboard.protocol.codec import encode_body
from outboard.protocol.messages import MESSAGES, OWN
from outboard.supervisor.handlers import SERVED, Answer, answer, answer_invalid
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.ports import Ports, TaskKey, XComKey

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UUID = "00000000-0000-0000-0000-000000000007"
TASK = TaskKey(dag_id="d", run_id="r", task_id="t")
WHERE = {"dag_id": "d", "run_id": "r", "task_id": "t"}


async def ask(request: m.Message, store: LocalStore | None = None) -> Answer:
    return await answer((store or LocalStore()).ports(), TASK, request, patience=30)


def refusal(given: Answer) -> dict[str, Any]:
    assert given.message is None
    assert given.error is not None
    encode_body(given.error)
    return given.error.detail or {}


# ── what is found, and what is not ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("request_", "error", "detail"),
    [
        (m.GetVariable(key="x"), "VARIABLE_NOT_FOUND", {"key": "x"}),
        (m.GetConnection(conn_id="x"), "CONNECTION_NOT_FOUND", {"conn_id": "x"}),
        (
            m.GetXComSequenceItem(key="k", offset=0, **WHERE),
            "XCOM_NOT_FOUND",
            {"key": "k", "offset": 0, **WHERE},
        ),
    ],
)
async def test_what_is_not_found_is_a_message_and_no_error(request_: m.Message, error: str, detail: object) -> None:
    assert await ask(request_) == Answer(message=m.ErrorResponse(error=error, detail=detail))


async def test_a_missing_xcom_is_a_null() -> None:
    assert await ask(m.GetXCom(key="k", **WHERE)) == Answer(message=m.XComResult(key="k", value=None))


async def test_a_variable_goes_through_its_port() -> None:
    store = LocalStore()
    assert await ask(m.PutVariable(key="x", value="1", description=None), store) == Answer()
    assert await ask(m.GetVariable(key="x"), store) == Answer(message=m.VariableResult(key="x", value="1"))
    assert await ask(m.DeleteVariable(key="x"), store) == Answer(message=m.OKResponse(ok=True))
    keys = await ask(m.GetVariableKeys(), store)
    assert keys == Answer(message=m.VariableKeysResult(keys=[], total_entries=0))


@pytest.mark.parametrize("map_index", [None, -1, -7])
async def test_null_and_negative_map_indexes_mean_unmapped(map_index: int | None) -> None:
    store = LocalStore()
    assert await ask(m.SetXCom(key="k", value=[1], map_index=map_index, **WHERE), store) == Answer()
    assert await store.xcoms.get(XComKey(key="k", **WHERE), -1, False) == [1]
    assert await ask(m.DeleteXCom(key="k", map_index=map_index, **WHERE), store) == Answer()
    assert await ask(m.GetXComCount(key="k", **WHERE), store) == Answer(message=m.XComCountResponse(len=0))


async def test_a_step_of_zero_is_none() -> None:
    store = LocalStore()
    for index in range(3):
        await store.xcoms.set(XComKey(key="k", **WHERE), index, index)
    found = await ask(m.GetXComSequenceSlice(key="k", start=None, stop=None, step=0, **WHERE), store)
    assert found == Answer(message=m.XComSequenceSliceResult(root=[0, 1, 2]))


async def test_no_asset_is_known_to_be_inactive() -> None:
    request = m.ValidateInletsAndOutlets(ti_id="00000000-0000-0000-0000-000000000007")
    assert await ask(request) == Answer(message=m.InactiveAssetsResult(inactive_assets=[]))


async def test_what_a_task_tells_about_others_and_itself_is_kept() -> None:
    store = LocalStore()
    assert await ask(m.SkipDownstreamTasks(tasks=["a", ("b", 3), ("c", -1)]), store) == Answer()
    assert await ask(m.SetRenderedFields(rendered_fields={"sql": "select 1"}), store) == Answer()
    assert await ask(m.SetRenderedMapIndex(rendered_map_index="one"), store) == Answer()
    assert store.skipped("d", "r") == {"a", "c"}  # of b only one of its instances
    assert store.task_instances.rendered_fields == {TASK: {"sql": "select 1"}}
    assert store.task_instances.rendered_map_index == {TASK: "one"}


@pytest.mark.parametrize(
    "report",
    [
        m.SucceedTask(end_date=NOW, task_outlets=[], outlet_events=[]),
        m.TaskState(state="failed", end_date=NOW),
        m.RetryTask(end_date=NOW),
        m.DagFileParsingResult(fileloc="d.py", serialized_dags=[]),
    ],
)
async def test_a_report_is_acknowledged(report: m.Message) -> None:
    assert await ask(report) == Answer()


# ── what is refused ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (m.GetVariable(key=""), "key"),
        (m.GetConnection(conn_id=""), "conn_id"),
        (m.SetXCom(key="", value=1, **WHERE), "key"),
        (m.GetVariableKeys(limit=0), "limit"),
        (m.GetVariableKeys(limit=10_001), "limit"),
        (m.GetVariableKeys(offset=-1), "offset"),
        (m.SetXCom(key="k", value={"a": [b"bytes"]}, **WHERE), "value.a[0]"),
        (m.SetXCom(key="k", value={1: 2}, **WHERE), "value"),
        (m.SetXCom(key="k", value=float("nan"), **WHERE), "value"),
    ],
)
async def test_a_request_that_cannot_be_served_is_an_error_that_names_the_field(
    request_: m.Message, field: str
) -> None:
    detail = refusal(await ask(request_))
    assert (detail["status_code"], detail["field"]) == (422, field)
    assert detail["message"].startswith(f"{type(request_).__name__}: ")


async def test_an_invalid_request_is_an_error_that_names_the_field_and_the_rule() -> None:
    given = answer_invalid(UndecodableMessageError("GetXCom", "map_index", "an integer is wanted"))
    assert refusal(given) == {
        "status_code": 422,
        "message": "GetXCom.map_index: an integer is wanted",
        "field": "map_index",
        "request": "GetXCom",
        "rule": "an integer is wanted",
    }


# ── questions, and dates ────────────────────────────────────────────────────────────────────────────────────────


def question(subject: str = "Go?") -> m.CreateHITLDetailPayload:
    return m.CreateHITLDetailPayload(
        ti_id=UUID,
        options=["yes", "no"],
        subject=subject,
        defaults=["no"],
        params={"note": 7},
        assigned_users=[m.HITLUser(id="ada", name="Ada")],
    )


async def test_a_question_is_kept_and_told_back() -> None:
    store = LocalStore()
    told = (await ask(question(), store)).message
    assert told == m.HITLDetailRequestResult(
        ti_id=UUID,
        options=["yes", "no"],
        subject="Go?",
        defaults=["no"],
        params={"note": 7},
        assigned_users=[m.HITLUser(id="ada", name="Ada")],
    )
    assert store.question(UUID) == told
    assert store.question("another") is None


async def test_what_a_try_has_asked_once_it_asks() -> None:
    store = LocalStore()
    await ask(question("first"), store)
    told = (await ask(question("second"), store)).message
    assert isinstance(told, m.HITLDetailRequestResult)
    assert told.subject == "first"


async def test_the_first_reschedule_is_told_and_none_where_there_is_none() -> None:
    store, request = LocalStore(), m.GetTaskRescheduleStartDate(ti_id=UUID)
    assert (await ask(request, store)).message == m.TaskRescheduleStartDate(start_date=None)
    for at in (NOW, NOW + timedelta(hours=1)):
        store.add_reschedule(UUID, at)
    assert (await ask(request, store)).message == m.TaskRescheduleStartDate(start_date=NOW)
    assert store.reschedules(UUID) == (NOW, NOW + timedelta(hours=1))


# ── Dags and their runs ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (m.GetDag(dag_id="x"), "GetDag: there is no Dag 'x' here"),
        (m.TriggerDagRun(dag_id="x", run_id="r"), "TriggerDagRun: there is no Dag 'x' here"),
        (m.GetDagRun(dag_id="x", run_id="r"), "GetDagRun: there is no run 'r' of a Dag 'x' here"),
        (m.GetDagRunState(dag_id="x", run_id="r"), "GetDagRunState: there is no run 'r' of a Dag 'x' here"),
    ],
)
async def test_a_dag_or_run_that_is_not_there_is_named(request_: m.Message, why: str) -> None:
    detail = refusal(await ask(request_))
    assert (detail["status_code"], detail["message"]) == (404, why)


async def test_runs_that_are_not_there_count_as_none() -> None:
    assert (await ask(m.GetDRCount(dag_id="x"))).message == m.DRCount(count=0)


# ── what is not served ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", sorted(MESSAGES - SERVED.keys()))
async def test_what_is_not_served_is_an_error_that_says_so(name: str) -> None:
    """Anything else that decodes as a message, replies and greetings included."""
    blank = object.__new__(m.definition(name))
    detail = refusal(await ask(blank))
    assert (detail["status_code"], detail["message"]) == (501, f"{name} is not served by this supervisor")


def test_everything_that_is_served_is_a_message_of_the_catalogue() -> None:
    assert SERVED.keys() <= MESSAGES | OWN


# ── ports that misbehave ────────────────────────────────────────────────────────────────────────────────────────


@attrs.define
class Broken:
    """Variables that raise, or never answer."""

    error: Exception | None = None

    async def get(self, key: str) -> m.VariableResult | None:
        if self.error is None:
            await anyio.sleep_forever()
        raise self.error or AssertionError


def broken(error: Exception | None) -> Ports:
    return attrs.evolve(LocalStore().ports(), variables=Broken(error))


@pytest.mark.parametrize("error", [RuntimeError("no database"), TimeoutError("too slow"), KeyError("x")])
async def test_a_port_that_raises_costs_its_request_an_error(error: Exception) -> None:
    given = await answer(broken(error), TASK, m.GetVariable(key="x"), patience=30)
    detail = refusal(given)
    assert detail["status_code"] == 500
    assert detail["message"] == f"GetVariable failed: {type(error).__name__}: {error}"


async def test_a_port_that_does_not_answer_costs_its_request_an_error() -> None:
    with anyio.fail_after(10):
        given = await answer(broken(None), TASK, m.GetVariable(key="x"), patience=0.01)
    assert refusal(given) == {"status_code": 504, "message": "GetVariable was not answered within 0.01 seconds"}


async def test_a_cancellation_is_no_answer() -> None:
    with anyio.move_on_after(0.01) as scope:
        await answer(broken(None), TASK, m.GetVariable(key="x"), patience=30)
    assert scope.cancelled_caught
