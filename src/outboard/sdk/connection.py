"""Connections: where an external system is, and how to get in. The URI form is Airflow's.

Needs `json` and `urllib.parse`, which are imported only by what uses them.
"""

from __future__ import annotations

from outboard.sdk import client
from outboard.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowRuntimeError, ErrorType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any
    from urllib.parse import SplitResult

__all__ = ("Connection",)

_PARTS = ("conn_type", "description", "host", "schema", "login", "password", "port", "extra")
_SCHEME_MARK = "://"


class Connection:
    """A connection.

    Either `uri` says it all, or the other arguments do.

    Attributes:
        conn_id: its id.
        conn_type: the kind of system, such as ``"postgres"``.
        description: what it is for.
        host: the host's name or address. It may carry a scheme of its own, as in ``"https://example.org"``.
        schema: a database, a schema or a path, whatever the kind of system makes of it.
        login, password: the credentials.
        port: the port, an int.
        extra: anything else, as JSON text; `extra_dejson` is its content.

    Raises:
        AirflowException: `uri` is given along with other parts, or is no connection's URI.
    """

    __slots__ = ("__dict__", "conn_id", *_PARTS)

    EXTRA_KEY = "__extra__"

    conn_type: str | None
    description: str | None
    host: str | None
    schema: str | None
    login: str | None
    password: str | None
    port: int | None
    extra: str | None

    def __init__(
        self,
        *,
        conn_id: str,
        uri: str | None = None,
        conn_type: str | None = None,
        description: str | None = None,
        host: str | None = None,
        schema: str | None = None,
        login: str | None = None,
        password: str | None = None,
        port: int | None = None,
        extra: str | None = None,
    ) -> None:
        parts = (conn_type, description, host, schema, login, password, port, extra)
        self.conn_id = conn_id
        if uri is not None:
            if any(part is not None for part in parts):
                raise AirflowException(f"the connection {conn_id!r} is made of its URI or of its parts, not of both")
            parsed = type(self).from_uri(uri, conn_id)
            parts = tuple(getattr(parsed, name) for name in _PARTS)
        for name, part in zip(_PARTS, parts, strict=True):
            setattr(self, name, part)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in ("conn_id", *_PARTS))

    __hash__ = None  # type: ignore[assignment]  # connections are mutable

    def __repr__(self) -> str:
        # Neither the password nor the extra, which often holds keys.
        shown = "".join(
            f", {name}={getattr(self, name)!r}"
            for name in ("conn_type", "host", "port", "schema", "login")
            if getattr(self, name) is not None
        )
        return f"Connection(conn_id={self.conn_id!r}{shown})"

    @classmethod
    def get(cls, conn_id: str) -> Connection:
        """The connection of that id.

        Raises:
            AirflowNotFoundException: there is none.
        """
        try:
            return client.current().get_connection(conn_id)
        except AirflowRuntimeError as error:
            raise _named(error, conn_id) from None

    @classmethod
    async def async_get(cls, conn_id: str) -> Connection:
        """`get` for coroutines."""
        return await client.current().in_thread(cls.get, conn_id)

    @classmethod
    def from_uri(cls, uri: str, conn_id: str) -> Connection:
        """The connection that ``conn-type://login:password@host:port/schema?name=value`` describes.

        Each part may be missing and is percent-encoded where it has to be. The query becomes the extra; if it is
        ``__extra__=…``, that is the extra's text. A host with a scheme of its own stands as in ``http://https://host``.

        Raises:
            AirflowException: it is no such URI.
        """
        from urllib.parse import unquote, urlsplit

        conn_type, rest, inner_scheme = _split_schemes(uri, conn_id)
        try:
            parts = urlsplit(rest)
            port = parts.port
        except ValueError as error:
            raise AirflowException(f"the URI of the connection {conn_id!r} is wrong: {error}") from None
        host = _host_of(parts)
        return cls(
            conn_id=conn_id,
            conn_type=_normal_type(conn_type),
            host=f"{inner_scheme}{_SCHEME_MARK}{host}" if host and inner_scheme else host,
            schema=unquote(parts.path[1:]),
            login=parts.username and unquote(parts.username),
            password=parts.password and unquote(parts.password),
            port=port,
            extra=cls._extra_of(parts.query),
        )

    @classmethod
    def _extra_of(cls, query: str) -> str | None:
        if not query:
            return None
        import json
        from urllib.parse import parse_qsl

        values = dict(parse_qsl(query, keep_blank_values=True))
        return values[cls.EXTRA_KEY] if cls.EXTRA_KEY in values else json.dumps(values)

    @classmethod
    def from_json(cls, value: str, conn_id: str) -> Connection:
        """The connection that a JSON object with the parts as its keys describes.

        Raises:
            ValueError: the text is no JSON, or the port no number.
            TypeError: the object has a key that is no part of a connection.
        """
        import json

        parts: dict[str, Any] = json.loads(value)
        unknown = sorted({*parts} - {*_PARTS, "uri"})
        if unknown:
            raise TypeError(f"a connection has no {unknown[0]!r}; its parts are {', '.join(_PARTS)}")
        if parts.get("extra") and not isinstance(parts["extra"], str):
            parts["extra"] = json.dumps(parts["extra"])
        if parts.get("conn_type"):
            parts["conn_type"] = _normal_type(parts["conn_type"])
        if parts.get("port"):
            parts["port"] = _port_of(parts["port"], conn_id)
        given = {name: part for name, part in parts.items() if part or name not in ("extra", "conn_type", "port")}
        return cls(conn_id=conn_id, **given)

    def get_uri(self) -> str:
        """The connection as a URI that `from_uri` reads."""
        from urllib.parse import quote

        inner_scheme, _, host = (self.host or "").rpartition(_SCHEME_MARK)
        if inner_scheme == self.conn_type and inner_scheme:
            # A host that names the connection's own type again keeps its mark, percent-encoded.
            inner_scheme, host = "", self.host or ""
        uri = f"{self.conn_type.lower().replace('_', '-')}{_SCHEME_MARK}" if self.conn_type else "//"
        if inner_scheme:
            uri += inner_scheme + _SCHEME_MARK
        login = quote(self.login, safe="") if self.login is not None else ""
        password = ":" + quote(self.password, safe="") if self.password is not None else ""
        authority = f"{login}{password}@" if login or password else ""
        uri += authority + quote(host, safe="")
        if self.port:
            uri += f":{self.port}" if host or authority else f"@:{self.port}"
        if self.schema:
            uri += "/" + quote(self.schema, safe="")
        if self.extra:
            uri += ("?" if self.schema else "/?") + self._query()
        return uri

    async def aget_uri(self) -> str:
        """`get_uri`, under the name that coroutines use with Airflow."""
        return self.get_uri()

    def _query(self) -> str:
        from urllib.parse import parse_qsl, urlencode

        extra = self.extra_dejson
        query = urlencode(extra)
        # Only strings come back from a query as they were; all else travels as text.
        if query and extra == dict(parse_qsl(query, keep_blank_values=True)):
            return query
        return urlencode({self.EXTRA_KEY: self.extra})

    @property
    def extra_dejson(self) -> dict[str, Any]:
        """The content of the extra; empty when there is none, or when it is no JSON object."""
        if not self.extra:
            return {}
        import json

        try:
            content: Any = json.loads(self.extra)
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    async def aextra_dejson(self) -> dict[str, Any]:
        """`extra_dejson`, under the name that coroutines use with Airflow."""
        return self.extra_dejson

    def to_dict(self, *, prune_empty: bool = False, validate: bool = True) -> dict[str, Any]:
        """The parts as a dict, the extra with its content.

        Args:
            prune_empty: whether to leave out what is None, and an empty extra.
            validate: whether to fail with a TypeError when the result could not be written as JSON.
        """
        names = ("conn_id", "conn_type", "description", "host", "login", "password", "schema", "port")
        parts = {name: getattr(self, name) for name in names}
        if prune_empty:
            parts = {name: part for name, part in parts.items() if part is not None}
        extra = self.extra_dejson
        if extra or not prune_empty:
            parts["extra"] = extra
        if validate:
            import json

            json.dumps(parts)
        return parts

    def sqlalchemy_url(self, driver: str | None = None) -> str:
        """The URL for ``sqlalchemy.create_engine``, with the password in it.

        For the types postgres, mysql, sqlite and trino.

        Args:
            driver: the one to use, such as ``"psycopg"``; by default what the extra says, or else SQLAlchemy's own choice.

        Raises:
            AirflowException: the type is another one, or signing in takes a token that must be asked for.
        """
        from outboard.sdk import connection_forms

        return connection_forms.sqlalchemy_url(self, driver)

    def dsn(self) -> str:
        """The connection string for ``psycopg.connect`` and whatever else is made of libpq: ``host=… user=…``.

        Raises:
            AirflowException: the type is not postgres, or signing in takes a token that must be asked for.
        """
        from outboard.sdk import connection_forms

        return connection_forms.dsn(self)

    def storage_options(self) -> dict[str, Any]:
        """The options for fsspec, and so for pandas, polars and the like: of s3fs, gcsfs or adlfs.

        For the types aws, google_cloud_platform, wasb, adls and azure_data_lake. Without credentials in the connection, the
        library looks for them where it always does.

        Raises:
            AirflowException: the type is another one, or a role must be assumed first.
        """
        from outboard.sdk import connection_forms

        return connection_forms.storage_options(self)

    def boto3_kwargs(self, service_name: str | None = None) -> dict[str, Any]:
        """The keyword arguments for ``boto3.client(service_name, **kwargs)`` and ``boto3.resource``.

        Without ``config_kwargs`` of the extra, for which boto3 takes an object: ``config=botocore.config.Config(**…)``.

        Args:
            service_name: for endpoints that the extra has for single services.

        Raises:
            AirflowException: the type is not aws, a role must be assumed first, or a profile is named.
        """
        from outboard.sdk import connection_forms

        return connection_forms.boto3_kwargs(self, service_name)

    def http_kwargs(self) -> dict[str, Any]:
        """The keyword arguments for ``httpx.Client(**kwargs)``: ``base_url``, ``auth``, ``headers``, ``timeout`` and others.

        Raises:
            AirflowException: different proxies for different URLs are wanted.
        """
        from outboard.sdk import connection_forms

        return connection_forms.http_kwargs(self)

    def as_json(self) -> str:
        """The parts that are set, without the id, as a JSON object that `from_json` reads."""
        import json

        parts = self.to_dict(prune_empty=True, validate=False)
        del parts["conn_id"]
        return json.dumps(parts)


