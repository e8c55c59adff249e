from __future__ import annotations

import pytest

from outboard import BaseXCom
from tests.sdk.conftest import World

PLACE = {"dag_id": "d", "task_id": "t", "run_id": "r"}


def test_what_is_set_can_be_read_and_deleted(world: World) -> None:
    BaseXCom.set("k", [1], **PLACE)
    assert world.xcoms == {("k", "d", "r", "t", None): [1]}
    assert BaseXCom.get_one(key="k", **PLACE) == [1]
    BaseXCom.delete("k", "t", "d", "r")
    assert BaseXCom.get_one(key="k", **PLACE) is None


@pytest.mark.parametrize(("written", "stored"), [(None, None), (-1, None), (0, 0), (3, 3)])
def test_the_index_of_an_unmapped_task_may_be_written_in_two_ways(
    world: World, written: int | None, stored: int | None
) -> None:
    BaseXCom.set("k", "v", map_index=written, **PLACE)
    assert world.xcoms == {("k", "d", "r", "t", stored): "v"}
    assert BaseXCom.get_one(key="k", map_index=written, **PLACE) == "v"


def test_anything_that_names_a_task_instance_is_an_address(world: World) -> None:
    class Key:
        dag_id, task_id, run_id, map_index = "d", "t", "r", -1

    BaseXCom.set("k", 7, **PLACE)
    assert BaseXCom.get_value(ti_key=Key(), key="k") == 7


def test_earlier_runs_count_on_request(world: World) -> None:
    BaseXCom.set("k", "old", dag_id="d", task_id="t", run_id="earlier")
    assert BaseXCom.get_one(key="k", **PLACE) is None
    assert BaseXCom.get_one(key="k", include_prior_dates=True, **PLACE) == "old"


@pytest.mark.anyio
async def test_all_of_a_mapped_task_come_in_the_order_of_their_indexes(world: World) -> None:
    assert BaseXCom.get_all(key="k", **PLACE) is None
    for index in (2, 0, 1):
        BaseXCom.set("k", index * 10, map_index=index, **PLACE)
    assert BaseXCom.get_all(key="k", **PLACE) == [0, 10, 20]
    assert await BaseXCom.aget_all(key="k", **PLACE) == [0, 10, 20]


@pytest.mark.anyio
async def test_coroutines_have_faces_of_their_own(world: World) -> None:
    await BaseXCom.aset("k", 1, **PLACE)
    assert await BaseXCom.aget_one(key="k", **PLACE) == 1
