"""The Python file with which Airflow 3.3 schedules a bundle's Dags: the same tasks as ``@task.stub``, the same edges.

Airflow 3.3 knows a Dag only from a Python file; the tasks' bodies stay in the bundle. The file is made from the Dags in
their serialized form, as the bundle itself gives them, and the same Dags make the same bytes. Must not know how a bundle is
asked.
"""

from __future__ import annotations

import json
import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from outboard.airflow.settings import DEFAULT_QUEUE
from outboard.errors import LoadError
from outboard.protocol import serialized_dag
from outboard.protocol.serialized_dag import SerializedDag

__all__ = ("StubDag", "stub_source")

MAX_LINE = 110
"""Where a call is broken into one argument a line."""

DEFAULT_RETRY_DELAY = 300.0

# Arguments of a Dag that its serialized form has under the same name, and what Airflow makes of their absence.
_DAG_ARGUMENTS: dict[str, object] = {
    "description": None,
    "catchup": False,
    "max_active_tasks": 16,
    "max_active_runs": 16,
    "max_consecutive_failed_dag_runs": 0,
    "is_paused_upon_creation": None,
    "dag_display_name": None,
    "doc_md": None,
}

# The same for a task.
_TASK_ARGUMENTS: dict[str, object] = {
    "retries": 0,
    "retry_exponential_backoff": 0,
    "trigger_rule": "all_success",
    "pool": "default_pool",
    "pool_slots": 1,
    "priority_weight": 1,
    "owner": "airflow",
    "doc_md": None,
}

# Names of the stub file that no task may take.
_TAKEN = ("DAG", "ZoneInfo", "datetime", "task", "timedelta", "timezone")


@attrs.frozen(kw_only=True)
class StubDag:
    """One Dag of a bundle.

    Attributes:
        dag: its shape.
        fields: the ``dag`` of its serialized form.
    """

    dag: SerializedDag
    fields: Mapping[str, Any]

    @classmethod
    def read(cls, data: Mapping[str, Any]) -> StubDag:
        """Take a Dag from an item of a parsing result.

        Raises:
            UndecodableMessageError: it is not in the serialized form that this version reads.
        """
        return cls(dag=serialized_dag.read(data), fields=data["dag"])

    @property
    def tasks(self) -> dict[str, Mapping[str, Any]]:
        """The fields of its tasks, by id, as they were declared."""
        return {item["__var"]["task_id"]: item["__var"] for item in self.fields["tasks"]}


def stub_source(
    bundle: str, dags: Sequence[StubDag], handlers: Mapping[str, Sequence[str]], *, queue: str = "outboard"
) -> str:
    """The text of the stub file.

    Args:
        bundle: the bundle's name, for the file's docstring.
        dags: the Dags that it holds.
        handlers: for Dags that live elsewhere, the tasks that it handles. Their edges and arguments nobody here knows; the
            file has them without any.
        queue: that of tasks that name none.

    Raises:
        LoadError: a Dag has something that no stub can say.
    """
    scheduled = {dag.dag.dag_id for dag in dags}
    blocks = [_dag_block(dag, queue) for dag in dags]
    blocks += [_handler_block(dag_id, tasks, queue) for dag_id, tasks in handlers.items() if dag_id not in scheduled]
    if not blocks:
        raise LoadError(f"{bundle}: no Dag and no handler in it, so there is nothing to schedule")
    body = "\n\n\n".join(blocks)
    return "\n".join([*_NOTICE.format(bundle=_literal(bundle)[1:-1]).split("\n"), "", *_imports(body), body]) + "\n"


_NOTICE = '''\
"""What Airflow schedules of the bundle {bundle}, which runs these tasks.

Written by `outboard airflow stub`. Don't edit it: change the bundle's own file, pack it, and write this anew.
"""'''


def _imports(body: str) -> list[str]:
    """The import lines that the text needs, sorted as linters like them."""
    standard = [name for name in ("datetime", "timedelta", "timezone") if re.search(rf"(?<![.\w]){name}[.(]", body)]
    lines = [f"from datetime import {', '.join(standard)}"] if standard else []
    if "ZoneInfo(" in body:
        lines.append("from zoneinfo import ZoneInfo")
    if lines:
        lines.append("")
    return [*lines, "from airflow.sdk import DAG, task", ""]


