"""Answers from the command line, and from a person at a terminal."""

from __future__ import annotations

import contextlib
import os
import termios
from collections.abc import Iterator
from typing import Any

import anyio
import attrs
import pytest

from outboard.cli.answering import Person, Terminal
from outboard.protocol import messages as m
from outboard.supervisor.human_input import Answer, InvalidAnswerError, Question, User

pytestmark = pytest.mark.anyio

UUID = "00000000-0000-0000-0000-000000000007"


def question(**fields: Any) -> Question:
    told = {"ti_id": UUID, "options": ["yes", "no", "3"], "subject": "Go?", **fields}
    detail = m.HITLDetailRequestResult(**told)
    return Question(dag_id="d", run_id="r", task_id="asks", map_index=-1, detail=detail)


# ── said beforehand ─────────────────────────────────────────────────────────────────────────────────────────────


def given(text: str, **fields: Any) -> Answer | None:
    return Person(User("ada", "Ada"), {"asks": text}).given(question(**fields))


@pytest.mark.parametrize(
    ("text", "chosen", "params"),
    [
        ("yes", ["yes"], {}),
        ("3", ["3"], {}),
        ("maybe", ["maybe"], {}),
        ('"yes"', ["yes"], {}),
        ('["no", "yes"]', ["no", "yes"], {}),
        ('{"chosen_options": "no"}', ["no"], {}),
        ('{"chosen_options": ["no"], "params_input": {"n": 1}}', ["no"], {"n": 1}),
        ('{"params_input": {"n": 1}}', [], {"n": 1}),
    ],
)
def test_an_answer_is_an_option_or_json(text: str, chosen: list[str], params: dict[str, Any]) -> None:
    assert given(text) == Answer(chosen_options=chosen, params_input=params)


@pytest.mark.parametrize("fields", [{"options": ["OK"]}, {"options": ["OK", "x"], "defaults": ["OK"]}])
def test_where_there_is_nothing_to_choose_the_values_are_the_answer(fields: dict[str, Any]) -> None:
    answer = given('{"params_input": {"n": 1}}', **fields)
    assert answer == Answer(chosen_options=["OK"], params_input={"n": 1})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("7", "options are text, not 7"),
        ('["yes", null]', r'options are text, not \["yes", null\]'),
        ('{"chosen": "yes"}', "is no object with 'chosen_options' and 'params_input' alone"),
        ('{"params_input": 3}', "is no object with"),
    ],
)
def test_json_of_another_form_is_no_answer(text: str, why: str) -> None:
    with pytest.raises(InvalidAnswerError, match=why):
        given(text)


async def test_nobody_is_asked_without_a_terminal() -> None:
    person = Person(User("ada", "Ada"), {})
    assert not person.is_there
    assert person.given(question()) is None
    assert await person.ask(question()) is None


# ── at a terminal ───────────────────────────────────────────────────────────────────────────────────────────────


@attrs.define
class Screen:
    shown: list[str] = attrs.field(factory=list)
    is_still: bool = False

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        self.is_still = True
        yield
        self.is_still = False

    def note(self, line: str) -> None:
        assert self.is_still
        self.shown.append(line)

    def prompt(self, text: str) -> None:
        assert self.is_still
        self.shown.append(f"> {text}")


@attrs.define
class Desk:
    """A terminal, and who types there."""

    keys: int
    screen: Screen
    terminal: Terminal

    async def answer(self, typed: str, **fields: Any) -> Answer | None:
        os.write(self.keys, typed.encode())
        with anyio.fail_after(20):
            return await Person(User("ada", "Ada"), {}, self.terminal).ask(question(**fields))


@pytest.fixture
def desk() -> Iterator[Desk]:
    keys, end = os.openpty()
    screen = Screen()
    yield Desk(keys, screen, Terminal(end, screen, screen.prompt))
    os.close(keys)
    os.close(end)


