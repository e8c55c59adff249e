"""``var`` and ``conn`` of the context: variables and connections by attribute, for templates above all."""

from __future__ import annotations

from outboard.sdk.connection import Connection
from outboard.sdk.exceptions import AirflowNotFoundException
from outboard.sdk.variable import NOT_GIVEN, Variable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.sdk.context import Context

__all__ = ("ConnectionAccessor", "VariableAccessor", "conn", "var")


class VariableAccessor:
    """``var["value"].key`` and ``var["value"]["a.dotted.key"]``; with ``var["json"]`` the value's content."""

    __slots__ = ("_deserialize_json",)

    def __init__(self, deserialize_json: bool) -> None:
        self._deserialize_json = deserialize_json

    def __getattr__(self, key: str) -> Any:
        # What Python or a library looks for by itself is no variable.
        if key.startswith("__"):
            raise AttributeError(key)
        return self.get(key)

    def __getitem__(self, key: str) -> Any:
        return self.get(key)

    def get(self, key: str, default: Any = NOT_GIVEN) -> Any:
        """The value of a variable, or the default, as it is, where there is none.

        Raises:
            AirflowRuntimeError: there is no such variable and no default, or the supervisor refuses to give it.
            ValueError: the value is no JSON, and is wanted as such.
        """
        return Variable.get(key, default, self._deserialize_json)

    def __repr__(self) -> str:
        return f"<VariableAccessor of {'JSON' if self._deserialize_json else 'text'}>"


class ConnectionAccessor:
    """``conn.id`` and ``conn["a.dotted.id"]``."""

    __slots__ = ()

    def __getattr__(self, conn_id: str) -> Connection:
        if conn_id.startswith("__"):
            raise AttributeError(conn_id)
        return Connection.get(conn_id)

    def __getitem__(self, conn_id: str) -> Connection:
        return Connection.get(conn_id)

    def get(self, conn_id: str, default_conn: Any = None) -> Any:
        """A connection, or the default where there is none."""
        try:
            return Connection.get(conn_id)
        except AirflowNotFoundException:
            return default_conn

    def __repr__(self) -> str:
        return "<ConnectionAccessor>"


class _Accessors(dict):  # type: ignore[type-arg]
    """A dict, as in Airflow, whose items are attributes too, as in templates."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(name)


def var(context: Context) -> Any:
    """``var`` of the context: ``value`` for text, ``json`` for its content."""
    return _Accessors(json=VariableAccessor(True), value=VariableAccessor(False))


def conn(context: Context) -> ConnectionAccessor:
    """``conn`` of the context."""
    return ConnectionAccessor()
