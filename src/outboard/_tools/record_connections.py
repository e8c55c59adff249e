"""Record what the hooks of Airflow's providers make of connections.

Run in a throw-away environment that has Airflow 3.3, the providers named in `PROVIDERS`, and the libraries that these need
to be imported; nothing is connected to:

    python src/outboard/_tools/record_connections.py

Its versions stand in the recording. Where a hook calls a library, the call is caught; all else is the hook's own doing.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).resolve().parents[3]
TARGET = ROOT / "fixtures" / "sdk" / "connection_forms.json"

PROVIDERS = ("amazon", "google", "http", "microsoft-azure", "mysql", "postgres", "sqlite", "trino")

FULL = {"host": "db.example", "login": "us er@x", "password": "p:w/d%+ '\\", "port": 6000, "schema": "the base/x"}
BARE = {"host": "h"}
KEYFILE = {"type": "service_account", "project_id": "from-keyfile", "client_email": "a@b"}

CONNECTIONS: dict[str, list[dict[str, Any]]] = {
    "postgres": [
        FULL,
        BARE,
        {},
        {"host": "::1", "login": "u"},
        {"host": "h", "login": "u", "password": ""},
        {"host": "h", "schema": "d", "extra": {"sslmode": "require", "options": "-c search_path=a,b", "cursor": "dictcursor"}},
        {"host": "h", "extra": {"sqlalchemy_query": {"b": "2 3", "a": ["x", "y"]}, "sqlalchemy_scheme": "postgresql+asyncpg"}},
    ],
    "mysql": [
        FULL,
        BARE,
        {},
        {"host": "h", "login": "u", "extra": {"client": "pymysql", "charset": "utf8 mb4", "empty": ""}},
        {"host": "h", "extra": {"client": "mysql-connector-python", "ssl_ca": "/x"}},
    ],
    "trino": [FULL, BARE, {"host": "h", "schema": "c", "extra": {"schema": "s 1", "protocol": "https", "none": None}}],
    "sqlite": [{"host": "/tmp/some where/x.db"}, {"host": "relative.db"}, {"host": "/x.db", "extra": {"mode": "ro"}}],
    "aws": [
        {},
        {"login": "key", "password": "secret", "extra": {"region_name": "eu-1", "aws_session_token": "t"}},
        {"extra": {"aws_access_key_id": "k", "aws_secret_access_key": "s", "endpoint_url": "http://all"}},
        {"login": "key", "extra": {"aws_access_key_id": "k", "aws_secret_access_key": "s", "verify": False}},
        {"extra": {"session_kwargs": {"aws_access_key_id": "k", "aws_secret_access_key": "s", "aws_session_token": "t"}}},
        {"extra": {"endpoint_url": "http://all", "service_config": {"s3": {"endpoint_url": "http://s3", "proxy-uri": "http://p"}}}},
        {"extra": {"config_kwargs": {"connect_timeout": 5}, "verify": "/ca.pem"}},
    ],
    "google_cloud_platform": [
        {},
        {"extra": {"project": "mine", "key_path": "/key.json"}},
        {"extra": {"keyfile_dict": json.dumps(KEYFILE), "gcs.access": "read_only", "gcs.version-aware": "TRUE"}},
        {"extra": {"extra__google_cloud_platform__keyfile_dict": KEYFILE, "project": "mine"}},
        {"extra": {"is_anonymous": True, "gcs.endpoint": "http://e", "gcs.requester-pays": True, "gcs.cache-timeout": 5}},
    ],
    "wasb": [
        {"login": "account", "password": "key"},
        {"host": "https://account.blob.example/", "password": "key"},
        {"host": "account.blob.example"},
        {"host": "an-active-directory-id", "login": "account"},
        {"login": "a" * 30, "extra": {"sas_token": "?sv=1", "account_host": "h.example"}},
        {"login": "client", "password": "secret", "extra": {"tenant_id": "t", "account_name": "n"}},
        {"extra": {"connection_string": "DefaultEndpointsProtocol=https", "sas_token": "ignored"}},
        {"login": "account", "extra": {"extra__wasb__sas_token": "old", "managed_identity_client_id": ""}},
    ],
    "http": [
        {},
        BARE,
        {"host": "h", "schema": "https", "port": 8443, "login": "u", "password": "p"},
        {"host": "https://already.example/base", "port": 1},
        {"host": "h", "login": "u"},
        {"host": "h", "extra": {"X-Token": "t", "timeout": 5, "verify": False, "max_redirects": 2, "trust_env": False}},
        {"host": "h", "extra": {"verify_ssl": "/ca.pem", "cert": ["/c", "/k"], "allow_redirects": False}},
        {"host": "h", "extra": {"proxies": {"http": "http://p", "https": "http://p"}, "srv_lookup": False, "stream": True}},
        {"host": "h", "extra": {"proxy": {"http": "http://p"}}},
    ],
}  # fmt: skip


def main() -> int:
    """Write the recording."""
    recording: dict[str, Any] = {
        "versions": {name: version(f"apache-airflow-providers-{name}") for name in PROVIDERS},
        "connections": [
            {"conn_type": kind, "parts": parts, **_recorded(kind, parts)}
            for kind, all_parts in CONNECTIONS.items()
            for parts in all_parts
        ],
    }
    TARGET.write_text(json.dumps(recording, indent=1) + "\n")
    return 0


def _recorded(kind: str, parts: dict[str, Any]) -> dict[str, Any]:
    os.environ["AIRFLOW_CONN_RECORDED"] = json.dumps({"conn_type": kind, **parts})
    for cached in list(sys.modules.values()):
        reset = getattr(getattr(cached, "SecretCache", None), "reset", None)
        if reset:
            reset()
    recorder: dict[str, Any] = RECORDERS[kind]()
    return recorder


def _module(name: str) -> Any:
    # Airflow is not installed where this file is checked.
    return importlib.import_module(f"airflow.providers.{name}")


def _postgres() -> dict[str, Any]:
    hook = _module("postgres.hooks.postgres").PostgresHook("recorded")
    hook._get_cursor_config = lambda raw: ("cursor_factory", None)
    made: Any = importlib.import_module("psycopg.conninfo").make_conninfo
    with mock.patch.object(hook, "_create_connection") as create:
        hook.get_conn()
    arguments = {name: value for name, value in create.call_args.args[0].items() if name != "cursor_factory"}
    return {"url": hook.get_uri(), "dsn": made("", **arguments)}


def _mysql() -> dict[str, Any]:
    return {"url": _module("mysql.hooks.mysql").MySqlHook("recorded").get_uri()}


def _trino() -> dict[str, Any]:
    return {"url": _module("trino.hooks.trino").TrinoHook("recorded").get_uri()}


def _sqlite() -> dict[str, Any]:
    return {"url": _module("sqlite.hooks.sqlite").SqliteHook("recorded").get_uri()}


def _aws() -> dict[str, Any]:
    filesystem = _module("amazon.aws.fs.s3")
    hook = _module("amazon.aws.hooks.s3").S3Hook("recorded")
    wrapper = hook.conn_config
    with mock.patch("s3fs.S3FileSystem") as made:
        filesystem.get_fs("recorded")
    return {
        "session": wrapper.session_kwargs,
        "endpoint_url": wrapper.get_service_endpoint_url("s3"),
        "verify": wrapper.verify,
        "filesystem": {name: made.call_args.kwargs[name] for name in ("config_kwargs", "endpoint_url")},
    }


def _google() -> dict[str, Any]:
    base = _module("google.common.hooks.base_google")
    asked: dict[str, Any] = {}

    def credentials(**kwargs: Any) -> tuple[Any, Any]:
        asked.update(kwargs)
        return "credentials", (kwargs["keyfile_dict"] or {}).get("project_id")

    with (
        mock.patch.object(base, "get_credentials_and_project_id", credentials),
        mock.patch("gcsfs.GCSFileSystem") as made,
    ):
        _module("google.cloud.fs.gcs").get_fs("recorded")
    options = {name: value for name, value in made.call_args.kwargs.items() if name != "token"}
    return {
        "filesystem": options,
        "credentials": {name: asked[name] for name in ("key_path", "keyfile_dict", "is_anonymous")},
    }


def _azure() -> dict[str, Any]:
    with mock.patch("adlfs.AzureBlobFileSystem") as made:
        _module("microsoft.azure.fs.adls").get_fs("recorded")
    return {"filesystem": made.call_args.kwargs}


def _http() -> dict[str, Any]:
    hook = _module("http.hooks.http").HttpHook(http_conn_id="recorded")
    session = hook.get_conn()
    plain: Any = importlib.import_module("requests").Session()
    auth = session.auth and (session.auth.username, session.auth.password)
    return {
        "base_url": hook.base_url,
        "auth": auth,
        "headers": {name: value for name, value in session.headers.items() if name not in plain.headers},
        "client": {
            name: getattr(session, name) for name in ("verify", "cert", "max_redirects", "trust_env", "proxies")
        },
        "request": {
            name: hook.merged_extra[name] for name in ("timeout", "allow_redirects") if name in hook.merged_extra
        },
    }


RECORDERS = {
    **{"postgres": _postgres, "mysql": _mysql, "trino": _trino, "sqlite": _sqlite, "aws": _aws, "wasb": _azure},
    **{"google_cloud_platform": _google, "http": _http},
}

if __name__ == "__main__":
    sys.exit(main())