async def test_a_person_sees_the_question_and_types_an_option(desk: Desk) -> None:
    answer = await desk.answer("yes\n", subject="Release?", body="It is\nlate.", defaults=["no"])
    assert answer == Answer(chosen_options=["yes"])
    assert desk.screen.shown == [
        "asks asks: Release?",
        "It is",
        "late.",
        "  1  yes",
        "  2  no",
        "  3  3",
        "> a number or an option [no]: ",
    ]
    assert not desk.screen.is_still


@pytest.mark.parametrize(
    ("typed", "fields", "chosen"),
    [
        ("2\n", {}, ["no"]),
        ("3\n", {}, ["3"]),
        ("\n", {"defaults": ["no"]}, ["no"]),
        ("no, 1\n", {"multiple": True}, ["no", "yes"]),
        ("a, b\n", {"options": ["a, b", "c"], "multiple": True}, ["a, b"]),
    ],
)
async def test_options_may_be_numbers_or_the_defaults_or_several(
    desk: Desk, typed: str, fields: dict[str, Any], chosen: list[str]
) -> None:
    assert await desk.answer(typed, **fields) == Answer(chosen_options=chosen)


async def test_what_is_no_answer_is_said_and_asked_again(desk: Desk) -> None:
    assert await desk.answer("maybe\n\n9\nyes, no\nyes\n") == Answer(chosen_options=["yes"])
    said = [line for line in desk.screen.shown if line.startswith("no answer: ")]
    assert [line.removeprefix("no answer: ").partition(" the options")[0] for line in said] == [
        "'maybe' is not among",
        "it chooses none of",
        "'9' is not among",
        "'yes, no' is not among",
    ]


async def test_values_are_asked_for_one_by_one(desk: Desk) -> None:
    params = {
        "text": {"value": "x", "description": "some text", "schema": {"type": "string"}},
        "number": {"value": 1, "description": None, "schema": {"type": "integer"}},
        "kept": {"value": [1], "description": None, "schema": {}},
        "bare": 7,
        "word": None,
    }
    answer = await desk.answer("yes\n12\n12\n\n8\nhello\n", params=params)
    assert answer == Answer(
        chosen_options=["yes"],
        params_input={"text": "12", "number": 12, "kept": [1], "bare": 8, "word": "hello"},
    )
    assert desk.screen.shown[-5:-2] == ['> text (some text) ["x"]: ', "> number [1]: ", "> kept [[1]]: "]


@pytest.mark.parametrize("typed", ["\x04", "yes\n\x04"], ids=["before the option", "before a value"])
async def test_who_leaves_has_not_answered(desk: Desk, typed: str) -> None:
    assert await desk.answer(typed, params={"n": 1}) is None
    assert not desk.screen.is_still


async def test_what_a_person_types_ahead_counts_for_the_next_question(desk: Desk) -> None:
    assert await desk.answer("yes\nno\n") == Answer(chosen_options=["yes"])
    assert await desk.answer("") == Answer(chosen_options=["no"])


async def test_one_question_is_asked_at_a_time(desk: Desk) -> None:
    answers: list[Answer | None] = []

    async def ask(subject: str) -> None:
        answers.append(await desk.answer("", subject=subject))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask, "first")
        tasks.start_soon(ask, "second")
        while not desk.screen.shown:
            await anyio.lowlevel.checkpoint()
        os.write(desk.keys, b"yes\nno\n")
    asked = [line for line in desk.screen.shown if "asks asks" in line or line.startswith(">")]
    assert [line[:11] for line in asked] == ["asks asks: ", "> a number ", "asks asks: ", "> a number "]
    assert answers == [Answer(chosen_options=["yes"]), Answer(chosen_options=["no"])]


async def test_a_question_can_be_taken_back(desk: Desk) -> None:
    with anyio.move_on_after(0.01) as scope:
        await desk.answer("")
    assert scope.cancelled_caught
    termios.tcflush(desk.keys, termios.TCIOFLUSH)
    assert await desk.answer("yes\n") == Answer(chosen_options=["yes"])
