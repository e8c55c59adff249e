"""A Dag's assets in Airflow's serialized form: what registers them, and what schedules by them. Loaded for Dags with any."""

from __future__ import annotations

from outboard.sdk.assets import Asset, AssetAlias, AssetAll, AssetNameRef, AssetUriRef, BaseAsset, leaves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.sdk.operator import BaseOperator

__all__ = ("dependencies", "inlets_and_outlets", "timetable")


def timetable(condition: Any) -> dict[str, Any]:
    """The timetable of a Dag that runs when a condition is met."""
    return {
        "__type": "airflow.timetables.simple.AssetTriggeredTimetable",
        "__var": {"asset_condition": _condition(condition)},
    }


def inlets_and_outlets(task: BaseOperator) -> dict[str, Any]:
    """The fields of a task that has assets."""
    fields = {"inlets": task.inlets, "outlets": task.outlets}
    return {name: [_in_a_task(asset) for asset in assets] for name, assets in fields.items() if assets}


def dependencies(dag_id: str, schedule: object, tasks: list[BaseOperator]) -> list[dict[str, str]]:
    """What Airflow draws between Dags and assets, and registers of aliases and references."""
    found: list[dict[str, str]] = []
    if isinstance(schedule, BaseAsset):
        found += [_dependency(asset, target=dag_id) for asset in leaves(schedule)]
        found.sort(key=lambda each: (each["dependency_type"], each["dependency_id"]))
    for task in tasks:
        found += [_dependency(asset, source=dag_id) for asset in task.outlets if isinstance(asset, (Asset, AssetAlias))]
    return found


def _condition(asset: Any) -> dict[str, Any]:
    if hasattr(asset, "objects"):
        kind = "asset_all" if isinstance(asset, AssetAll) else "asset_any"
        return {"__type": kind, "objects": [_condition(each) for each in asset.objects]}
    return {"__type": _kind(asset), **_fields(asset)}


def _in_a_task(asset: BaseAsset) -> dict[str, Any]:
    return {"__type": _kind(asset), "__var": _fields(asset)}


def _kind(asset: BaseAsset) -> str:
    if isinstance(asset, Asset):
        return "asset"
    return "asset_alias" if isinstance(asset, AssetAlias) else "asset_ref"


def _fields(asset: BaseAsset) -> dict[str, Any]:
    if isinstance(asset, Asset):
        return {"name": asset.name, "uri": asset.uri, "group": asset.group, "extra": asset.extra}
    if isinstance(asset, AssetAlias):
        return {"name": asset.name, "group": asset.group}
    if isinstance(asset, AssetNameRef):
        return {"name": asset.name}
    assert isinstance(asset, AssetUriRef)
    return {"uri": asset.uri}


def _dependency(asset: Any, *, source: str = "", target: str = "") -> dict[str, str]:
    kind, label, key = _node(asset)
    return {
        "source": source or kind,
        "target": target or kind,
        "label": label,
        "dependency_type": kind,
        "dependency_id": key,
    }


def _node(asset: Any) -> tuple[str, str, str]:
    # The kind of the node in Airflow's graph, its label, and its key.
    if isinstance(asset, Asset):
        import json

        return "asset", asset.name, json.dumps({"name": asset.name, "uri": asset.uri})
    if isinstance(asset, AssetAlias):
        return "asset-alias", asset.name, asset.name
    if isinstance(asset, AssetNameRef):
        return "asset-name-ref", asset.name, asset.name
    return "asset-uri-ref", asset.uri, asset.uri
