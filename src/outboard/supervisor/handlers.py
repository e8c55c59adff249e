"""From a request to its reply, by way of a port. Every request of the catalogue gets an answer, and never two.

What is not found is a normal reply of type ErrorResponse; what went wrong is an error beside the reply. That is how a
stock supervisor answers, so a runtime needs to know only one way. This module knows no stream and no process.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import anyio
import attrs
import structlog

from outboard.errors import SerializationError, UndecodableMessageError
from outboard.protocol import messages as m
from outboard.protocol.codec import check_json
from outboard.supervisor import state_store
from outboard.supervisor.ports import UNMAPPED, Ports, TaskKey, XComKey

__all__ = ("SERVED", "Answer", "answer", "answer_invalid", "failure")

_log = structlog.get_logger(__name__)

# Airflow's largest page.
MAX_VARIABLE_KEYS = 10_000

Handler: TypeAlias = Callable[[Ports, TaskKey, Any], Awaitable["m.Message | None"]]


@attrs.frozen(kw_only=True)
class Answer:
    """What goes back: a message, an error, or neither, which says "done"."""

    message: m.Message | None = None
    error: m.ErrorResponse | None = None


class _RefusedError(Exception):
    """A request that is well-formed but cannot be served as it is. Attributes: status, as in HTTP, and field."""

    def __init__(self, text: str, *, status: int, field: str = "") -> None:
        super().__init__(text)
        self.status = status
        self.field = field


async def answer(ports: Ports, task: TaskKey, request: m.Message, *, patience: float) -> Answer:
    """Serve one request.

    Args:
        ports: what it is served from.
        task: who asks.
        request: any message of the catalogue.
        patience: how many seconds the ports may take.
    """
    name = type(request).__name__
    handler = SERVED.get(name)
    if handler is None:
        return failure(f"{name} is not served by this supervisor", status=501)
    try:
        with anyio.move_on_after(patience):
            return Answer(message=await handler(ports, task, request))
        return failure(f"{name} was not answered within {patience:g} seconds", status=504)
    except _RefusedError as refusal:
        return failure(f"{name}: {refusal}", status=refusal.status, field=refusal.field)
    except Exception as error:
        # A port is somebody else's code; the task hears that it failed, and our log hears why.
        _log.exception("request failed", message_type=name, task_id=task.task_id, dag_id=task.dag_id)
        return failure(f"{name} failed: {type(error).__name__}: {error}", status=500)


def answer_invalid(error: UndecodableMessageError) -> Answer:
    """Answer a frame that is no request of the catalogue, or not allowed now, by naming what is wrong with it."""
    return failure(str(error), status=422, field=error.field, request=error.message, rule=error.rule)


def failure(text: str, *, status: int, **detail: object) -> Answer:
    """Make an error as a runtime knows it from Airflow's API: a status as in HTTP, a message, and what else is known."""
    known = {key: value for key, value in detail.items() if value != ""}
    return Answer(
        error=m.ErrorResponse(error="API_SERVER_ERROR", detail={"status_code": status, "message": text, **known})
    )


# ── variables and connections ─────────────────────────────────────────────────────────────────────────────────────────


async def _get_variable(ports: Ports, task: TaskKey, request: m.GetVariable) -> m.Message:
    found = await ports.variables.get(_named(request.key, "key"))
    return found or m.ErrorResponse(error="VARIABLE_NOT_FOUND", detail={"key": request.key})


async def _put_variable(ports: Ports, task: TaskKey, request: m.PutVariable) -> None:
    await ports.variables.put(_named(request.key, "key"), request.value, request.description)


async def _delete_variable(ports: Ports, task: TaskKey, request: m.DeleteVariable) -> m.Message:
    await ports.variables.delete(_named(request.key, "key"))
    return m.OKResponse(ok=True)


async def _get_variable_keys(ports: Ports, task: TaskKey, request: m.GetVariableKeys) -> m.Message:
    if not 1 <= request.limit <= MAX_VARIABLE_KEYS:
        raise _RefusedError(f"limit is {request.limit}, not 1 to {MAX_VARIABLE_KEYS}", status=422, field="limit")
    if request.offset < 0:
        raise _RefusedError(f"offset is {request.offset}, but must not be negative", status=422, field="offset")
    return await ports.variables.keys(request.prefix, request.limit, request.offset)


