"""Assets and their events, asked for over the channel: `outboard.sdk.requests.AssetRequests`. Loaded when it is used."""

from __future__ import annotations

from outboard.protocol import messages as m
from outboard.sdk.assets import Asset

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from outboard.runtime.client import ChannelClient

__all__ = ("AssetRequests",)


class AssetRequests:
    """Answers `outboard.sdk.requests.AssetRequests`."""

    def __init__(self, client: ChannelClient) -> None:
        self._client = client

    def get(self, *, name: str | None = None, uri: str | None = None) -> Asset:
        """See `outboard.sdk.requests.AssetRequests.get`."""
        request = m.GetAssetByUri(uri=uri or "") if name is None else m.GetAssetByName(name=name)
        return _asset(self._client.ask(request, m.AssetResult))

    def of_alias(self, name: str) -> Sequence[Asset]:
        """See `outboard.sdk.requests.AssetRequests.of_alias`."""
        found = self._client.ask(m.GetAssetsByAlias(alias_name=name), m.AssetsByAliasResult)
        return [_asset(each) for each in found.assets]

    def events(self, *, name: str | None, uri: str | None, alias_name: str | None, **filters: Any) -> Sequence[Any]:
        """See `outboard.sdk.requests.AssetRequests.events`."""
        request = (
            m.GetAssetEventByAsset(name=name, uri=uri, **filters)
            if alias_name is None
            else m.GetAssetEventByAssetAlias(alias_name=alias_name, **filters)
        )
        return self._client.ask(request, m.AssetEventsResult).asset_events


def _asset(found: Any) -> Asset:
    return Asset(name=found.name, uri=found.uri, group=found.group, extra=found.extra)
