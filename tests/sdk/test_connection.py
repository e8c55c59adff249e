"""`Connection` against recordings of Airflow's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard import Connection
from outboard.sdk.exceptions import AirflowException, AirflowNotFoundException, AirflowRuntimeError
from tests import recorded
from tests.sdk.conftest import World

RECORDING: Any = recorded.load("sdk/connections.json")

# Airflow removes every occurrence of the type from the URI, and so takes this host for the empty one.
MISREAD_BY_AIRFLOW = "https://https://example.org"

PARTS = ("conn_type", "host", "schema", "login", "password", "port", "extra")
READ_ALIKE = [entry for entry in RECORDING["uris"] if entry["uri"] != MISREAD_BY_AIRFLOW]


def uris(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["uri"] for entry in entries]


@pytest.mark.parametrize("entry", READ_ALIKE, ids=uris(READ_ALIKE))
def test_a_uri_is_read_as_airflow_reads_it(entry: dict[str, Any]) -> None:
    connection = Connection.from_uri(entry["uri"], conn_id="c")
    assert {name: getattr(connection, name) for name in PARTS} == entry["parts"]


@pytest.mark.parametrize("entry", READ_ALIKE, ids=uris(READ_ALIKE))
def test_a_uri_is_written_as_airflow_writes_it(entry: dict[str, Any]) -> None:
    assert Connection(conn_id="c", uri=entry["uri"]).get_uri() == entry["written"]


def test_a_host_whose_scheme_is_the_type_keeps_both() -> None:
    connection = Connection.from_uri(MISREAD_BY_AIRFLOW, conn_id="c")
    assert (connection.conn_type, connection.host) == ("https", "https://example.org")


@pytest.mark.parametrize("entry", RECORDING["wrong"], ids=uris(RECORDING["wrong"]))
def test_a_wrong_uri_is_an_error_that_names_the_connection_but_no_secret(entry: dict[str, Any]) -> None:
    with pytest.raises(AirflowException, match="connection 'warehouse'") as caught:
        Connection.from_uri(entry["uri"], conn_id="warehouse")
    assert "pass" not in str(caught.value)


@pytest.mark.parametrize("entry", RECORDING["parts"], ids=uris(RECORDING["parts"]))
def test_parts_are_written_as_airflow_writes_them(entry: dict[str, Any]) -> None:
    connection = Connection(conn_id="c", **entry["parts"])
    assert connection.get_uri() == entry["uri"]
    assert connection.as_json() == entry["json"]
    assert connection.extra_dejson == entry["extra"]


def test_json_is_read_back() -> None:
    text = json.dumps({"conn_type": "postgresql", "port": "5432", "extra": {"sslmode": "require"}, "login": "u"})
    connection = Connection.from_json(text, conn_id="c")
    assert connection == Connection(
        conn_id="c", conn_type="postgres", port=5432, extra='{"sslmode": "require"}', login="u"
    )
    assert Connection.from_json(connection.as_json(), conn_id="c") == connection
    assert Connection.from_json('{"host": "h", "port": null}', conn_id="c") == Connection(conn_id="c", host="h")


@pytest.mark.parametrize("text", ["{", '{"port": "many"}'])
def test_json_that_describes_no_connection_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"many|Expecting"):
        Connection.from_json(text, conn_id="c")


def test_a_uri_and_parts_together_are_refused() -> None:
    with pytest.raises(AirflowException, match="of its URI or of its parts"):
        Connection(conn_id="c", uri="x://", host="h")


def test_the_repr_shows_no_secret() -> None:
    text = repr(Connection(conn_id="c", login="user", password="hunter2", extra='{"key": "hunter2"}', host="h"))
    assert "hunter2" not in text
    assert "'user'" in text


def test_connections_compare_by_their_parts() -> None:
    assert Connection(conn_id="c", port=1) == Connection(conn_id="c", port=1)
    assert Connection(conn_id="c", port=1) != Connection(conn_id="c", port=2)
    assert Connection(conn_id="c") != "c"


def test_empty_and_missing_parts_are_told_apart() -> None:
    connection = Connection(conn_id="c", login="", password=None)
    assert (connection.login, connection.password) == ("", None)
    assert connection.to_dict(prune_empty=True) == {"conn_id": "c", "login": ""}
    assert connection.to_dict()["password"] is None


def test_a_connection_is_asked_for_by_its_id(world: World) -> None:
    world.connections["c"] = Connection(conn_id="c", host="h")
    assert Connection.get("c").host == "h"


def test_a_missing_connection_is_named(world: World) -> None:
    with pytest.raises(AirflowNotFoundException, match="no connection 'absent'"):
        Connection.get("absent")


def test_a_refusal_is_not_taken_for_a_missing_connection(world: World) -> None:
    world.forbidden.add("secret")
    with pytest.raises(AirflowRuntimeError, match="PERMISSION_DENIED"):
        Connection.get("secret")


@pytest.mark.anyio
async def test_coroutines_have_faces_of_their_own(world: World) -> None:
    world.connections["c"] = Connection(conn_id="c", conn_type="x", extra='{"a": 1}')
    connection = await Connection.async_get("c")
    assert await connection.aget_uri() == connection.get_uri()
    assert await connection.aextra_dejson() == {"a": 1}
    with pytest.raises(AirflowNotFoundException):
        await Connection.async_get("absent")


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
# Hosts are names: case does not matter in them, and a colon would begin the port.
hosts = st.from_regex(r"[a-z0-9][a-z0-9.-]{0,9}", fullmatch=True)


@given(
    conn_type=st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True).filter(lambda name: name != "postgresql"),
    host=hosts,
    schema=texts,
    login=texts,
    password=texts,
    port=st.integers(1, 65535),
    extra=st.one_of(st.dictionaries(texts, texts), st.dictionaries(texts, st.integers())),
)
def test_a_uri_carries_every_part(extra: dict[str, Any], **parts: Any) -> None:
    connection = Connection(conn_id="c", extra=json.dumps(extra) if extra else None, **parts)
    read = Connection.from_uri(connection.get_uri(), conn_id="c")
    assert read.extra_dejson == extra
    for name, value in parts.items():
        assert getattr(read, name) == value
