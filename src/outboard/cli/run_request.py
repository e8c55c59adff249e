"""What the command line of a run says: unread, as options, and read.

Knows the forms only. Must not know how anything is run.
"""

from __future__ import annotations

import getpass
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs

from outboard.cli.answering import Terminal
from outboard.cli.asking import Contents
from outboard.cli.display import Display
from outboard.cli.inputs import (
    parse_answers,
    parse_conf,
    parse_connections,
    parse_events,
    parse_user,
    parse_variables,
)
from outboard.cli.output import Output
from outboard.errors import UsageError
from outboard.protocol import messages as m
from outboard.supervisor.human_input import User

__all__ = ("Given", "Request", "read")

# Who answers where the system has no name for whoever runs the command.
_NAMELESS = "local"


@attrs.frozen(kw_only=True)
class Request:
    """What the command line says, unread: see `outboard.cli.inputs` for the forms."""

    file: Path
    dag_id: str | None = None
    task_id: str | None = None
    conf: str | None = None
    variables: Sequence[str] = ()
    connections: Sequence[str] = ()
    trigger_events: Sequence[str] = ()
    answers: Sequence[str] = ()
    as_user: str | None = None
    fast_forward: bool = False
    as_json: bool = False
    verbose: bool = False


@attrs.frozen(kw_only=True)
class Given:
    """What the command line says, read.

    Attributes:
        conf: the run's configuration.
        variables: by key.
        connections: by id.
        events: those of triggers, for single tasks and for all others.
        answers: to tasks that ask, unread, by task id.
        user: who answers.
        terminal: where to ask; None for nowhere.
    """

    conf: Mapping[str, object]
    variables: Mapping[str, str]
    connections: Mapping[str, m.ConnectionResult]
    events: tuple[Mapping[str, Sequence[object]], Sequence[object]]
    answers: Mapping[str, str]
    user: User
    terminal: Terminal | None

    def check(self, known: Contents) -> None:
        """Refuse what is meant for a task that there is not.

        Raises:
            UsageError: there is none of that id in any Dag of the bundle.
        """
        tasks = {task_id for dag in known.dags.values() for task_id in dag.order}
        tasks |= {task_id for handled in known.handlers.values() for task_id in handled}
        for option, task_ids in (("--trigger-event", self.events[0]), ("--answer", self.answers)):
            for task_id in task_ids:
                if task_id not in tasks:
                    raise UsageError(f"{option} {task_id}: no such task; there are: {', '.join(sorted(tasks))}")


def read(request: Request, display: Display, console: Output) -> Given:
    """Read a request, as far as that needs no process.

    Args:
        request: the request.
        display: where questions are shown.
        console: the same, for what stands before an answer.

    Raises:
        UsageError: something in it is not in the form that it should be.
    """
    return Given(
        conf=parse_conf(request.conf) or {},
        variables=parse_variables(request.variables),
        connections=parse_connections(request.connections),
        events=parse_events(request.trigger_events),
        answers=parse_answers(request.answers),
        user=User(*parse_user(request.as_user, _user())),
        terminal=_terminal(console, display),
    )


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return _NAMELESS


def _terminal(console: Output, display: Display) -> Terminal | None:
    """Where a person can be asked: who types must also see the question."""
    if sys.stdin is None or not sys.stdin.isatty() or not console.is_terminal:
        return None

    def prompt(text: str) -> None:
        console.file.write(text)
        console.file.flush()

    return Terminal(sys.stdin.fileno(), display, prompt)
