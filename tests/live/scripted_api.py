"""An Execution API that answers from a script, for one try of one task. No database, no network.

Knows the routes that a task's supervisor calls, and the shapes of their answers, which are the same in Airflow 3.3 and 3.4. It
runs inside Airflow's environment, beside `airflow_launcher`. It must not know outboard, nor how a request gets here.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable
from typing import Any

EPOCH = "2026-01-01T00:00:00Z"

Answer = tuple[int, Any]

NOTHING: Answer = (204, None)


class ScriptedApi:
    """What the API says to one task.

    Args:
        script: see below.
        what: the task instance, whose ``id``, ``dag_id`` and ``run_id`` are used.
        refusal: what the server has against a body of a request, by its method and path; nothing, mostly.

    A script has

    - ``variables`` {key: value}, ``connections`` {id: fields}, ``xcoms`` {"task_id/key": value};
    - ``context``: overrides of the run context, as ``should_retry`` or ``next_method`` and ``next_kwargs``
      (`airflow_waiting` says in which form these come);
    - ``dags`` {dag_id: fields};
    - ``dag_runs`` {"dag_id/run_id": state or states}: those that exist. Of many states each question gets the next, and the
      last stays;
    - ``triggered``: state or states of a run that is triggered, and exists from then on;
    - ``first_rescheduled``: when this try was put off for the first time, or null;
    - ``task_states`` {run_id: {task_id: state}}, also what is counted;
    - ``previous``: the task instance before this one, or null;
    - ``inactive_assets``;
    - ``answers`` {"METHOD /glob": [status, body, headers if any]}, which come first;
    - ``terminate_after``: once this "METHOD /path" was called, heartbeats are told that the task must not run any more.

    Attributes:
        headers: of the last answer, beside those that all have.
        calls: method, path (the task's own id as ``{id}``), parameters, body and status of all that was asked and told.
    """

    def __init__(self, script: dict[str, Any], what: Any, refusal: Callable[[str, str, Any], Any]) -> None:
        self.what = what
        self.refusal = refusal
        self.variables = dict(script.get("variables", {}))
        self.connections = script.get("connections", {})
        self.xcoms = dict(script.get("xcoms", {}))
        self.context = script.get("context", {})
        self.dags = script.get("dags", {})
        self.dag_runs = {name: _as_list(states) for name, states in script.get("dag_runs", {}).items()}
        self.triggered = _as_list(script.get("triggered", "queued"))
        self.first_rescheduled = script.get("first_rescheduled")
        self.task_states = script.get("task_states", {})
        self.previous = script.get("previous")
        self.inactive_assets = script.get("inactive_assets", [])
        self.answers = script.get("answers", {})
        self.terminate_after = script.get("terminate_after")
        self.headers: dict[str, str] = {}
        self.calls: list[tuple[str, str, dict[str, Any], Any, int]] = []

    def answer(self, method: str, path: str, params: dict[str, Any], body: Any) -> Answer:
        """The status and the body of the answer, or None for an empty one; the call is noted."""
        self.headers = {}
        status, said = self._answer(method, path, params, body)
        self.calls.append((method, path.replace(str(self.what.id), "{id}"), params, body, status))
        return status, said

    def _answer(self, method: str, path: str, params: dict[str, Any], body: Any) -> Answer:
        for pattern, (status, answer, *headers) in self.answers.items():
            if fnmatch.fnmatch(f"{method} {path}", pattern):
                self.headers = headers[0] if headers else {}
                return status, answer
        if wrong := self.refusal(method, path, body):
            return 422, {"detail": wrong}
        kind, *parts = path.strip("/").split("/")
        route = getattr(self, "_" + kind.replace("-", "_"), None)
        return route(method, parts, params, body) if route else _not_found(path)

    # ── the task itself ───────────────────────────────────────────────────────────────────────────────────────────

    def _task_instances(self, method: str, parts: list[str], params: dict[str, Any], body: Any) -> Answer:
        match parts:
            case [_, "run"]:
                return 200, self._run_context()
            case [_, "heartbeat"] if any(f"{call[0]} {call[1]}" == self.terminate_after for call in self.calls):
                return 409, {"detail": {"reason": "not_running", "message": "the script wants it gone"}}
            case [_, "heartbeat" | "state" | "skip-downstream" | "dag-run-note"]:
                return NOTHING
            case [_, "rtif" | "rendered-map-index"]:
                return 201, {"message": "ok"}
            case [_, "validate-inlets-and-outlets"]:
                return 200, {"inactive_assets": self.inactive_assets}
            case [_, "previous-successful-dagrun"]:
                return 200, dict.fromkeys(("data_interval_start", "data_interval_end", "start_date", "end_date"))
            case _:
                return self._other_task_instances(parts)

    def _other_task_instances(self, parts: list[str]) -> Answer:
        match parts:
            case ["previous", *_]:
                return 200, self.previous
            case ["states"]:
                return 200, {"task_states": self.task_states}
            case ["count"]:
                return 200, sum(map(len, self.task_states.values()))
        return _not_found("/".join(parts))

    def _run_context(self) -> dict[str, Any]:
        lists = {"variables": [], "connections": [], "xcom_keys_to_clear": []}
        counts = {"task_reschedule_count": 0, "max_tries": 0, "should_retry": False}
        dag_run = self._dag_run(self.what.dag_id, self.what.run_id, "running", **self.context.get("dag_run", {}))
        return {**lists, **counts, **self.context, "dag_run": dag_run}

    def _task_reschedules(self, method: str, parts: list[str], params: dict[str, Any], body: Any) -> Answer:
        return 200, self.first_rescheduled

    def _hitlDetails(self, method: str, parts: list[str], params: dict[str, Any], body: Any) -> Answer:
        # The server leaves out the message's type, which the supervisor passes on.
        return (201, {key: body[key] for key in body if key != "type"}) if method == "POST" else _not_found(parts[0])

    # ── what all may ask for ──────────────────────────────────────────────────────────────────────────────────────

    def _variables(self, method: str, parts: list[str], params: dict[str, Any], body: Any) -> Answer:
        key = "/".join(parts)
        match method:
            case "GET" if key == "keys":
                return 200, {"keys": sorted(self.variables), "total_entries": len(self.variables)}
            case "GET" if key in self.variables:
                return 200, {"key": key, "value": self.variables[key]}
            case "PUT":
                self.variables[key] = body["val"]
                return 201, {"message": "set"}
            case "DELETE":
                self.variables.pop(key, None)
                return NOTHING
        return _not_found(key)

    def _connections(self, method: str, parts: list[str], params: dict[str, Any], body: Any) -> Answer:
        if parts[0] not in self.connections:
            return _not_found(parts[0])
        absent = dict.fromkeys(("host", "schema", "login", "password", "port", "extra"))
        return 200, {"conn_id": parts[0], **absent, **self.connections[parts[0]]}

    def _xcoms(self, method: str, parts: list[str], params: dict[str, Any], body: Any) -> Answer:
        _dag_id, _run_id, task_id, key = parts[:4]
        name = f"{task_id}/{key}"
        match method:
            case "POST":
                self.xcoms[name] = body
                return 201, {"message": "set"}
            case "DELETE":
                self.xcoms.pop(name, None)
                return 200, {"message": "deleted"}
            case "GET" if name in self.xcoms:
                return 200, {"key": key, "value": self.xcoms[name]}
        return _not_found(name)

    # ── other Dags and their runs ─────────────────────────────────────────────────────────────────────────────────

    def _dags(self, method: str, parts: list[str], params: dict[str, Any], body: Any) -> Answer:
        if parts[0] not in self.dags:
            return _not_found(parts[0])
        absent = dict.fromkeys(("bundle_name", "bundle_version", "relative_fileloc", "owners", "next_dagrun"))
        return 200, {"dag_id": parts[0], "is_paused": False, "tags": [], **absent, **self.dags[parts[0]]}

    def _dag_runs(self, method: str, parts: list[str], params: dict[str, Any], body: Any) -> Answer:
        name = "/".join(parts[:2])
        match method, parts:
            case "GET", ["count"]:
                return 200, len(self.dag_runs)
            case "GET", ["previous"]:
                return 200, None
            case "POST", [dag_id, _] if self.dags and dag_id not in self.dags:
                return _not_found(dag_id)
            case "POST", [_, _] if name in self.dag_runs:
                return 409, {"detail": {"reason": "already_exists", "message": f"{name} exists"}}
            case "POST", [_, _]:
                self.dag_runs[name] = list(self.triggered)
                return NOTHING
            case _ if name not in self.dag_runs:
                return _not_found(name)
            case "POST", [_, _, "clear"]:
                return NOTHING
            case "GET", [_, _, "state"]:
                return 200, {"state": self._next_state(name)}
            case "GET", [dag_id, run_id]:
                return 200, self._dag_run(dag_id, run_id, self._next_state(name))
        return _not_found("/".join(parts))

    def _next_state(self, name: str) -> str:
        states = self.dag_runs[name]
        return states.pop(0) if len(states) > 1 else states[0]

    def _dag_run(self, dag_id: str, run_id: str, state: str, **fields: Any) -> dict[str, Any]:
        dates = ("logical_date", "data_interval_start", "data_interval_end", "run_after", "start_date")
        return {
            **{"dag_id": dag_id, "run_id": run_id, "run_type": "manual", "state": state},
            **{"conf": {}, "consumed_asset_events": [], "partition_key": None, "end_date": None},
            **dict.fromkeys(dates, EPOCH),
            **fields,
        }


def _as_list(states: str | list[str]) -> list[str]:
    return [states] if isinstance(states, str) else list(states)


def _not_found(what: str) -> Answer:
    return 404, {"detail": {"reason": "not_found", "message": f"{what} not found"}}
