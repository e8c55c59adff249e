"""``outboard conformance``: judge a bundle in any language, or a supervisor, by the protocol."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

import attrs
from cyclopts import Parameter
from rich import box
from rich.table import Table
from rich.text import Text

from outboard.cli.exit_codes import RUN_FAILED, SUCCESS
from outboard.cli.output import Output, print_json
from outboard.conformance import (
    RUNTIME_CHECKS,
    SUPERVISOR_CHECKS,
    Check,
    Result,
    RuntimeBench,
    SupervisorBench,
    counts_against,
    judge_all,
    selected,
)
from outboard.conformance.check import FAILED, NOT_OFFERED
from outboard.conformance.judge import Bench
from outboard.conformance.peer_process import DEADLINE
from outboard.conformance.report import counts, json_document, junit_document
from outboard.conformance.supervisor_bench import RUN_DEADLINE
from outboard.errors import UsageError
from outboard.protocol.versions import DEFAULT_SCHEMA

__all__ = ("conformance",)

_STYLES = {"passed": "green", FAILED: "bold red", NOT_OFFERED: "yellow"}

# Of one transcript, when people read it; the documents have all of it.
_LINES_SHOWN = 40


@attrs.frozen(kw_only=True)
class _Trial:
    """What is judged: by which checks, and where each of them stands."""

    side: str
    checks: Sequence[Check]
    bench: Callable[[], Bench]
    about: dict[str, object]


def conformance(
    *command: Annotated[str, Parameter(help="What starts the bundle: -- COMMAND ARGUMENT…", show_default=False)],
    supervisor: Annotated[
        bool, Parameter(negative="", show_default=False, help="Judge a supervisor; COMMAND is its adapter.")
    ] = False,
    transport: Annotated[Literal["stdio", "sockets"], Parameter(help="How to speak to a bundle.")] = "stdio",
    schema: Annotated[str, Parameter(help="The schema date to speak.")] = DEFAULT_SCHEMA,
    check: Annotated[
        Sequence[str],
        Parameter(negative="", show_default=False, help="Only this check, or group of checks. May be repeated."),
    ] = (),
    fail_on: Annotated[
        Literal["must", "should", "may"],
        Parameter(help="Exit with 1 if a check of this tier or a stricter one failed."),
    ] = "must",
    deadline: Annotated[
        float | None,
        Parameter(help="Seconds for each single step of a bundle (60), or for a whole run of a supervisor (180)."),
    ] = None,
    json: Annotated[
        bool, Parameter(negative="", show_default=False, help="Print one JSON document to stdout.")
    ] = False,
    junit: Annotated[Path | None, Parameter(help="Write the results to this file, as JUnit's XML.")] = None,
    list: Annotated[bool, Parameter(negative="", show_default=False, help="List the checks; run none.")] = False,
) -> int:
    """Judge a bundle in any language by the protocol: play a supervisor against it, a sound one and a broken one."""
    if deadline is not None and deadline <= 0:
        raise UsageError(f"--deadline is {deadline:g}, but must be above zero")
    trial = _trial(supervisor, command, transport, schema, deadline)
    checks = selected(trial.checks, check)
    if list:
        _list(checks)
        return SUCCESS
    if not command:
        raise UsageError("name the command to judge, behind two dashes: outboard conformance -- ./bundle")
    results = _judged(checks, trial, Output(stderr=True))
    if junit is not None:
        junit.write_bytes(junit_document(results, f"outboard.conformance.{trial.side}"))
    if json:
        print_json(json_document(results, trial.about))
    else:
        _show(results)
    return RUN_FAILED if counts_against(results, fail_on.upper()) else SUCCESS


def _trial(
    supervisor: bool,
    command: Sequence[str],
    transport: Literal["stdio", "sockets"],
    schema: str,
    deadline: float | None,
) -> _Trial:
    about: dict[str, object] = {"command": [*command], "schema": schema}
    if supervisor:
        about = {"side": "supervisor", **about}
        return _Trial(
            side="supervisor",
            checks=SUPERVISOR_CHECKS,
            bench=lambda: SupervisorBench(
                command, schema=schema, deadline=RUN_DEADLINE if deadline is None else deadline
            ),
            about=about,
        )

    def runtime_bench() -> Bench:
        return RuntimeBench(
            command, transport=transport, schema=schema, deadline=DEADLINE if deadline is None else deadline
        )

    about = {"side": "runtime", **about, "transport": transport}
    return _Trial(side="runtime", checks=RUNTIME_CHECKS, bench=runtime_bench, about=about)


def _judged(checks: Sequence[Check], trial: _Trial, progress: Output) -> Sequence[Result]:
    results = []
    for result in judge_all(checks, trial.bench):
        results.append(result)
        if result.verdict == FAILED and not progress.is_terminal:
            progress.print_plainly(f"{result.check.id}: {result.reason}")
        if progress.is_terminal:
            progress.print(Text(f"{result.check.id}: ") + Text(result.verdict, style=_STYLES[result.verdict]))
    return results


def _list(checks: Sequence[Check]) -> None:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("tier", "check", "what has to hold"):
        table.add_column(heading, overflow="fold")
    for check in checks:
        table.add_row(check.tier, check.id, Text(check.idea))
    Output().print(table)


def _show(results: Sequence[Result]) -> None:
    console = Output()
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("tier", "check", "verdict", "why not"):
        table.add_column(heading, overflow="fold")
    for result in results:
        verdict = Text(result.verdict, style=_STYLES[result.verdict])
        table.add_row(result.check.tier, result.check.id, verdict, Text(result.reason))
    console.print(table)
    for result in results:
        if result.verdict == FAILED:
            _show_transcript(result, console)
    for tier, found in counts(results).items():
        told = ", ".join(f"{count} {verdict}" for verdict, count in found.items() if count)
        console.print(f"{tier}: {told or 'none'}", highlight=False)


def _show_transcript(result: Result, console: Output) -> None:
    console.print(Text(f"{result.check.id}: {result.reason}", style="bold"))
    console.print(Text(f"  has to hold: {result.check.idea} ({result.check.source})"))
    skipped = len(result.transcript) - _LINES_SHOWN
    if skipped > 0:
        console.print(Text(f"  … {skipped} lines before"))
    for line in result.transcript[-_LINES_SHOWN:]:
        console.print(Text(f"  {line}"), soft_wrap=True)
    console.print()