def _named(error: AirflowRuntimeError, conn_id: str) -> Exception:
    if error.error.error == ErrorType.CONNECTION_NOT_FOUND:
        return AirflowNotFoundException(f"there is no connection {conn_id!r}")
    return error


def _split_schemes(uri: str, conn_id: str) -> tuple[str, str, str]:
    # The connection's type, the rest as a URI without it, and the host's own scheme, if it has one.
    conn_type, mark, rest = uri.partition(_SCHEME_MARK)
    inner, inner_mark, _ = rest.partition(_SCHEME_MARK)
    if rest.count(_SCHEME_MARK) > 1 or (inner_mark and ("@" in inner or ":" in inner)):
        raise AirflowException(f"the URI of the connection {conn_id!r} has more than one scheme before its host")
    if not mark:
        # Without a type, as in ``//host``.
        return "", uri, ""
    return conn_type, rest if inner_mark else "//" + rest, inner if inner_mark else ""


def _host_of(parts: SplitResult) -> str | None:
    # Not parts.hostname, which is lower-cased and rejects what Airflow lets pass, such as an encoded socket path.
    from urllib.parse import unquote

    host = unquote(parts.hostname or "")
    if "/" in host:
        host = parts.netloc.rpartition("@")[2].partition(":")[0].partition("?")[0]
        return unquote(host)
    return host


def _normal_type(conn_type: str) -> str:
    return "postgres" if conn_type == "postgresql" else conn_type.replace("-", "_")


def _port_of(value: object, conn_id: str) -> int:
    try:
        return int(value)  # type: ignore[call-overload, no-any-return]
    except (TypeError, ValueError):
        raise ValueError(f"the port of the connection {conn_id!r} is a number, not {value!r}") from None
