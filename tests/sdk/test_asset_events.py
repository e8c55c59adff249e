from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from outboard import Asset, AssetAlias, Context, Metadata, PythonOperator
from outboard.sdk.asset_events import InletEventsAccessors, OutletEventAccessors, TriggeringAssetEvents
from outboard.sdk.exceptions import AirflowRuntimeError
from tests.sdk.conftest import World

A, B, ALIAS = Asset("a", "x://a/p"), Asset("b"), AssetAlias("alias")


# ── outlets ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_outlet_is_one_however_it_is_looked_up(world: World) -> None:
    world.known_assets = [A]
    events = OutletEventAccessors()
    events[A].extra["n"] = 1
    assert events[Asset.ref(name="a")] is events[Asset.ref(uri=A.uri)] is events.for_asset(name="a", uri="x://a/p")
    assert events[A].extra == {"n": 1}
    assert events[ALIAS] is events.for_asset_alias(name="alias")
    assert (list(events), len(events)) == ([A, ALIAS], 2)


def test_a_reference_to_nothing_is_an_error(world: World) -> None:
    with pytest.raises(AirflowRuntimeError, match="ASSET_NOT_FOUND"):
        OutletEventAccessors()[Asset.ref(name="absent")]


@pytest.mark.parametrize("key", ["a", None, 0])
def test_what_is_no_asset_looks_up_nothing(key: Any) -> None:
    with pytest.raises(TypeError, match="by an asset, a reference to one or an alias"):
        OutletEventAccessors()[key]


def test_through_an_alias_events_of_other_assets_are_told(world: World) -> None:
    world.known_assets = [Asset("known", extra={"k": 1})]
    events = OutletEventAccessors()
    events[ALIAS].add(A, extra={"rows": 1})
    events[ALIAS].add(Asset.ref(name="known"))
    first, second = events[ALIAS].asset_alias_events
    assert first == {
        "source_alias_name": "alias",
        "dest_asset_key": {"name": "a", "uri": "x://a/p"},
        "dest_asset_extra": {},
        "extra": {"rows": 1},
    }
    assert (second["dest_asset_key"]["name"], second["dest_asset_extra"], second["extra"]) == ("known", {"k": 1}, {})
    events[A].add(B)
    assert events[A].asset_alias_events == []


def test_partitions_are_collected_and_checked() -> None:
    events = OutletEventAccessors()
    events[A].add_partitions(["x", "y"])
    events[A].add_partitions("x")
    assert events[A].partition_keys == {"x", "y"}
    for wrong in ("", "  ", "x" * 251):
        with pytest.raises(ValueError, match="1 to 250 characters"):
            events[A].add_partitions(wrong)
    with pytest.raises(TypeError, match="not of the alias 'alias'"):
        events[ALIAS].add_partitions("x")


def run(function: Any) -> tuple[Any, Context]:
    context = Context(run_id="r")
    return PythonOperator(task_id="t", python_callable=function).execute(context), context


def test_what_a_generator_yields_is_told_and_what_it_returns_is_the_result() -> None:
    def function() -> Any:
        yield Metadata(A, {"rows": 1})
        yield Metadata(B, {"rows": 2}, alias=ALIAS)
        return "result"

    result, context = run(function)
    assert result == "result"
    events = context["outlet_events"]
    assert (events[A].extra, events[B].extra) == ({"rows": 1}, {"rows": 2})
    assert [event["extra"] for event in events[ALIAS].asset_alias_events] == [{"rows": 2}]


def test_metadata_that_is_returned_is_told_and_is_no_result() -> None:
    result, context = run(lambda: Metadata(A, {"rows": 1}))
    assert result is None
    assert context["outlet_events"][A].extra == {"rows": 1}


def test_anything_else_that_is_yielded_is_ignored_with_a_word(world: World) -> None:
    def function() -> Any:
        yield 5

    assert run(function)[0] is None
    assert world.said == [("warning", "the task has yielded int, not Metadata; it is ignored")]


