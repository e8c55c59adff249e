"""What becomes of a task that waits, up to its resumption: by Airflow's own trigger, trigger model and human input model.

A supervisor's test has no triggerer, no scheduler and no database, but the code with which these write down how a task goes on
needs none of them: it is called here, so what a resumed task gets is what a deployment of this version would give it. This file
runs inside Airflow's environment, beside `airflow_launcher`. It must not know outboard.

What the run context of a resumed task holds (read in ``execution_api/routes/task_instances.py`` and ``models/trigger.py``, and
tried with both versions):

- ``next_method`` is what the task asked for, or ``__fail__``.
- ``next_kwargs`` is a map whose values are in the form of ``airflow.sdk.serde``: plain JSON, with
  ``{"__classname__", "__version__", "__data__"}`` where a value is none. The server passes on the stored JSON without decoding
  it. Airflow 3.3 decodes the whole map when the event comes, adds ``event``, and encodes all of it again; Airflow 3.4 leaves
  what the task has sent as it is, and encodes the event only.
- After a failure it is plain: ``{"error": "Trigger failure", "traceback": [lines] or null}``, ``{"error": "Trigger timeout"}``,
  or ``error`` with a sentence of the server's own where it could not resume the task.
- A task that was deferred under an Airflow older than 3.2, and is resumed by one of these, has the older form of Airflow's
  serializer, ``{"__type": "dict", "__var": {…}}``, whole; Airflow 3.3 turns it into the new form if it adds an event, 3.4 keeps
  it and adds the event in the older form too.
- ``start_date`` is that of the first time.
"""

from __future__ import annotations

import asyncio
import json
import traceback
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

# A trigger of these tests has its moment soon, or in the past.
TRIGGER_SECONDS = 60


def resume(job: dict[str, Any]) -> dict[str, Any]:
    """What the run context of a waiting task holds once it goes on.

    Args:
        job: ``state``, the body with which the API was told that the task waits, and one of ``trigger`` (true: run the one that
            was asked for), ``event`` (its payload in the form of serde), ``answer`` (the fields of the human input's detail, as
            ``chosen_options`` and ``params_input``) and ``timeout`` (true).

    Returns:
        next_method and next_kwargs.
    """
    state = job["state"]
    waiting = SimpleNamespace(
        next_method=state["next_method"], next_kwargs=state.get("next_kwargs") or {}, id="waiting"
    )
    if job.get("timeout"):
        _time_out(waiting)
    elif job.get("trigger"):
        _fire(waiting, state)
    else:
        _submit(waiting, _answered(job["answer"]) if "answer" in job else _decoded(job["event"]))
    return {"next_method": waiting.next_method, "next_kwargs": waiting.next_kwargs}


def _fire(waiting: SimpleNamespace, state: dict[str, Any]) -> None:
    """Run the trigger as a triggerer does, and let the model write down its first event, or its failure."""
    from airflow.models.trigger import Trigger

    session = SimpleNamespace(scalars=lambda _statement: [waiting])
    try:
        event = asyncio.run(asyncio.wait_for(_first_event(state), TRIGGER_SECONDS))
    except Exception as error:
        lines = traceback.format_exception(type(error), error, error.__traceback__)
        Trigger.submit_failure(trigger_id=1, exc=lines, session=session)
    else:
        _submit(waiting, event.payload)


async def _first_event(state: dict[str, Any]) -> Any:
    from airflow.models.trigger import Trigger
    from airflow.sdk._shared.module_loading import import_string
    from airflow.serialization.decoders import smart_decode_trigger_kwargs

    kwargs = Trigger._decrypt_kwargs(json.dumps(state.get("trigger_kwargs") or {}))
    trigger = import_string(state["classpath"])(**{key: smart_decode_trigger_kwargs(kwargs[key]) for key in kwargs})
    return await anext(aiter(trigger.run()))


def _submit(waiting: SimpleNamespace, payload: Any) -> None:
    from airflow.models.trigger import handle_event_submit
    from airflow.triggers.base import TriggerEvent

    handle_event_submit(TriggerEvent(payload), task_instance=waiting, session=SimpleNamespace(flush=lambda: None))


def _decoded(payload: Any) -> Any:
    from airflow.sdk.serde import deserialize

    return deserialize(payload)


def _answered(fields: dict[str, Any]) -> Any:
    """The event of a human input, from the model that the server keeps it in."""
    from airflow.models.hitl import HITLDetail

    given = {"responded_at": datetime.now(UTC), "responded_by": {"id": "7", "name": "pilot"}, **fields}
    timed_out = given.pop("timedout", False)
    return HITLDetail(**given).as_resume_event_payload(timedout=timed_out)


def _time_out(waiting: SimpleNamespace) -> None:
    """What the scheduler writes by a statement in SQL of its own (``check_trigger_timeouts``)."""
    from airflow.sdk.bases.operator import TriggerFailureReason

    waiting.next_method, waiting.next_kwargs = "__fail__", {"error": TriggerFailureReason.TRIGGER_TIMEOUT.value}
