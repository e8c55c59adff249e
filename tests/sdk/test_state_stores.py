from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from outboard import NEVER_EXPIRE, Asset, AssetAlias, Context
from outboard.sdk.state_stores import AssetStateStoreAccessor, AssetStateStoreAccessors, TaskStateStoreAccessor
from tests.sdk.conftest import World

A, B = Asset("a", "x://a/p"), Asset("b")


def store() -> TaskStateStoreAccessor:
    context: Any = Context(ti=SimpleNamespace(id="u"))  # type: ignore[typeddict-item]
    found: TaskStateStoreAccessor = context["task_state_store"]
    return found


def test_what_is_stored_is_there_until_it_is_deleted(world: World) -> None:
    store().set("cursor", {"page": 2})
    assert store().get("cursor") == {"page": 2}
    assert (store().get("absent"), store().get("absent", "else")) == (None, "else")
    store().delete("cursor")
    store().delete("cursor")
    assert store().get("cursor") is None


def test_values_that_are_false_are_values(world: World) -> None:
    store().set("flag", False)
    assert store().get("flag", True) is False


def test_clearing_leaves_other_stores_alone(world: World) -> None:
    store().set("k", 1)
    TaskStateStoreAccessor("other").set("k", 2)
    store().clear()
    assert (store().get("k"), TaskStateStoreAccessor("other").get("k")) == (None, 2)


@pytest.mark.parametrize(
    ("configured", "retention", "lasts"),
    [
        (timedelta(days=30), None, timedelta(days=30)),
        (None, None, None),
        (timedelta(days=30), timedelta(hours=6), timedelta(hours=6)),
        (None, timedelta(hours=6), timedelta(hours=6)),
        (timedelta(days=30), NEVER_EXPIRE, None),
        (timedelta(days=30), timedelta(), timedelta()),
    ],
)
def test_a_value_lasts_as_long_as_it_says_or_as_the_deployment_does(
    world: World, configured: timedelta | None, retention: timedelta | None, lasts: timedelta | None
) -> None:
    world.retention = configured
    store().set("k", 1, retention=retention)
    assert world.stored["ti_id", "u", "k"] == (1, None if lasts is None else world.time + lasts)


def test_none_and_negative_retentions_are_refused(world: World) -> None:
    with pytest.raises(ValueError, match="cannot hold None under 'k'"):
        store().set("k", None)
    with pytest.raises(ValueError, match="cannot be negative"):
        store().set("k", 1, retention=timedelta(seconds=-1))
    with pytest.raises(ValueError, match="cannot hold None"):
        AssetStateStoreAccessor(name="a").set("k", None)
    assert not world.stored


def test_each_asset_has_a_store_of_its_own(world: World) -> None:
    stores = AssetStateStoreAccessors([A], [B, Asset.ref(uri="x://c")])
    stores[A].set("k", 1)
    stores[Asset.ref(name="b")].set("k", 2)
    stores[Asset.ref(uri="x://c")].set("k", 3)
    assert {place: value for place, (value, _) in world.stored.items()} == {
        ("name", "a", "k"): 1,
        ("name", "b", "k"): 2,
        ("uri", "x://c", "k"): 3,
    }


def test_with_one_asset_the_store_is_that_of_it(world: World) -> None:
    stores = AssetStateStoreAccessors([A], [A, AssetAlias("alias")])
    stores.set("k", 1)
    assert (stores.get("k"), stores[A].get("k")) == (1, 1)
    stores.clear()
    assert stores.get("k", "else") == "else"


def test_with_several_assets_one_has_to_be_named() -> None:
    with pytest.raises(ValueError, match="the task has 2 assets, so say which"):
        AssetStateStoreAccessors([A, B]).get("k")


def test_an_alias_among_the_inlets_stands_for_its_assets(world: World) -> None:
    world.known_assets = [A, B]
    stores = AssetStateStoreAccessors([AssetAlias("alias")])
    stores[B].set("k", 1)
    assert ("name", "b", "k") in world.stored


def test_what_is_no_asset_of_the_task_has_no_store() -> None:
    with pytest.raises(KeyError, match="is not among this task's inlets and outlets"):
        AssetStateStoreAccessors([A])[B]
    with pytest.raises(TypeError, match="by an asset or a reference"):
        AssetStateStoreAccessors([A])["a"]
    with pytest.raises(ValueError, match="of a name or of a URI"):
        AssetStateStoreAccessor()


@pytest.mark.anyio
async def test_coroutines_have_faces_of_their_own(world: World) -> None:
    await store().aset("k", 1, retention=NEVER_EXPIRE)
    assert await store().aget("k") == 1
    await store().adelete("k")
    await store().aclear()
    await AssetStateStoreAccessors([A]).aset("k", 2)
    assert {place: value for place, (value, _) in world.stored.items()} == {("name", "a", "k"): 2}
