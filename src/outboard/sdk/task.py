"""``@task`` and its variants, and what they make of a function: a factory of tasks.

Calling the decorated function inside a Dag adds a task to it and returns a reference to the task's result; the function's
body runs later, in a process of its own. The body can be called as it is through `DecoratedTask.function`.
"""

from __future__ import annotations

from outboard.sdk.dag import current_dag
from outboard.sdk.python_operator import PythonOperator
from outboard.sdk.signature import Signature, returns_mapping
from outboard.sdk.task_arguments import DEFAULTS, UNSUPPORTED, asks_for_nothing, check_argument, check_key
from outboard.sdk.xcom_arg import XComArg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Generic, ParamSpec, TypeVar, overload

    from typing_extensions import Unpack

    from outboard.sdk.condition import Condition, D
    from outboard.sdk.dag import DAG
    from outboard.sdk.operator import BaseOperator
    from outboard.sdk.task_arguments import TaskArguments
    from outboard.sdk.task_variants import SensorDecorator, ShortCircuitDecorator

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


__all__ = ("DecoratedTask", "TaskDecorator", "task")

# The variants of ``@task``: where the class of their tasks is. A file pays for those that it uses.
_VARIANTS = {
    "branch": ("outboard.sdk.branch", "BranchPythonOperator"),
    "sensor": ("outboard.sdk.sensor", "PythonSensor"),
    "short_circuit": ("outboard.sdk.branch", "ShortCircuitOperator"),
}

# What stands above ``@task`` and decides whether the body runs.
_CONDITIONS = ("run_if", "skip_if")

# Arguments of an operator that the decorator itself fills in.
_FILLED = frozenset(("self", "python_callable", "op_args", "op_kwargs"))


