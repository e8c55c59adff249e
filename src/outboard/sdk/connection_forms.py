"""A connection in the forms that libraries take: URLs, keyword arguments, options. Loaded when one is asked for.

Which field means what is as in the hooks of Airflow's providers, so that a connection works here that works there. Knows no
library, and asks nobody: what needs a request first, such as assuming a role, is refused.
"""

from __future__ import annotations

from urllib.parse import quote, quote_plus, urlencode, urlsplit, urlunsplit

from outboard.sdk.exceptions import AirflowException

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from outboard.sdk.connection import Connection

__all__ = ("boto3_kwargs", "dsn", "http_kwargs", "sqlalchemy_url", "storage_options")

# What a Postgres connection's extra says to hooks and not to the database.
_NOT_FOR_POSTGRES = frozenset(
    (
        *("iam", "redshift", "redshift-serverless", "cursor", "cluster-identifier", "workgroup-name", "aws_conn_id"),
        *("sqlalchemy_scheme", "sqlalchemy_query", "azure_conn_id"),
    )
)


# ── databases ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def sqlalchemy_url(connection: Connection, driver: str | None) -> str:
    """See `outboard.Connection.sqlalchemy_url`."""
    url: str = _known(connection, _URLS, "sqlalchemy_url")(connection, driver)
    return url


def dsn(connection: Connection) -> str:
    """See `outboard.Connection.dsn`."""
    if connection.conn_type not in ("postgres", "redshift"):
        raise _unknown(connection, ("postgres",), "dsn")
    extra = _without_tokens(connection)
    parts = {
        "host": connection.host,
        "user": connection.login,
        "password": connection.password,
        "dbname": connection.schema,
        "port": connection.port,
        **{name: value for name, value in extra.items() if name not in _NOT_FOR_POSTGRES},
    }
    return " ".join(f"{name}={_conninfo(str(value))}" for name, value in parts.items() if value is not None)


def _conninfo(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'" if not value or any(character.isspace() for character in value) else escaped


def _postgres(connection: Connection, driver: str | None) -> str:
    extra = _without_tokens(connection)
    scheme = f"postgresql+{driver}" if driver else extra.get("sqlalchemy_scheme") or "postgresql"
    query = extra.get("sqlalchemy_query", {})
    if not isinstance(query, dict):
        raise TypeError(f"sqlalchemy_query in the extra of the connection {connection.conn_id!r} is no object")
    pairs = [
        (name, item)
        for name in sorted(query)
        for item in (query[name] if isinstance(query[name], list) else [query[name]])
    ]
    login = "" if connection.login is None else quote(connection.login, safe=" +")
    if connection.login is not None and connection.password is not None:
        login += ":" + quote(connection.password, safe=" +")
    host = connection.host or ""
    place = (f"{login}@" if connection.login is not None else "") + (f"[{host}]" if ":" in host else host)
    port = "" if connection.port is None else f":{connection.port}"
    path = "" if connection.schema is None else "/" + quote(connection.schema, safe=" +/")
    return f"{scheme}://{place}{port}{path}" + ("?" + urlencode(pairs) if pairs else "")


def _mysql(connection: Connection, driver: str | None) -> str:
    extra = _without_tokens(connection)
    client = extra.pop("client", "mysqlclient")
    named = {"mysql-connector-python": "mysqlconnector", "pymysql": "pymysql"}.get(client)
    chosen = driver or named
    options = {name: str(value) for name, value in extra.items() if value}
    return _plain_url(connection, f"mysql+{chosen}" if chosen else "mysql", options)


def _trino(connection: Connection, driver: str | None) -> str:
    extra = dict(connection.extra_dejson)
    schema = extra.pop("schema", None)
    options = {name: str(value) for name, value in extra.items() if value is not None}
    return _plain_url(connection, "trino", options, f"/{quote_plus(schema)}" if schema else "")


def _sqlite(connection: Connection, driver: str | None) -> str:
    query = urlencode({name: str(value) for name, value in connection.extra_dejson.items()})
    scheme = f"sqlite+{driver}" if driver else "sqlite"
    return f"{scheme}:///{connection.host or ''}" + (f"?{query}" if query else "")


def _plain_url(connection: Connection, scheme: str, options: dict[str, str], below: str = "") -> str:
    login = ""
    if connection.login:
        login = (
            quote_plus(connection.login) + (f":{quote_plus(connection.password)}" if connection.password else "") + "@"
        )
    place = (connection.host or "localhost") + (f":{connection.port}" if connection.port else "")
    path = f"/{quote_plus(connection.schema)}{below}" if connection.schema else ""
    return f"{scheme}://{login}{place}{path}" + (f"?{urlencode(options)}" if options else "")


_URLS: dict[str, Callable[[Any, str | None], str]] = {
    "mysql": _mysql,
    "postgres": _postgres,
    "sqlite": _sqlite,
    "trino": _trino,
}


def _without_tokens(connection: Connection) -> dict[str, Any]:
    extra = dict(connection.extra_dejson)
    if extra.get("iam"):
        raise AirflowException(
            f"the connection {connection.conn_id!r} signs in with a token of AWS (iam), which has to be asked for first"
        )
    return extra


# ── object storage ────────────────────────────────────────────────────────────────────────────────────────────────────


def storage_options(connection: Connection) -> dict[str, Any]:
    """See `outboard.Connection.storage_options`."""
    options: dict[str, Any] = _known(connection, _STORAGES, "storage_options")(connection)
    return options


def boto3_kwargs(connection: Connection, service_name: str | None) -> dict[str, Any]:
    """See `outboard.Connection.boto3_kwargs`."""
    if connection.conn_type != "aws":
        raise _unknown(connection, ("aws",), "boto3_kwargs")
    extra, service = connection.extra_dejson, _aws_service(connection, service_name)
    if extra.get("profile_name"):
        raise AirflowException(
            f"the connection {connection.conn_id!r} names a profile, which boto3.Session(profile_name=…) takes"
        )
    kwargs = {
        **_aws_credentials(connection),
        "region_name": extra.get("region_name"),
        "endpoint_url": service.get("endpoint_url", extra.get("endpoint_url")),
        "verify": extra.get("verify"),
    }
    return {name: value for name, value in kwargs.items() if value is not None}


def _s3(connection: Connection) -> dict[str, Any]:
    extra, service = connection.extra_dejson, _aws_service(connection, "s3")
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "aws_session_token": "token"}
    options = {keys[name]: value for name, value in _aws_credentials(connection).items()}
    client = {name: extra[name] for name in ("region_name", "verify") if extra.get(name) is not None}
    config = dict(extra.get("config_kwargs") or {})
    if service.get("proxy-uri"):
        config["proxies"] = dict.fromkeys(("http", "https"), service["proxy-uri"])
    others = {
        "profile": extra.get("profile_name"),
        "endpoint_url": service.get("endpoint_url", extra.get("endpoint_url")),
        "client_kwargs": client or None,
        "config_kwargs": config or None,
    }
    return {**options, **{name: value for name, value in others.items() if value is not None}}


