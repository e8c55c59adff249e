"""What a running Airflow's REST API says of Dags, runs, tasks, XComs and logs. Knows its paths and shapes, and nothing else."""

from __future__ import annotations

import json
import urllib.error
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

# One request; each is answered from sqlite.
REQUEST_SECONDS = 30

NO_SUCH_THING = 404


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
        started = self._send("POST", f"/api/v2/dags/{dag_id}/dagRuns", {"logical_date": None})
        return self.wait_for_run(dag_id, started["dag_run_id"], seconds)

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
            return self._send("GET", "/auth/token", token=None)["access_token"]
        except (urllib.error.URLError, OSError):  # nobody listens yet
            return None

    def _send(self, method: str, path: str, body: Any = None, token: str | None = "") -> Any:
        headers = {"content-type": "application/json", "accept": "application/json"}
        if token is not None:
            headers["authorization"] = f"Bearer {token or self._token}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._deployment.address + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=REQUEST_SECONDS) as answer:
            return json.loads(answer.read())


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
