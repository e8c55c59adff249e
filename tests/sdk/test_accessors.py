from __future__ import annotations

import copy

import pytest

from outboard import Connection, Context
from outboard.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError
from tests.sdk.conftest import World


def test_variables_are_read_by_attribute_by_item_and_with_a_default(world: World) -> None:
    world.variables.update({"region": "eu", "my.dotted.key": "x", "limits": '{"rows": 5}'})
    var = Context()["var"]
    assert var["value"].region == "eu"
    assert var.value["my.dotted.key"] == "x"
    assert var["json"].limits == {"rows": 5}
    assert var.json.get("limits") == {"rows": 5}
    assert var["value"].get("my.absent.key", "else") == "else"
    assert var["value"].get("my.absent.key", None) is None


def test_an_absent_variable_without_a_default_is_an_error(world: World) -> None:
    with pytest.raises(AirflowRuntimeError, match="VARIABLE_NOT_FOUND"):
        Context()["var"]["value"]["absent"]
    assert not hasattr(Context()["var"], "yaml")


def test_connections_are_read_by_attribute_by_item_and_with_a_default(world: World) -> None:
    world.connections["my.db"] = world.connections["db"] = Connection(conn_id="db", host="h", extra='{"a": {"b": 1}}')
    conn = Context()["conn"]
    assert conn.db.host == conn["my.db"].host == conn.get("db").host == "h"
    assert conn.db.extra_dejson["a"]["b"] == 1
    assert conn.get("absent", "else") == "else"
    with pytest.raises(AirflowNotFoundException, match="no connection 'absent'"):
        conn["absent"]


def test_a_default_does_not_hide_a_refusal(world: World) -> None:
    world.forbidden.add("secret")
    with pytest.raises(AirflowRuntimeError, match="PERMISSION_DENIED"):
        Context()["conn"].get("secret", None)


@pytest.mark.usefixtures("world")
def test_what_python_looks_for_by_itself_is_not_asked_for() -> None:
    context = Context()
    assert "VariableAccessor" in repr(copy.copy(context["var"]["json"]))
    assert not hasattr(context["conn"], "__html__")