def _aws_credentials(connection: Connection) -> dict[str, Any]:
    extra = connection.extra_dejson
    if extra.get("role_arn"):
        raise AirflowException(
            f"the connection {connection.conn_id!r} assumes the role {extra['role_arn']!r}, which AWS has to be asked for "
            "first: use boto3's STS client with the connection's fields"
        )
    session = extra.get("session_kwargs") or {}
    names = ("aws_access_key_id", "aws_secret_access_key")
    both = next((source for source in (extra, session) if all(source.get(name) for name in names)), {})
    found = {name: both.get(name) for name in names}
    if connection.login and connection.password:
        found = dict(zip(names, (connection.login, connection.password), strict=True))
    found["aws_session_token"] = extra.get("aws_session_token") or session.get("aws_session_token")
    return {name: value for name, value in found.items() if value is not None}


def _aws_service(connection: Connection, name: str | None) -> dict[str, Any]:
    services = connection.extra_dejson.get("service_config") or {}
    return dict(services.get(name) or {}) if name else {}


def _gcs(connection: Connection) -> dict[str, Any]:
    import json

    field = _prefixed(connection, "google_cloud_platform")
    keyfile = field("keyfile_dict")
    keyfile = json.loads(keyfile) if isinstance(keyfile, str) else keyfile
    extra = connection.extra_dejson
    options = {
        "project": field("project") or (keyfile or {}).get("project_id"),
        "token": "anon" if field("is_anonymous") else keyfile or field("key_path"),
        "access": extra.get("gcs.access", "full_control"),
        "consistency": extra.get("gcs.consistency", "none"),
        "cache_timeout": extra.get("gcs.cache-timeout"),
        "requester_pays": extra.get("gcs.requester-pays", False),
        "session_kwargs": extra.get("gcs.session-kwargs", {}),
        "endpoint_url": extra.get("gcs.endpoint"),
        "default_location": extra.get("gcs.default-bucket-location"),
        "version_aware": str(extra.get("gcs.version-aware", "false")).lower() == "true",
    }
    return {name: value for name, value in options.items() if value is not None}


