"""`BaseHook`: what an author's own classes for services elsewhere are built on. Asks `outboard.sdk.connection`."""

from __future__ import annotations

from outboard.sdk.connection import Connection
from outboard.sdk.log import named_logger

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

    from outboard.sdk.log import Logger

__all__ = ("BaseHook",)


class BaseHook:
    """For classes of the author's that talk to a service: override `get_conn`.

    Args:
        logger_name: what `log` is called behind ``airflow.task.hooks.``; the class unless given.
    """

    def __init__(self, logger_name: str | None = None) -> None:
        self._logger_name = logger_name

    @property
    def log(self) -> Logger:
        """A logger for what the hook has to say."""
        return named_logger("airflow.task.hooks", getattr(self, "_logger_name", None) or self)

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """See `Connection.get`."""
        return Connection.get(conn_id)

    @classmethod
    async def aget_connection(cls, conn_id: str) -> Connection:
        """`get_connection` for coroutines."""
        return await Connection.async_get(conn_id)

    @classmethod
    def get_hook(cls, conn_id: str, hook_params: Mapping[str, Any] | None = None) -> NoReturn:
        """Of no use here: which class a connection's type has is known to Airflow's providers, which no bundle has.

        Raises:
            NotImplementedError: always; it names the connection's type.
        """
        raise _no_hooks(cls.get_connection(conn_id))

    @classmethod
    async def aget_hook(cls, conn_id: str, hook_params: Mapping[str, Any] | None = None) -> NoReturn:
        """See `get_hook`."""
        raise _no_hooks(await cls.aget_connection(conn_id))

    def get_conn(self) -> Any:
        """The connection to the service, as its library knows it.

        Raises:
            NotImplementedError: a class does not override this.
        """
        raise NotImplementedError(f"{type(self).__name__} has no get_conn() of its own")

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        """Nothing: forms are the business of Airflow's pages."""
        return {}

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Nothing: forms are the business of Airflow's pages."""
        return {}


def _no_hooks(connection: Connection) -> NotImplementedError:
    return NotImplementedError(
        f"no class is known here for connections of the type {connection.conn_type!r}, such as {connection.conn_id!r}: "
        "Airflow's providers know them; make the hook yourself, of its class"
    )
