"""What an author's hook gets from its base class."""

from __future__ import annotations

import anyio
import pytest

from outboard import BaseHook, Connection
from outboard.sdk.exceptions import AirflowNotFoundException
from tests.sdk.conftest import World


class Warehouse(BaseHook):
    def __init__(self) -> None:
        """Does not call the one that it overrides, as many do."""


def test_a_hook_finds_connections(world: World) -> None:
    world.connections["db"] = Connection(conn_id="db", conn_type="postgres", host="h")
    assert Warehouse.get_connection("db").host == "h"
    assert anyio.run(Warehouse.aget_connection, "db").host == "h"
    with pytest.raises(AirflowNotFoundException):
        Warehouse().get_connection("other")


def test_a_class_for_a_type_of_connections_is_not_known_here(world: World) -> None:
    world.connections["db"] = Connection(conn_id="db", conn_type="postgres")
    text = "no class is known here for connections of the type 'postgres', such as 'db'"
    with pytest.raises(NotImplementedError, match=text):
        Warehouse.get_hook("db")
    with pytest.raises(NotImplementedError, match=text):
        anyio.run(Warehouse.aget_hook, "db")


def test_a_hook_without_a_connection_of_its_own_says_so() -> None:
    with pytest.raises(NotImplementedError, match=r"Warehouse has no get_conn\(\) of its own"):
        Warehouse().get_conn()


def test_a_hook_logs_under_the_name_of_its_class_or_the_one_that_it_is_given() -> None:
    assert Warehouse().log.name == "airflow.task.hooks.tests.sdk.test_hook.Warehouse"
    assert BaseHook("mine").log.name == "airflow.task.hooks.mine"


def test_forms_are_the_business_of_pages() -> None:
    assert (BaseHook.get_connection_form_widgets(), BaseHook.get_ui_field_behaviour()) == ({}, {})
