"""``@task`` and what it makes of a function: a factory of tasks.

Calling the decorated function inside a Dag adds a task to it and returns a reference to the task's result; the function's
body runs later, in a process of its own. The body can be called as it is through `DecoratedTask.function`.
"""

from __future__ import annotations

from outboard.sdk.dag import current_dag
from outboard.sdk.dependencies import Node
from outboard.sdk.signature import Signature, returns_mapping
from outboard.sdk.task_arguments import DEFAULTS, UNSUPPORTED, asks_for_nothing, check_argument, check_key
from outboard.sdk.task_definition import TaskDefinition
from outboard.sdk.trigger_rule import TriggerRule
from outboard.sdk.xcom_arg import XComArg, references

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime, timedelta
    from typing import Any, Generic, ParamSpec, TypeVar, overload

    from typing_extensions import Unpack

    from outboard.sdk.dag import DAG
    from outboard.sdk.task_arguments import TaskArguments

    P = ParamSpec("P")
    R = TypeVar("R")

    class _Signed(Generic[P, R]):
        __slots__ = ()

else:
    P = R = None

    class _Signed:
        """Lets the classes below be written as generic without importing typing."""

        __slots__ = ()

        def __class_getitem__(cls, parameters):
            return cls


__all__ = ("DecoratedTask", "Task", "TaskDecorator", "task")


class Task(TaskDefinition, Node):
    """A task of a Dag. Made by calling a ``@task`` function, not by hand.

    Attributes:
        upstream_task_ids, downstream_task_ids: what it waits for, and what waits for it.
        retries, retry_delay, retry_exponential_backoff, max_retry_delay: how often, after how long, growing by which
            factor, and up to which delay it is tried again.
        trigger_rule: how its upstream tasks must have ended.
        queue, pool, pool_slots, priority_weight, start_date, end_date, owner, doc_md, task_display_name: what Airflow's
            scheduler and pages use.
    """

    __slots__ = (
        "doc_md",
        "downstream_task_ids",
        "end_date",
        "max_retry_delay",
        "owner",
        "pool",
        "pool_slots",
        "priority_weight",
        "queue",
        "retry_delay",
        "retry_exponential_backoff",
        "start_date",
        "task_display_name",
        "trigger_rule",
        "upstream_task_ids",
    )

    retry_delay: timedelta
    retry_exponential_backoff: float
    max_retry_delay: timedelta | None
    trigger_rule: TriggerRule
    queue: str
    pool: str
    pool_slots: int
    priority_weight: int
    start_date: datetime | None
    end_date: datetime | None
    owner: str
    doc_md: str | None
    task_display_name: str | None

    def __init__(
        self,
        task_id: str,
        python_callable: Callable[..., Any],
        *,
        args: tuple[Any, ...],
        kwargs: Mapping[str, Any],
        arguments: Mapping[str, Any],
        signature: Signature,
    ) -> None:
        super().__init__(
            task_id, python_callable, args=args, kwargs=kwargs, signature=signature, multiple_outputs=False
        )
        self.upstream_task_ids: set[str] = set()
        self.downstream_task_ids: set[str] = set()
        for name, default in DEFAULTS.items():
            setattr(self, name, arguments.get(name, default))

    @property
    def dag_id(self) -> str:
        """The id of its Dag; tasks outside of any are possible only until they are joined to one that is in a Dag."""
        return self.dag.dag_id if self.dag is not None else "?"

    @property
    def output(self) -> XComArg:
        """The reference to its result."""
        return XComArg(self)

    @property
    def roots(self) -> list[Task]:
        """The task itself."""
        return [self]

    @property
    def leaves(self) -> list[Task]:
        """The task itself."""
        return [self]

    def __repr__(self) -> str:
        return f"<Task {self.dag_id}.{self.task_id}>"


