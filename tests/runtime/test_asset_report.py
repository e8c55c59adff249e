"""What a task in a real process tells of its assets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outboard.protocol import messages as m
from tests.runtime.child import Child
from tests.runtime.test_task_runner import run, source

HEAD = """
from outboard import Asset, AssetAlias, Metadata
from outboard.sdk.exceptions import AirflowSkipException, DownstreamTasksSkipped
a = Asset("a", "x://a/p")
"""
OUTLETS = "@task(outlets=[a, AssetAlias('al'), Asset.ref(name='n'), Asset.ref(uri='x://u')])"
ACTIVE = {"ValidateInletsAndOutlets": lambda r: m.InactiveAssetsResult(inactive_assets=[])}


def told(folder: Path, body: str, decorator: str = OUTLETS, **answers: Any) -> tuple[Any, Child]:
    return run(folder, source(body, head=HEAD, decorator=decorator), {**ACTIVE, **answers})


def test_a_success_names_the_outlets_by_their_kinds(tmp_path: Path) -> None:
    report, child = told(tmp_path, "def body():\n    pass")
    assert [type(request).__name__ for request in child.requests] == ["ValidateInletsAndOutlets", "SucceedTask"]
    assert [(each.name, each.uri, each.type) for each in report.task_outlets] == [
        ("a", "x://a/p", "Asset"),
        ("al", None, "AssetAlias"),
        ("n", None, "AssetNameRef"),
        (None, "x://u", "AssetUriRef"),
    ]
    assert report.outlet_events == []


def test_events_are_told_one_for_each_partition(tmp_path: Path) -> None:
    body = "def body(outlet_events):\n    outlet_events[a].add_partitions(['y', 'x'])\n    return Metadata(a, {'n': 1})"
    report, _ = told(tmp_path, body)
    event = {"dest_asset_key": {"name": "a", "uri": "x://a/p"}, "extra": {"n": 1}}
    assert report.outlet_events == [{**event, "partition_key": "x"}, {**event, "partition_key": "y"}]


def test_events_are_told_of_what_is_no_outlet_too_as_in_airflow(tmp_path: Path) -> None:
    body = "def body(outlet_events):\n    outlet_events[Asset('other')].extra['n'] = 1"
    report, child = told(tmp_path, body, decorator="@task")
    assert [type(request).__name__ for request in child.requests] == ["SucceedTask"]
    assert report.task_outlets == []
    assert [event["dest_asset_key"]["name"] for event in report.outlet_events] == ["other"]


def test_a_success_that_skips_others_tells_of_its_outlets(tmp_path: Path) -> None:
    report, _ = told(tmp_path, "def body():\n    raise DownstreamTasksSkipped(tasks=['x'])")
    assert len(report.task_outlets) == 4


@pytest.mark.parametrize("error", ["ValueError()", "AirflowSkipException()"])
def test_no_other_end_tells_of_outlets(tmp_path: Path, error: str) -> None:
    report, _ = told(tmp_path, f"def body(outlet_events):\n    outlet_events[a].extra['n'] = 1\n    raise {error}")
    assert not hasattr(report, "task_outlets")


def test_inactive_assets_fail_the_task_before_its_body(tmp_path: Path) -> None:
    inactive = [m.AssetProfile(name="a", uri="x://a/p", type="Asset")]
    answers = {"ValidateInletsAndOutlets": lambda r: m.InactiveAssetsResult(inactive_assets=inactive)}
    report, child = told(tmp_path, "def body():\n    print('runs')", "@task(inlets=a)", **answers)
    assert report.state == "failed"
    assert "inactive assets among its inlets and outlets: name='a', uri='x://a/p'" in str(child.records)
    assert "runs" not in child.logged()


@pytest.mark.parametrize("extra", ["{'n': object()}", "{1: 2}", "{'n': float('nan')}"])
def test_an_extra_that_is_no_json_fails_the_task_and_says_where(tmp_path: Path, extra: str) -> None:
    report, child = told(tmp_path, f"def body():\n    return Metadata(a, {extra})")
    assert report.state == "failed"
    assert "the extra of Asset(name='a', uri='x://a/p')" in str(child.records)


def test_references_and_events_are_asked_of_the_supervisor(tmp_path: Path) -> None:
    body = """
def body(inlet_events, outlet_events):
    outlet_events[Asset.ref(name="n")].extra["n"] = 1
    outlet_events[AssetAlias("al")].add(Asset.ref(uri="x://u"))
    return [len(inlet_events[a].limit(3)), len(inlet_events[AssetAlias("al")])]
"""
    found = m.AssetResult(name="found", uri="x://found/p", group="asset", extra={"k": 1})
    answers = {
        "GetAssetByName": lambda r: found,
        "GetAssetByUri": lambda r: found,
        "GetAssetEventByAsset": lambda r: m.AssetEventsResult(asset_events=[]),
        "GetAssetEventByAssetAlias": lambda r: m.AssetEventsResult(asset_events=[]),
    }
    report, child = told(tmp_path, body, "@task(inlets=[a, AssetAlias('al')])", **answers)
    asked = {type(request).__name__: request for request in child.requests}
    assert (asked["GetAssetByName"].name, asked["GetAssetByUri"].uri) == ("n", "x://u")
    assert (asked["GetAssetEventByAsset"].name, asked["GetAssetEventByAsset"].limit) == ("a", 3)
    assert asked["GetAssetEventByAssetAlias"].alias_name == "al"
    assert asked["SetXCom"].value == [0, 0]
    own, through_the_alias = report.outlet_events
    assert own == {"dest_asset_key": {"name": "found", "uri": "x://found/p"}, "extra": {"n": 1}}
    assert through_the_alias["dest_asset_extra"] == {"k": 1}


def test_a_handler_says_its_outlets_itself(tmp_path: Path) -> None:
    text = f"""
from outboard import TaskRegistry, task
{HEAD}
handlers = TaskRegistry()

@handlers.task("example")
@task(outlets=[a])
def body():
    pass
"""
    report, _ = run(tmp_path, text, ACTIVE)
    assert [each.name for each in report.task_outlets] == ["a"]
