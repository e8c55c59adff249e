"""`BaseOperator`: what every task is, whether a decorated function, a sensor or a class of the author's.

An operator is declared in a Dag file and run later in a process of its own, through `BaseOperator.execute`. What it knows is
declared; whatever it needs of a running task it asks of `outboard.sdk.client`.
"""

from __future__ import annotations

from outboard.sdk.dag import current_dag
from outboard.sdk.dependencies import Node
from outboard.sdk.signature import Signature
from outboard.sdk.task_arguments import DEFAULTS, asks_for_nothing, check_argument, check_key, is_unsupported
from outboard.sdk.xcom_arg import XComArg, references, resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from datetime import datetime, timedelta
    from typing import Any, NoReturn

    from typing_extensions import Self

    from outboard.sdk.assets import BaseAsset
    from outboard.sdk.context import Context
    from outboard.sdk.dag import DAG
    from outboard.sdk.exceptions import Trigger
    from outboard.sdk.log import Logger
    from outboard.sdk.params import ParamsDict
    from outboard.sdk.task_arguments import RetryPolicy
    from outboard.sdk.trigger_rule import TriggerRule
    from outboard.sdk.xcom_arg import Pull

__all__ = ("TRIGGER_FAIL_REPR", "BaseOperator")

# The method that a task is resumed with when what it waited for has failed.
TRIGGER_FAIL_REPR = "__fail__"

# What Airflow gives as the error of a wait that has taken too long.
TRIGGER_TIMEOUT = "Trigger timeout"