@pytest.mark.anyio
async def test_a_coroutine_may_return_metadata_too() -> None:
    async def function() -> Any:
        return Metadata(A, {"rows": 1})

    context = Context(run_id="r")
    assert await PythonOperator(task_id="t", python_callable=function).aexecute(context) is None
    assert context["outlet_events"][A].extra == {"rows": 1}


# ── inlets ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_events_of_an_inlet_are_asked_for_once_with_all_filters(world: World) -> None:
    events = InletEventsAccessors([A])[A].after("2026-01-01T00:00:00Z").before(datetime(2026, 2, 1, tzinfo=UTC))
    events = events.limit(2).ascending(False).partition_key("p").partition_key_regexp_pattern("p.*").extra("a", "1")
    assert world.asked == []
    assert (len(events), events[0], events[-1], list(events)) == (2, "first", "second", ["first", "second"])
    assert world.asked == [
        {
            **{"name": "a", "uri": "x://a/p", "ascending": False, "limit": 2},
            **{"after": datetime(2026, 1, 1, tzinfo=UTC), "before": datetime(2026, 2, 1, tzinfo=UTC)},
            **{"partition_key": "p", "partition_key_regexp_pattern": "p.*", "extra": {"a": "1"}},
        }
    ]


def test_a_filter_that_is_added_later_asks_again(world: World) -> None:
    events = InletEventsAccessors([A])[0]
    assert len(events) == 2
    assert len(events.limit(1)) == 2
    assert [query.get("limit") for query in world.asked] == [None, 1]


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has a time zone"):
        InletEventsAccessors([A])[A].after("2026-01-01")


@pytest.mark.parametrize(
    ("key", "asked"),
    [
        (A, {"name": "a", "uri": "x://a/p"}),
        (Asset.ref(name="a"), {"name": "a"}),
        (Asset.ref(uri="x://a/p"), {"uri": "x://a/p"}),
        (ALIAS, {"alias_name": "alias"}),
        (1, {"alias_name": "alias"}),
        (2, {"name": "ref"}),
        (Asset("ref", "x://whatever/p"), {"name": "ref", "uri": "x://whatever/p"}),
    ],
)
def test_an_inlet_is_asked_for_by_what_is_known_of_it(world: World, key: Any, asked: dict[str, str]) -> None:
    inlets = InletEventsAccessors([A, ALIAS, Asset.ref(name="ref")])
    assert (len(inlets), next(iter(inlets))) == (3, A)
    list(inlets[key])
    assert world.asked == [{**asked, "ascending": True}]


@pytest.mark.parametrize("key", [B, Asset.ref(name="b"), AssetAlias("other"), "a"])
def test_what_is_no_inlet_has_no_events_and_the_error_names_the_inlets(key: Any) -> None:
    with pytest.raises(KeyError, match=r"is no inlet of this task; its inlets: Asset\(name='a'"):
        InletEventsAccessors([A])[key]


def test_a_task_without_inlets_has_no_inlet_events() -> None:
    assert len(Context(run_id="r")["inlet_events"]) == 0


# ── what has started the run ──────────────────────────────────────────────────────────────────────────────────────────


def test_the_events_that_have_started_a_run_are_found_by_asset_and_by_alias(world: World) -> None:
    world.known_assets = [A]
    asset, alias = SimpleNamespace(name="a", uri="x://a/p"), SimpleNamespace(name="alias")
    one = SimpleNamespace(asset=asset, source_aliases=[alias])
    other = SimpleNamespace(asset=asset, source_aliases=[])
    events = TriggeringAssetEvents([one, other])
    assert (events[A], events[ALIAS], events[Asset.ref(name="a")]) == ([one, other], [one], [one, other])
    assert [key.name for key in events] == ["a", "alias"]
    with pytest.raises(KeyError, match=r"no event of .*'b'.* has started this run"):
        events[B]
    assert len(Context(run_id="r")["triggering_asset_events"]) == 0