async def _get_connection(ports: Ports, task: TaskKey, request: m.GetConnection) -> m.Message:
    found = await ports.connections.get(_named(request.conn_id, "conn_id"))
    return found or m.ErrorResponse(error="CONNECTION_NOT_FOUND", detail={"conn_id": request.conn_id})


# ── XComs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _get_xcom(ports: Ports, task: TaskKey, request: m.GetXCom) -> m.Message:
    value = await ports.xcoms.get(_xcom_key(request), _map_index(request.map_index), request.include_prior_dates)
    return m.XComResult(key=request.key, value=value)


async def _set_xcom(ports: Ports, task: TaskKey, request: m.SetXCom) -> None:
    try:
        check_json(request.value, "value")
    except SerializationError as error:
        raise _RefusedError(str(error), status=422, field=error.path) from error
    map_index = _map_index(request.map_index)
    await ports.xcoms.set(_xcom_key(request), map_index, request.value, is_dag_result=request.dag_result)


async def _delete_xcom(ports: Ports, task: TaskKey, request: m.DeleteXCom) -> None:
    await ports.xcoms.delete(_xcom_key(request), _map_index(request.map_index))


async def _get_xcom_count(ports: Ports, task: TaskKey, request: m.GetXComCount) -> m.Message:
    return m.XComCountResponse(len=await ports.xcoms.count(_xcom_key(request)))


async def _get_xcom_item(ports: Ports, task: TaskKey, request: m.GetXComSequenceItem) -> m.Message:
    key = _xcom_key(request)
    found = await ports.xcoms.item(key, request.offset)
    return found or m.ErrorResponse(error="XCOM_NOT_FOUND", detail={**attrs.asdict(key), "offset": request.offset})


async def _get_xcom_items(ports: Ports, task: TaskKey, request: m.GetXComSequenceSlice) -> m.Message:
    # Airflow takes a step of zero for no step at all.
    part = slice(request.start, request.stop, request.step or None)
    return m.XComSequenceSliceResult(
        root=list(await ports.xcoms.items(_xcom_key(request), part, request.include_prior_dates))
    )


# ── the task itself ───────────────────────────────────────────────────────────────────────────────────────────────────


async def _skip_downstream(ports: Ports, task: TaskKey, request: m.SkipDownstreamTasks) -> None:
    skipped = [(entry, UNMAPPED) if isinstance(entry, str) else (entry[0], entry[1]) for entry in request.tasks]
    await ports.task_instances.skip_downstream(task, skipped)


async def _set_rendered_fields(ports: Ports, task: TaskKey, request: m.SetRenderedFields) -> None:
    await ports.task_instances.set_rendered_fields(task, request.rendered_fields)


async def _set_rendered_map_index(ports: Ports, task: TaskKey, request: m.SetRenderedMapIndex) -> None:
    await ports.task_instances.set_rendered_map_index(task, request.rendered_map_index)


async def _validate_assets(ports: Ports, task: TaskKey, request: m.ValidateInletsAndOutlets) -> m.Message:
    # No port keeps a list of known assets yet, so none can be inactive.
    return m.InactiveAssetsResult(inactive_assets=[])


async def _get_reschedule_start(ports: Ports, task: TaskKey, request: m.GetTaskRescheduleStartDate) -> m.Message:
    return m.TaskRescheduleStartDate(start_date=await ports.task_instances.reschedule_start(request.ti_id))


async def _ask_person(ports: Ports, task: TaskKey, request: m.CreateHITLDetailPayload) -> m.Message:
    return await ports.human_inputs.ask(task, request)


# ── Dags and their runs ───────────────────────────────────────────────────────────────────────────────────────────────


async def _get_dag(ports: Ports, task: TaskKey, request: m.GetDag) -> m.Message:
    found = await ports.dag_runs.dag(request.dag_id)
    if found is None:
        raise _no_dag(request.dag_id)
    return found


