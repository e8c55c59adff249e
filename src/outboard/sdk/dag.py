"""Dags: tasks under one id, with a schedule for whoever schedules them.

A Dag is current inside its ``with`` block; tasks that are called there are added to it. Leaving the block registers it for
`outboard.sdk.registry.collect`.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from outboard.sdk.exceptions import AirflowDagCycleException, DuplicateTaskIdFound, TaskNotFound
from outboard.sdk.graph import find_cycle
from outboard.sdk.task_arguments import UNSUPPORTED, asks_for_nothing, check_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from typing import Any, ParamSpec, TypedDict, overload

    from typing_extensions import Self, Unpack

    from outboard.sdk.assets import BaseAsset
    from outboard.sdk.dag_param import DagParam
    from outboard.sdk.operator import BaseOperator
    from outboard.sdk.params import ParamsDict
    from outboard.sdk.task import TaskDecorator

    P = ParamSpec("P")

    class DagArguments(TypedDict, total=False):
        """What `DAG` and ``@dag(...)`` accept besides the id."""

        description: str | None
        schedule: str | timedelta | BaseAsset | Sequence[BaseAsset] | None
        start_date: datetime | None
        end_date: datetime | None
        default_args: dict[str, Any] | None
        max_active_tasks: int
        max_active_runs: int
        max_consecutive_failed_dag_runs: int
        dagrun_timeout: timedelta | None
        catchup: bool
        doc_md: str | None
        is_paused_upon_creation: bool | None
        params: Mapping[str, Any] | None
        tags: Collection[str] | None
        auto_register: bool
        dag_display_name: str | None


__all__ = ("DAG", "DagFactory", "current_dag", "dag", "take_registered")

# Airflow's defaults; None stands for what the deployment configures.
DEFAULTS: dict[str, Any] = {
    "description": None,
    "schedule": None,
    "start_date": None,
    "end_date": None,
    "default_args": None,
    "max_active_tasks": 16,
    "max_active_runs": 16,
    "max_consecutive_failed_dag_runs": 0,
    "dagrun_timeout": None,
    "catchup": False,
    "doc_md": None,
    "is_paused_upon_creation": None,
    "params": None,
    "tags": None,
    "auto_register": True,
    "dag_display_name": None,
}

_UNSUPPORTED = frozenset(
    (
        "access_control",
        "allowed_run_types",
        "deadline",
        "disable_bundle_versioning",
        "fail_fast",
        "jinja_environment_kwargs",
        "on_failure_callback",
        "on_success_callback",
        "owner_links",
        "render_template_as_native_obj",
        "rerun_with_latest_version",
        "sla_miss_callback",
        "template_searchpath",
        "template_undefined",
        "user_defined_filters",
        "user_defined_macros",
    )
)

# Names that stand for the cron expressions that Airflow expands them to.
CRON_PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}

_NOT_GIVEN: Any = object()
_VARIABLE_ARGUMENTS = 0x04 | 0x08  # CO_VARARGS, CO_VARKEYWORDS

_current: list[DAG] = []
_registered: list[DAG] = []


class DAG:
    """A directed acyclic graph of tasks.

    Attributes:
        dag_id: its id, unique in a deployment.
        task_dict: its tasks by id, in the order in which they were added.
        fileloc: the file that declares it; filled in by whoever loads the file.
        schedule: a cron expression, a preset such as ``"@daily"``, a timedelta, ``"@once"``, ``"@continuous"`` or None; or
            assets, several of which mean all of them.
        default_args: arguments for all its tasks that do not set their own; ``params`` among them are the Dag's.

    Raises:
        TypeError: an argument is unknown, not supported or of the wrong type.
        ValueError: an argument makes no sense.
        ParamValidationError: it has a schedule, which gives no values, and a param without a default that fits.
    """

    __slots__ = (
        "__dict__",
        "_last_suffixes",
        "_params",
        "dag_id",
        "default_args",
        "fileloc",
        "schedule",
        "tags",
        "task_dict",
    )

    description: str | None
    start_date: datetime | None
    end_date: datetime | None
    max_active_tasks: int
    max_active_runs: int
    max_consecutive_failed_dag_runs: int
    dagrun_timeout: timedelta | None
    catchup: bool
    doc_md: str | None
    is_paused_upon_creation: bool | None
    auto_register: bool

    def __init__(self, dag_id: str, **arguments: Unpack[DagArguments]) -> None:
        self.dag_id = check_key("dag_id", dag_id)
        self.fileloc = ""
        self.task_dict: dict[str, BaseOperator] = {}
        self.schedule = arguments.get("schedule")
        self._last_suffixes: dict[str, int] = {}
        self._params: ParamsDict | None = None
        _check_names(dag_id, arguments)
        for name, default in DEFAULTS.items():
            setattr(self, name, arguments.get(name, default))
        self.default_args: dict[str, Any] = _checked_defaults(dag_id, self.default_args)
        _add_params(self, self.default_args.pop("params", None))
        if self.start_date is None:
            self.start_date = self.default_args.get("start_date")
        self.tags: set[str] = set(self.tags or ())
        self.dag_display_name = arguments.get("dag_display_name") or dag_id
        _check_schedule(self)
        _check_dates(self)
        _check_params(self)

    def __enter__(self) -> Self:
        _current.append(self)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        _current.pop()
        if kind is None:
            _check_params(self)  # once more, with those that the block has added
        if self.auto_register and self not in _registered:
            _registered.append(self)

    def __repr__(self) -> str:
        return f"<DAG: {self.dag_id}>"

    @property
    def task(self) -> TaskDecorator:
        """``@dag.task``: the decorator `outboard.task`, bound to this Dag."""
        from outboard.sdk.task import TaskDecorator

        return TaskDecorator({"dag": self})

    @property
    def params(self) -> ParamsDict:
        """Its params by name. To ask whether it has any, `has_params` costs less."""
        if self._params is None:
            from outboard.sdk.params import ParamsDict

            self._params = ParamsDict()
        return self._params

    @params.setter
    def params(self, params: Mapping[str, Any] | None) -> None:
        self._params = None
        _add_params(self, params)

    @property
    def has_params(self) -> bool:
        """Whether it has params."""
        return bool(self._params)

    def param(self, name: str, default: Any = _NOT_GIVEN) -> DagParam:
        """A reference to one of its params, to be an argument of tasks; with a default, the Dag gets such a param."""
        from outboard.sdk.dag_param import DagParam

        return DagParam(self, name) if default is _NOT_GIVEN else DagParam(self, name, default)

    @property
    def tasks(self) -> list[BaseOperator]:
        """Its tasks, in the order in which they were added."""
        return list(self.task_dict.values())

    @property
    def task_ids(self) -> list[str]:
        """The ids of its tasks, in the order in which they were added."""
        return list(self.task_dict)

    @property
    def roots(self) -> list[BaseOperator]:
        """The tasks that wait for no other."""
        return [task for task in self.tasks if not task.upstream_task_ids]

    @property
    def leaves(self) -> list[BaseOperator]:
        """The tasks that no other waits for."""
        return [task for task in self.tasks if not task.downstream_task_ids]

    def has_task(self, task_id: str) -> bool:
        """Whether there is a task of that id."""
        return task_id in self.task_dict

    def get_task(self, task_id: str) -> BaseOperator:
        """The task of that id.

        Raises:
            TaskNotFound: there is none.
        """
        try:
            return self.task_dict[task_id]
        except KeyError:
            known = ", ".join(map(repr, self.task_dict)) or "none"
            raise TaskNotFound(f"Dag {self.dag_id!r} has no task {task_id!r}; its tasks: {known}") from None

    def set_dependency(self, upstream_task_id: str, downstream_task_id: str) -> None:
        """Let one task, given by its id, wait for another.

        Raises:
            TaskNotFound: there is no task of one of the ids.
        """
        self.get_task(upstream_task_id).set_downstream(self.get_task(downstream_task_id))

    def add_task(self, task: BaseOperator) -> None:
        """Add a task that is in no Dag yet.

        Raises:
            DuplicateTaskIdFound: another task has its id.
        """
        if self.task_dict.get(task.task_id, task) is not task:
            raise DuplicateTaskIdFound(f"Dag {self.dag_id!r} has two tasks with the id {task.task_id!r}")
        self.task_dict[task.task_id] = task
        task.dag = self
        # A task is active at most while its Dag is.
        task.start_date = _later(task.start_date, self.start_date)
        task.end_date = _earlier(task.end_date, self.end_date)
        stem, number = _split_suffix(task.task_id)
        self._last_suffixes[stem] = max(number, self._last_suffixes.get(stem, 0))

    def unused_task_id(self, task_id: str) -> str:
        """The id itself, or with the next free suffix ``__1``, ``__2``, … when a task has it already."""
        if task_id not in self.task_dict:
            return task_id
        stem, _ = _split_suffix(task_id)
        return f"{stem}__{self._last_suffixes.get(stem, 0) + 1}"

    def check_cycle(self) -> None:
        """Raise AirflowDagCycleException, naming the tasks, when tasks wait for one another in a circle."""
        cycle = find_cycle(self.task_dict, lambda task_id: self.task_dict[task_id].downstream_task_ids)
        if cycle:
            raise AirflowDagCycleException(f"Dag {self.dag_id!r} has a cycle: {' → '.join(cycle)}")


class DagFactory:
    """A function under ``@dag``: calling it declares the Dag.

    Attributes:
        dag_id: the Dag's id.
        called: whether that has happened; a factory that is never called declares nothing.
    """

    __slots__ = ("__dict__", "__wrapped__", "_arguments", "called", "dag_id")

    def __init__(self, function: Callable[..., Any], dag_id: str | None, arguments: Mapping[str, Any]) -> None:
        code = getattr(function, "__code__", None)
        if code is None:
            raise TypeError(f"@dag decorates a function, not {function!r}")
        self.dag_id = dag_id or function.__name__
        self._arguments = dict(arguments)
        self.called = False
        self.__wrapped__ = function
        for name in ("__module__", "__name__", "__qualname__", "__doc__"):
            setattr(self, name, getattr(function, name))

    def __call__(self, *args: Any, **kwargs: Any) -> DAG:
        """Declare the Dag: run the function's body with the Dag as the current one.

        The function's parameters become params of the Dag, with what is given here, or else their defaults, as values.

        Raises:
            TypeError: a parameter has no value, or one that is given is unknown.
        """
        from outboard.sdk.xcom_arg import XCOM_RETURN_KEY, XComArg

        self.called = True
        with DAG(self.dag_id, **self._arguments) as declared:
            result = self.__wrapped__(**self._parameters(declared, args, kwargs))
        if declared.doc_md is None:
            declared.doc_md = self.__doc__
        if isinstance(result, XComArg) and result.key == XCOM_RETURN_KEY:
            result.operator.returns_dag_result = True
        return declared

    def _parameters(self, declared: DAG, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, DagParam]:
        code = self.__wrapped__.__code__
        if not (args or kwargs or code.co_argcount or code.co_kwonlyargcount or code.co_flags & _VARIABLE_ARGUMENTS):
            return {}
        from outboard.sdk.dag_param import parameters_as_params
        from outboard.sdk.signature import Signature

        return parameters_as_params(declared, Signature.of(self.__wrapped__), args, kwargs)

    def __repr__(self) -> str:
        return f"<@dag {self.dag_id}>"


if TYPE_CHECKING:

    @overload
    def dag(dag_id_or_function: Callable[P, Any], /) -> Callable[P, DAG]: ...

    @overload
    def dag(
        dag_id_or_function: str | None = None, /, *, dag_id: str = "", **arguments: Unpack[DagArguments]
    ) -> Callable[[Callable[P, Any]], Callable[P, DAG]]: ...


def dag(dag_id_or_function: Any = None, /, *, dag_id: str = "", **arguments: Any) -> Any:
    """Make a Dag of a function, as ``@dag``, ``@dag("id")`` or ``@dag(schedule="@daily", …)``.

    The function must be called once, at the module's level, to declare the Dag. Its name is the Dag's id unless one is
    given; its docstring is the Dag's ``doc_md`` unless one is given.

    Raises:
        TypeError: an argument is unknown or not supported, or what is decorated is no function.
    """
    if callable(dag_id_or_function):
        return DagFactory(dag_id_or_function, None, arguments)
    chosen = dag_id or dag_id_or_function
    _check_names(chosen, arguments)
    return lambda function: DagFactory(function, chosen, arguments)


def current_dag() -> DAG | None:
    """The Dag whose ``with`` block or @dag function is being run."""
    return _current[-1] if _current else None


def take_registered() -> list[DAG]:
    """The Dags whose blocks were left since the last call, in that order."""
    taken = _registered[:]
    _registered.clear()
    return taken


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return max(one, other) if one and other else one or other


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    return min(one, other) if one and other else one or other


def _split_suffix(task_id: str) -> tuple[str, int]:
    stem, mark, digits = task_id.rpartition("__")
    return (stem, int(digits)) if mark and stem and digits.isdecimal() else (task_id, 0)


def _check_names(dag_id: object, arguments: Mapping[str, Any]) -> None:
    for name, value in arguments.items():
        if name in DEFAULTS or (name in _UNSUPPORTED and asks_for_nothing(name, value)):
            continue
        if name in _UNSUPPORTED:
            raise TypeError(f"Dag {dag_id!r}: outboard does not support the argument {name!r} yet; remove it")
        known = ", ".join(DEFAULTS)
        raise TypeError(f"Dag {dag_id!r}: there is no argument {name!r}; the arguments are dag_id, {known}")


def _checked_defaults(dag_id: str, default_args: dict[str, Any] | None) -> dict[str, Any]:
    if default_args is None:
        return {}
    if not isinstance(default_args, dict):
        raise TypeError(f"Dag {dag_id!r}: default_args is a dict, not {default_args!r}")
    for name in default_args:
        if name in UNSUPPORTED and not asks_for_nothing(name, default_args[name]):
            raise TypeError(f"Dag {dag_id!r}: outboard does not support {name!r} in default_args yet; remove it")
    return dict(default_args)


def _add_params(dag: DAG, params: Mapping[str, Any] | None) -> None:
    if params is None or params == {}:
        return
    from outboard.sdk.exceptions import ParamValidationError
    from outboard.sdk.params import ParamsDict

    try:
        dag.params.update(ParamsDict(params))
    except (TypeError, ParamValidationError) as error:
        raise type(error)(f"Dag {dag.dag_id!r}: {error}") from None


def _check_params(dag: DAG) -> None:
    if not dag.has_params or dag.schedule is None:
        return
    from outboard.errors import MissingLibraryError
    from outboard.sdk.exceptions import ParamValidationError

    label = f"Dag {dag.dag_id!r}"
    try:
        dag.params.validate()
    except ParamValidationError as error:
        raise ParamValidationError(
            f"{label} has a schedule, whose runs take the defaults: {error}"
        ) from error.__cause__
    except MissingLibraryError as error:
        raise error.of(label) from error.__cause__


def _check_schedule(dag: DAG) -> None:
    schedule = dag.schedule
    if schedule is None or isinstance(schedule, timedelta):
        return
    if not isinstance(schedule, str):
        dag.schedule = _asset_condition(dag.dag_id, schedule)
        return
    if schedule == "@continuous" and dag.max_active_runs > 1:
        raise ValueError(f"Dag {dag.dag_id!r}: the schedule '@continuous' needs max_active_runs=1")
    presets = (*CRON_PRESETS, "@once", "@continuous")
    if schedule not in presets and len(schedule.split()) not in (5, 6):
        raise ValueError(
            f"Dag {dag.dag_id!r}: {schedule!r} is neither a cron expression of 5 or 6 fields nor one of "
            f"{', '.join(presets)}"
        )


def _asset_condition(dag_id: str, schedule: Any) -> BaseAsset:
    from outboard.sdk.assets import as_condition  # only files that declare assets have some

    try:
        return as_condition(schedule)
    except TypeError:
        raise TypeError(
            f"Dag {dag_id!r}: a schedule is a cron expression, a preset, a timedelta, assets or None; outboard does not "
            f"support {schedule!r} yet"
        ) from None


def with_zone(value: datetime) -> datetime:
    """The datetime itself, or in UTC when it is naive, since that is what Airflow takes naive dates for."""
    return value if value.tzinfo is not None else value.replace(tzinfo=timezone.utc)


def _check_dates(dag: DAG) -> None:
    for name in ("start_date", "end_date"):
        value = getattr(dag, name)
        if value is None:
            continue
        if not isinstance(value, datetime):
            raise TypeError(f"Dag {dag.dag_id!r}: {name} is a datetime, not {value!r}")
        setattr(dag, name, with_zone(value))
    if dag.catchup and dag.schedule is not None and dag.start_date is None:
        raise ValueError(f"Dag {dag.dag_id!r}: catchup needs a start_date")