# ── a Dag ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _dag_block(dag: StubDag, queue: str) -> str:
    names = _names(dag.dag.tasks)
    declarations = [_declaration(task_id, names[task_id], dag, queue) for task_id in dag.dag.tasks]
    header = _call("with DAG", [_literal(dag.dag.dag_id), *_arguments(_dag_arguments(dag))], indent="") + ":\n"
    return _block(header, declarations, _edges(dag.dag, names))


def _handler_block(dag_id: str, task_ids: Sequence[str], queue: str) -> str:
    names = _names(task_ids)
    declarations = [
        _function(names[task_id], task_id, {"queue": queue} if queue != DEFAULT_QUEUE else {}) for task_id in task_ids
    ]
    header = f"with DAG({_literal(dag_id)}, schedule=None):\n"
    remark = (
        "# The bundle handles these tasks for a Dag that lives elsewhere: their order and schedule are yours to say."
    )
    return _block(header, declarations, [remark, *(f"{names[task_id]}()" for task_id in task_ids)])


def _block(header: str, declarations: Iterable[str], rest: Sequence[str]) -> str:
    body = "\n\n".join([*declarations, "\n".join(rest)]) if rest else "pass"
    return f"{header}\n" + re.sub(r"(?m)^(?=.)", "    ", body)


def _dag_arguments(dag: StubDag) -> dict[str, str]:
    """The arguments of ``DAG(…)`` besides the id, as Python text."""
    fields = dag.fields
    zone = _zone(fields.get("timezone", "UTC"))
    arguments = {"schedule": _schedule(dag)}
    for name in ("start_date", "end_date"):
        if fields.get(name) is not None:
            arguments[name] = _date(fields[name], zone)
    if fields.get("dagrun_timeout") is not None:
        arguments["dagrun_timeout"] = _duration(fields["dagrun_timeout"])
    for name, default in _DAG_ARGUMENTS.items():
        if fields.get(name, default) != default:
            arguments[name] = _literal(fields[name])
    if fields.get("tags"):
        arguments["tags"] = _literal(sorted(fields["tags"]))
    return arguments


def _schedule(dag: StubDag) -> str:
    timetable = dag.fields.get("timetable") or {}
    values = timetable.get("__var", {})
    match str(timetable.get("__type", "simple.NullTimetable")).rpartition(".")[2]:
        case "NullTimetable":
            return "None"
        case "OnceTimetable":
            return '"@once"'
        case "ContinuousTimetable":
            return '"@continuous"'
        case "DeltaTriggerTimetable":
            return _duration(values["delta"])
        case "CronTriggerTimetable":
            return _literal(values["expression"])  # which Airflow reads in the zone of the start date
        case other:
            raise LoadError(
                f"Dag {dag.dag.dag_id!r} has a schedule of the kind {other}, which outboard cannot write into a stub"
            )


# ── its tasks ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _declaration(task_id: str, name: str, dag: StubDag, queue: str) -> str:
    fields = dag.tasks[task_id]
    if fields.get("_is_mapped") or fields.get("is_mapped"):
        raise LoadError(f"task {task_id!r} of Dag {dag.dag.dag_id!r} is mapped, which no stub can say")
    task = dag.dag.tasks[task_id]
    texts: dict[str, str] = {}
    wanted = fields.get("queue", DEFAULT_QUEUE)
    wanted = queue if wanted == DEFAULT_QUEUE else wanted
    if wanted != DEFAULT_QUEUE:
        texts["queue"] = _literal(wanted)
    for argument, default in _TASK_ARGUMENTS.items():
        if fields.get(argument, default) != default:
            texts[argument] = _literal(fields[argument])
    if task.retry_delay != DEFAULT_RETRY_DELAY:
        texts["retry_delay"] = _duration(task.retry_delay)
    if "max_retry_delay" in fields:
        texts["max_retry_delay"] = _duration(fields["max_retry_delay"])
    if "_task_display_name" in fields:
        texts["task_display_name"] = _literal(fields["_task_display_name"])
    zone = _zone(dag.fields.get("timezone", "UTC"))
    texts |= {date: _date(fields[date], zone) for date in ("start_date", "end_date") if date in fields}
    return _decorated(name, task_id, texts)


def _function(name: str, task_id: str, arguments: Mapping[str, object]) -> str:
    return _decorated(name, task_id, {argument: _literal(value) for argument, value in arguments.items()})


def _decorated(name: str, task_id: str, arguments: Mapping[str, str]) -> str:
    given = {"task_id": _literal(task_id), **arguments} if name != task_id else dict(arguments)
    # The operator reads its own function back from this file, and wants nothing in its body.
    decorator = _call("@task.stub", _arguments(given), indent="    ") if given else "@task.stub"
    return f"{decorator}\ndef {name}(): ..."


