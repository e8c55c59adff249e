"""Handlers for tasks whose Dag lives in Airflow, and finding all that one author's file declares.

A Dag in Airflow may hold *stub* tasks, which only name a queue; what they do is in a bundle. In the bundle's file a
`TaskRegistry` says which function handles which task:

    >>> from outboard import TaskRegistry
    >>> handlers = TaskRegistry()

As a decorator, where the task's id is the function's name unless it is given too:

    >>> @handlers.task("sales")
    ... def extract(ti):
    ...     return {"rows": 3, "try": ti.try_number}

    >>> @handlers.task("sales", "load-rows")
    ... async def load(ti, ds=None):
    ...     ti.xcom_push("day", ds)

Or directly, for a function that is used as it is in several places:

    >>> def say_hello():
    ...     return "hello"
    >>> handlers.register("sales", "greet", say_hello)
    >>> handlers.register("weather", "greet", say_hello)

Handlers take the context's values by name, as any task does, and their functions stay ordinary functions:

    >>> say_hello()
    'hello'

A runtime that is told to run the task ``load-rows`` of the Dag ``sales`` finds the handler by these two ids:

    >>> declarations = collect({"handlers": handlers})
    >>> declarations.find("sales", "load-rows").python_callable.__name__
    'load'
    >>> declarations.find("sales", "transform") is None
    True
"""

from __future__ import annotations

from outboard.errors import LoadError
from outboard.sdk.dag import DAG, DagFactory, take_registered
from outboard.sdk.exceptions import AirflowException, DuplicateTaskIdFound
from outboard.sdk.operator import BaseOperator
from outboard.sdk.python_operator import PythonOperator
from outboard.sdk.signature import Signature, returns_mapping
from outboard.sdk.task import DecoratedTask

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])

__all__ = ("Declarations", "Handler", "TaskRegistry", "collect")


class Handler:
    """What handles one task of a Dag in Airflow.

    Attributes:
        dag_id, task_id: the task.
        operator: what is run for it.
    """

    __slots__ = ("dag_id", "operator", "task_id")

    def __init__(self, operator: BaseOperator) -> None:
        self.operator = operator
        self.dag_id = operator.dag_id
        self.task_id = operator.task_id

    @property
    def label(self) -> str:
        """The task as error messages name it."""
        return self.operator.label

    def __repr__(self) -> str:
        return f"<Handler {self.dag_id}.{self.task_id}>"


class TaskRegistry:
    """What handles which task, by the ids of the Dag and of the task.

    Attributes:
        handlers: what was registered, in that order.
    """

    __slots__ = ("handlers",)

    def __init__(self) -> None:
        self.handlers: list[Handler] = []

    def task(
        self,
        dag_id: str,
        task_id: str | None = None,
        *,
        downstream: Collection[str] = (),
        multiple_outputs: bool | None = None,
        do_xcom_push: bool | None = None,
        mapped_over: bool | None = None,
    ) -> Callable[[F], F]:
        """Register what is decorated, a function or one under ``@task…``, which is returned as it is.

        Args:
            dag_id: the Dag in Airflow.
            task_id: the stub task in it; the function's name unless given.
            downstream: the ids of the tasks behind it there; only a branch or a short circuit needs to know them.
            multiple_outputs: as for ``@task``; taken from the return annotation unless given.
            do_xcom_push: as for ``@task``.
            mapped_over: whether a task there is expanded over what this one returns: a list or a dict, then.
        """
        if not isinstance(dag_id, str):
            raise TypeError('name the Dag that the task is in: @registry.task("dag_id") or ("dag_id", "task_id")')

        def decorator(function: F) -> F:
            self.register(
                dag_id,
                task_id or function.__name__,
                function,
                downstream=downstream,
                multiple_outputs=multiple_outputs,
                do_xcom_push=do_xcom_push,
                mapped_over=mapped_over,
            )
            return function

        return decorator

    def register(
        self,
        dag_id: str,
        task_id: str,
        function: Callable[..., Any] | DecoratedTask[..., Any] | BaseOperator,
        *,
        downstream: Collection[str] = (),
        multiple_outputs: bool | None = None,
        do_xcom_push: bool | None = None,
        mapped_over: bool | None = None,
    ) -> None:
        """Let a function, a function under ``@task…`` or an operator handle a task.

        Args:
            dag_id: the Dag in Airflow.
            task_id: the stub task in it.
            function: what handles it.
            downstream: the ids of the tasks behind it there; only a branch or a short circuit needs to know them.
            multiple_outputs: as for ``@task``; taken from the return annotation unless given.
            do_xcom_push: as for ``@task``.
            mapped_over: whether a task there is expanded over what this one returns: a list or a dict, then.

        Raises:
            DuplicateTaskIdFound: something else handles it already.
            TypeError: nothing of the kind handles tasks.
        """
        operator = _operator(f"task {task_id!r} of Dag {dag_id!r}", function)
        handler = Handler(operator.handling(dag_id, task_id, downstream))
        if operator.inherits_from_skipmixin and not downstream:
            raise TypeError(f"{handler.label} may skip what is behind it, so say which tasks these are: downstream=[…]")
        given = (("multiple_outputs", multiple_outputs), ("do_xcom_push", do_xcom_push), ("mapped_over", mapped_over))
        for name, value in given:
            if value is not None:
                setattr(handler.operator, name, value)
        if any(other.dag_id == dag_id and other.task_id == task_id for other in self.handlers):
            raise DuplicateTaskIdFound(f"{handler.label} has two handlers")
        self.handlers.append(handler)


