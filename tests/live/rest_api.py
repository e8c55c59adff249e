"""What a running Airflow's REST API says of Dags, runs, tasks, XComs and logs. Knows its paths and shapes, and nothing else."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from tests.live.deployment import Deployment

__all__ = ("DagRun", "RestApi", "Try")

# From the start of the API server to its first answer: 8 to 17 s, when nothing else runs.
START_SECONDS = 90

# A Dag file is parsed when the Dag processor has started and imported what it needs.
PARSE_SECONDS = 60

# One request, from sqlite: a moment, if the server need not import anything first, and nobody writes, and the machine is idle.
REQUEST_SECONDS = 120

NO_SUCH_THING = 404
SERVER_TROUBLE = 500


class RestApi:
    """A client of one deployment, with the rights of an administrator."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._token = deployment.wait_for("the API server", self._ask_for_token, START_SECONDS)

    def set_variable(self, key: str, value: str) -> None:
        """Add a variable."""
        self._send("POST", "/api/v2/variables", {"key": key, "value": value})

    def add_connection(self, conn_id: str, **fields: Any) -> None:
        """Add a connection, by its fields in the API's names (``conn_type``, ``host``, ``login``, ``password`` …)."""
        self._send("POST", "/api/v2/connections", {"connection_id": conn_id, **fields})

    def variable(self, key: str) -> str | None:
        """A variable's value as text; None when there is none."""
        found = self._find(f"/api/v2/variables/{key}")
        return None if found is None else found["value"]

    def wait_for_dag(self, dag_id: str) -> None:
        """Wait until the Dag has been parsed."""
        self._deployment.wait_for(
            f"the Dag {dag_id!r}", lambda: self._find(f"/api/v2/dags/{dag_id}"), seconds=PARSE_SECONDS
        )

    def asset_events(self, name: str) -> int:
        """How many events of this asset there were."""
        events = self.get("/api/v2/assets/events?limit=100")["asset_events"]
        return sum(event["name"] == name for event in events)

    def import_errors(self) -> list[str]:
        """The stack traces of all Dag files that cannot be imported."""
        return [each["stack_trace"] for each in self.get("/api/v2/importErrors")["import_errors"]]

    def run(self, dag_id: str, seconds: float) -> DagRun:
        """Trigger a Dag and wait for the end of the run."""
        return self.wait_for_run(dag_id, self.trigger(dag_id), seconds)

    def trigger(self, dag_id: str) -> str:
        """Trigger a Dag; the id of the run."""
        run_id: str = self._send("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})["dag_run_id"]
        return run_id

    def wait_for_task(self, dag_id: str, run_id: str, task_id: str, state: str, seconds: float) -> None:
        """Wait until a task of a run is in a state."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        self._deployment.wait_for(
            f"{path} to be {state}", lambda: True if self.get(path)["state"] == state else None, seconds
        )

    def question(self, dag_id: str, run_id: str, task_id: str) -> dict[str, Any]:
        """What a task asks of a human, and what was answered."""
        question: dict[str, Any] = self.get(_question(dag_id, run_id, task_id))
        return question

    def answer(self, dag_id: str, run_id: str, task_id: str, *options: str, **params: Any) -> None:
        """Answer what a task asks of a human, as whom this client's token is for."""
        body = {"chosen_options": options, "params_input": params}
        self._send("PATCH", _question(dag_id, run_id, task_id), body)

    def clear(self, dag_id: str, run_id: str, *task_ids: str) -> None:
        """Let these tasks of a run be run again, and no others."""
        body = {"dag_run_id": run_id, "task_ids": task_ids, "dry_run": False, "only_failed": False}
        self._send("POST", f"/api/v2/dags/{dag_id}/clearTaskInstances", body)

    def wait_for_run(self, dag_id: str, run_id: str, seconds: float) -> DagRun:
        """Wait for the end of a run that was triggered by somebody."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}"

        def ended() -> str | None:
            state = self.get(path)["state"]
            return state if state in ("success", "failed") else None

        state = self._deployment.wait_for(f"the end of {path}", ended, seconds)
        listed = self.get(f"{path}/taskInstances?limit=200")["task_instances"]
        return DagRun(state=state, tasks={each["task_id"]: each for each in listed}, path=path, api=self)

    def get(self, path: str) -> Any:
        """The JSON at a path.

        Raises:
            urllib.error.HTTPError: the server says no.
        """
        return self._send("GET", path)

    def _find(self, path: str) -> Any:
        """The JSON at a path, or None if there is no such thing."""
        try:
            return self.get(path)
        except urllib.error.HTTPError as error:
            if error.code != NO_SUCH_THING:
                raise
            return None

    def _ask_for_token(self) -> str | None:
        try:
            return self._request("GET", "/auth/token", None, {})["access_token"]
        except (urllib.error.URLError, OSError):  # nobody listens yet
            return None

    def _send(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of the server, once it has one: while others write, sqlite is locked, and the server says 500."""
        token = {"authorization": f"Bearer {self._token}"}

        def answer() -> tuple[Any] | None:
            try:
                return (self._request(method, path, body, token),)
            except urllib.error.HTTPError as error:
                if error.code < SERVER_TROUBLE:
                    error.add_note(error.read().decode(errors="replace"))
                    raise
                return None

        return self._deployment.wait_for(f"an answer to {method} {path}", answer, REQUEST_SECONDS)[0]

    def _request(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        headers = {"content-type": "application/json", "accept": "application/json", **headers}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._deployment.address + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:
            return json.loads(answer.read())


def _question(dag_id: str, run_id: str, task_id: str) -> str:
    return f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"


@attrs.frozen(kw_only=True)
class DagRun:
    """One run that has ended.

    Attributes:
        state: success or failed.
        tasks: the API's task instances, by task id.
    """

    state: str
    tasks: dict[str, dict[str, Any]]
    _path: str
    _api: RestApi

    @property
    def states(self) -> dict[str, str]:
        """The tasks' states, by task id."""
        return {task_id: task["state"] for task_id, task in self.tasks.items()}

    def xcom(self, task_id: str, key: str = "return_value") -> Any:
        """A value that a task has pushed; None if there is none."""
        found = self._api._find(f"{self._path}/taskInstances/{task_id}/xcomEntries/{key}?deserialize=false")
        return found and found["value"]

    def history(self, task_id: str) -> list[str]:
        """The states that the API server has given to a task, one after the other, over all of its tries."""
        *_, dag_id, _, run_id = self._path.split("/")
        query = urllib.parse.urlencode({"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "order_by": "id"})
        return [each["event"] for each in self._api.get(f"/api/v2/eventLogs?{query}")["event_logs"]]

    def tries(self, task_id: str) -> list[dict[str, Any]]:
        """All tries of a task, in order, as the API tells them: ``state``, ``start_date``, ``end_date`` …"""
        tries: list[dict[str, Any]] = self._api.get(f"{self._path}/taskInstances/{task_id}/tries")["task_instances"]
        return sorted(tries, key=lambda each: each["try_number"])

    def log(self, task_id: str, number: int = 1) -> Try:
        """What one try of a task has logged."""
        answer = self._api.get(f"{self._path}/taskInstances/{task_id}/logs/{number}?full_content=true")
        records = [each for each in answer["content"] if isinstance(each, dict)]
        for record in records:
            print(task_id, number, record)  # pytest shows it where a test fails
        return Try(records=records)


@attrs.frozen(kw_only=True)
class Try:
    """One try of a task, as its log page tells it: each record has ``event``, and mostly ``level`` and ``logger``."""

    records: list[dict[str, Any]]

    def record(self, event: str) -> dict[str, Any]:
        """The one record of this event."""
        found = [record for record in self.records if record["event"] == event]
        assert len(found) == 1, f"{len(found)} records of {event!r} among {self.records}"
        return found[0]
