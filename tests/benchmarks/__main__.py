"""``python -m tests.benchmarks``: the figures, with floors beside them, and where the time goes."""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import cold_start, fat_start, import_profile, log_rate, lookup, memory, round_trip, under_airflow
from tests.benchmarks.measurement import Row, table
from tests.benchmarks.packed import HELLO, environment_with_msgpack, pack

ROUNDS = 25
QUICK_ROUNDS = 7
PROFILE_ROUNDS = 5
AIRFLOW_RUNS = 200


def main() -> int:
    """Measure, print, and say by the exit code whether every bar was met."""
    options = _options()
    if options.airflow:
        return _conclude(_under_airflow(options.airflow, options.runs), options, floor="least")
    rounds = QUICK_ROUNDS if options.quick else ROUNDS
    with tempfile.TemporaryDirectory(prefix="outboard-bench-") as scratch:
        folder = Path(scratch)
        environment = options.environment or environment_with_msgpack(folder / "environment")
        bundle = pack(HELLO, folder / "hello", environment)
        if options.profile:
            print(import_profile.profile_table(import_profile.profile(bundle, PROFILE_ROUNDS)))
            return 0
        rows = [
            *cold_start.measure(bundle, folder, rounds),
            *fat_start.measure(bundle, environment, folder, rounds),
            *memory.measure(bundle, rounds),
            *round_trip.measure(rounds),
            *log_rate.measure(rounds),
        ]
    return _conclude(rows, options, floor="floor")


def _under_airflow(version: str, runs: int) -> list[Row]:
    rows = []
    # The supervisor of the live tests prints each task's log, for a test that fails.
    with contextlib.redirect_stdout(io.StringIO()):
        for measure in (
            lambda folder: under_airflow.measure(version, folder, runs),
            lambda folder: lookup.measure(version, folder),
        ):
            with tempfile.TemporaryDirectory(prefix="outboard-bench-") as scratch:
                rows += measure(Path(scratch))
    return rows


def _conclude(rows: list[Row], options: argparse.Namespace, floor: str) -> int:
    print(json.dumps([row.as_dict() for row in rows], indent=2) if options.json else table(rows, floor))
    return 1 if any(row.holds is False for row in rows) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures for machines")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: seconds instead of half a minute")
    parser.add_argument("--profile", action="store_true", help="print what a task imports, and what each import takes")
    parser.add_argument("--airflow", metavar="VERSION", help="measure under this version of Airflow: 3.3.2 or 3.4.0b2")
    parser.add_argument(
        "--runs",
        type=int,
        default=AIRFLOW_RUNS,
        help="how often each kind of task runs under Airflow (default: %(default)s)",
    )
    parser.add_argument(
        "--environment", type=Path, help="what the bundle is packed for (default: a new one that has msgpack)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
