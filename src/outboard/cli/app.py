"""The command line: options, help, and how a command's end becomes an exit code and one line.

Knows cyclopts. Must not know what the commands do.
"""

from __future__ import annotations

import importlib.metadata
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from outboard.bundle.credentials import without_credentials
from outboard.cli.exit_codes import BAD_INPUT, NO_ENVIRONMENT, SUCCESS, exit_code_of
from outboard.cli.interruption import Interrupted, listening
from outboard.cli.options import Verbose
from outboard.cli.output import Output, silence
from outboard.errors import OutboardError

__all__ = ("app", "run_command_line")

app = App(
    name="outboard",
    help="Run tasks outside the process that schedules them.",
    version=lambda: importlib.metadata.version("outboard"),
    help_format="plaintext",
    console=Output(),
    # An interrupt ends the tasks first and is then told like any other end.
    suppress_keyboard_interrupt=False,
)


@app.command
def run(
    file: Annotated[Path, Parameter(help="The author's Python file.")],
    dag: Annotated[str | None, Parameter(help="The Dag's id, if the file holds several.")] = None,
    /,
    *,
    task: Annotated[str | None, Parameter(help="Run this one task instead of the whole Dag.")] = None,
    conf: Annotated[str | None, Parameter(help="The run's configuration: a JSON object.")] = None,
    var: Annotated[
        Sequence[str], Parameter(negative="", show_default=False, help="A variable: KEY=VALUE. May be repeated.")
    ] = (),
    conn: Annotated[
        Sequence[str],
        Parameter(negative="", show_default=False, help="A connection: ID=URI or ID=JSON. May be repeated."),
    ] = (),
    trigger_event: Annotated[
        Sequence[str],
        Parameter(
            negative="",
            show_default=False,
            help="The event of a trigger that cannot run here: JSON, or TASK_ID=JSON. May be repeated.",
        ),
    ] = (),
    answer: Annotated[
        Sequence[str],
        Parameter(
            negative="",
            show_default=False,
            help="The answer to a task that asks a person: TASK_ID=OPTION or TASK_ID=JSON. May be repeated.",
        ),
    ] = (),
    as_user: Annotated[str | None, Parameter(help="Who answers: ID or ID=NAME.")] = None,
    fast_forward: Annotated[
        bool, Parameter(negative="", show_default=False, help="Leap over the times in which every task only waits.")
    ] = False,
    json: Annotated[
        bool, Parameter(negative="", show_default=False, help="Print one JSON document to stdout, all else to stderr.")
    ] = False,
    verbose: Verbose = False,
) -> int:
    """Run a Dag, or one task of it, on this machine: each task in a process and an environment of its own."""
    from outboard.cli.run import run as run_file
    from outboard.cli.run_request import Request

    return run_file(
        Request(
            file=file,
            dag_id=dag,
            task_id=task,
            conf=conf,
            variables=tuple(var),
            connections=tuple(conn),
            trigger_events=tuple(trigger_event),
            answers=tuple(answer),
            as_user=as_user,
            fast_forward=fast_forward,
            as_json=json,
            verbose=verbose,
        )
    )


# Imported when they are called.
for _target, _help in (
    ("pack:pack", "Pack files with Dags, and all that they need, into one executable bundle."),
    ("inspect:inspect", "Show what is in a bundle."),
    ("verify:verify", "Check that bundles are what was packed."),
    ("deploy:deploy", "Put a bundle in place for Airflow, and keep the version that it replaces."),
    ("deploy:rollback", "Put an earlier version of a bundle in place again."),
    ("deploy:history", "Show what was deployed, and what a rollback can bring back."),
):
    app.command(f"outboard.cli.{_target}", name=_target.partition(":")[2], help=_help)
app.command(
    "outboard.cli.conformance:conformance",
    name="conformance",
    help="Judge a bundle in any language, or a supervisor, by the protocol.",
)
app.command(
    "outboard.cli.cache:cache", name="cache", help="What was built and unpacked on this machine: list, prune, dir."
)
app.command(
    "outboard.cli.airflow:airflow",
    name="airflow",
    help="What an unmodified Airflow needs: settings, stub Dag, diagnosis.",
)


def run_command_line(arguments: Sequence[str]) -> int:
    """Run one command line.

    Returns:
        The exit code, see `outboard.cli.exit_codes`. What was wrong has been told on stderr, in one line.
    """
    try:
        with listening():
            code = app(arguments, print_error=False, exit_on_error=False, result_action="return_value")
            sys.stdout.flush()
        return code if isinstance(code, int) else SUCCESS
    except CycloptsError as error:
        _complain(f"{_one_line(str(error))}; see outboard --help")
        return BAD_INPUT
    except OutboardError as error:
        line, _, rest = str(error).partition("\n")
        if rest and _is_verbose(arguments):
            print(without_credentials(rest), file=sys.stderr)
        _complain(line)
        return exit_code_of(error)
    except BrokenPipeError:
        silence(sys.stdout)
        return Interrupted(signal.SIGPIPE).exit_code
    except Interrupted as interrupted:
        if interrupted.number != signal.SIGPIPE:
            _complain("interrupted")
        return interrupted.exit_code
    except OSError as error:
        # What nobody foresaw, such as a full disk behind stdout: the system's own words, and no traceback.
        _complain(f"{error.filename or 'the output'}: {error.strerror or error}")
        return NO_ENVIRONMENT


def _complain(line: str) -> None:
    # Whoever wrote the line: the text that it quotes may be an address.
    print(f"outboard: {without_credentials(line)}", file=sys.stderr)


def _one_line(text: str) -> str:
    return " ".join(text.split()).rstrip(".")


def _is_verbose(arguments: Sequence[str]) -> bool:
    return any(argument in ("--verbose", "-v") for argument in arguments)
