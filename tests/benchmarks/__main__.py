"""``python -m tests.benchmarks``: the figures, with floors beside them, and where the time goes."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import cold_start, import_profile, log_rate, memory, round_trip
from tests.benchmarks.measurement import table
from tests.benchmarks.packed import HELLO, environment_with_msgpack, pack

ROUNDS = 25
QUICK_ROUNDS = 7
PROFILE_ROUNDS = 5


def main() -> int:
    """Measure, print, and say by the exit code whether every bar was met."""
    options = _options()
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
            *memory.measure(bundle, rounds),
            *round_trip.measure(rounds),
            *log_rate.measure(rounds),
        ]
    print(json.dumps([row.as_dict() for row in rows], indent=2) if options.json else table(rows))
    return 1 if any(row.holds is False for row in rows) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the figures for machines")
    parser.add_argument("--quick", action="store_true", help="fewer rounds: seconds instead of half a minute")
    parser.add_argument("--profile", action="store_true", help="print what a task imports, and what each import takes")
    parser.add_argument(
        "--environment", type=Path, help="what the bundle is packed for (default: a new one that has msgpack)"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
