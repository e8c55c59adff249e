"""The arguments that a stub task is called with in its Dag, given to the handler. Loaded by handlers of such tasks.

Airflow 3.4 sends what the stub's parameters were given: a plain value, or the id of the task whose result is meant. Both go by
name to the handler's parameters.
"""

from __future__ import annotations

from outboard.sdk.exceptions import AirflowException
from outboard.sdk.python_operator import PythonCallable
from outboard.sdk.xcom_arg import XCOM_RETURN_KEY, Reference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from outboard.sdk.operator import BaseOperator
    from outboard.sdk.xcom_arg import Pull

__all__ = ("bound",)


class _ResultOf(Reference):
    """The result of a task that only the Dag in Airflow knows; None where that task has returned nothing."""

    __slots__ = ("task_id",)

    def __init__(self, task_id: str) -> None:
        self.task_id = task_id

    def pull(self, pull: Pull) -> Any:
        return pull(self.task_id, XCOM_RETURN_KEY)[1]


def bound(operator: BaseOperator, bindings: Sequence[Any]) -> BaseOperator:
    """A copy of the handler that is called with these arguments.

    A default of the stub's that the handler has no parameter for is left out; the handler's own default is not asked.

    Args:
        operator: the handler.
        bindings: ``XComArgBinding`` and ``LiteralArgBinding``, in the order of the stub's parameters.

    Raises:
        AirflowException: the handler has no parameter of a name that the stub task is given a value for.
    """
    copied = operator.handling(operator.dag_id, operator.task_id, operator.downstream_task_ids)
    taken = [binding for binding in bindings if _is_wanted(operator, binding)]
    values = {binding.name: _value(binding) for binding in taken}
    if isinstance(copied, PythonCallable):
        names = copied.positional_only_names
        copied.op_args = (*copied.op_args, *[values.pop(name) for name in names if name in values])
        copied.op_kwargs = {**copied.op_kwargs, **values}
    return copied


def _value(binding: Any) -> Any:
    return _ResultOf(binding.task_id) if binding.kind == "xcom" else binding.value


def _is_wanted(operator: BaseOperator, binding: Any) -> bool:
    if isinstance(operator, PythonCallable) and operator.takes(binding.name):
        return True
    if getattr(binding, "from_default", False):
        return False
    known = ", ".join(map(repr, operator.parameter_names)) if isinstance(operator, PythonCallable) else ""
    raise AirflowException(
        f"{operator.label} is given {binding.name!r} by its Dag, and its handler has no parameter of that name; "
        + (f"the handler's parameters are {known}" if known else "the handler takes no arguments")
    )