class DecoratedTask(_Signed[P, R]):
    """A function under ``@task``.

    Attributes:
        function: the author's function.
        operator_class: what its tasks are.
    """

    __slots__ = ("__dict__", "__wrapped__", "_arguments", "_dag", "_name", "_signature", "function", "operator_class")

    def __init__(
        self,
        function: Callable[P, R],
        arguments: Mapping[str, Any],
        operator_class: type[BaseOperator] = PythonOperator,
        name: str = "@task",
    ) -> None:
        if not callable(function):
            raise TypeError(f"{name} takes a function, and keyword arguments only; {function!r} is neither")
        self.function = self.__wrapped__ = function
        self.operator_class = operator_class
        self._name = name
        self._signature = Signature.of(function)
        given = dict(arguments)
        self._dag: DAG | None = given.pop("dag", None)
        self._arguments = _checked(function, given, operator_class)
        for attribute in ("__module__", "__name__", "__qualname__", "__doc__"):
            if hasattr(function, attribute):
                setattr(self, attribute, getattr(function, attribute))
        if self._signature.names[:1] == ("self",):
            raise TypeError(f"{name} cannot decorate the method {self._arguments['task_id']!r}; use a function")

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any:
        """Add a task to the current Dag, and refer to its result.

        Type checkers see Any, since the reference stands for the result, and for the task too in ``a() >> b()``.

        Raises:
            TypeError: the arguments do not fit the function's parameters.
        """
        dag = self._dag or current_dag()
        defaults = dag.default_args if dag is not None else {}
        task_id = self._arguments["task_id"]
        label = f"{task_id!r} of Dag {dag.dag_id!r}" if dag is not None else task_id
        names = self._signature.names
        filled = {name: value for name, value in defaults.items() if name in names[len(args) :]}
        filled.update(kwargs)
        self._signature.check(label, args, filled)
        return XComArg(self.operator(dag, args, filled))

    def operator(
        self, dag: DAG | None = None, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> BaseOperator:
        """A task of its own for these arguments of the function, in the Dag if there is one."""
        arguments = dict(self._arguments)
        if arguments.get("multiple_outputs") is None:
            arguments["multiple_outputs"] = returns_mapping(self.function)
        if arguments.get("doc_md") is None:
            arguments["doc_md"] = self.function.__doc__
        task_id = arguments.pop("task_id")
        made: Any = self.operator_class
        added: BaseOperator = made(
            task_id=task_id if dag is None else dag.unused_task_id(task_id),
            dag=dag,
            python_callable=self.function,
            op_args=args,
            op_kwargs=kwargs,
            **arguments,
        )
        added.custom_operator_name = self._name
        return added

    @property
    def arguments(self) -> Mapping[str, Any]:
        """What the decorator was given, checked."""
        return self._arguments

    def override(self, **arguments: Unpack[TaskArguments]) -> DecoratedTask[P, R]:
        """The same function with other arguments of ``@task``, for one call: ``load.override(retries=5)(rows)``."""
        given = {**self._arguments, "dag": self._dag, **arguments}
        return DecoratedTask(self.function, given, self.operator_class, self._name)

    def __getattr__(self, name: str) -> Any:
        if name in ("expand", "expand_kwargs", "partial"):
            raise AttributeError(f"outboard does not support mapped tasks yet, so {self.function!r} has no {name}()")
        raise AttributeError(f"a {self._name} function has no attribute {name!r}")

    def __repr__(self) -> str:
        return f"<{self._name} {self._arguments['task_id']}>"


class TaskDecorator:
    """The type of `task`. Use it as ``@task`` or as ``@task(retries=3, …)``; its variants are attributes of it."""

    __slots__ = ("_arguments", "_name", "_operator_class")

    def __init__(
        self,
        arguments: Mapping[str, Any] | None = None,
        operator_class: type[BaseOperator] = PythonOperator,
        name: str = "@task",
    ) -> None:
        self._arguments = dict(arguments or ())
        self._operator_class = operator_class
        self._name = name

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
            return DecoratedTask(python_callable, combined, self._operator_class, self._name)
        return lambda function: DecoratedTask(function, combined, self._operator_class, self._name)

    @property
    def python(self) -> TaskDecorator:
        """The same decorator; Airflow has this longer name for it."""
        return self

    if TYPE_CHECKING:

        @property
        def branch(self) -> TaskDecorator:
            """The function returns the ids of the tasks to go on with; the others behind it are skipped."""

        @property
        def short_circuit(self) -> ShortCircuitDecorator:
            """The function returns whether to go on; if not, what is behind it is skipped."""

        @property
        def sensor(self) -> SensorDecorator:
            """The function says whether what is waited for has come; until then it is called again and again."""

        def run_if(self, condition: Condition, skip_message: str | None = None) -> Callable[[D], D]:
            """See `outboard.sdk.condition.run_if`."""

        def skip_if(self, condition: Condition, skip_message: str | None = None) -> Callable[[D], D]:
            """See `outboard.sdk.condition.skip_if`."""

    def __getattr__(self, name: str) -> Any:
        if name in _CONDITIONS:
            return getattr(__import__("outboard.sdk.condition", fromlist=(name,)), name)
        home = _VARIANTS.get(name)
        if home is None or self._operator_class is not PythonOperator:
            known = ", ".join(f"@task.{variant}" for variant in ("python", *_VARIANTS, *_CONDITIONS))
            raise AttributeError(f"outboard does not support @task.{name} yet; it has @task, {known}")
        module, kind = home
        variant: type[BaseOperator] = getattr(__import__(module, fromlist=(kind,)), kind)
        return TaskDecorator(self._arguments, variant, f"@task.{name}")


task = TaskDecorator()


def _checked(function: Any, arguments: dict[str, Any], operator_class: type[BaseOperator]) -> dict[str, Any]:
    task_id = check_key("task_id", arguments.pop("task_id", None) or _name(function))
    label = f"task {task_id!r}"
    checked = {"task_id": task_id}
    for name, value in arguments.items():
        if name in UNSUPPORTED and asks_for_nothing(name, value):
            continue
        if name == "multiple_outputs" and value is None:
            continue  # then the annotation decides
        if name not in DEFAULTS and name in _own_arguments(operator_class):
            checked[name] = value  # whose check is the class's business
        else:
            checked[name] = check_argument(label, name, value)
    return checked


def _own_arguments(operator_class: type[BaseOperator]) -> set[str]:
    """The arguments of a class, and of those that it is made of, that an author may give to the decorator."""
    inits = [vars(part)["__init__"] for part in operator_class.__mro__[:-1] if "__init__" in vars(part)]
    return {name for init in inits for name in Signature.of(init).names} - _FILLED


def _name(function: Any) -> object:
    name = getattr(function, "__name__", None)
    if name is None:
        raise TypeError(f"{function!r} has no name, so @task needs a task_id for it")
    return name