def _edges(dag: SerializedDag, names: Mapping[str, str]) -> list[str]:
    """The calls that make the tasks, then who waits for whom, in the order of the Dag."""
    taken = {*names.values(), *_TAKEN}
    variables: dict[str, str] = {}
    lines: list[str] = []
    for task_id, task in dag.tasks.items():
        if task.upstream or task.downstream:
            variable = _free(f"{names[task_id]}_task", taken)
            taken.add(variable)
            variables[task_id] = variable
            lines.append(f"{variable} = {names[task_id]}()")
        else:
            lines.append(f"{names[task_id]}()")
    if variables:
        lines.append("")
    for task_id in dag.order:
        below = sorted(dag.tasks[task_id].downstream, key=dag.order.index)
        if below:
            lines.append(_edge(variables[task_id], [variables[name] for name in below]))
    return lines


def _edge(above: str, below: list[str]) -> str:
    if len(below) == 1:
        return f"{above} >> {below[0]}"
    line = f"{above} >> [{', '.join(below)}]"
    return line if len(line) <= MAX_LINE else "\n".join([f"{above} >> [", *(f"    {name}," for name in below), "]"])


def _names(task_ids: Iterable[str]) -> dict[str, str]:
    """For each task a function's name: its id where that can be one."""
    names: dict[str, str] = {}
    wanted = list(task_ids)
    taken = {*_TAKEN, *(task_id for task_id in wanted if _is_name(task_id))}
    for task_id in wanted:
        if _is_name(task_id):
            names[task_id] = task_id
            continue
        stem = re.sub(r"\W", "_", task_id)
        name = stem if stem.isidentifier() else f"task_{stem}"
        names[task_id] = _free(name if not keyword.iskeyword(name) else f"{name}_", taken)
        taken.add(names[task_id])
    return names


def _is_name(task_id: str) -> bool:
    return task_id.isidentifier() and not keyword.iskeyword(task_id) and task_id not in _TAKEN and task_id.isascii()


def _free(name: str, taken: Iterable[str]) -> str:
    unusable = set(taken)
    candidate, number = name, 2
    while candidate in unusable or keyword.iskeyword(candidate):
        candidate, number = f"{name}_{number}", number + 1
    return candidate


# ── values as Python text ─────────────────────────────────────────────────────────────────────────────────────────


def _arguments(arguments: Mapping[str, str]) -> list[str]:
    return [f"{name}={text}" for name, text in arguments.items()]


def _call(callee: str, arguments: Sequence[str], *, indent: str) -> str:
    line = f"{callee}({', '.join(arguments)})"
    if len(indent + line) <= MAX_LINE and "\n" not in line:
        return line
    return "\n".join([f"{callee}(", *(f"    {argument}," for argument in arguments), ")"])


def _literal(value: object) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # which is Python too, with the quotes that formatters like
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value)


def _duration(seconds: float) -> str:
    whole = timedelta(seconds=seconds)
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        count = whole.total_seconds() / size
        if whole and count == int(count):
            return f"timedelta({unit}={int(count)})"
    return f"timedelta(seconds={seconds:g})" if seconds == float(f"{seconds:g}") else f"timedelta(seconds={seconds!r})"


@attrs.frozen
class _Zone:
    """A time zone, and the Python text that makes it."""

    info: timezone | ZoneInfo
    text: str


def _zone(named: str | int) -> _Zone:
    """A Dag's time zone: a name, or an offset in seconds."""
    if isinstance(named, int):
        return _Zone(timezone(timedelta(seconds=named)), f"timezone({_duration(named)})")
    if named == "UTC":
        return _Zone(UTC, "timezone.utc")
    try:
        return _Zone(ZoneInfo(named), f"ZoneInfo({_literal(named)})")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise LoadError(
            f"the time zone {named!r} is not known here, so its dates cannot be written: {error}"
        ) from error


def _date(timestamp: float, zone: _Zone) -> str:
    date = datetime.fromtimestamp(timestamp, zone.info)
    parts = [date.year, date.month, date.day, date.hour, date.minute, date.second, date.microsecond]
    while len(parts) > 3 and parts[-1] == 0:
        parts.pop()
    fold = ", fold=1" if date.fold else ""
    return f"datetime({', '.join(map(str, parts))}, tzinfo={zone.text}{fold})"
