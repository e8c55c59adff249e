"""``outlet_events``, ``inlet_events`` and ``triggering_asset_events`` of the context. Loaded when one is looked up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from outboard.sdk import client
from outboard.sdk.assets import Asset, AssetAlias, AssetNameRef, AssetRef, AssetUriRef, Metadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from typing import Any

    from typing_extensions import Self

    from outboard.sdk.context import Context

__all__ = (
    "InletEventsAccessor",
    "InletEventsAccessors",
    "OutletEventAccessor",
    "OutletEventAccessors",
    "TriggeringAssetEvents",
    "inlet_events",
    "outlet_events",
    "triggering_asset_events",
)

# The width of Airflow's column.
MAX_PARTITION_KEY = 250


def outlet_events(context: Context) -> OutletEventAccessors:
    """``outlet_events`` of the context: what the task tells of its outlets."""
    return OutletEventAccessors()


def inlet_events(context: Context) -> InletEventsAccessors:
    """``inlet_events`` of the context: what has been told of the task's inlets."""
    return InletEventsAccessors(getattr(context.get("task"), "inlets", ()))


def triggering_asset_events(context: Context) -> TriggeringAssetEvents:
    """``triggering_asset_events`` of the context: the events that have started the run."""
    return TriggeringAssetEvents(getattr(context.get("dag_run"), "consumed_asset_events", ()))


class _ByAsset:
    """What can also be asked for by the parts of an asset's name."""

    def for_asset(self, *, name: str | None = None, uri: str | None = None) -> Any:
        """The same as with an asset of these, or with a reference where one is missing, as the key."""
        key = Asset(name=name, uri=uri) if name and uri else Asset.ref(name=name or "", uri=uri or "")
        return self[key]  # type: ignore[index]

    def for_asset_alias(self, *, name: str) -> Any:
        """The same as with an alias as the key."""
        return self[AssetAlias(name)]  # type: ignore[index]


# ── outlets ───────────────────────────────────────────────────────────────────────────────────────────────────────────


class OutletEventAccessor:
    """What the task tells of one outlet.

    Attributes:
        key: the asset or the alias.
        extra: what is added to the asset's event: JSON.
        partition_keys: each becomes an event of its own.
        asset_alias_events: what `add` has been given, each as Airflow's server takes it.
    """

    __slots__ = ("asset_alias_events", "extra", "key", "partition_keys")

    def __init__(self, key: Asset | AssetAlias) -> None:
        self.key = key
        self.extra: dict[str, Any] = {}
        self.partition_keys: set[str] = set()
        self.asset_alias_events: list[dict[str, Any]] = []

    def add(self, asset: Asset | AssetRef, extra: dict[str, Any] | None = None) -> None:
        """Tell of an event of an asset, through the alias that this is the outlet of; without an alias, of nothing."""
        if not isinstance(self.key, AssetAlias):
            return
        found = _resolved(asset) if isinstance(asset, AssetRef) else asset
        event = {
            "source_alias_name": self.key.name,
            "dest_asset_key": {"name": found.name, "uri": found.uri},
            "dest_asset_extra": found.extra,
            "extra": extra or {},
        }
        self.asset_alias_events.append(event)

    def add_partitions(self, keys: str | list[str]) -> None:
        """Tell of an event for each of these partitions of the asset.

        Raises:
            TypeError: the outlet is an alias.
            ValueError: a key is empty or too long.
        """
        if isinstance(self.key, AssetAlias):
            raise TypeError(f"partitions are those of an asset, not of the alias {self.key.name!r}")
        added = [keys] if isinstance(keys, str) else list(keys)
        for key in added:
            if not key.strip() or len(key) > MAX_PARTITION_KEY:
                raise ValueError(f"a partition key has 1 to {MAX_PARTITION_KEY} characters, unlike {key!r}")
        self.partition_keys.update(added)


class OutletEventAccessors(_ByAsset, Mapping):  # type: ignore[type-arg]
    """What the task tells of its outlets, by asset, reference or alias; made when it is first looked up."""

    def __init__(self) -> None:
        self._accessors: dict[tuple[str, str, str], OutletEventAccessor] = {}

    def __getitem__(self, key: Any) -> OutletEventAccessor:
        found = _resolved(key) if isinstance(key, AssetRef) else key
        return self._accessors.setdefault(_place(found), OutletEventAccessor(found))

    def __iter__(self) -> Iterator[Any]:
        return (accessor.key for accessor in self._accessors.values())

    def __len__(self) -> int:
        return len(self._accessors)

    @property
    def accessors(self) -> list[OutletEventAccessor]:
        """Those that were looked up, in that order."""
        return list(self._accessors.values())

    def take(self, metadata: Metadata) -> None:
        """Add what a body has yielded or returned."""
        self[metadata.asset].extra.update(metadata.extra)
        if metadata.alias is not None:
            self[metadata.alias].add(metadata.asset, metadata.extra)


def _place(key: object) -> tuple[str, str, str]:
    if isinstance(key, Asset):
        return "asset", key.name, key.uri
    if isinstance(key, AssetAlias):
        return "alias", key.name, ""
    raise TypeError(f"events are looked up by an asset, a reference to one or an alias, not by {key!r}")


def _resolved(reference: AssetRef) -> Asset:
    assets = client.current().assets()
    if isinstance(reference, AssetNameRef):
        return assets.get(name=reference.name)
    assert isinstance(reference, AssetUriRef)
    return assets.get(uri=reference.uri)


