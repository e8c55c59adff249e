from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outboard.protocol import messages as m
from outboard.supervisor.handlers import answer
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.ports import TaskKey

TASK = TaskKey(dag_id="d", run_id="r", task_id="t")
NOW = datetime.now(UTC)


@pytest.fixture
def store() -> LocalStore:
    return LocalStore()


async def ask(store: LocalStore, request: Any, task: TaskKey = TASK) -> Any:
    found = await answer(store.ports(), task, request, patience=5)
    assert found.error is None
    return found.message


def keep(value: Any, expires_at: datetime | None = None) -> m.Message:
    return m.SetTaskStateStore(ti_id="u", key="k", value=value, expires_at=expires_at)


def look(ti_id: str = "u", key: str = "k") -> m.Message:
    return m.GetTaskStateStore(ti_id=ti_id, key=key)


@pytest.mark.anyio
async def test_a_later_try_sees_what_an_earlier_one_has_kept(store: LocalStore) -> None:
    assert await ask(store, keep({"page": 2})) == m.OKResponse(ok=True)
    later = TaskKey(dag_id="d", run_id="r", task_id="t", try_number=2)
    assert await ask(store, look("another-id"), later) == m.TaskStateStoreResult(value={"page": 2})


@pytest.mark.anyio
@pytest.mark.parametrize("other", [{"run_id": "r2"}, {"task_id": "t2"}, {"map_index": 0}, {"dag_id": "d2"}])
async def test_other_tasks_see_nothing_of_it(store: LocalStore, other: dict[str, Any]) -> None:
    await ask(store, keep(1))
    place: dict[str, Any] = {"dag_id": "d", "run_id": "r", "task_id": "t", **other}
    assert (await ask(store, look(), TaskKey(**place))).error == "TASK_STORE_NOT_FOUND"


@pytest.mark.anyio
@pytest.mark.parametrize(("lasts", "is_there"), [(timedelta(days=1), True), (timedelta(0), False)])
async def test_a_value_is_there_until_it_expires(store: LocalStore, lasts: timedelta, is_there: bool) -> None:
    await ask(store, keep(1, NOW + lasts))
    assert (type(await ask(store, look())).__name__ == "TaskStateStoreResult") is is_there


@pytest.mark.anyio
async def test_one_key_or_all_are_deleted(store: LocalStore) -> None:
    await ask(store, keep(1))
    await ask(store, m.SetTaskStateStore(ti_id="u", key="other", value=2, expires_at=None))
    await ask(store, m.DeleteTaskStateStore(ti_id="u", key="k"))
    assert (await ask(store, look())).error == "TASK_STORE_NOT_FOUND"
    assert (await ask(store, look(key="other"))).value == 2
    await ask(store, m.ClearTaskStateStore(ti_id="u"))
    await ask(store, m.ClearTaskStateStore(ti_id="u"))
    assert (await ask(store, look(key="other"))).error == "TASK_STORE_NOT_FOUND"


@pytest.mark.anyio
@pytest.mark.parametrize("kind", ["Name", "Uri"])
async def test_an_assets_values_are_those_of_all_tasks_and_runs(store: LocalStore, kind: str) -> None:
    def request(verb: str, **fields: Any) -> m.Message:
        return m.definition(f"{verb}AssetStateStoreBy{kind}")(**{kind.lower(): "a"}, **fields)

    assert (await ask(store, request("Get", key="k"))).error == "ASSET_STORE_NOT_FOUND"
    await ask(store, request("Set", key="k", value=7))
    elsewhere = TaskKey(dag_id="d2", run_id="r2", task_id="t2")
    assert await ask(store, request("Get", key="k"), elsewhere) == m.AssetStateStoreResult(value=7)
    await ask(store, request("Delete", key="k"))
    assert (await ask(store, request("Get", key="k"))).error == "ASSET_STORE_NOT_FOUND"
    await ask(store, request("Set", key="k", value=7))
    await ask(store, request("Clear"))
    assert (await ask(store, request("Get", key="k"))).error == "ASSET_STORE_NOT_FOUND"
