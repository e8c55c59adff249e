"""``task_state_store`` and ``asset_state_store`` of the context: small values that outlive a try, or all runs.

Values are JSON, and never None. Loaded when one of the stores is looked up.
"""

from __future__ import annotations

from datetime import timedelta

from outboard.sdk import client
from outboard.sdk.assets import Asset, AssetAlias, AssetNameRef, AssetUriRef

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from outboard.sdk.context import Context
    from outboard.sdk.requests import StateRequests

__all__ = (
    "NEVER_EXPIRE",
    "AssetStateStoreAccessor",
    "AssetStateStoreAccessors",
    "TaskStateStoreAccessor",
    "task_state_store",
)

NEVER_EXPIRE = timedelta.max
"""The retention of what is to stay for good."""


def task_state_store(context: Context) -> TaskStateStoreAccessor:
    """``task_state_store`` of the context: of this task of this run, over all its tries."""
    return TaskStateStoreAccessor(context["ti"].id)


class _Store:
    """What all stores can do; a coroutine has a face of its own for each, under the same name with an ``a`` before it."""

    __slots__ = ("_place",)

    _place: tuple[str, str]

    def get(self, key: str, default: Any = None) -> Any:
        """The value under a key, or the default where there is none."""
        found, value = _requests().get(self._place, key)
        return value if found else default

    async def aget(self, key: str, default: Any = None) -> Any:
        """`get` for coroutines."""
        return await client.current().in_thread(self.get, key, default)

    def delete(self, key: str) -> None:
        """Delete what is under a key; that there is nothing is no error."""
        _requests().delete(self._place, key)

    async def adelete(self, key: str) -> None:
        """`delete` for coroutines."""
        await client.current().in_thread(self.delete, key)

    def clear(self) -> None:
        """Delete everything."""
        _requests().clear(self._place)

    async def aclear(self) -> None:
        """`clear` for coroutines."""
        await client.current().in_thread(self.clear)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._place[0]}={self._place[1]!r}>"


class TaskStateStoreAccessor(_Store):
    """The store of one task of one run."""

    __slots__ = ()

    def __init__(self, ti_id: str) -> None:
        self._place = ("ti_id", ti_id)

    def set(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """Store a value.

        Args:
            key: where.
            value: JSON, and not None.
            retention: for how long; `NEVER_EXPIRE` for good. By default what the deployment says, which is 30 days unless
                it says otherwise.

        Raises:
            ValueError: the value is None, or the retention is negative.
            SerializationError: the value is not JSON.
        """
        if retention is not None and retention < timedelta():
            raise ValueError(f"a retention cannot be negative, as {retention!r} is")
        requests = _requests()
        lasting = requests.default_retention() if retention is None else retention
        expires = None if lasting is None or lasting == NEVER_EXPIRE else client.current().now() + lasting
        requests.set(self._place, key, _value(key, value), expires)

    async def aset(self, key: str, value: Any, *, retention: timedelta | None = None) -> None:
        """`set` for coroutines."""
        await client.current().in_thread(self.set, key, value, retention=retention)


class AssetStateStoreAccessor(_Store):
    """The store of one asset."""

    __slots__ = ()

    def __init__(self, *, name: str | None = None, uri: str | None = None) -> None:
        if not name and not uri:
            raise ValueError("an asset's store is that of a name or of a URI")
        self._place = ("name", name) if name else ("uri", uri or "")

    def set(self, key: str, value: Any) -> None:
        """Store a value: JSON, and not None.

        Raises:
            ValueError: the value is None.
            SerializationError: the value is not JSON.
        """
        _requests().set(self._place, key, _value(key, value), None)

    async def aset(self, key: str, value: Any) -> None:
        """`set` for coroutines."""
        await client.current().in_thread(self.set, key, value)


class AssetStateStoreAccessors:
    """The stores of a task's assets, by asset or reference; of a task with one asset, that store itself.

    An alias among the inlets stands for the assets that have had events through it.
    """

    def __init__(self, inlets: Iterable[Any], outlets: Iterable[Any] = ()) -> None:
        self._inlets = tuple(inlets)
        self._outlets = tuple(outlets)
        self._stores: dict[tuple[str, str], AssetStateStoreAccessor] | None = None

    def __getitem__(self, key: Any) -> AssetStateStoreAccessor:
        if not isinstance(key, (Asset, AssetNameRef, AssetUriRef)):
            raise TypeError(f"a store is looked up by an asset or a reference to one, not by {key!r}")
        found = self._all.get(_place_of(key))
        if found is None:
            raise KeyError(f"{key!r} is not among this task's inlets and outlets")
        return found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._single(), name)

    def __repr__(self) -> str:
        return f"<AssetStateStoreAccessors of {self._inlets} and {self._outlets}>"

    def _single(self) -> AssetStateStoreAccessor:
        if len(self._all) != 1:
            raise ValueError(
                f"the task has {len(self._all)} assets, so say which: context['asset_state_store'][asset].get(…)"
            )
        return next(iter(self._all.values()))

    @property
    def _all(self) -> dict[tuple[str, str], AssetStateStoreAccessor]:
        if self._stores is None:
            assets: list[Any] = []
            for inlet in self._inlets:
                assets += client.current().assets().of_alias(inlet.name) if isinstance(inlet, AssetAlias) else [inlet]
            # Through an alias among the outlets events are told, and nothing is kept.
            assets += [outlet for outlet in self._outlets if not isinstance(outlet, AssetAlias)]
            places = map(_place_of, assets)
            self._stores = {place: AssetStateStoreAccessor(**{place[0]: place[1]}) for place in places}
        return self._stores


def _place_of(asset: Any) -> tuple[str, str]:
    return ("uri", asset.uri) if isinstance(asset, AssetUriRef) else ("name", asset.name)


def _value(key: str, value: Any) -> Any:
    if value is None:
        raise ValueError(f"the store cannot hold None under {key!r}; delete the key instead")
    return value


def _requests() -> StateRequests:
    return client.current().states()
