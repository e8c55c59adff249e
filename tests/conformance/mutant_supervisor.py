"""Our own supervisor with one flaw, as an adapter of the kit: ``python mutant_supervisor.py FLAW``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import anyio

from outboard.comms.serving import ServingChannel
from outboard.conformance.adapters import own
from outboard.protocol import messages as m
from outboard.protocol.masking import Masker
from outboard.supervisor import handlers, supervision
from outboard.supervisor.process import TaskProcess

FLAWS = {}


def flaw(function: Any) -> Any:
    """A flaw gets nothing and returns what spoils the answer, or None."""
    FLAWS[function.__name__] = function
    return function


@flaw
def sound() -> None:
    pass


@flaw
def tells_failed() -> Any:
    return lambda answer: {**answer, "outcome": "failed"}


@flaw
def tells_success() -> Any:
    return lambda answer: {**answer, "outcome": "success"}


@flaw
def loses_the_log() -> Any:
    return lambda answer: {**answer, "log": []}


@flaw
def forgets_times() -> Any:
    return lambda answer: {**answer, "log": [{**record, "timestamp": None} for record in answer["log"]]}


@flaw
def fails_itself() -> Any:
    return lambda answer: {**answer, "error": "Traceback\nRuntimeError: it broke"}


@flaw
def never_answers_what_is_invalid() -> None:
    answer = supervision.Supervision._reply

    def reply(self: Any, channel: Any, request_id: int, made: handlers.Answer) -> None:
        if made.error is None or (made.error.detail or {}).get("status_code") != 422:
            answer(self, channel, request_id, made)

    supervision.Supervision._reply = reply  # type: ignore[method-assign]


@flaw
def answers_invalid_requests_with_nothing() -> None:
    handlers.answer_invalid = lambda error: handlers.Answer()  # type: ignore[assignment]


@flaw
def answers_under_other_ids() -> None:
    reply = ServingChannel.reply
    ServingChannel.reply = lambda self, id, *a, **k: reply(self, 12345, *a, **k)  # type: ignore[method-assign]


@flaw
def invents_variables() -> None:
    async def answer(ports: Any, task: Any, message: Any, *, patience: float) -> handlers.Answer:
        if isinstance(message, m.GetVariable):
            return handlers.Answer(message=m.VariableResult(key=message.key, value="invented"))
        return await original(ports, task, message, patience=patience)

    original = handlers.answer
    handlers.answer = answer


@flaw
def is_silent_after_the_report() -> None:
    original = supervision.Supervision._reply

    def reply(self: Any, channel: Any, request_id: int, made: handlers.Answer) -> None:
        if channel.state != "reported" or made.message is None:  # the report's own answer has no message
            original(self, channel, request_id, made)

    supervision.Supervision._reply = reply  # type: ignore[method-assign]


@flaw
def does_not_mask() -> None:
    Masker.record = lambda self, record: record  # type: ignore[method-assign]


@flaw
def leaves_kin_alone() -> None:
    async def end_kin(self: TaskProcess, grace: float) -> None:
        pass

    TaskProcess.end_kin = end_kin  # type: ignore[method-assign]
    TaskProcess.signal_group = lambda self, number: None  # type: ignore[method-assign]


@flaw
def passes_its_descriptors_on() -> None:
    start = subprocess.Popen.__init__
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(5)]

    def popen(self: Any, *arguments: Any, **options: Any) -> None:
        start(self, *arguments, **options, pass_fds=opened)

    subprocess.Popen.__init__ = popen  # type: ignore[method-assign]


def main() -> None:
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    spoil = FLAWS[sys.argv[1]]() or (lambda made: made)
    job, log = json.load(sys.stdin), own._Log()
    outcome = anyio.run(own._run, job, log, "sockets")
    json.dump(spoil({"outcome": outcome, "log": log.records, "error": None}), answer, default=str)
    answer.close()


if __name__ == "__main__":
    main()
