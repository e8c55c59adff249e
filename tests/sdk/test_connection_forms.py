"""The forms of connections against recordings of what the hooks of Airflow's providers make of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from outboard import Connection
from outboard.sdk.exceptions import AirflowException
from tests import recorded

RECORDING: Any = recorded.load("sdk/connection_forms.json")

# What a client has that is told nothing.
HTTP_DEFAULTS = {"verify": True, "cert": None, "max_redirects": 30, "trust_env": True, "proxies": {}}


def entries(*kinds: str) -> Any:
    found = [entry for entry in RECORDING["connections"] if entry["conn_type"] in kinds]
    assert found
    return pytest.mark.parametrize("entry", found, ids=[f"{each['conn_type']}-{each['parts']}" for each in found])


def connection(entry: dict[str, Any]) -> Connection:
    return Connection.from_json(json.dumps({"conn_type": entry["conn_type"], **entry["parts"]}), conn_id="c")


def given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


@entries("postgres")
def test_a_postgres_url_is_that_of_the_hook(entry: dict[str, Any]) -> None:
    # Which driver the hook takes depends on what is installed beside it.
    driver = entry["url"].partition("://")[0].partition("+")[2]
    assert connection(entry).sqlalchemy_url(driver) == entry["url"]


def test_without_a_driver_the_choice_is_the_extras_or_sqlalchemys() -> None:
    assert Connection(conn_id="c", conn_type="postgres", host="h").sqlalchemy_url() == "postgresql://h"
    extra = '{"sqlalchemy_scheme": "postgresql+asyncpg"}'
    named = Connection(conn_id="c", conn_type="postgres", host="h", extra=extra)
    assert named.sqlalchemy_url() == "postgresql+asyncpg://h"
    assert named.sqlalchemy_url("psycopg") == "postgresql+psycopg://h"


@entries("mysql", "trino", "sqlite")
def test_a_url_is_that_of_the_hook(entry: dict[str, Any]) -> None:
    assert connection(entry).sqlalchemy_url() == entry["url"]


@entries("postgres")
def test_a_dsn_has_what_the_hook_connects_with(entry: dict[str, Any]) -> None:
    assert connection(entry).dsn() == entry["dsn"]


@entries("aws")
def test_boto3_is_given_what_the_hook_gives_it(entry: dict[str, Any]) -> None:
    expected = {**entry["session"], "endpoint_url": entry["endpoint_url"], "verify": entry["verify"]}
    assert connection(entry).boto3_kwargs("s3") == given(expected)


@entries("aws")
def test_s3fs_is_given_what_airflows_file_system_gives_it(entry: dict[str, Any]) -> None:
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "secret", "aws_session_token": "token"}
    options = connection(entry).storage_options()
    session, filesystem = entry["session"], entry["filesystem"]
    assert {name: options.get(name) for name in keys.values()} == {keys[name]: session.get(name) for name in keys}
    assert options.get("client_kwargs", {}).get("region_name") == session.get("region_name")
    assert options.get("endpoint_url") == filesystem["endpoint_url"]
    assert options.get("config_kwargs", {}) == filesystem["config_kwargs"]


@entries("google_cloud_platform")
def test_gcsfs_is_given_what_airflows_file_system_gives_it(entry: dict[str, Any]) -> None:
    options, credentials = connection(entry).storage_options(), entry["credentials"]
    token = options.pop("token", None)
    assert options == given(entry["filesystem"])
    expected = credentials["keyfile_dict"] or credentials["key_path"]
    assert token == ("anon" if credentials["is_anonymous"] else expected)


@entries("wasb")
def test_adlfs_is_given_what_airflows_file_system_gives_it(entry: dict[str, Any]) -> None:
    assert connection(entry).storage_options() == entry["filesystem"]


@pytest.mark.parametrize("kind", ["adls", "azure_data_lake"])
def test_every_kind_of_azure_connection_is_known(kind: str) -> None:
    options = Connection(conn_id="c", conn_type=kind, login="n", password="k").storage_options()
    assert options == {"account_url": "https://n.blob.core.windows.net/", "account_key": "k"}


@entries("http")
def test_an_http_client_is_given_what_the_hook_gives_its_session(entry: dict[str, Any]) -> None:
    made = connection(entry)
    proxies = entry["client"]["proxies"]
    if list(proxies) == ["http"]:
        with pytest.raises(AirflowException, match="'c' has proxies for some URLs only"):
            made.http_kwargs()
        return
    kwargs = made.http_kwargs()
    assert kwargs["base_url"] == entry["base_url"]
    assert kwargs.get("auth") == (entry["auth"] and (entry["auth"][0], entry["auth"][1] or ""))
    assert kwargs.get("headers", {}) == entry["headers"]
    for name in ("verify", "max_redirects", "trust_env"):
        assert kwargs.get(name, HTTP_DEFAULTS[name]) == entry["client"][name]
    assert list(kwargs.get("cert") or ()) == list(entry["client"]["cert"] or ())
    assert kwargs.get("proxy") == proxies.get("https")
    assert kwargs.get("timeout") == entry["request"].get("timeout")
    assert kwargs.get("follow_redirects") == entry["request"].get("allow_redirects")


@pytest.mark.parametrize("method", ["sqlalchemy_url", "dsn", "storage_options", "boto3_kwargs"])
def test_an_unknown_type_is_refused_with_those_that_are_known(method: str) -> None:
    with pytest.raises(
        AirflowException, match=rf"{method}\(\) knows connections of the types .* 'c' is of the type 'ftp'"
    ):
        getattr(Connection(conn_id="c", conn_type="ftp"), method)()


@pytest.mark.parametrize(
    ("kind", "extra", "method", "said"),
    [
        ("postgres", {"iam": True}, "sqlalchemy_url", "signs in with a token"),
        ("postgres", {"iam": True}, "dsn", "signs in with a token"),
        ("mysql", {"iam": True}, "sqlalchemy_url", "signs in with a token"),
        ("aws", {"role_arn": "arn:x"}, "boto3_kwargs", "assumes the role 'arn:x'"),
        ("aws", {"role_arn": "arn:x"}, "storage_options", "assumes the role 'arn:x'"),
        ("aws", {"profile_name": "p"}, "boto3_kwargs", "names a profile"),
    ],
)
def test_what_takes_a_request_first_is_refused(kind: str, extra: dict[str, Any], method: str, said: str) -> None:
    with pytest.raises(AirflowException, match=said):
        getattr(Connection(conn_id="c", conn_type=kind, extra=json.dumps(extra)), method)()


def test_a_profile_is_named_to_s3fs() -> None:
    made = Connection(conn_id="c", conn_type="aws", extra='{"profile_name": "p"}')
    assert made.storage_options() == {"profile": "p"}


def test_a_query_that_is_no_object_is_refused() -> None:
    made = Connection(conn_id="c", conn_type="postgres", extra='{"sqlalchemy_query": "a=b"}')
    with pytest.raises(TypeError, match="sqlalchemy_query in the extra of the connection 'c'"):
        made.sqlalchemy_url()