async def _trigger_dag_run(ports: Ports, task: TaskKey, request: m.TriggerDagRun) -> m.Message:
    if await ports.dag_runs.dag(_named(request.dag_id, "dag_id")) is None:
        raise _no_dag(request.dag_id)
    _named(request.run_id, "run_id")
    try:
        is_new = await ports.dag_runs.trigger(task, request)
    except ValueError as error:
        raise _RefusedError(str(error), status=400) from error
    return m.OKResponse(ok=True) if is_new else m.ErrorResponse(error="DAGRUN_ALREADY_EXISTS")


async def _get_dag_run_state(ports: Ports, task: TaskKey, request: m.GetDagRunState) -> m.Message:
    state = await ports.dag_runs.state(task, request.dag_id, request.run_id)
    if state is None:
        raise _no_run(request.dag_id, request.run_id)
    return m.DagRunStateResult(state=state)  # type: ignore[arg-type]  # a port's word


async def _get_dag_run(ports: Ports, task: TaskKey, request: m.GetDagRun) -> m.Message:
    found = await ports.dag_runs.detail(request.dag_id, request.run_id)
    if found is None:
        raise _no_run(request.dag_id, request.run_id)
    return m.DagRunResult(**{field: getattr(found, field) for field, *_ in m.DagRunResult.spec})


async def _count_dag_runs(ports: Ports, task: TaskKey, request: m.GetDRCount) -> m.Message:
    return m.DRCount(count=await ports.dag_runs.count(request))


def _no_dag(dag_id: str) -> _RefusedError:
    return _RefusedError(f"there is no Dag {dag_id!r} here", status=404, field="dag_id")


def _no_run(dag_id: str, run_id: str) -> _RefusedError:
    return _RefusedError(f"there is no run {run_id!r} of a Dag {dag_id!r} here", status=404, field="run_id")


async def _acknowledge(ports: Ports, task: TaskKey, request: m.Message) -> None:
    """Answer what the coordinator itself takes note of: a report, a secret, a limit."""


# ── what they share ───────────────────────────────────────────────────────────────────────────────────────────────────


def _named(name: str, field: str) -> str:
    if not name:
        raise _RefusedError(f"{field} must not be empty", status=422, field=field)
    return name


def _xcom_key(request: Any) -> XComKey:
    key = _named(request.key, "key")
    return XComKey(dag_id=request.dag_id, run_id=request.run_id, task_id=request.task_id, key=key)


def _map_index(value: int | None) -> int:
    # Runtimes in other languages say null where Python says -1.
    return UNMAPPED if value is None or value < 0 else value


# What is served; all else is refused by name.
SERVED: dict[str, Handler] = {
    "CreateHITLDetailPayload": _ask_person,
    "DeleteVariable": _delete_variable,
    "DeleteXCom": _delete_xcom,
    "GetConnection": _get_connection,
    "GetDRCount": _count_dag_runs,
    "GetDag": _get_dag,
    "GetDagRun": _get_dag_run,
    "GetDagRunState": _get_dag_run_state,
    "GetTaskRescheduleStartDate": _get_reschedule_start,
    "GetVariable": _get_variable,
    "GetVariableKeys": _get_variable_keys,
    "GetXCom": _get_xcom,
    "GetXComCount": _get_xcom_count,
    "GetXComSequenceItem": _get_xcom_item,
    "GetXComSequenceSlice": _get_xcom_items,
    "MaskSecret": _acknowledge,
    "PutVariable": _put_variable,
    "SetExecutionTimeout": _acknowledge,
    "SetRenderedFields": _set_rendered_fields,
    "SetRenderedMapIndex": _set_rendered_map_index,
    "SetXCom": _set_xcom,
    "SkipDownstreamTasks": _skip_downstream,
    "TriggerDagRun": _trigger_dag_run,
    "ValidateInletsAndOutlets": _validate_assets,
    **dict.fromkeys((*m.TERMINAL, *m.TRIGGER_REPORTS, m.PARSE_RESULT), _acknowledge),
    **state_store.SERVED,
}