_AZURE_FIELDS = (
    *("account_name", "account_key", "sas_token", "tenant_id", "managed_identity_client_id"),
    *("workload_identity_client_id", "workload_identity_tenant_id", "anon", "account_host"),
)


def _abfs(connection: Connection) -> dict[str, Any]:
    field = _prefixed(connection, connection.conn_type or "azure_data_lake")
    whole = field("connection_string")
    if whole:
        return {"connection_string": whole}
    options: dict[str, Any] = {"account_url": _blob_url(connection.host, connection.login)}
    if field("tenant_id"):
        options.update(client_id=connection.login, client_secret=connection.password)
    elif connection.password:
        options["account_key"] = connection.password
    options.update({name: field(name) for name in _AZURE_FIELDS if field(name) is not None})
    return {name: value for name, value in options.items() if value}


def _blob_url(host: str | None, login: str | None) -> str:
    parts = urlsplit(host or f"https://{login}.blob.core.windows.net/")
    if not parts.scheme:
        parts = urlsplit(f"https://{host}")
    netloc = parts.netloc if "." in parts.netloc else f"{login}.blob.core.windows.net/"
    account, dot, rest = netloc.partition(".")
    # No account of Azure's has a longer name.
    return urlunsplit(parts._replace(netloc=account[:24] + dot + rest))


def _prefixed(connection: Connection, prefix: str) -> Callable[[str], Any]:
    extra = connection.extra_dejson

    def field(name: str) -> Any:
        # Old connections have the long names.
        value = extra[name] if name in extra else extra.get(f"extra__{prefix}__{name}")
        return None if value == "" else value

    return field


_STORAGES: dict[str, Callable[[Any], dict[str, Any]]] = {
    "adls": _abfs,
    "aws": _s3,
    "azure_data_lake": _abfs,
    "google_cloud_platform": _gcs,
    "wasb": _abfs,
}


# ── HTTP ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

# What the extra of an HTTP connection says of the client, by the client's own name for it; all else are headers.
_HTTP_OPTIONS = {
    "timeout": "timeout",
    "verify": "verify",
    "verify_ssl": "verify",
    "cert": "cert",
    "allow_redirects": "follow_redirects",
    "max_redirects": "max_redirects",
    "trust_env": "trust_env",
}
_HTTP_NEITHER = ("stream", "check_response", "srv_lookup", "proxies", "proxy")


def http_kwargs(connection: Connection) -> dict[str, Any]:
    """See `outboard.Connection.http_kwargs`."""
    host = connection.host or ""
    base = host if "://" in host else f"{connection.schema or 'http'}://{host}"
    extra = connection.extra_dejson
    kwargs: dict[str, Any] = {"base_url": base + (f":{connection.port}" if connection.port else "")}
    if connection.login:
        kwargs["auth"] = (connection.login, connection.password or "")
    for name, own in _HTTP_OPTIONS.items():
        if extra.get(name) is not None and own not in kwargs:
            kwargs[own] = tuple(extra[name]) if name == "cert" and isinstance(extra[name], list) else extra[name]
    headers = {name: str(value) for name, value in extra.items() if name not in (*_HTTP_OPTIONS, *_HTTP_NEITHER)}
    proxy = _proxy(connection, extra.get("proxies", extra.get("proxy")))
    kwargs.update({name: value for name, value in (("headers", headers), ("proxy", proxy)) if value})
    return kwargs


def _proxy(connection: Connection, proxies: Any) -> str | None:
    if not isinstance(proxies, dict):
        return proxies or None
    if {*proxies} != {"http", "https"} or proxies["http"] != proxies["https"]:
        raise AirflowException(
            f"the connection {connection.conn_id!r} has proxies for some URLs only; give the client mounts made of its extra"
        )
    return str(proxies["http"])


# ── what they share ───────────────────────────────────────────────────────────────────────────────────────────────────


def _known(connection: Connection, forms: dict[str, Any], method: str) -> Any:
    form = forms.get(connection.conn_type or "")
    if form is None:
        raise _unknown(connection, tuple(forms), method)
    return form


def _unknown(connection: Connection, known: tuple[str, ...], method: str) -> AirflowException:
    return AirflowException(
        f"{method}() knows connections of the types {', '.join(known)}, and {connection.conn_id!r} is of the type "
        f"{connection.conn_type!r}; use its fields"
    )
