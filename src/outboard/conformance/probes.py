"""What a bundle under test has to hold: the tasks of the Dag ``conformance``, by id, and what each does.

Pure data. A bundle that has not all of them is judged by those that it has.
"""

from __future__ import annotations

import attrs

from outboard.conformance.check import MAY, MUST, SHOULD

__all__ = ("DAG_ID", "PROBES", "UNKNOWN_TASK", "Probe")

DAG_ID = "conformance"

UNKNOWN_TASK = "there_is_no_such_task"
"""The id of a task that no bundle has."""


@attrs.frozen
class Probe:
    """One task: its id, the strictest tier of the checks that need it, and what it does."""

    task_id: str
    tier: str
    behaviour: str


PROBES = (
    Probe("succeeds", MUST, "does nothing"),
    Probe("returns", MUST, "returns the map `{'answer': 42, 'text': 'naïve ☃', 'list': [1, 2.5, None, True]}`"),
    Probe("fails", MUST, "fails: raises an error whose text is `it was meant to fail`"),
    Probe(
        "reads_variable",
        MUST,
        "reads the variable `conformance` and returns its value; that there is none is a failure",
    ),
    Probe(
        "reads_repeatedly", MUST, "reads the variable `conformance` until its value is `done`; returns how often it did"
    ),
    Probe(
        "reads_connection",
        MUST,
        "reads the connection `conformance`; returns a map of its `host`, `schema`, `login`, `port`",
    ),
    Probe(
        "pulls",
        MUST,
        "pulls the XCom `conformance` of the unmapped task `upstream` of its run (GetXCom), and returns the value as it is",
    ),
    Probe("pushes", MUST, "pushes the XCom `conformance` with the value `pushed`, and returns nothing"),
    Probe("returns_large", MUST, "returns a string of 1,048,576 times the letter x"),
    Probe(
        "tells_context",
        MUST,
        "returns a map of its `dag_id`, `task_id`, `run_id`, `try_number`, `map_index`, and of its run's "
        "`logical_date`: ISO 8601 text, or null",
    ),
    Probe(
        "logs",
        MUST,
        "logs `a debug record`, `an info record`, `a warning record`, `an error record`, each at its level "
        "with the extra `rows` = 3",
    ),
    Probe(
        "logs_carelessly",
        SHOULD,
        "logs `a careless record` at level info with the extras `msg`, `self`, `target`, `method_name`, "
        "`positional_args`, `stack`, `lineno`, `process`, `thread`, `exc_info`, `level_name`, `timestamp`, "
        "each the text `extra`",
    ),
    Probe(
        "floods",
        MUST,
        "logs 5,000 records at level info: `record N ` with N from 0 on, and 1,000 times the letter x behind it",
    ),
    Probe(
        "prints",
        MUST,
        "writes `printed to stdout` and a newline to stdout, and `printed to stderr` without one to stderr",
    ),
    Probe(
        "prints_bytes",
        SHOULD,
        "writes to stdout: the bytes FF FE and a newline, ten million times the letter y and a newline, `the "
        "end` without one",
    ),
    Probe("waits", MUST, "logs `waiting`, then waits until it is stopped"),
    Probe(
        "refuses_to_stop", SHOULD, "logs `waiting`, then waits; when it is stopped, logs `refusing` and goes on waiting"
    ),
    Probe("writes_variable", SHOULD, "sets the variable `conformance` to `written`, without a description"),
    Probe("deletes_variable", SHOULD, "deletes the variable `conformance`"),
    Probe("returns_unencodable", SHOULD, "returns what an XCom cannot hold: a map whose `value` is not a number (NaN)"),
    Probe("skips", SHOULD, "skips itself"),
    Probe(
        "reads_together",
        SHOULD,
        "reads the variables `first` and `second` at the same time, without waiting for one before it asks "
        "for the other; returns a map of both",
    ),
    Probe("masks", SHOULD, "declares `correct horse` to be a secret, then logs `the secret is correct horse`"),
    Probe(
        "reads_in_a_fork",
        MAY,
        "forks; both copies read the variable `conformance` ten times, the second ignoring every error; the "
        "first waits for the second, and returns the last value",
    ),
    Probe(
        "defers",
        MAY,
        "defers to the trigger `example.Trigger` with the arguments `{'moment': 'now'}`, to be resumed at `resumes`",
    ),
    Probe("reschedules", MAY, "asks to be run anew at 2030-01-01T00:00:00Z"),
    Probe("awaits_input", MAY, "waits for a person's input, to be resumed at `resumes`"),
    Probe(
        "triggers_dag_run",
        MAY,
        "triggers the run `triggered` of the Dag `other` with the configuration `{'from': 'conformance'}`",
    ),
)
