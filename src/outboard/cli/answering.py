"""Who answers the questions that tasks ask: what the command line says, or the person at the terminal.

Knows how questions and answers read to people. Which answers count is `outboard.supervisor.human_input`'s to decide.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import anyio

from outboard.protocol import messages as m
from outboard.supervisor.human_input import Answer, InvalidAnswerError, Question, User, check

__all__ = ("Person", "Terminal")

_READ_SIZE = 4096


class Screen(Protocol):
    """Where questions are shown."""

    def asking(self) -> AbstractContextManager[None]:
        """Show nothing that moves for as long as somebody types."""

    def note(self, line: str) -> None:
        """Show one line."""


class Terminal:
    """Asks line by line, one question at a time.

    Args:
        descriptor: of the terminal, to read from.
        screen: where questions are shown.
        prompt: shows what stands before the answer, without ending the line.
    """

    def __init__(self, descriptor: int, screen: Screen, prompt: Callable[[str], object]) -> None:
        self._descriptor = descriptor
        self._screen = screen
        self._prompt = prompt
        self._typed = b""
        self._busy = anyio.Lock()

    async def ask(self, question: Question) -> Answer | None:
        """Ask until there is an answer that counts; None if the input ends."""
        async with self._busy:
            with self._screen.asking():
                for line in _lines(question):
                    self._screen.note(line)
                options = await self._options(question.detail)
                params = None if options is None else await self._params(question.detail)
        return None if options is None or params is None else Answer(chosen_options=options, params_input=params)

    async def _options(self, detail: m.HITLDetailRequestResult) -> list[str] | None:
        default = f" [{', '.join(detail.defaults)}]" if detail.defaults else ""
        how = "numbers or options, separated by commas" if detail.multiple else "a number or an option"
        while (typed := await self._line(f"{how}{default}: ")) is not None:
            chosen = _chosen(typed, detail)
            try:
                check(Answer(chosen_options=chosen), detail)
            except InvalidAnswerError as error:
                self._screen.note(f"no answer: {error}")
            else:
                return chosen
        return None

    async def _params(self, detail: m.HITLDetailRequestResult) -> dict[str, Any] | None:
        values = {}
        for name, param in (detail.params or {}).items():
            told = param if isinstance(param, dict) and "value" in param else {"value": param}
            described = f" ({told['description']})" if told.get("description") else ""
            typed = await self._line(f"{name}{described} [{json.dumps(told['value'], ensure_ascii=False)}]: ")
            if typed is None:
                return None
            values[name] = _value(typed, told) if typed else told["value"]
        return values

    async def _line(self, prompt: str) -> str | None:
        """Read one line, without its end; None if the input has ended."""
        self._prompt(prompt)
        while b"\n" not in self._typed:
            await anyio.wait_readable(self._descriptor)
            read = os.read(self._descriptor, _READ_SIZE)
            if not read:
                return None
            self._typed += read
        line, _, self._typed = self._typed.partition(b"\n")
        return line.decode("utf-8", "replace").strip()


class Person:
    """Who answers.

    Args:
        user: under whose name.
        answers: what was said beforehand, by task id.
        terminal: where to ask otherwise; None for nowhere.
    """

    def __init__(self, user: User, answers: Mapping[str, str], terminal: Terminal | None = None) -> None:
        self.user = user
        self._answers = answers
        self._terminal = terminal

    @property
    def is_there(self) -> bool:
        """Whether somebody can be asked."""
        return self._terminal is not None

    def given(self, question: Question) -> Answer | None:
        """Read the answer that was said beforehand; None if there is none.

        Raises:
            InvalidAnswerError: it is JSON, and not in a form that says what was chosen.
        """
        text = self._answers.get(question.task_id)
        return None if text is None else _read(text, question.detail)

    async def ask(self, question: Question) -> Answer | None:
        """Ask at the terminal; None without one, or if its input ends."""
        return None if self._terminal is None else await self._terminal.ask(question)


def _lines(question: Question) -> list[str]:
    detail = question.detail
    options = [f"  {number}  {option}" for number, option in enumerate(detail.options, 1)]
    return [f"{question.task_id} asks: {detail.subject}", *(detail.body or "").splitlines(), *options]


def _chosen(typed: str, detail: m.HITLDetailRequestResult) -> list[str]:
    """The options that are meant: by their text, or else by their number."""
    if not typed:
        return list(detail.defaults or [])
    if typed in detail.options:
        return [typed]
    parts = [part.strip() for part in typed.split(",")] if detail.multiple else [typed]
    return [_option(part, detail.options) for part in parts if part]


def _option(part: str, options: list[str]) -> str:
    if part not in options and part.isdecimal() and 1 <= int(part) <= len(options):
        return options[int(part) - 1]
    return part


def _value(typed: str, param: Mapping[str, Any]) -> Any:
    """What was typed: text where the param is text, else JSON, or text where it is none."""
    schema = param.get("schema") or {}
    if schema.get("type") == "string" or isinstance(param["value"], str):
        return typed
    try:
        return json.loads(typed)
    except ValueError:
        return typed


def _read(text: str, detail: m.HITLDetailRequestResult) -> Answer:
    """An option, or in JSON several of them, or an object with ``chosen_options`` and ``params_input``."""
    if text in detail.options:
        return Answer(chosen_options=[text])
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return Answer(chosen_options=[text])
    if not isinstance(said, dict):
        return Answer(chosen_options=_texts(said))
    unknown = sorted(said.keys() - {"chosen_options", "params_input"})
    params = said.get("params_input", {})
    if unknown or not isinstance(params, dict):
        raise InvalidAnswerError(f"{text} is no object with 'chosen_options' and 'params_input' alone")
    # Where there is nothing to choose, the values are the answer.
    only = detail.defaults or (detail.options if len(detail.options) == 1 else [])
    return Answer(chosen_options=_texts(said.get("chosen_options", only)), params_input=params)


def _texts(said: Any) -> list[str]:
    items = said if isinstance(said, list) else [said]
    if not all(isinstance(item, str) for item in items):
        raise InvalidAnswerError(f"options are text, not {json.dumps(said)}")
    return list(items)
