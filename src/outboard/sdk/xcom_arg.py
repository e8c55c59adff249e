"""References to results that do not exist yet, and finding and resolving them inside arguments.

An `XComArg` stands in a Dag file where the task's body will see a value. Resolving asks a function for XComs, so this module
knows neither client nor wire.
"""

from __future__ import annotations

from outboard.sdk.dependencies import Node
from outboard.sdk.exceptions import XComNotFound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any, TypeAlias

    from outboard.sdk.operator import BaseOperator

    Pull: TypeAlias = Callable[[str, str], tuple[bool, Any]]

__all__ = ("UNMAPPED", "XCOM_RETURN_KEY", "Reference", "XComArg", "references", "resolve")

XCOM_RETURN_KEY = "return_value"

# How Airflow numbers the only instance of a task that is not mapped.
UNMAPPED = -1


class Reference:
    """Something in an argument that is replaced by a value when the task runs, and for which no other task has to run."""

    __slots__ = ()

    def pull(self, pull: Pull) -> Any:
        """The value."""
        raise NotImplementedError


class XComArg(Node):
    """The result of a task, or one key of it, to be used as an argument of other tasks.

    Attributes:
        operator: the task that pushes the XCom.
        key: the XCom's key.
    """

    __slots__ = ("key", "operator")

    def __init__(self, operator: BaseOperator, key: str = XCOM_RETURN_KEY) -> None:
        self.operator = operator
        self.key = key

    @property
    def roots(self) -> list[BaseOperator]:
        """The task behind this reference."""
        return [self.operator]

    @property
    def leaves(self) -> list[BaseOperator]:
        """The task behind this reference."""
        return [self.operator]

    def __getitem__(self, key: str) -> XComArg:
        """One of the task's ``multiple_outputs``, or any other XCom that it pushes under `key`."""
        if not isinstance(key, str):
            raise ValueError(
                f"the result of {self.operator.task_id!r} is not known while the Dag is built: it can be asked for the "
                f"string keys of multiple_outputs, not for {key!r}"
            )
        return XComArg(self.operator, key)

    def __iter__(self) -> Iterator[Any]:
        # Without this Python would iterate through __getitem__.
        raise TypeError(f"the result of {self.operator.task_id!r} cannot be iterated over while the Dag is built")

    def __repr__(self) -> str:
        key = "" if self.key == XCOM_RETURN_KEY else f", key={self.key!r}"
        return f"XComArg({self.operator!r}{key})"

    def __str__(self) -> str:
        raise TypeError(
            f"the result of {self.operator.task_id!r} cannot be put into a string while the Dag is built; "
            "pass it to a task and build the string there"
        )

    def __format__(self, spec: str) -> str:
        return str(self)

    def pull(self, pull: Pull) -> Any:
        """The value, once the task has run.

        Raises:
            XComNotFound: the task has ended without pushing this key. A missing *return value* is None instead, and so is
                a missing key of a task with multiple outputs, since such a task may have been skipped.
        """
        found, value = pull(self.operator.task_id, self.key)
        if found:
            return value
        if self.key == XCOM_RETURN_KEY or self.operator.multiple_outputs:
            return None
        raise XComNotFound(self.operator.dag_id, self.operator.task_id, self.key)


def references(value: object) -> Iterator[XComArg]:
    """The references in an argument, also inside lists, tuples, sets and the values of dicts."""
    if isinstance(value, XComArg):
        yield value
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from references(item)


def resolve(value: Any, pull: Pull) -> Any:
    """The argument with each reference replaced by its value; containers are copied, the author's are left alone."""
    if isinstance(value, (XComArg, Reference)):
        return value.pull(pull)
    if isinstance(value, dict):
        return {key: resolve(item, pull) for key, item in value.items()}
    if isinstance(value, (list, set, frozenset)):
        return type(value)([resolve(item, pull) for item in value])
    if isinstance(value, tuple):
        items = [resolve(item, pull) for item in value]
        return type(value)(*items) if hasattr(value, "_fields") else tuple(items)
    return value
