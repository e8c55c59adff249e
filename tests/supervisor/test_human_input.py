"""Answers of people: who may give them, which are some, and what comes of none. The event is that of Airflow's server."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.protocol import messages as m
from outboard.protocol import serde
from outboard.protocol.codec import check_json
from outboard.supervisor.human_input import Answer, HumanInput, InvalidAnswerError, Question, User, check
from outboard.supervisor.resumption import End, Resume, Resumption
from outboard.supervisor.virtual_clock import VirtualClock
from tests.strategies import messages

pytestmark = pytest.mark.anyio

START = datetime(2026, 1, 1, tzinfo=UTC)
UUID = "00000000-0000-0000-0000-000000000007"
INSTANCE = m.TaskInstance(id=UUID, task_id="asks", dag_id="d", run_id="r", try_number=1, dag_version_id=UUID)
ADA, BOB = m.HITLUser(id="ada", name="Ada"), m.HITLUser(id="bob", name="Bob")


class Still:
    def now(self) -> datetime:
        return START

    async def sleep(self, seconds: float) -> None:
        raise AssertionError("the clock below is not asked to wait")


def request(**fields: Any) -> m.AwaitInputTask:
    return m.AwaitInputTask(next_method="go_on", next_kwargs={"rows": 3}, **fields)


def detail(**fields: Any) -> m.HITLDetailRequestResult:
    return m.HITLDetailRequestResult(**{"ti_id": UUID, "options": ["yes", "no"], "subject": "Go?", **fields})


@attrs.define
class Person:
    """Somebody who has answered beforehand, or answers when asked."""

    user: User = attrs.field(factory=lambda: User("ada", "Ada"))
    is_there: bool = False
    answers: Mapping[str, Answer] = attrs.field(factory=dict)
    reply: Answer | None = None
    never_replies: bool = False
    asked: list[Question] = attrs.field(factory=list)

    def given(self, question: Question) -> Answer | None:
        return self.answers.get(question.task_id)

    async def ask(self, question: Question) -> Answer | None:
        self.asked.append(question)
        if self.never_replies:
            await anyio.sleep_forever()
        return self.reply


async def answered(
    person: Person | None, what: m.HITLDetailRequestResult | None, *, leaps: bool = True, **fields: Any
) -> tuple[Resumption, VirtualClock]:
    clock = VirtualClock(Still(), leaps=leaps)
    human_input = HumanInput(clock=clock) if person is None else HumanInput(clock=clock, respondent=person)
    with anyio.fail_after(20), clock.hands() as hands:
        hands.begin()
        return await human_input.resumption(INSTANCE, request(**fields), what), clock


def event_of(found: Resumption) -> Any:
    assert isinstance(found, Resume)
    assert (found.next_method, found.next_kwargs["rows"]) == ("go_on", 3)
    return serde.deserialize(found.next_kwargs["event"])


YES = Answer(chosen_options=["yes"], params_input={"note": "fine"})


async def test_an_answer_that_was_given_is_the_event() -> None:
    found, clock = await answered(Person(answers={"asks": YES}), detail(), timeout=timedelta(hours=1))
    assert event_of(found) == {
        "chosen_options": ["yes"],
        "params_input": {"note": "fine"},
        "responded_at": START,
        "responded_by_user": {"id": "ada", "name": "Ada"},
        "timedout": False,
    }
    assert clock.now() == START


async def test_who_is_there_is_asked() -> None:
    person = Person(is_there=True, reply=YES)
    found, _ = await answered(person, detail(subject="Really?"))
    assert event_of(found)["chosen_options"] == ["yes"]
    [question] = person.asked
    assert (question.task_id, question.detail.subject) == ("asks", "Really?")


async def test_an_answer_for_another_task_is_none_for_this_one() -> None:
    person = Person(answers={"other": YES}, is_there=True, reply=Answer(chosen_options=["no"]))
    found, _ = await answered(person, detail())
    assert event_of(found)["chosen_options"] == ["no"]


# ── no answer ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_when_the_time_is_over_the_defaults_are_the_answer_of_nobody() -> None:
    params = {"note": {"value": "none", "description": None, "schema": {}}, "bare": 7}
    found, clock = await answered(None, detail(defaults=["no"], params=params), timeout=timedelta(hours=1))
    assert event_of(found) == {
        "chosen_options": ["no"],
        "params_input": {"note": "none", "bare": 7},
        "responded_at": START + timedelta(hours=1),
        "responded_by_user": None,
        "timedout": True,
    }
    assert clock.now() == START + timedelta(hours=1)


@pytest.mark.parametrize("what", [detail(), None], ids=["no defaults", "no question"])
async def test_without_defaults_the_event_is_an_error(what: m.HITLDetailRequestResult | None) -> None:
    found, clock = await answered(None, what, timeout=timedelta(hours=1))
    event = event_of(found)
    assert (set(event), event["error_type"]) == ({"error", "error_type"}, "timeout")
    assert clock.now() == START + timedelta(hours=1)


async def test_a_person_who_does_not_answer_in_time_has_not_answered() -> None:
    person = Person(is_there=True, never_replies=True)
    found, _ = await answered(person, detail(defaults=["no"]), leaps=False, timeout=timedelta(milliseconds=10))
    assert event_of(found)["timedout"] is True
    assert len(person.asked) == 1


async def test_a_clock_that_leaps_gives_nobody_the_time_to_answer() -> None:
    person = Person(is_there=True, reply=YES)
    found, _ = await answered(person, detail(defaults=["no"]), timeout=timedelta(hours=1))
    assert (event_of(found)["chosen_options"], person.asked) == (["no"], [])


@pytest.mark.parametrize(
    ("person", "what", "why"),
    [
        (None, detail(), "nobody is there to answer; give the answer: --answer 'asks=OPTION'"),
        (Person(is_there=True), detail(), "nobody is there to answer"),
        (None, None, "it has not said what it asks"),
        (Person(is_there=True), detail(assigned_users=[BOB]), "Ada (id ada) is not a respondent for the task"),
    ],
    ids=["nobody", "left", "no question", "not assigned"],
)
async def test_without_a_limit_a_question_that_nobody_answers_fails_the_task(
    person: Person | None, what: m.HITLDetailRequestResult | None, why: str
) -> None:
    found, _ = await answered(person, what)
    assert isinstance(found, End)
    assert found.state == "failed"
    assert found.reason.startswith(f"awaits input that will not come: {why}")


# ── who may answer, and what ────────────────────────────────────────────────────────────────────────────────────


async def test_one_of_those_to_whom_a_task_is_assigned_may_answer() -> None:
    found, _ = await answered(Person(answers={"asks": YES}), detail(assigned_users=[BOB, ADA]))
    assert event_of(found)["responded_by_user"] == {"id": "ada", "name": "Ada"}


async def test_anybody_else_is_refused() -> None:
    found, _ = await answered(Person(answers={"asks": YES}), detail(assigned_users=[BOB]))
    assert found == End(
        state="failed",
        reason="awaits input, and the answer that was given is none: Ada (id ada) is not a respondent for the task, "
        "which is assigned to Bob (id bob); answer as one of them: --as-user ID",
    )


@pytest.mark.parametrize(
    ("options", "multiple", "why"),
    [
        (["maybe"], False, "'maybe' is not among the options: 'yes', 'no'"),
        (["yes", "maybe"], True, "'maybe' is not among the options"),
        (["yes", "no"], False, "it chooses 2 options, but this task takes one of"),
        ([], False, "it chooses none of the options"),
    ],
)
async def test_an_answer_that_airflow_would_refuse_is_none(options: list[str], multiple: bool, why: str) -> None:
    what = detail(multiple=multiple)
    with pytest.raises(InvalidAnswerError, match=why):
        check(Answer(chosen_options=options), what)
    found, _ = await answered(Person(answers={"asks": Answer(chosen_options=options)}), what)
    assert isinstance(found, End)
    assert why in found.reason


async def test_several_options_may_be_chosen_where_the_task_says_so() -> None:
    both = Answer(chosen_options=["no", "yes"])
    found, _ = await answered(Person(answers={"asks": both}), detail(multiple=True))
    assert event_of(found)["chosen_options"] == ["no", "yes"]


@pytest.mark.property
@given(messages("AwaitInputTask"), messages("HITLDetailRequestResult") | st.none(), st.booleans())
def test_whatever_a_task_asks_it_goes_on(
    asked: m.AwaitInputTask, what: m.HITLDetailRequestResult | None, has_answer: bool
) -> None:
    async def ask() -> Resumption:
        clock = VirtualClock(Still(), leaps=True)
        options = what.options if what else ["yes"]
        person = Person(answers={"asks": Answer(chosen_options=options)} if has_answer else {})
        with clock.hands() as hands:
            hands.begin()
            return await HumanInput(clock=clock, respondent=person).resumption(INSTANCE, asked, what)

    found = anyio.run(ask)
    assert isinstance(found, (Resume, End))
    if isinstance(found, Resume):
        check_json(found.next_kwargs)