class DecoratedTask(_Signed[P, R]):
    """A function under ``@task``.

    Attributes:
        function: the author's function.
    """

    __slots__ = ("__dict__", "__wrapped__", "_arguments", "_dag", "_signature", "function")

    def __init__(self, function: Callable[P, R], arguments: Mapping[str, Any]) -> None:
        if not callable(function):
            raise TypeError(f"@task takes a function, and keyword arguments only; {function!r} is neither")
        self.function = self.__wrapped__ = function
        self._signature = Signature.of(function)
        given = dict(arguments)
        self._dag: DAG | None = given.pop("dag", None)
        self._arguments = _checked(function, given)
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            if hasattr(function, name):
                setattr(self, name, getattr(function, name))
        if self._signature.names[:1] == ("self",):
            raise TypeError(f"@task cannot decorate the method {self._arguments['task_id']!r}; use a function")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Add a task to the current Dag, and refer to its result.

        Type checkers see Any, since the reference stands for the result, and for the task too in ``a() >> b()``.

        Raises:
            TypeError: the arguments do not fit the function's parameters.
        """
        dag = self._dag or current_dag()
        defaults = dag.default_args if dag is not None else {}
        label = (
            f"{self._arguments['task_id']!r} of Dag {dag.dag_id!r}" if dag is not None else self._arguments["task_id"]
        )
        names = self._signature.names
        filled = {name: value for name, value in defaults.items() if name in names[len(args) :]}
        filled.update(kwargs)
        _check_templates(label, [*args, *filled.values()])
        self._signature.check(label, args, filled)
        return XComArg(self._add_task(dag, label, args, filled))

    def _add_task(self, dag: DAG | None, label: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Task:
        defaults = dag.default_args if dag is not None else {}
        arguments = {name: check_argument(label, name, defaults[name]) for name in DEFAULTS if name in defaults}
        arguments.update(self._arguments)
        task_id = arguments.pop("task_id")
        if arguments.get("multiple_outputs") is None:
            arguments["multiple_outputs"] = returns_mapping(self.function)
        if arguments.get("doc_md") is None:
            arguments["doc_md"] = self.function.__doc__
        added = Task(
            task_id if dag is None else dag.unused_task_id(task_id),
            self.function,
            args=args,
            kwargs=kwargs,
            arguments=arguments,
            signature=self._signature,
        )
        if dag is not None:
            dag.add_task(added)
        for reference in references([args, kwargs]):
            added.set_upstream(reference)
        return added

    def override(self, **arguments: Unpack[TaskArguments]) -> DecoratedTask[P, R]:
        """The same function with other arguments of ``@task``, for one call: ``load.override(retries=5)(rows)``."""
        return DecoratedTask(self.function, {**self._given(), **arguments})

    def _given(self) -> dict[str, Any]:
        return {**self._arguments, "dag": self._dag}

    def __getattr__(self, name: str) -> Any:
        if name in ("expand", "expand_kwargs", "partial"):
            raise AttributeError(f"outboard does not support mapped tasks yet, so {self.function!r} has no {name}()")
        raise AttributeError(f"a @task function has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<@task {self._arguments['task_id']}>"


class TaskDecorator:
    """The type of `task`. Use it as ``@task`` or as ``@task(retries=3, …)``."""

    __slots__ = ("_arguments",)

    def __init__(self, arguments: Mapping[str, Any] | None = None) -> None:
        self._arguments = dict(arguments or ())

    if TYPE_CHECKING:

        @overload
        def __call__(self, python_callable: Callable[P, R], /) -> DecoratedTask[P, R]: ...

        @overload
        def __call__(
            self, /, **arguments: Unpack[TaskArguments]
        ) -> Callable[[Callable[P, R]], DecoratedTask[P, R]]: ...

    def __call__(self, python_callable: Any = None, /, **arguments: Any) -> Any:
        """Make tasks of a function, or with keyword arguments only, a decorator that does.

        Raises:
            TypeError: an argument is unknown or not supported, or what is decorated is no function.
        """
        combined = {**self._arguments, **arguments}
        if python_callable is not None:
            return DecoratedTask(python_callable, combined)
        return lambda function: DecoratedTask(function, combined)

    @property
    def python(self) -> TaskDecorator:
        """The same decorator; Airflow has this longer name for it."""
        return self

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"outboard does not support @task.{name} yet; @task and @task.python are what it has")


task = TaskDecorator()


def _checked(function: Any, arguments: dict[str, Any]) -> dict[str, Any]:
    task_id = check_key("task_id", arguments.pop("task_id", None) or _name(function))
    label = f"task {task_id!r}"
    checked = {
        name: check_argument(label, name, value)
        for name, value in arguments.items()
        if not (name in UNSUPPORTED and asks_for_nothing(name, value))
    }
    checked["task_id"] = task_id
    return checked


def _name(function: Any) -> object:
    name = getattr(function, "__name__", None)
    if name is None:
        raise TypeError(f"{function!r} has no name, so @task needs a task_id for it")
    return name


def _check_templates(label: str, values: list[Any]) -> None:
    for text in _strings(values):
        if "{{" in text or "{%" in text:
            raise ValueError(
                f"{label}: outboard does not render templates in arguments yet, so {text!r} would reach the task as it is; "
                "take the value from the context in the body instead"
            )


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            yield from _strings(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
