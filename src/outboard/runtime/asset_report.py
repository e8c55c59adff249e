"""What a task's success tells of its assets, and whether these may be used at all. Loaded by the tasks that have any."""

from __future__ import annotations

from outboard.protocol import messages as m
from outboard.protocol.codec import check_json
from outboard.sdk.assets import Asset, AssetAlias, AssetNameRef, AssetUriRef
from outboard.sdk.exceptions import AirflowInactiveAssetInInletOrOutletException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from outboard.runtime.client import ChannelClient
    from outboard.sdk.asset_events import OutletEventAccessors

__all__ = ("check_active", "complete")

_KINDS = (Asset, AssetNameRef, AssetUriRef, AssetAlias)


def check_active(client: ChannelClient, ti_id: str) -> None:
    """Refuse to run a task with assets that no Dag declares any more.

    Raises:
        AirflowInactiveAssetInInletOrOutletException: naming them.
    """
    inactive = client.ask(m.ValidateInletsAndOutlets(ti_id=ti_id), m.InactiveAssetsResult).inactive_assets
    if inactive:
        raise AirflowInactiveAssetInInletOrOutletException([(each.name, each.uri) for each in inactive])


def complete(report: Any, outlets: Sequence[object], events: OutletEventAccessors | None) -> None:
    """Add to a success what Airflow's server makes events of.

    Args:
        report: a SucceedTask, changed in place.
        outlets: the task's.
        events: what the body has told of them, if it has.

    Raises:
        SerializationError: an extra is not JSON; the path to the offending part is in the error.
    """
    report.task_outlets = [_profile(outlet) for outlet in outlets]
    report.outlet_events = [] if events is None else [event for each in events.accessors for event in _events(each)]


def _profile(outlet: Any) -> Any:
    # By the kind that Airflow knows, not by an author's own class.
    kind = next(kind.__name__ for kind in _KINDS if isinstance(outlet, kind))
    uri = None if isinstance(outlet, AssetAlias) else getattr(outlet, "uri", None)
    return m.AssetProfile(name=getattr(outlet, "name", None), uri=uri, type=kind)


def _events(accessor: Any) -> list[dict[str, Any]]:
    key = accessor.key
    label = f"the extra of {key!r}"
    events: list[dict[str, Any]] = []
    if isinstance(key, Asset):
        check_json(accessor.extra, label)
        event = {"dest_asset_key": {"name": key.name, "uri": key.uri}, "extra": accessor.extra}
        partitions = [{"partition_key": partition} for partition in sorted(accessor.partition_keys)]
        events = [{**event, **partition} for partition in partitions] or [event]
    for event in accessor.asset_alias_events:
        check_json(event, label)
        events.append(event)
    return events
