"""What Airflow's server would refuse: bodies of requests, judged by the server's own models of them.

The supervisor's models are laxer in places: it passes on a null where the server wants a list. This file runs inside Airflow's
environment, beside `airflow_launcher`. It must not know outboard.
"""

from __future__ import annotations

import json
from typing import Any

from airflow.api_fastapi.execution_api.datamodels import dagrun, hitl, taskinstance
from pydantic import ValidationError

STATES = {
    "success": taskinstance.TISuccessStatePayload,
    "deferred": taskinstance.TIDeferredStatePayload,
    "up_for_reschedule": taskinstance.TIRescheduleStatePayload,
    "awaiting_input": taskinstance.TIAwaitingInputStatePayload,
    "up_for_retry": taskinstance.TIRetryStatePayload,
}


def refusal(method: str, path: str, body: Any) -> list[dict[str, Any]] | None:
    """What is wrong with a body, as the server tells it; None for nothing."""
    model = _model(method, path.strip("/").split("/"), body)
    if model is None:
        return None
    try:
        model.model_validate_json(json.dumps(body))
    except ValidationError as error:
        return [{"loc": ["body", *each["loc"]], "msg": each["msg"], "type": each["type"]} for each in error.errors()]
    return None


def _model(method: str, parts: list[str], body: Any) -> Any:
    match method, parts:
        case "PATCH", ["task-instances", _, "state"]:
            return STATES.get(body["state"], taskinstance.TITerminalStatePayload)
        case "PATCH", ["task-instances", _, "skip-downstream"]:
            return taskinstance.TISkippedDownstreamTasksStatePayload
        case "POST", ["hitlDetails", _]:
            return hitl.HITLDetailRequest
        case "POST", ["dag-runs", _, _]:
            return dagrun.TriggerDAGRunPayload
    return None
