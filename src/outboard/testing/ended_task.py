"""From all that is known about a try that has ended to what a test is told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs

from outboard.protocol import messages as m
from outboard.protocol import serde
from outboard.supervisor.outcome import Outcome
from outboard.supervisor.ports import UNMAPPED
from outboard.testing.task_result import Deferral, HumanInput, TaskResult
from outboard.testing.witness import Witness
from outboard.testing.world import Leftovers

__all__ = ("EndedTask", "result_of")


@attrs.frozen(kw_only=True)
class EndedTask:
    """What is known about a try.

    Attributes:
        outcome: the supervisor's judgement.
        records: what the task said.
        leftovers: what there is afterwards.
        witness: what the task told.
        value: what its body returned.
        exception: what made it fail.
    """

    outcome: Outcome
    records: Sequence[Mapping[str, Any]]
    leftovers: Leftovers
    witness: Witness
    value: Any
    exception: BaseException | None


def result_of(ended: EndedTask) -> TaskResult[Any]:
    """Tell it in the author's words."""
    outcome, report, witness = ended.outcome, ended.outcome.terminal, ended.witness
    delay = outcome.retry_delay
    return TaskResult(
        state=outcome.state,
        reason=outcome.reason,
        value=ended.value,
        exception=ended.exception,
        xcoms=ended.leftovers.xcoms,
        variables=ended.leftovers.variables,
        connections=ended.leftovers.connections,
        log=tuple(ended.records),
        skipped=tuple(task_id if index == UNMAPPED else (task_id, index) for task_id, index in witness.skipped),
        deferral=_deferral(report) if isinstance(report, m.DeferTask) else None,
        human_input=_human_input(report, witness.question) if isinstance(report, m.AwaitInputTask) else None,
        reschedule_date=report.reschedule_date if isinstance(report, m.RescheduleTask) else None,
        retry_delay=None if delay is None else timedelta(seconds=delay),
        retry_reason=report.retry_reason if isinstance(report, m.RetryTask | m.TaskState) else None,
        triggered_runs=tuple(witness.triggered),
        rendered_fields=witness.rendered_fields,
    )


def _deferral(report: m.DeferTask) -> Deferral:
    return Deferral(
        classpath=report.classpath,
        trigger_kwargs=_decoded(report.trigger_kwargs),
        timeout=report.trigger_timeout,
        next_method=report.next_method,
        next_kwargs=_decoded(report.next_kwargs),
    )


def _human_input(report: m.AwaitInputTask, question: m.HITLDetailRequestResult | None) -> HumanInput:
    asked: dict[str, Any] = {}
    if question is not None:
        asked = {
            "subject": question.subject,
            "body": question.body,
            "options": tuple(question.options),
            "defaults": None if question.defaults is None else tuple(question.defaults),
            "multiple": bool(question.multiple),
            "params": question.params or {},
            "assigned_users": tuple(user.id for user in question.assigned_users or ()),
        }
    return HumanInput(
        timeout=report.timeout, next_method=report.next_method, next_kwargs=_decoded(report.next_kwargs), **asked
    )


def _decoded(encoded: Any) -> Mapping[str, Any]:
    decoded: Mapping[str, Any] = serde.deserialize(encoded or {})
    return decoded
