"""A task that defers itself by a delay waits until a moment, however often a triggerer is restarted meanwhile."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from outboard.protocol import messages as m
from outboard.protocol import serde
from tests.runtime.child import Child

SOURCE = """
from datetime import timedelta
from outboard import BaseOperator, TimeDeltaTrigger, dag

class Waits(BaseOperator):
    def execute(self, context):
        trigger = TimeDeltaTrigger(timedelta(hours=3), end_from_trigger=True)
        self.defer(trigger=trigger, method_name="go_on")

@dag
def example():
    Waits(task_id="body")
example()
"""


def deferred(folder: Path, **environment: str) -> tuple[datetime, datetime, datetime]:
    """Before the task ran, the moment that it waits for, and after it ran."""
    before = datetime.now(UTC)
    with Child(folder, SOURCE, env={**os.environ, **environment}) as child:
        report = child.run()
    assert isinstance(report, m.DeferTask)
    assert report.classpath == "airflow.providers.standard.triggers.temporal.DateTimeTrigger"
    kwargs = serde.deserialize(report.trigger_kwargs)
    assert kwargs.pop("end_from_trigger") is True
    return before, kwargs["moment"], datetime.now(UTC)


def test_a_delay_counts_from_the_deferral(tmp_path: Path) -> None:
    before, moment, after = deferred(tmp_path)
    assert before <= moment - timedelta(hours=3) <= after


def test_a_delay_counts_on_the_supervisors_clock(tmp_path: Path) -> None:
    before, moment, after = deferred(tmp_path, OUTBOARD_CLOCK_OFFSET="86400.0")
    assert before <= moment - timedelta(days=1, hours=3) <= after
