"""The XComs of all instances of a mapped task, as a sequence that fetches what is asked for. Loaded when it is used."""

from __future__ import annotations

from collections.abc import Sequence

from outboard.sdk import client
from outboard.sdk.xcom_arg import XCOM_RETURN_KEY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from outboard.sdk.requests import XComSequences

__all__ = ("LazyXComSequence",)


class LazyXComSequence(Sequence):  # type: ignore[type-arg]  # its values are of any type
    """What all instances of a mapped task have pushed under one key, in the order of their map indexes.

    Its length is asked for once; each item, and each slice as a whole, when it is used, and anew each time. To go through
    it fetches one value after the other, so that only one is in memory; ``sequence[:]`` fetches all at once. Stored as an
    XCom, it is the list of its values.

    Args:
        task_id: the mapped task.
        key: the XComs' key; by default what the task's instances return.
        dag_id, run_id: where the task is; those of the running task unless given.
    """

    __slots__ = ("_dag_id", "_key", "_length", "_previous_iteration", "_run_id", "_task_id")

    def __init__(
        self,
        task_id: str,
        *,
        key: str = XCOM_RETURN_KEY,
        dag_id: str | None = None,
        run_id: str | None = None,
        _previous_iteration: bool = False,
    ) -> None:
        if dag_id is None or run_id is None:
            from outboard.sdk.context import get_current_context

            ti = get_current_context()["ti"]
            dag_id, run_id = dag_id or ti.dag_id, run_id or ti.run_id
        self._task_id = task_id
        self._key = key
        self._dag_id = dag_id
        self._run_id = run_id
        self._previous_iteration = _previous_iteration
        self._length: int | None = None

    def __len__(self) -> int:
        if self._length is None:
            self._length = self._ask.count(*self._place, previous_iteration=self._previous_iteration)
        return self._length

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice):
            if key.step is not None and key.step.__index__() == 0:
                raise ValueError("a slice's step is not zero")
            return self._ask.items(*self._place, key, previous_iteration=self._previous_iteration)
        if not hasattr(key, "__index__"):
            raise TypeError(f"the items of a sequence are counted with integers, not with {key!r}")
        found, value = self._ask.item(*self._place, key.__index__(), previous_iteration=self._previous_iteration)
        if not found:
            raise IndexError(f"task {self._task_id!r} has no XCom {self._key!r} number {key}")
        return value

    def __iter__(self) -> Iterator[Any]:
        index = 0
        while True:
            try:
                value = self[index]
            except IndexError:
                return
            yield value
            index += 1

    def __eq__(self, other: object) -> bool:
        if isinstance(other, (str, bytes)) or not isinstance(other, Sequence):
            return NotImplemented
        return list(self[:]) == list(other)

    __hash__ = None  # type: ignore[assignment]  # what it holds may change

    def __repr__(self) -> str:
        known = "" if self._length is None else f", {self._length} of them"
        return f"<LazyXComSequence of {self._task_id!r}, key {self._key!r}{known}>"

    @property
    def _place(self) -> tuple[str, str, str, str]:
        return self._key, self._dag_id, self._run_id, self._task_id

    @property
    def _ask(self) -> XComSequences:
        return client.current().xcom_sequences()