def _operator(label: str, function: Any) -> BaseOperator:
    """The operator that runs what an author has registered for the task that is called `label`."""
    if isinstance(function, BaseOperator):
        return function
    if isinstance(function, DecoratedTask):
        return function.operator()
    if not callable(function):
        raise TypeError(f"the handler of {label} is a function, an operator or a @task function, not {function!r}")
    # Which of the other parameters get values, only the stub task in Airflow knows.
    Signature.of(function).check_defaults(label)
    return PythonOperator(
        task_id="handler", python_callable=function, multiple_outputs=returns_mapping(function), doc_md=function.__doc__
    )


class Declarations:
    """What one file declares.

    Attributes:
        dags: its Dags, in the order in which their declarations ended.
        handlers: the handlers of its registries.
        uncalled: the names of ``@dag`` functions that were never called, and so declare nothing.
        file: the file, as its module names it; empty when unknown.
    """

    __slots__ = ("dags", "file", "handlers", "uncalled")

    def __init__(
        self,
        dags: Sequence[DAG] = (),
        handlers: Sequence[Handler] = (),
        uncalled: Sequence[str] = (),
        file: str = "",
    ) -> None:
        self.dags = tuple(dags)
        self.handlers = tuple(handlers)
        self.uncalled = tuple(uncalled)
        self.file = file

    def find(self, dag_id: str, task_id: str) -> BaseOperator | None:
        """What is to be run for these ids, or None."""
        for dag in self.dags:
            if dag.dag_id == dag_id and dag.has_task(task_id):
                return dag.get_task(task_id)
        for handler in self.handlers:
            if handler.dag_id == dag_id and handler.task_id == task_id:
                return handler.operator
        return None

    def problems(self) -> list[tuple[DAG | None, AirflowException]]:
        """What cannot be run as declared: each Dag with its cycle or with an id that is taken, and handlers that clash.

        The Dag is None where handlers are at fault.
        """
        found: list[tuple[DAG | None, AirflowException]] = []
        handled: set[tuple[str, str]] = set()
        for handler in self.handlers:
            if (handler.dag_id, handler.task_id) in handled:
                found.append((None, DuplicateTaskIdFound(f"{handler.label} has two handlers")))
            handled.add((handler.dag_id, handler.task_id))
        seen: set[str] = set()
        for dag in self.dags:
            try:
                _check_ids(dag, seen, handled)
                dag.check_cycle()
            except AirflowException as error:
                found.append((dag, error))
            seen.add(dag.dag_id)
        return found

    def validate(self) -> None:
        """Refuse declarations with problems.

        Raises:
            LoadError: naming the Dag and the tasks of every problem.
        """
        problems = self.problems()
        if problems:
            raise LoadError("; ".join(str(error) for _, error in problems))


def collect(module_globals: Mapping[str, Any]) -> Declarations:
    """What a module that has just been executed declares.

    Dags count when their ``with`` block or @dag function ended since the last call, in this module or in one that it
    imports, and when they are values of the module's globals; registries when they are values of the globals.
    """
    dags = take_registered()
    handlers: list[Handler] = []
    uncalled = []
    registries: list[TaskRegistry] = []
    for name, value in module_globals.items():
        if isinstance(value, DAG) and value not in dags:
            dags.append(value)
        elif isinstance(value, TaskRegistry) and value not in registries:
            registries.append(value)
            handlers.extend(value.handlers)
        elif isinstance(value, DagFactory) and not value.called:
            uncalled.append(name)
    file = module_globals.get("__file__") or ""
    for dag in dags:
        dag.fileloc = dag.fileloc or file
    return Declarations(dags, handlers, uncalled, file)


def _check_ids(dag: DAG, seen: set[str], handled: set[tuple[str, str]]) -> None:
    if dag.dag_id in seen:
        raise DuplicateTaskIdFound(f"two Dags have the id {dag.dag_id!r}")
    for task_id in dag.task_dict:
        if (dag.dag_id, task_id) in handled:
            raise DuplicateTaskIdFound(f"task {task_id!r} of Dag {dag.dag_id!r} is declared and has a handler as well")
