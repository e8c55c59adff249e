"""XComs by their full address. Tasks mostly use ``ti.xcom_push`` and ``ti.xcom_pull``, or plain arguments."""

from __future__ import annotations

from outboard.sdk import client
from outboard.sdk.xcom_arg import UNMAPPED, XCOM_RETURN_KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    class TaskInstanceKey(Protocol):
        """Anything that names one task of one run, such as ``ti``."""

        dag_id: str
        task_id: str
        run_id: str
        map_index: int


__all__ = ("BaseXCom", "address_of")


class BaseXCom:
    """Reads and writes XComs of any task of any run. Values are Python objects; the client encodes them."""

    XCOM_RETURN_KEY = XCOM_RETURN_KEY

    @classmethod
    def set(
        cls, key: str, value: Any, *, dag_id: str, task_id: str, run_id: str, map_index: int | None = UNMAPPED
    ) -> None:
        """Store an XCom.

        Raises:
            SerializationError: the value has no encoding; the path to the offending part is in the error.
        """
        client.current().set_xcom(key, value, dag_id, run_id, task_id, address_of(map_index))

    @classmethod
    async def aset(
        cls, key: str, value: Any, *, dag_id: str, task_id: str, run_id: str, map_index: int | None = UNMAPPED
    ) -> None:
        """`set` for coroutines."""
        current = client.current()
        await current.in_thread(current.set_xcom, key, value, dag_id, run_id, task_id, address_of(map_index))

    @classmethod
    def get_one(
        cls,
        *,
        key: str,
        dag_id: str,
        task_id: str,
        run_id: str,
        map_index: int | None = None,
        include_prior_dates: bool = False,
    ) -> Any:
        """The value of one XCom, or None when there is none."""
        found = client.current().get_xcom(key, dag_id, run_id, task_id, address_of(map_index), include_prior_dates)
        return found[1]

    @classmethod
    async def aget_one(
        cls,
        *,
        key: str,
        dag_id: str,
        task_id: str,
        run_id: str,
        map_index: int | None = None,
        include_prior_dates: bool = False,
    ) -> Any:
        """`get_one` for coroutines."""
        current = client.current()
        found = await current.in_thread(
            current.get_xcom, key, dag_id, run_id, task_id, address_of(map_index), include_prior_dates
        )
        return found[1]

    @classmethod
    def get_all(
        cls, *, key: str, dag_id: str, task_id: str, run_id: str, include_prior_dates: bool = False
    ) -> list[Any] | None:
        """The values of all instances of a task in the order of their map indexes, or None when there are none.

        `outboard.LazyXComSequence` is the same without fetching them all.
        """
        sequences = client.current().xcom_sequences()
        values = sequences.items(key, dag_id, run_id, task_id, slice(None), include_prior_dates=include_prior_dates)
        return values or None

    @classmethod
    async def aget_all(
        cls, *, key: str, dag_id: str, task_id: str, run_id: str, include_prior_dates: bool = False
    ) -> list[Any] | None:
        """`get_all` for coroutines."""
        place = {"key": key, "dag_id": dag_id, "task_id": task_id, "run_id": run_id}
        return await client.current().in_thread(lambda: cls.get_all(**place, include_prior_dates=include_prior_dates))

    @classmethod
    def get_value(cls, *, ti_key: TaskInstanceKey, key: str) -> Any:
        """The value of one XCom of the task that `ti_key` names, or None when there is none."""
        return cls.get_one(
            key=key,
            dag_id=ti_key.dag_id,
            task_id=ti_key.task_id,
            run_id=ti_key.run_id,
            map_index=ti_key.map_index,
        )

    @classmethod
    def delete(cls, key: str, task_id: str, dag_id: str, run_id: str, map_index: int | None = None) -> None:
        """Delete an XCom."""
        client.current().delete_xcom(key, dag_id, run_id, task_id, address_of(map_index))


def address_of(map_index: int | None) -> int | None:
    """The index as clients take it: None for a task that is not mapped, however that was written."""
    return None if map_index == UNMAPPED else map_index
