"""What a runtime needs to know of one task to run it: the callable, and the arguments for this run.

Both kinds of task, those of a Dag in the author's file and the handlers of Airflow's stub tasks, are definitions.
"""

from __future__ import annotations

from outboard.sdk.context import CONTEXT_KEYS
from outboard.sdk.signature import Signature, is_coroutine, returns_mapping
from outboard.sdk.xcom_arg import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from outboard.sdk.dag import DAG
    from outboard.sdk.xcom_arg import Pull

__all__ = ("TaskDefinition",)


class TaskDefinition:
    """One task that can be run.

    Attributes:
        task_id: its id, unique in its Dag.
        dag: the Dag that it is part of; None for a handler, whose Dag lives elsewhere.
        python_callable: the author's function.
        args, kwargs: the arguments that the Dag file gives, with references to the results of other tasks in them.
        multiple_outputs: whether each item of the returned mapping becomes an XCom of its own as well.
        do_xcom_push: whether the returned value becomes an XCom at all.
        returns_dag_result: whether the returned value is the result of the whole Dag.
        retries: how often Airflow tries again; for a handler the stub task in the Dag has the say, and this is 0.
    """

    __slots__ = (
        "_signature",
        "args",
        "dag",
        "do_xcom_push",
        "kwargs",
        "multiple_outputs",
        "python_callable",
        "retries",
        "returns_dag_result",
        "task_id",
    )

    dag: DAG | None
    retries: int

    def __init__(
        self,
        task_id: str,
        python_callable: Callable[..., Any],
        *,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
        signature: Signature | None = None,
        multiple_outputs: bool | None = None,
        do_xcom_push: bool = True,
    ) -> None:
        self.task_id = task_id
        self.python_callable = python_callable
        self.args = args
        self.kwargs = dict(kwargs or ())
        self._signature = signature or Signature.of(python_callable)
        self.multiple_outputs = returns_mapping(python_callable) if multiple_outputs is None else multiple_outputs
        self.do_xcom_push = do_xcom_push
        self.returns_dag_result = False
        self.retries = 0
        self.dag = None

    @property
    def dag_id(self) -> str:
        """The id of the Dag that this task belongs to."""
        raise NotImplementedError

    @property
    def label(self) -> str:
        """The task as error messages name it."""
        return f"task {self.task_id!r} of Dag {self.dag_id!r}"

    @property
    def is_coroutine(self) -> bool:
        """Whether the callable must be awaited."""
        return is_coroutine(self.python_callable)

    def bind(self, context: Mapping[str, Any], pull: Pull) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of this run.

        References are replaced by values; parameters named like keys of the context get these; ``**kwargs`` gets the whole
        context.

        Args:
            context: the context of the run.
            pull: ``pull(task_id, key)`` answers whether that XCom exists, and its value.

        Raises:
            XComNotFound: an argument refers to an XCom that was not pushed.
            TypeError: a parameter has no value in this run.
        """
        args = tuple([resolve(value, pull) for value in self.args])
        kwargs = {name: resolve(value, pull) for name, value in self.kwargs.items()}
        signature = self._signature
        if signature.keywords:
            kwargs = {**context, **kwargs}
        for name in signature.names[len(args) :]:
            if name not in kwargs and name in context:
                kwargs[name] = context[name]
        self._check_complete(len(args), kwargs)
        return args, kwargs

    def _check_complete(self, given: int, kwargs: dict[str, Any]) -> None:
        signature = self._signature
        for name in signature.names[given:]:
            if name not in kwargs and name not in signature.defaults:
                why = "this run's context has no such key" if name in CONTEXT_KEYS else "nothing gives it a value"
                raise TypeError(f"{self.label}: the parameter {name!r} has no value and no default, and {why}")