class BaseOperator(Node):
    """A task of a Dag, or a handler of a task whose Dag lives elsewhere.

    A class of the author's overrides `execute`; its ``__init__`` takes keyword arguments only and passes on what it does not
    know. Arguments that are not given come from the ``default_args`` of the Dag, for every class on the way.

    Attributes:
        task_id: its id, unique in its Dag.
        dag: the Dag that it is part of; None for a handler, and until it is joined to a task that is in a Dag.
        upstream_task_ids, downstream_task_ids: what it waits for, and what waits for it.
        retries, retry_delay, retry_exponential_backoff, max_retry_delay, retry_policy: how often, after how long, growing by
            which factor, up to which delay it is tried again, and what decides otherwise.
        execution_timeout: how long one try may run; None for as long as it takes.
        do_xcom_push: whether what `execute` returns becomes an XCom at all.
        multiple_outputs: whether each item of the returned mapping becomes an XCom of its own as well.
        on_execute_callback, on_success_callback, on_failure_callback, on_retry_callback, on_skipped_callback: lists of
            functions that get the context.
        inlets, outlets: the assets that it uses and makes.
        returns_dag_result: whether the returned value is the result of the whole Dag.
        mapped_over: whether another task is expanded over the returned value, so that Airflow must be told its length.

    Raises:
        TypeError: an argument is missing, unknown, not supported or of the wrong type.
        ValueError: an argument makes no sense.
    """

    # Attributes that may refer to results of other tasks.
    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()
    template_fields_renderers: Mapping[str, str] = {}
    ui_color = "#fff"
    ui_fgcolor = "#000"
    # What pages show instead of the class's name, such as ``@task``.
    custom_operator_name: str | None = None
    # Whether Airflow's scheduler must look for tasks that this one has skipped.
    inherits_from_skipmixin = False
    is_async = False
    # A method called so overrides the hook of that name; the argument of that name is a function beside it.
    _pre_execute_hook: Callable[..., Any] | None = None
    _post_execute_hook: Callable[..., Any] | None = None

    dag: DAG | None = None
    returns_dag_result = False
    mapped_over = False
    retries: int
    retry_delay: timedelta
    retry_exponential_backoff: float
    max_retry_delay: timedelta | None
    retry_policy: RetryPolicy | None
    params: ParamsDict | None
    execution_timeout: timedelta | None
    trigger_rule: TriggerRule
    multiple_outputs: bool
    do_xcom_push: bool
    queue: str
    pool: str
    pool_slots: int
    priority_weight: int
    start_date: datetime | None
    end_date: datetime | None
    owner: str
    doc_md: str | None
    task_display_name: str | None
    inlets: tuple[BaseAsset, ...]
    outlets: tuple[BaseAsset, ...]
    on_execute_callback: Collection[Callable[[Context], Any]]
    on_success_callback: Collection[Callable[[Context], Any]]
    on_failure_callback: Collection[Callable[[Context], Any]]
    on_retry_callback: Collection[Callable[[Context], Any]]
    on_skipped_callback: Collection[Callable[[Context], Any]]

    def __init__(
        self,
        *,
        task_id: str,
        dag: DAG | None = None,
        default_args: Mapping[str, Any] | None = None,
        pre_execute: Callable[[Context], Any] | None = None,
        post_execute: Callable[[Context, Any], Any] | None = None,
        **arguments: Any,
    ) -> None:
        self.task_id = check_key("task_id", task_id)
        self._handled_dag_id = ""
        self.upstream_task_ids: set[str] = set()
        self.downstream_task_ids: set[str] = set()
        if pre_execute is not None:
            self._pre_execute_hook = pre_execute
        if post_execute is not None:
            self._post_execute_hook = post_execute
        joined = dag or current_dag()
        label = f"task {task_id!r} of Dag {joined.dag_id!r}" if joined is not None else f"task {task_id!r}"
        for name, value in arguments.items():
            if not (is_unsupported(name) and asks_for_nothing(name, value)):
                setattr(self, name, check_argument(label, name, value))
        if joined is not None:
            joined.add_task(self)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "__init__" in cls.__dict__:
            cls.__init__ = _with_default_args(cls.__dict__["__init__"])  # type: ignore[method-assign]

    def __repr__(self) -> str:
        return f"<Task({type(self).__name__}): {self.dag_id}.{self.task_id}>"

    # ── where it stands ───────────────────────────────────────────────────────────────────────────────────────────

    @property
    def dag_id(self) -> str:
        """The id of its Dag; tasks outside of any are possible only until they are joined to one that is in a Dag."""
        return self.dag.dag_id if self.dag is not None else self._handled_dag_id or "?"

    @property
    def label(self) -> str:
        """The task as error messages name it."""
        where = self.dag_id if self.dag is not None else self._handled_dag_id
        return f"task {self.task_id!r} of Dag {where!r}" if where else f"task {self.task_id!r}"

    @property
    def operator_name(self) -> str:
        """What pages call its kind."""
        return self.custom_operator_name or type(self).__name__

    def has_dag(self) -> bool:
        """Whether it is in a Dag."""
        return self.dag is not None

    @property
    def output(self) -> XComArg:
        """The reference to its result."""
        return XComArg(self)

    @property
    def roots(self) -> list[BaseOperator]:
        """The task itself."""
        return [self]

    @property
    def leaves(self) -> list[BaseOperator]:
        """The task itself."""
        return [self]

    @property
    def upstream_list(self) -> list[BaseOperator]:
        """The tasks that it waits for; none for a handler, whose Dag lives elsewhere."""
        return self._relatives(self.upstream_task_ids)

    @property
    def downstream_list(self) -> list[BaseOperator]:
        """The tasks that wait for it; none for a handler, whose Dag lives elsewhere."""
        return self._relatives(self.downstream_task_ids)

    def get_flat_relative_ids(self, *, upstream: bool = False) -> set[str]:
        """The ids of all tasks that it waits for, directly or not, or of all that wait for it."""
        found: set[str] = set()
        pending = [self]
        while pending:
            task = pending.pop()
            new = (task.upstream_task_ids if upstream else task.downstream_task_ids) - found
            found |= new
            pending += task._relatives(new)
        return found

    def _relatives(self, task_ids: set[str]) -> list[BaseOperator]:
        return [] if self.dag is None else [self.dag.get_task(task_id) for task_id in sorted(task_ids)]

    def handling(self, dag_id: str, task_id: str, downstream: Collection[str] = ()) -> Self:
        """A copy that handles a task whose Dag lives elsewhere.

        Args:
            dag_id: the Dag there.
            task_id: the task in it.
            downstream: the ids of the tasks that wait for it there, which a branch has to know.
        """
        copied = self._copy()
        copied.dag = None
        copied.task_id = check_key("task_id", task_id)
        copied._handled_dag_id = check_key("dag_id", dag_id)
        copied.upstream_task_ids, copied.downstream_task_ids = set(), set(downstream)
        return copied

    def _copy(self) -> Self:
        copied = object.__new__(type(self))
        copied.__dict__.update(self.__dict__)
        return copied

    # ── references to results ─────────────────────────────────────────────────────────────────────────────────────

    def _declared(self) -> None:
        """Called when the outermost ``__init__`` has ended: wait for the tasks whose results the arguments refer to."""
        for field in self.template_fields:
            value = getattr(self, field, None)
            _check_templates(self.label, value)
            for reference in references(value):
                self.set_upstream(reference)

    def context_params(self) -> Mapping[str, Any] | None:
        """The task's own params, of which those of a run are made."""
        return self.params

    def filled_fields(self) -> dict[str, Any]:
        """The attributes that `template_fields` names and that hold anything, by name."""
        values = {field: getattr(self, field, None) for field in self.template_fields}
        return {field: value for field, value in values.items() if not _is_empty(value)}

    def with_references_resolved(self, pull: Pull) -> Self:
        """The operator to run: itself, or a copy in which each reference is replaced by its value.

        Args:
            pull: ``pull(task_id, key)`` answers whether that XCom exists, and its value.

        Raises:
            XComNotFound: an argument refers to an XCom that was not pushed.
        """
        values = {field: resolve(value, pull) for field, value in self.filled_fields().items()}
        if not values:
            return self
        copied = self._copy()
        copied.__dict__.update(values)
        return copied

    # ── running ───────────────────────────────────────────────────────────────────────────────────────────────────

    def execute(self, context: Context) -> Any:
        """Do the work. What is returned is the task's result.

        Raises:
            NotImplementedError: a class does not override this.
        """
        raise NotImplementedError(f"{type(self).__name__} has no execute() of its own")

    async def aexecute(self, context: Context) -> Any:
        """What the runtime awaits instead of calling `execute` where `is_async` is true."""
        raise NotImplementedError(f"{type(self).__name__} has no aexecute() of its own")

    def pre_execute(self, context: Context) -> None:
        """Called right before `execute`."""

    def post_execute(self, context: Context, result: Any = None) -> None:
        """Called right after `execute`, if that has returned."""

    def on_kill(self) -> None:
        """Called when the task is told to stop, or has taken too long: to end what `execute` has started elsewhere."""

    def defer(
        self,
        *,
        trigger: Trigger,
        method_name: str,
        kwargs: dict[str, Any] | None = None,
        timeout: timedelta | float | None = None,
    ) -> NoReturn:
        """Leave the process, and go on in another one when the trigger has fired.

        Args:
            trigger: what to wait for: anything that can name itself by a class path, see `outboard.BaseTrigger`.
            method_name: the method to go on with; it gets the context, and ``event`` with the trigger's payload.
            kwargs: what else it gets.
            timeout: how long to wait; a timedelta or seconds.
        """
        from outboard.sdk.exceptions import TaskDeferred

        raise TaskDeferred(trigger=trigger, method_name=method_name, kwargs=kwargs, timeout=timeout)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a wait: call the method that was named for it.

        Raises:
            TaskDeferralTimeout: the wait took longer than was allowed.
            TaskDeferralError: the trigger failed, or there is no such method.
        """
        from outboard.sdk.exceptions import TaskDeferralError, TaskDeferralTimeout

        arguments = dict(next_kwargs or {})
        if next_method == TRIGGER_FAIL_REPR:
            said = str(arguments.get("error", "Unknown"))
            if said == TRIGGER_TIMEOUT:
                raise TaskDeferralTimeout(said)
            trace = arguments.get("traceback")
            if trace:
                self.log.error("the trigger failed:\n%s", "".join(map(str, trace)))
            raise TaskDeferralError(said)
        method = getattr(self, next_method, None)
        if method is None:
            raise TaskDeferralError(f"{type(self).__name__} has no method {next_method!r} to go on with")
        return method(context, **arguments)

    def xcom_pull(self, context: Context, *arguments: Any, **options: Any) -> Any:
        """See `outboard.TaskInstance.xcom_pull`."""
        return context["ti"].xcom_pull(*arguments, **options)

    def xcom_push(self, context: Context, key: str, value: Any) -> None:
        """See `outboard.TaskInstance.xcom_push`."""
        context["ti"].xcom_push(key, value)

    @property
    def log(self) -> Logger:
        """A logger for what the operator has to say."""
        from outboard.sdk.log import logger_of

        return logger_of(self)


for _name, _default in DEFAULTS.items():
    setattr(BaseOperator, _name, _default)


def _with_default_args(init: Callable[..., None]) -> Callable[..., None]:
    """An ``__init__`` that takes what it is not given from the default arguments, and says when it was the outermost."""
    names = Signature.of(init).names[1:]
    names += tuple(name for name in DEFAULTS if name not in names) if init is _own_init else ()

    def __init__(self: BaseOperator, *args: Any, **kwargs: Any) -> None:
        if args:
            raise TypeError(f"{type(self).__name__} takes keyword arguments only: name what {args[0]!r} is")
        for name, value in _default_args(kwargs).items():
            if name in names and name not in kwargs:
                kwargs[name] = value
        if "_declaring" in self.__dict__:
            init(self, **kwargs)
            return
        self.__dict__["_declaring"] = True
        init(self, **kwargs)
        del self.__dict__["_declaring"]
        self._declared()

    __init__.__doc__ = init.__doc__
    __init__.__wrapped__ = init  # type: ignore[attr-defined]
    return __init__


def _default_args(given: Mapping[str, Any]) -> dict[str, Any]:
    dag = given.get("dag") or current_dag()
    return {**(dag.default_args if dag is not None else {}), **(given.get("default_args") or {})}


_own_init = BaseOperator.__init__
BaseOperator.__init__ = _with_default_args(_own_init)  # type: ignore[method-assign]


def _is_empty(value: Any) -> bool:
    # Not every value has a truth of its own: a table of numbers has none.
    return value is None or (isinstance(value, (str, tuple, list, dict, set, frozenset)) and not value)


def _check_templates(label: str, value: Any) -> None:
    for text in _strings(value):
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
