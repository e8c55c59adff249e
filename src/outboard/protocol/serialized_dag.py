"""Reading a Dag in Airflow's serialized form, as far as running it needs: tasks, edges, retries and trigger rules.

The reader takes what any bundle may send. Fields that it does not know are ignored; a form that it cannot trust (another
version, edges to nowhere, a cycle) is an error that names the place.
"""

from __future__ import annotations

from outboard.errors import UndecodableMessageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

__all__ = ("SUPPORTED_VERSION", "SerializedDag", "SerializedTask", "read")

SUPPORTED_VERSION = 3

DEFAULT_RETRY_DELAY = 300.0  # seconds
MAX_RETRY_DELAY = 24 * 60 * 60.0  # seconds: what Airflow caps a growing delay at


class SerializedTask:
    """A task as whoever schedules it sees it.

    Attributes:
        task_id: its id.
        upstream, downstream: the ids of the tasks that it waits for, and of those that wait for it; sorted.
        retries: how often it is tried again.
        retry_delay: seconds to wait before that.
        retry_exponential_backoff: the factor by which the delay grows with each try; 0 when it does not.
        max_retry_delay: the cap on the growing delay, in seconds.
        trigger_rule: how its upstream tasks must have ended.
        display_name: what to call it on a page.
    """

    __slots__ = (
        "display_name",
        "downstream",
        "max_retry_delay",
        "retries",
        "retry_delay",
        "retry_exponential_backoff",
        "task_id",
        "trigger_rule",
        "upstream",
    )

    def __init__(self, task_id: str, downstream: tuple[str, ...], fields: dict[str, Any]) -> None:
        self.task_id = task_id
        self.downstream = downstream
        self.upstream: tuple[str, ...] = ()
        self.retries: int = fields.get("retries", 0)
        self.retry_delay: float = fields.get("retry_delay", DEFAULT_RETRY_DELAY)
        self.retry_exponential_backoff: float = fields.get("retry_exponential_backoff", 0)
        self.max_retry_delay: float = fields.get("max_retry_delay", MAX_RETRY_DELAY)
        self.trigger_rule: str = fields.get("trigger_rule", "all_success")
        self.display_name: str = fields.get("_task_display_name", task_id)

    def __repr__(self) -> str:
        return f"<SerializedTask {self.task_id}>"

    def delay_after(self, try_number: int) -> float:
        """Seconds to wait after that try, counted from 1, has failed; without the jitter that Airflow adds."""
        factor = self.retry_exponential_backoff
        if factor in (0, 1):
            return self.retry_delay
        try:
            grown = self.retry_delay * factor ** (try_number - 1)
        except OverflowError:
            grown = self.max_retry_delay
        return min(grown, self.max_retry_delay)


class SerializedDag:
    """A Dag as whoever schedules it sees it.

    Attributes:
        dag_id: its id.
        tasks: its tasks by id, as they were declared.
        order: all ids, each behind those that it waits for, otherwise as they were declared.
    """

    __slots__ = ("dag_id", "order", "tasks")

    def __init__(self, dag_id: str, tasks: dict[str, SerializedTask], order: tuple[str, ...]) -> None:
        self.dag_id = dag_id
        self.tasks = tasks
        self.order = order

    def __repr__(self) -> str:
        return f"<SerializedDag {self.dag_id}>"

    def upstream_of(self, task_id: str) -> frozenset[str]:
        """All tasks that the task waits for, directly or not."""
        found: set[str] = set()
        pending = list(self.tasks[task_id].upstream)
        while pending:
            above = pending.pop()
            if above not in found:
                found.add(above)
                pending.extend(self.tasks[above].upstream)
        return frozenset(found)


def read(data: Any) -> SerializedDag:
    """The Dag in one item of a parsing result's ``serialized_dags``: a map of ``__version`` and ``dag``.

    Raises:
        UndecodableMessageError: the map is not of this form; the error's field says where.
    """
    if not isinstance(data, dict) or data.get("__version") != SUPPORTED_VERSION:
        _refuse("__version", f"a serialized Dag of version {SUPPORTED_VERSION} is wanted")
    dag = data.get("dag")
    if not isinstance(dag, dict) or not isinstance(dag.get("dag_id"), str):
        _refuse("dag.dag_id", "a Dag has an id")
    items = dag.get("tasks")
    if not isinstance(items, list):
        _refuse("dag.tasks", "a Dag has a list of tasks")
    tasks: dict[str, SerializedTask] = {}
    for index, item in enumerate(items):
        task = _read_task(item, f"dag.tasks[{index}]")
        if task.task_id in tasks:
            _refuse(f"dag.tasks[{index}].task_id", f"Dag {dag['dag_id']!r} has two tasks with the id {task.task_id!r}")
        tasks[task.task_id] = task
    _link(dag["dag_id"], tasks)
    return SerializedDag(dag["dag_id"], tasks, _order(dag["dag_id"], tasks))


# What may stand in a task's fields; a mistake here would otherwise show up in the middle of a run.
_FIELD_TYPES: dict[str, tuple[type, ...]] = {
    "retries": (int,),
    "retry_delay": (int, float),
    "retry_exponential_backoff": (int, float),
    "max_retry_delay": (int, float),
    "trigger_rule": (str,),
    "_task_display_name": (str,),
}


def _read_task(item: Any, where: str) -> SerializedTask:
    fields = item.get("__var") if isinstance(item, dict) and item.get("__type") == "operator" else None
    if not isinstance(fields, dict) or not isinstance(fields.get("task_id"), str):
        _refuse(where, "a task is a map of __type 'operator' whose __var has a task_id")
    for name, kinds in _FIELD_TYPES.items():
        value: Any = fields.get(name)
        if name in fields and (type(value) not in kinds or (kinds != (str,) and not value >= 0)):
            _refuse(f"{where}.{name}", f"the value {value!r} makes no sense")
    downstream = fields.get("downstream_task_ids", [])
    if not isinstance(downstream, list) or not all(isinstance(task_id, str) for task_id in downstream):
        _refuse(f"{where}.downstream_task_ids", "a list of ids is wanted")
    return SerializedTask(fields["task_id"], tuple(sorted(set(downstream))), fields)


def _link(dag_id: str, tasks: dict[str, SerializedTask]) -> None:
    upstream: dict[str, list[str]] = {task_id: [] for task_id in tasks}
    for task in tasks.values():
        for below in task.downstream:
            if below not in tasks:
                _refuse("dag.tasks", f"Dag {dag_id!r} has no task {below!r}, for which {task.task_id!r} is upstream")
            upstream[below].append(task.task_id)
    for task_id, above in upstream.items():
        tasks[task_id].upstream = tuple(sorted(above))


def _order(dag_id: str, tasks: dict[str, SerializedTask]) -> tuple[str, ...]:
    waiting = {task_id: len(task.upstream) for task_id, task in tasks.items()}
    ready = [task_id for task_id, count in waiting.items() if not count]
    order: list[str] = []
    while ready:
        order += ready
        freed = set()
        for task_id in ready:
            for below in tasks[task_id].downstream:
                waiting[below] -= 1
                if not waiting[below]:
                    freed.add(below)
        ready = [task_id for task_id in tasks if task_id in freed]
    if len(order) < len(tasks):
        left = ", ".join(repr(task_id) for task_id in tasks if task_id not in set(order))
        _refuse("dag.tasks", f"Dag {dag_id!r} has a cycle among the tasks {left}")
    return tuple(order)


def _refuse(field: str, rule: str) -> NoReturn:
    raise UndecodableMessageError("DagFileParsingResult", f"serialized_dags.{field}", rule)
