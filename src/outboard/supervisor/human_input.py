"""A task that awaits a person's answer: who may give it, what counts as one, and what comes of none.

The rules and the event are those of Airflow's server. Whom to ask, and how, is somebody else's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import anyio
import attrs

from outboard.protocol import messages as m
from outboard.protocol import serde
from outboard.supervisor.outcome import FAILED
from outboard.supervisor.resumption import End, Resumption, with_event
from outboard.supervisor.virtual_clock import VirtualClock

__all__ = ("Answer", "HumanInput", "InvalidAnswerError", "Question", "Respondent", "User", "check")


@attrs.frozen
class User:
    """Who answers: an id and a name."""

    id: str
    name: str


@attrs.frozen(kw_only=True)
class Question:
    """What a person is asked.

    Attributes:
        dag_id, run_id, task_id, map_index: which task asks.
        detail: its request.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    detail: m.HITLDetailRequestResult


@attrs.frozen(kw_only=True)
class Answer:
    """What a person has answered.

    Attributes:
        chosen_options: at least one of the options.
        params_input: values by the names of the params; JSON.
    """

    chosen_options: Sequence[str]
    params_input: Mapping[str, Any] = attrs.field(factory=dict)


class InvalidAnswerError(Exception):
    """The answer is none to this question; the text says why."""


class Respondent(Protocol):
    """Where answers come from."""

    @property
    def user(self) -> User:
        """Who answers."""

    @property
    def is_there(self) -> bool:
        """Whether somebody can be asked."""

    def given(self, question: Question) -> Answer | None:
        """Return the answer that was given beforehand; None if there is none.

        Raises:
            InvalidAnswerError: what was given is no answer to this question.
        """

    async def ask(self, question: Question) -> Answer | None:
        """Ask, until there is an answer that `check` accepts; None if the person leaves without one."""


class _NobodyThere:
    user = User("nobody", "nobody")
    is_there = False

    def given(self, question: Question) -> None:
        return None

    async def ask(self, question: Question) -> None:
        return None


@attrs.define(eq=False, kw_only=True)
class HumanInput:
    """Gets answers.

    Attributes:
        clock: the run's clock; whoever calls counts as one of its hands.
        respondent: where answers come from.
    """

    clock: VirtualClock
    respondent: Respondent = attrs.field(factory=_NobodyThere)

    async def resumption(
        self, instance: m.TaskInstance, request: m.AwaitInputTask, detail: m.HITLDetailRequestResult | None
    ) -> Resumption:
        """Wait until the task goes on; returns how.

        Args:
            instance: the task instance that waits.
            request: its report.
            detail: what it asks; None if it has not said so.
        """
        patience = None if request.timeout is None else max(0.0, request.timeout.total_seconds())
        if detail is None:
            return await self._run_out(request, None, patience, "it has not said what it asks")
        question = Question(
            dag_id=instance.dag_id,
            run_id=instance.run_id,
            task_id=instance.task_id,
            map_index=instance.map_index,
            detail=detail,
        )
        try:
            answer = self.respondent.given(question)
            if answer is not None:
                check(answer, detail)
                self._admit(detail)
        except InvalidAnswerError as error:
            return End(state=FAILED, reason=f"awaits input, and the answer that was given is none: {error}")
        if answer is not None:
            return self._answered(request, answer)
        return await self._ask(request, question, patience)

    def _admit(self, detail: m.HITLDetailRequestResult) -> None:
        """Refuse an answer of somebody whom the task has not been assigned to."""
        user, assigned = self.respondent.user, detail.assigned_users or []
        if assigned and user.id not in {one.id for one in assigned}:
            known = ", ".join(f"{one.name} (id {one.id})" for one in assigned)
            raise InvalidAnswerError(
                f"{user.name} (id {user.id}) is not a respondent for the task, which is assigned to {known}; "
                "answer as one of them: --as-user ID"
            )

    async def _ask(self, request: m.AwaitInputTask, question: Question, patience: float | None) -> Resumption:
        why = f"nobody is there to answer; give the answer: --answer '{question.task_id}=OPTION'"
        # A clock that leaps would leave a person no time to answer in.
        if self.respondent.is_there and not (self.clock.leaps and patience is not None):
            try:
                self._admit(question.detail)
            except InvalidAnswerError as error:
                why = str(error)
            else:
                answer, asked_at = None, self.clock.now()
                with anyio.move_on_after(patience) as scope:
                    answer = await self.respondent.ask(question)
                if answer is not None:
                    return self._answered(request, answer)
                if patience is not None:
                    passed = (self.clock.now() - asked_at).total_seconds()
                    patience = 0.0 if scope.cancelled_caught else max(0.0, patience - passed)
        return await self._run_out(request, question.detail, patience, why)

    # ── what comes of it ──────────────────────────────────────────────────────────────────────────────────────────

    async def _run_out(
        self, request: m.AwaitInputTask, detail: m.HITLDetailRequestResult | None, patience: float | None, why: str
    ) -> Resumption:
        """Let the time for an answer pass."""
        if patience is None:
            return End(state=FAILED, reason=f"awaits input that will not come: {why}")
        if patience > 0:
            await self.clock.sleep(patience)
        if detail is not None and detail.defaults is not None:
            params = {name: _default(param) for name, param in (detail.params or {}).items()}
            return self._event(request, detail.defaults, params, None, timedout=True)
        error = {"error": "nobody has answered within the response timeout", "error_type": "timeout"}
        return with_event(request.next_method, request.next_kwargs, error)

    def _answered(self, request: m.AwaitInputTask, answer: Answer) -> Resumption:
        user = self.respondent.user
        by = {"id": user.id, "name": user.name}
        return self._event(request, answer.chosen_options, answer.params_input, by, timedout=False)

    def _event(
        self,
        request: m.AwaitInputTask,
        options: Sequence[str],
        params: Mapping[str, Any],
        user: dict[str, str] | None,
        *,
        timedout: bool,
    ) -> Resumption:
        event = {
            "chosen_options": list(options),
            "params_input": dict(params),
            "responded_at": self.clock.now(),
            "responded_by_user": user,
            "timedout": timedout,
        }
        return with_event(request.next_method, request.next_kwargs, serde.serialize(event, "answer"))


def check(answer: Answer, detail: m.HITLDetailRequestResult) -> None:
    """Refuse what Airflow's API refuses.

    Raises:
        InvalidAnswerError: no option, one that there is not, or several where there may be one.
    """
    chosen = list(answer.chosen_options)
    known = ", ".join(map(repr, detail.options))
    if not chosen:
        raise InvalidAnswerError(f"it chooses none of the options: {known}")
    unknown = [option for option in chosen if option not in detail.options]
    if unknown:
        raise InvalidAnswerError(f"{', '.join(map(repr, unknown))} is not among the options: {known}")
    if len(chosen) > 1 and not detail.multiple:
        raise InvalidAnswerError(f"it chooses {len(chosen)} options, but this task takes one of: {known}")


def _default(param: Any) -> Any:
    return param["value"] if isinstance(param, dict) and "value" in param else param
