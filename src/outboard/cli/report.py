"""How a run reads when it is over: a table for people, one JSON document for programs.

Knows the shapes of both. Must not know how the run was made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from outboard.cli.display import STATE_STYLES
from outboard.cli.output import plain
from outboard.supervisor.run_report import DagRunReport, StateChange

__all__ = ("error_document", "print_table", "run_document")

_XCOM_WIDTH = 60


def run_document(
    report: DagRunReport, errors: Mapping[str, str], triggered: Sequence[dict[str, object]] = ()
) -> dict[str, object]:
    """The run as a JSON document.

    Args:
        report: the run.
        errors: what went wrong in its tasks, by task id.
        triggered: the documents of the runs that tasks have triggered.
    """
    return {
        "dag_id": report.dag_id,
        "run_id": report.run_id,
        "state": report.state,
        "started_at": report.started_at.isoformat(),
        "ended_at": report.ended_at.isoformat(),
        "duration": round(report.duration, 3),
        "tasks": [
            {
                "task_id": task.task_id,
                "state": task.state,
                "reason": task.reason,
                "error": errors.get(task.task_id) or None,
                "tries": task.try_number,
                "duration": round(task.duration, 3),
                "xcoms": report.xcoms.get(task.task_id, {}),
                "states": [_change(change) for change in task.changes],
            }
            for task in report.tasks
        ],
        "triggered_runs": list(triggered),
    }


def _change(change: StateChange) -> dict[str, object]:
    return {
        "state": change.state,
        "try_number": change.try_number,
        "at": change.at.isoformat(),
        "reason": change.reason or None,
    }


def error_document(message: str, exit_code: int) -> dict[str, object]:
    """What went wrong before there was a run, as a JSON document."""
    return {"error": message, "exit_code": exit_code}


def print_table(report: DagRunReport, console: Console) -> None:
    """Show states, tries, durations and XComs."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("task", "state", "tries", "seconds", "XComs"):
        table.add_column(heading, justify="right" if heading in ("tries", "seconds") else "left", overflow="fold")
    for task in report.tasks:
        table.add_row(
            task.task_id,
            _state(task.state),
            str(task.try_number or ""),
            f"{task.duration:.2f}" if task.tries else "",
            _xcoms(report.xcoms.get(task.task_id, {})),
        )
    console.print(table)
    verdict = _state(report.state)
    console.print(Text(f"{report.dag_id} {report.run_id}: ") + verdict + Text(f" in {report.duration:.1f} s"))


def _state(state: str | None) -> Text:
    return Text(state or "never started", style=STATE_STYLES.get(state or "", ""))


def _xcoms(xcoms: Mapping[str, object]) -> Text:
    lines = []
    for key, value in xcoms.items():
        text = json.dumps(value, ensure_ascii=False, default=plain)
        if len(text) > _XCOM_WIDTH:
            text = text[: _XCOM_WIDTH - 1] + "…"
        lines.append(text if key == "return_value" else f"{key} = {text}")
    return Text("\n".join(lines))
