"""Record what Airflow hands to a task that goes on after a wait, as fixtures for our tests.

::

    AIRFLOW/bin/python src/outboard/_tools/record_resumptions.py            # writes fixtures/sdk/resumptions-VERSION.json
    AIRFLOW/bin/python src/outboard/_tools/record_resumptions.py --check    # exits 1 when a recording would differ

Runs inside an Airflow environment (``.ci/pins/airflow-3.3.2.txt``, or of 3.4), which has no outboard: this file imports
nothing of it. Each version has a recording, since they differ. What the server's code changes is a stand-in for the row of a
task instance; its fields are what the next process is told.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

FOLDER = Path(__file__).resolve().parents[3] / "fixtures" / "sdk"

NOW = datetime(2026, 1, 1, 12, 30, 15, 250000, tzinfo=UTC)
DAG_STATE_TRIGGER = "airflow.providers.standard.triggers.external_task.DagStateTrigger"

# A trigger that fails, where no machine's paths can get into the traceback.
FAILING = "def run():\n    raise ConnectionError('no route to the warehouse')\n"


def main() -> int:
    """Write the recording, or compare it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args()
    version: str = importlib.import_module("airflow").__version__
    target = FOLDER / f"resumptions-{'.'.join(version.split('.')[:2])}.json"
    text = json.dumps(_record(), indent=1, ensure_ascii=False) + "\n"
    if not options.check:
        target.write_text(text)
        return 0
    if target.read_text() == text:
        return 0
    print(f"{target.name} differs from a new recording", file=sys.stderr)
    return 1


def _record() -> dict[str, Any]:
    # What a worker of Airflow's own stores when a task leaves with these arguments.
    serialize: Any = importlib.import_module("airflow.sdk.serde").serialize
    kwargs = serialize({"table": "sales", "since": NOW, "pair": (1, [2])})
    states = {"dag_id": "other", "states": ["success", "failed"], "poll_interval": 5, "run_ids": ["r9"]}
    fired = (DAG_STATE_TRIGGER, {**states, "execution_dates": None, "r9": "success"})
    return {
        "nothing": _resumed(serialize({}), None),
        "a date": _resumed(serialize({}), importlib.import_module("pendulum").instance(NOW)),
        "a payload and arguments": _resumed(kwargs, {"status": "success", "rows": [1, 2]}),
        "the run of another Dag": _resumed(serialize({}), fired),
        "arguments of before 3.2": _resumed(
            {"__type": "dict", "__var": {"pair": {"__type": "tuple", "__var": [1]}}}, "x"
        ),
        "an answer": _resumed(serialize({}), _answer(responded_by={"id": "7", "name": "Ada"})),
        "a default": _resumed(serialize({}), _answer(timedout=True)),
        "no answer": _resumed(serialize({}), _unanswered()),
        "a trigger that failed": _failed(),
    }


def _resumed(kwargs: dict[str, Any], payload: Any) -> dict[str, Any]:
    models: Any = importlib.import_module("airflow.models.trigger")
    events: Any = importlib.import_module("airflow.triggers.base")
    row = SimpleNamespace(next_method="go_on", next_kwargs=kwargs, trigger_id=1, state="deferred")
    models.handle_event_submit(
        events.TriggerEvent(payload), task_instance=row, session=SimpleNamespace(flush=lambda: None)
    )
    return _told(row)


def _answer(*, responded_by: dict[str, str] | None = None, timedout: bool = False) -> dict[str, Any]:
    detail: Any = importlib.import_module("airflow.models.hitl").HITLDetail(
        chosen_options=["Yes"], params_input={"rows": 3}, responded_at=NOW, responded_by=responded_by
    )
    payload: dict[str, Any] = detail.as_resume_event_payload(timedout=timedout)
    return payload


def _unanswered() -> dict[str, str]:
    # The scheduler has this in its code, in words of its own.
    return {"error": "there was no answer in time", "error_type": "timeout"}


def _failed() -> dict[str, Any]:
    trigger: Any = importlib.import_module("airflow.models.trigger").Trigger
    names: dict[str, Any] = {}
    exec(compile(FAILING, "trigger.py", "exec"), names)
    row = SimpleNamespace(next_method="go_on", next_kwargs={}, trigger_id=1, state="deferred")
    try:
        names["run"]()
    except ConnectionError as error:
        # Without the frame of this file.
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        trigger.submit_failure(1, error, session=SimpleNamespace(scalars=lambda _: [row]))
    return _told(row)


def _told(row: Any) -> dict[str, Any]:
    # The columns are JSON, and enumerations that are strings are their values in it.
    told: dict[str, Any] = json.loads(json.dumps({"next_method": row.next_method, "next_kwargs": row.next_kwargs}))
    return told


if __name__ == "__main__":
    sys.exit(main())
