"""The local store answers as Airflow's API does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import anyio
import pytest

from outboard.protocol import messages as m
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.ports import XComKey

pytestmark = pytest.mark.anyio

DAY = datetime(2026, 1, 1, tzinfo=UTC)
KEY = XComKey(dag_id="d", run_id="r", task_id="t", key="k")
UNMAPPED = -1


def in_run(run_id: str) -> XComKey:
    return XComKey(dag_id="d", run_id=run_id, task_id="t", key="k")


# ── variables and connections ───────────────────────────────────────────────────────────────────────────────────


async def test_a_variable_can_be_put_read_and_deleted() -> None:
    variables = LocalStore().variables
    assert await variables.get("x") is None
    await variables.put("x", "1", "what it is")
    assert await variables.get("x") == m.VariableResult(key="x", value="1")
    await variables.delete("x")
    await variables.delete("x")
    assert await variables.get("x") is None


async def test_a_stored_null_is_a_variable() -> None:
    assert await LocalStore(variables={"x": None}).variables.get("x") == m.VariableResult(key="x", value=None)


async def test_keys_come_in_order_by_prefix_and_page() -> None:
    variables = LocalStore(variables={"b2": "", "a": "", "b1": "", "b3": "", "b%": ""}).variables
    assert (await variables.keys(None, 10, 0)).keys == ["a", "b%", "b1", "b2", "b3"]
    page = await variables.keys("b", 2, 1)
    assert (page.keys, page.total_entries) == (["b1", "b2"], 4)
    # A prefix is taken literally, as in Airflow.
    assert (await variables.keys("b%", 10, 0)).keys == ["b%"]


async def test_a_connection_is_found_by_its_id() -> None:
    connection = m.ConnectionResult(
        conn_id="c", conn_type="http", host="h", schema=None, login=None, password=None, port=None, extra=None
    )
    connections = LocalStore(connections={"c": connection}).connections
    assert await connections.get("c") == connection
    assert await connections.get("C") is None


# ── XComs ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_xcom_is_replaced_by_the_next_one_and_a_missing_one_is_null() -> None:
    xcoms = LocalStore().xcoms
    assert await xcoms.get(KEY, UNMAPPED, False) is None
    for value in (1, {"a": [2]}):
        await xcoms.set(KEY, UNMAPPED, value)
    assert await xcoms.get(KEY, UNMAPPED, False) == {"a": [2]}


async def test_each_map_index_has_its_own_value() -> None:
    xcoms = LocalStore().xcoms
    for index in (2, 0, 10):
        await xcoms.set(KEY, index, f"v{index}")
    assert await xcoms.get(KEY, 10, False) == "v10"
    assert await xcoms.get(KEY, UNMAPPED, False) is None
    assert await xcoms.count(KEY) == 3


async def test_deleting_one_value_leaves_the_others() -> None:
    xcoms = LocalStore().xcoms
    for index in (0, 1):
        await xcoms.set(KEY, index, index)
    for _ in range(2):
        await xcoms.delete(KEY, 0)
    assert await xcoms.count(KEY) == 1
    await xcoms.delete(KEY, 1)
    assert await xcoms.count(KEY) == 0


@pytest.mark.parametrize(("offset", "value"), [(0, "v0"), (2, "v10"), (-1, "v10"), (-3, "v0"), (3, None), (-4, None)])
async def test_an_item_is_found_by_its_place_among_the_map_indexes(offset: int, value: str | None) -> None:
    xcoms = LocalStore().xcoms
    for index in (10, 0, 2):
        await xcoms.set(KEY, index, f"v{index}")
    found = await xcoms.item(KEY, offset)
    assert (found.root if found else None) == value


async def test_a_stored_null_is_an_item() -> None:
    xcoms = LocalStore().xcoms
    await xcoms.set(KEY, 0, None)
    assert await xcoms.item(KEY, 0) == m.XComSequenceIndexResult(root=None)


@pytest.mark.parametrize(
    "part",
    [
        slice(None),
        slice(1, None),
        slice(None, 2),
        slice(-2, None),
        slice(None, None, -1),
        slice(3, 0, -2),
        slice(9, 12),
    ],
)
async def test_a_slice_is_pythons(part: slice) -> None:
    xcoms = LocalStore().xcoms
    for index in (3, 1, 0, 2):
        await xcoms.set(KEY, index, index)
    assert list(await xcoms.items(KEY, part, False)) == [0, 1, 2, 3][part]


async def test_the_newest_value_of_this_run_and_those_before_it_counts() -> None:
    store = LocalStore()
    for day, run_id in enumerate(("first", "second", "third")):
        store.add_run("d", run_id, DAY + timedelta(days=day))
        await store.xcoms.set(in_run(run_id), UNMAPPED, run_id)
    store.add_run("other", "second", DAY)
    assert await store.xcoms.get(in_run("second"), UNMAPPED, True) == "second"
    await store.xcoms.delete(in_run("second"), UNMAPPED)
    assert await store.xcoms.get(in_run("second"), UNMAPPED, True) == "first"
    assert await store.xcoms.get(in_run("second"), UNMAPPED, False) is None
    await store.xcoms.delete(in_run("first"), UNMAPPED)
    assert await store.xcoms.get(in_run("second"), UNMAPPED, True) is None


async def test_of_runs_at_one_date_the_value_stored_last_counts() -> None:
    store = LocalStore()
    for run_id in ("a", "b"):
        store.add_run("d", run_id, DAY)
    for run_id in ("b", "a"):
        await store.xcoms.set(in_run(run_id), UNMAPPED, run_id)
    assert await store.xcoms.get(in_run("b"), UNMAPPED, True) == "a"


async def test_a_run_without_a_date_stands_alone() -> None:
    store = LocalStore()
    store.add_run("d", "dated", DAY)
    await store.xcoms.set(in_run("dated"), UNMAPPED, 1)
    assert await store.xcoms.get(in_run("undated"), UNMAPPED, True) is None
    await store.xcoms.set(in_run("undated"), UNMAPPED, 2)
    assert await store.xcoms.get(in_run("undated"), UNMAPPED, True) == 2


async def test_a_slice_over_earlier_runs_has_the_values_of_all_of_them() -> None:
    store = LocalStore()
    for day, run_id in enumerate(("first", "second")):
        store.add_run("d", run_id, DAY + timedelta(days=day))
        for index in range(2):
            await store.xcoms.set(in_run(run_id), index, f"{run_id}{index}")
    found = await store.xcoms.items(in_run("second"), slice(None), True)
    assert list(found) == ["first0", "second0", "first1", "second1"]


async def test_the_keys_of_a_task_are_those_that_it_has_to_clear() -> None:
    store = LocalStore()
    for name, index in (("a", UNMAPPED), ("b", 0), ("c", 1)):
        await store.xcoms.set(XComKey(dag_id="d", run_id="r", task_id="t", key=name), index, 1)
    assert store.xcom_keys("d", "r", "t") == ["a", "b", "c"]
    assert store.xcom_keys("d", "r", "t", 1) == ["c"]
    assert store.xcom_keys("d", "r", "other") == []


async def test_the_xcoms_of_a_run_are_those_of_its_unmapped_tasks() -> None:
    store = LocalStore()
    await store.xcoms.set(KEY, UNMAPPED, 1)
    await store.xcoms.set(XComKey(dag_id="d", run_id="r", task_id="mapped", key="k"), 0, 2)
    await store.xcoms.set(in_run("another"), UNMAPPED, 3)
    assert store.run_xcoms("d", "r") == {"t": {"k": 1}}


async def test_threads_may_share_a_store() -> None:
    store = LocalStore()

    async def push(task_id: str) -> None:
        for number in range(200):
            await store.xcoms.set(XComKey(dag_id="d", run_id="r", task_id=task_id, key=f"k{number}"), UNMAPPED, number)
            store.run_xcoms("d", "r")

    async with anyio.create_task_group() as tasks:
        for task_id in "abcd":
            tasks.start_soon(anyio.to_thread.run_sync, anyio.run, push, task_id)
    assert {task_id: len(keys) for task_id, keys in store.run_xcoms("d", "r").items()} == dict.fromkeys("abcd", 200)