# ── inlets ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class InletEventsAccessor(Sequence):  # type: ignore[type-arg]
    """Events of one asset, or of all that an alias stands for, oldest first; asked for at the first use.

    Each filter changes the sequence and returns it. An event has ``asset``, ``extra``, ``timestamp``, ``partition_key``,
    ``source_dag_id``, ``source_run_id``, ``source_task_id``, ``source_map_index`` and ``created_dagruns``.
    """

    def __init__(
        self, *, asset_name: str | None = None, asset_uri: str | None = None, alias_name: str | None = None
    ) -> None:
        self._whose: dict[str, Any] = {"name": asset_name, "uri": asset_uri, "alias_name": alias_name}
        self._filters: dict[str, Any] = {"ascending": True}
        self._events: list[Any] | None = None

    def after(self, after: str | datetime) -> Self:
        """Only events after that time: aware, or in ISO 8601."""
        return self._filtered("after", _moment(after))

    def before(self, before: str | datetime) -> Self:
        """Only events before that time: aware, or in ISO 8601."""
        return self._filtered("before", _moment(before))

    def ascending(self, ascending: bool = True) -> Self:
        """Oldest first, or newest first."""
        return self._filtered("ascending", ascending)

    def limit(self, limit: int) -> Self:
        """No more than so many events."""
        return self._filtered("limit", limit)

    def partition_key(self, key: str) -> Self:
        """Only events of that partition. Needs Airflow 3.4."""
        return self._filtered("partition_key", key)

    def partition_key_regexp_pattern(self, pattern: str) -> Self:
        """Only events of partitions that match a regular expression. Needs Airflow 3.4."""
        return self._filtered("partition_key_regexp_pattern", pattern)

    def extra(self, key: str, value: str) -> Self:
        """Only events that have this in their extra. Needs Airflow 3.4."""
        return self._filtered("extra", {**self._filters.get("extra", {}), key: value})

    def __getitem__(self, key: Any) -> Any:
        return self._fetched()[key]

    def __len__(self) -> int:
        return len(self._fetched())

    def __iter__(self) -> Iterator[Any]:
        return iter(self._fetched())

    def _filtered(self, name: str, value: object) -> Self:
        self._filters[name] = value
        self._events = None
        return self

    def _fetched(self) -> list[Any]:
        if self._events is None:
            self._events = list(client.current().assets().events(**self._whose, **self._filters))
        return self._events


class InletEventsAccessors(_ByAsset, Mapping):  # type: ignore[type-arg]
    """Events of the task's inlets, by the inlet or by its number."""

    def __init__(self, inlets: Sequence[Any]) -> None:
        self._inlets = inlets

    def __iter__(self) -> Iterator[Any]:
        return iter(self._inlets)

    def __len__(self) -> int:
        return len(self._inlets)

    def __getitem__(self, key: Any) -> InletEventsAccessor:
        inlet = self._inlets[key] if isinstance(key, int) else key
        if isinstance(inlet, AssetAlias):
            if any(isinstance(each, AssetAlias) and each.name == inlet.name for each in self._inlets):
                return InletEventsAccessor(alias_name=inlet.name)
        elif not any(_may_mean(each, inlet) for each in self._inlets):
            pass
        elif isinstance(inlet, Asset):
            return InletEventsAccessor(asset_name=inlet.name, asset_uri=inlet.uri)
        else:
            return InletEventsAccessor(asset_name=getattr(inlet, "name", None), asset_uri=getattr(inlet, "uri", None))
        known = ", ".join(map(repr, self._inlets)) or "none"
        raise KeyError(f"{inlet!r} is no inlet of this task; its inlets: {known}")


def _may_mean(inlet: object, wanted: object) -> bool:
    """Whether an inlet is what is wanted, as far as their names tell. Of two references of two kinds nobody knows."""
    if isinstance(inlet, AssetAlias) or not isinstance(wanted, (Asset, AssetRef)):
        return False
    pairs = [(getattr(inlet, part, None), getattr(wanted, part, None)) for part in ("name", "uri")]
    both = [(left, right) for left, right in pairs if left is not None and right is not None]
    return bool(both) and all(left == right for left, right in both)


def _moment(value: Any) -> datetime:
    from datetime import datetime

    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(f"a time to look for events from or until has a time zone, and {value!r} has none")
    return moment


# ── what has started the run ──────────────────────────────────────────────────────────────────────────────────────────


class TriggeringAssetEvents(_ByAsset, Mapping):  # type: ignore[type-arg]
    """The events that have started the run, by asset, reference or alias."""

    def __init__(self, events: Sequence[Any]) -> None:
        self._events: dict[tuple[str, str, str], list[Any]] = {}
        self._keys: dict[tuple[str, str, str], Asset | AssetAlias] = {}
        for event in events:
            keys: list[Asset | AssetAlias] = [Asset(name=event.asset.name, uri=event.asset.uri)]
            for key in [*keys, *(AssetAlias(alias.name) for alias in event.source_aliases)]:
                place = ("asset", event.asset.name, event.asset.uri) if isinstance(key, Asset) else _place(key)
                self._keys[place] = key
                self._events.setdefault(place, []).append(event)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._keys.values())

    def __len__(self) -> int:
        return len(self._events)

    def __getitem__(self, key: Any) -> list[Any]:
        found = _resolved(key) if isinstance(key, AssetRef) else key
        try:
            return self._events[_place(found)]
        except KeyError:
            raise KeyError(f"no event of {key!r} has started this run") from None
