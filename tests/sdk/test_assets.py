from __future__ import annotations

import os
from typing import Any

import pytest

from outboard import DAG, Asset, AssetAlias, AssetAll, AssetAny, Metadata, task
from outboard.sdk.assets import AssetNameRef, AssetUriRef


def test_a_name_and_a_uri_stand_for_each_other_where_one_is_missing() -> None:
    assert (Asset("a").name, Asset("a").uri) == ("a", "a")
    assert (Asset(uri="x://h").name, Asset(uri="x://h").uri) == ("x://h", "x://h/")
    assert os.fspath(Asset("a", "x://h/p")) == "x://h/p"


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("S3://bucket/a/b//", "s3://bucket/a/b"),
        ("s3://bucket", "s3://bucket/"),
        ("s3://user:word@bucket/a", "s3://bucket/a"),
        ("s3://user@bucket/a", "s3://user@bucket/a"),
        ("s3://b/a?z=1&a=2#part", "s3://b/a?a=2&z=1"),
        ("X-own://As It Is/", "X-own://As It Is/"),
        ("no uri at all/", "no uri at all/"),
    ],
)
def test_a_uri_has_one_form(given: str, normal: str) -> None:
    assert Asset("a", given).uri == normal


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({}, TypeError, "a name, a URI or both"),
        ({"name": ""}, ValueError, "the name of an asset is empty"),
        ({"name": "  "}, ValueError, "the name of an asset is empty"),
        ({"name": "self"}, ValueError, "cannot be called 'self'"),
        ({"name": "x" * 1501}, ValueError, "at most 1500 characters"),
        ({"name": 5}, TypeError, "is a string, not 5"),
        ({"uri": "airflow://x"}, ValueError, "Airflow's own"),
        ({"name": "a", "group": " "}, ValueError, "the group of an asset is empty"),
    ],
)
def test_what_is_no_asset_is_refused(arguments: dict[str, Any], error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        Asset(**arguments)


def test_a_reference_is_made_of_a_name_or_of_a_uri() -> None:
    assert Asset.ref(name="a") == AssetNameRef("a")
    assert Asset.ref(uri="x://a") == AssetUriRef("x://a")
    for wrong in ({}, {"name": "a", "uri": "x://a"}):
        with pytest.raises(TypeError, match="by its name= or by its uri="):
            Asset.ref(**wrong)


def test_assets_are_equal_when_all_their_parts_are() -> None:
    assert Asset("a", extra={"k": [1]}) == Asset("a", extra={"k": [1]})
    assert len({Asset("a", extra={"k": [1]}), Asset("a", extra={"k": [1]}), Asset("a"), AssetAlias("a")}) == 3
    assert Asset("a") != "a"


def test_conditions_are_joined_without_nesting() -> None:
    a, b, c = Asset("a"), AssetAlias("b"), Asset.ref(name="c")
    assert a & b & c == AssetAll(a, b, c)
    assert a | b | c == AssetAny(a, b, c)
    assert (a & b) | c == AssetAny(AssetAll(a, b), c)
    assert AssetAll(a, b) != AssetAny(a, b)
    with pytest.raises(TypeError):
        a & "b"
    with pytest.raises(TypeError, match="a condition is made of assets"):
        AssetAny(a, "b")


def test_several_assets_as_a_schedule_mean_all_of_them() -> None:
    a, b = Asset("a"), Asset("b")
    assert DAG("d", schedule=[a, b]).schedule == AssetAll(a, b)
    assert DAG("d", schedule=a | b).schedule == AssetAny(a, b)


@pytest.mark.parametrize("schedule", [[], ["a"], 5, [Asset("a"), None]])
def test_what_is_no_schedule_is_refused_with_the_dag_named(schedule: Any) -> None:
    with pytest.raises(TypeError, match="Dag 'd': a schedule is"):
        DAG("d", schedule=schedule)


def test_inlets_and_outlets_may_be_one_or_several() -> None:
    @task(outlets=Asset("a"), inlets=[Asset("b"), AssetAlias("c")])
    def run() -> None:
        pass

    with DAG("d") as made:
        run()
        run.override(task_id="bare", outlets=None, inlets=[])()
    assert made.get_task("run").outlets == (Asset("a"),)
    assert made.get_task("run").inlets == (Asset("b"), AssetAlias("c"))
    assert (made.get_task("bare").outlets, made.get_task("bare").inlets) == ((), ())


def test_metadata_has_an_extra_of_its_own() -> None:
    one, other = Metadata(Asset("a")), Metadata(Asset("a"))
    one.extra["k"] = 1
    assert other.extra == {}
