"""The Python file with which Airflow 3.3 schedules a bundle's Dags: the same tasks as ``@task.stub``, the same edges.

Airflow 3.3 knows a Dag only from a Python file; the tasks' bodies stay in the bundle. The file is made from the Dags in
their serialized form, as the bundle itself gives them, and the same Dags make the same bytes. Must not know how a bundle is
asked.

What Airflow decides by the task's report alone, it decides for a stub too: being deferred, put off, awaiting a human,
a retry policy's delay. Only a task that skips others has to be marked as one (`docs/adr/0009-stub-tasks.md`).
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from outboard.airflow.param_text import params_text
from outboard.airflow.python_text import MAX_LINE, call, duration, keywords, literal, moment, zone_of
from outboard.airflow.settings import DEFAULT_QUEUE
from outboard.errors import LoadError
from outboard.protocol import serialized_dag
from outboard.protocol.serialized_dag import SerializedDag

__all__ = ("StubDag", "stub_source")

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
_TAKEN = ("DAG", "Param", "ZoneInfo", "datetime", "task", "timedelta", "timezone")


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
    return "\n".join([*_NOTICE.format(bundle=literal(bundle)[1:-1]).split("\n"), "", *_imports(body), body]) + "\n"


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
    sdk = ["DAG", *(["Param"] if "Param(" in body else []), "task"]
    return [*lines, f"from airflow.sdk import {', '.join(sdk)}", ""]


# ── a Dag ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _dag_block(dag: StubDag, queue: str) -> str:
    names = _names(dag.dag.tasks)
    declarations = [_declaration(task_id, names[task_id], dag, queue) for task_id in dag.dag.tasks]
    header = call("with DAG", [literal(dag.dag.dag_id), *keywords(_dag_arguments(dag))], indent="") + ":\n"
    return _block(header, declarations, _edges(dag, names))


def _handler_block(dag_id: str, task_ids: Sequence[str], queue: str) -> str:
    names = _names(task_ids)
    declarations = [
        _function(names[task_id], task_id, {"queue": queue} if queue != DEFAULT_QUEUE else {}) for task_id in task_ids
    ]
    header = f"with DAG({literal(dag_id)}, schedule=None):\n"
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
    zone = zone_of(fields.get("timezone", "UTC"))
    arguments = {"schedule": _schedule(dag)}
    for name in ("start_date", "end_date"):
        if fields.get(name) is not None:
            arguments[name] = moment(fields[name], zone)
    if fields.get("dagrun_timeout") is not None:
        arguments["dagrun_timeout"] = duration(fields["dagrun_timeout"])
    for name, default in _DAG_ARGUMENTS.items():
        if fields.get(name, default) != default:
            arguments[name] = literal(fields[name])
    if fields.get("tags"):
        arguments["tags"] = literal(sorted(fields["tags"]))
    if fields.get("params"):
        arguments["params"] = params_text(fields["params"])
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
            return duration(values["delta"])
        case "CronTriggerTimetable":
            return literal(values["expression"])  # which Airflow reads in the zone of the start date
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
        texts["queue"] = literal(wanted)
    for argument, default in _TASK_ARGUMENTS.items():
        if fields.get(argument, default) != default:
            texts[argument] = literal(fields[argument])
    if task.retry_delay != DEFAULT_RETRY_DELAY:
        texts["retry_delay"] = duration(task.retry_delay)
    for argument in ("max_retry_delay", "execution_timeout"):
        if argument in fields:
            texts[argument] = duration(fields[argument])
    # Those of the Dag are in there too, which Airflow finds by itself.
    if own := [param for param in fields.get("params", ()) if param[1].get("source") == "task"]:
        texts["params"] = params_text(own)
    if "_task_display_name" in fields:
        texts["task_display_name"] = literal(fields["_task_display_name"])
    zone = zone_of(dag.fields.get("timezone", "UTC"))
    texts |= {argument: moment(fields[argument], zone) for argument in ("start_date", "end_date") if argument in fields}
    return _decorated(name, task_id, texts)


def _function(name: str, task_id: str, arguments: Mapping[str, object]) -> str:
    return _decorated(name, task_id, {argument: literal(value) for argument, value in arguments.items()})


def _decorated(name: str, task_id: str, arguments: Mapping[str, str]) -> str:
    given = {"task_id": literal(task_id), **arguments} if name != task_id else dict(arguments)
    # The operator reads its own function back from this file, and wants nothing in its body.
    decorator = call("@task.stub", keywords(given), indent="    ") if given else "@task.stub"
    return f"{decorator}\ndef {name}(): ..."


def _edges(stub: StubDag, names: Mapping[str, str]) -> list[str]:
    """The calls that make the tasks, then which of them skip others and who waits for whom, in the order of the Dag."""
    dag = stub.dag
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
    lines += _marks(stub, variables)
    if variables:
        lines.append("")
    for task_id in dag.order:
        below = sorted(dag.tasks[task_id].downstream, key=dag.order.index)
        if below:
            lines.append(_edge(variables[task_id], [variables[name] for name in below]))
    return lines


def _marks(stub: StubDag, variables: Mapping[str, str]) -> list[str]:
    # The argument of an operator that would say so is its class, and the class of all of these is the stub's.
    skipping = [task_id for task_id in stub.dag.order if stub.tasks[task_id].get("_can_skip_downstream")]
    marks = [
        f"{variables[task_id]}.operator._can_skip_downstream = True" for task_id in skipping if task_id in variables
    ]
    return ["", "# What these skip stays skipped when it is cleared without them.", *marks] if marks else []


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
