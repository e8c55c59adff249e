"""Assets: data that tasks make and use, and that can start Dags. What has events is the supervisor's business.

Loaded by the files that declare assets. An asset has a name and a URI, and stands for the other where only one is given.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

__all__ = (
    "Asset",
    "AssetAlias",
    "AssetAll",
    "AssetAny",
    "AssetNameRef",
    "AssetRef",
    "AssetUriRef",
    "BaseAsset",
    "Metadata",
    "as_condition",
    "leaves",
)

# The width of Airflow's columns.
MAX_LENGTH = 1500


class BaseAsset:
    """Whatever can stand in ``schedule=…``: assets, aliases and references, joined with ``&`` and ``|``."""

    __slots__ = ()

    def __and__(self, other: object) -> AssetAll:
        return AssetAll(self, other) if isinstance(other, BaseAsset) else NotImplemented

    def __or__(self, other: object) -> AssetAny:
        return AssetAny(self, other) if isinstance(other, BaseAsset) else NotImplemented

    def _identity(self) -> tuple[object, ...]:
        raise NotImplementedError

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseAsset):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(repr(self._identity()))


class Asset(BaseAsset):
    """Some data, known by its name and its URI.

    Attributes:
        name: its name, unique in a deployment.
        uri: where it is. A URI with a scheme is brought into a normal form: the scheme in lower case, no password, no fragment,
            no slash at the end, the query sorted.
        group: what kind of asset it is.
        extra: what else is known about it: JSON.

    Raises:
        TypeError: neither name nor URI is given.
        ValueError: one of them is empty, too long or not allowed.
    """

    asset_type = "asset"

    __slots__ = ("__dict__", "extra", "group", "name", "uri")

    def __init__(
        self, name: str | None = None, uri: Any = None, *, group: str | None = None, extra: dict[str, Any] | None = None
    ) -> None:
        if name is None and uri is None:
            raise TypeError("an Asset has a name, a URI or both")
        self.name = _checked(str(uri) if name is None else name, "name of an asset")
        if self.name in ("self", "context"):
            raise ValueError(f"an asset cannot be called {self.name!r}")
        self.uri = _checked(_normal_uri(self.name if uri is None else str(uri)), "URI of an asset")
        self.group = _checked(self.asset_type if group is None else group, "group of an asset", may_be_empty=True)
        self.extra = {} if extra is None else extra

    @staticmethod
    def ref(*, name: str = "", uri: str = "") -> AssetRef:
        """A reference to an asset that is declared elsewhere, by its name or by its URI."""
        if bool(name) == bool(uri):
            raise TypeError("an asset is referred to by its name= or by its uri=, and not by both")
        return AssetNameRef(name) if name else AssetUriRef(uri)

    def __fspath__(self) -> str:
        return self.uri

    def __repr__(self) -> str:
        return f"{type(self).__name__}(name={self.name!r}, uri={self.uri!r})"

    def _identity(self) -> tuple[object, ...]:
        return "asset", self.name, self.uri, self.group, self.extra


class AssetRef(BaseAsset):
    """A reference to an asset that is declared elsewhere; see `Asset.ref`."""

    __slots__ = ()


class AssetNameRef(AssetRef):
    """A reference to the asset of a name."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"AssetNameRef(name={self.name!r})"

    def _identity(self) -> tuple[object, ...]:
        return "name", self.name


class AssetUriRef(AssetRef):
    """A reference to the asset of a URI."""

    __slots__ = ("uri",)

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def __repr__(self) -> str:
        return f"AssetUriRef(uri={self.uri!r})"

    def _identity(self) -> tuple[object, ...]:
        return "uri", self.uri


class AssetAlias(BaseAsset):
    """A name under which a running task tells of events of assets that the Dag file does not know.

    Attributes:
        name: the alias.
        group: what kind of assets it stands for.
    """

    __slots__ = ("group", "name")

    def __init__(self, name: str, *, group: str = "asset") -> None:
        self.name = _checked(name, "name of an asset alias")
        self.group = _checked(group, "group of an asset alias", may_be_empty=True)

    def __repr__(self) -> str:
        return f"AssetAlias(name={self.name!r})"

    def _identity(self) -> tuple[object, ...]:
        return "alias", self.name, self.group


class _Condition(BaseAsset):
    __slots__ = ("objects",)

    def __init__(self, *objects: Any) -> None:
        for each in objects:
            if not isinstance(each, BaseAsset):
                raise TypeError(f"a condition is made of assets, aliases and references, not of {each!r}")
        self.objects: tuple[BaseAsset, ...] = objects

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(map(repr, self.objects))})"

    def _identity(self) -> tuple[object, ...]:
        return (type(self).__name__, *(each._identity() for each in self.objects))


class AssetAny(_Condition):
    """Met by events of one of several assets."""

    __slots__ = ()

    def __or__(self, other: object) -> AssetAny:
        return AssetAny(*self.objects, other) if isinstance(other, BaseAsset) else NotImplemented


class AssetAll(_Condition):
    """Met by events of all of several assets."""

    __slots__ = ()

    def __and__(self, other: object) -> AssetAll:
        return AssetAll(*self.objects, other) if isinstance(other, BaseAsset) else NotImplemented


class Metadata:
    """What a task's body yields or returns to add to the event of one of its outlets.

    Attributes:
        asset: whose event it is.
        extra: what to add to the event: JSON.
        alias: the alias through which the asset becomes an outlet, if it is none by itself.
    """

    __slots__ = ("alias", "asset", "extra")

    def __init__(self, asset: Any, extra: dict[str, Any] | None = None, alias: AssetAlias | None = None) -> None:
        self.asset = asset
        self.extra = {} if extra is None else extra
        self.alias = alias

    def __repr__(self) -> str:
        return f"Metadata({self.asset!r}, {self.extra!r})"


def as_condition(schedule: BaseAsset | Collection[BaseAsset]) -> BaseAsset:
    """The condition that a schedule means: several assets mean all of them.

    Raises:
        TypeError: it is made of something else, or of nothing.
    """
    if isinstance(schedule, BaseAsset):
        return schedule
    if not schedule:
        raise TypeError("a condition is made of at least one asset")
    return AssetAll(*schedule)


def leaves(condition: BaseAsset) -> Iterator[BaseAsset]:
    """The assets, aliases and references in a condition, from left to right."""
    if isinstance(condition, _Condition):
        for each in condition.objects:
            yield from leaves(each)
    else:
        yield condition


def _checked(value: object, what: str, *, may_be_empty: bool = False) -> str:
    if not isinstance(value, str):
        raise TypeError(f"the {what} is a string, not {value!r}")
    if len(value) > MAX_LENGTH:
        raise ValueError(f"the {what} has at most {MAX_LENGTH} characters, and not {len(value)}")
    if value.isspace() or (not value and not may_be_empty):
        raise ValueError(f"the {what} is empty")
    return value


def _normal_uri(uri: str) -> str:
    from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

    parts = urlsplit(uri)
    scheme = parts.scheme.lower()
    if not scheme or scheme.startswith("x-"):
        return uri
    if scheme == "airflow":
        raise ValueError("the scheme 'airflow' of an asset's URI is Airflow's own; choose another one")
    return urlunsplit(
        (
            scheme,
            # What is secret has no place in a name that everybody sees.
            parts.netloc.rpartition("@")[2] if parts.password else parts.netloc,
            parts.path.rstrip("/") or "/",
            urlencode(sorted(parse_qsl(parts.query))) if parts.query else "",
            "",
        )
    )
