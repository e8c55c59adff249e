"""Our own supervisor as an adapter of the kit: ``python -m outboard.conformance.adapters.own [--stdio]``.

One job as JSON on stdin, what came of it as JSON on stdout.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
import uuid
from datetime import UTC, datetime
from typing import Any

import anyio

from outboard.protocol import messages as m
from outboard.supervisor.coordinator import run_task
from outboard.supervisor.limits import Limits
from outboard.supervisor.local_store import LocalStore
from outboard.supervisor.ports import LogRecord, TaskKey

__all__ = ("main",)


class _Log:
    """The task's log, kept."""

    def __init__(self) -> None:
        self.records: list[LogRecord] = []

    def write(self, task: TaskKey, record: LogRecord) -> None:
        self.records.append(record)


def _startup(job: dict[str, Any]) -> m.StartupDetails:
    now = datetime.now(UTC)
    run = m.DagRun(
        dag_id=job["dag_id"],
        run_id="conformance",
        logical_date=now,
        data_interval_start=now,
        data_interval_end=now,
        run_after=now,
        start_date=now,
        end_date=None,
        run_type="manual",
        state="running",
        consumed_asset_events=[],
        partition_key=None,
    )
    instance = m.TaskInstance(
        id=str(uuid.uuid4()),
        task_id=job["task_id"],
        dag_id=job["dag_id"],
        run_id="conformance",
        try_number=1,
        dag_version_id=str(uuid.uuid4()),
    )
    return m.StartupDetails(
        ti=instance,
        dag_rel_path="conformance.py",
        bundle_info=m.BundleInfo(name="conformance"),
        start_date=now,
        ti_context=m.TIRunContext(dag_run=run, max_tries=1, should_retry=job["should_retry"]),
        sentry_integration="",
    )


async def _run(job: dict[str, Any], log: _Log, transport: Any) -> str:
    haste = job.get("haste", {})
    outcome = await run_task(
        [job["bundle"]],
        _startup(job),
        ports=LocalStore(variables=job.get("variables")).ports(log),
        limits=Limits(startup=haste.get("startup", 10.0), overtime=haste.get("overtime", 20.0), grace=2.0),
        transport=transport,
    )
    return outcome.state


def main() -> None:
    """Run one job."""
    # What the supervisor itself logs goes to stdout by default; the answer keeps that for itself.
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job = json.load(sys.stdin)
    transport = "stdio" if "--stdio" in sys.argv[1:] else "sockets"
    log, outcome, error = _Log(), None, None
    try:
        outcome = anyio.run(_run, job, log, transport)
    except Exception:
        error = traceback.format_exc()
    json.dump({"outcome": outcome, "log": log.records, "error": error}, answer, default=str)
    answer.close()


if __name__ == "__main__":
    main()
