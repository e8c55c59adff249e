"""Record what Airflow shows of a task's arguments, as fixtures for our tests.

::

    AIRFLOW/bin/python src/outboard/_tools/record_rendered_fields.py            # writes fixtures/sdk/rendered_fields.json
    AIRFLOW/bin/python src/outboard/_tools/record_rendered_fields.py --check    # exits 1 when a recording would differ

Runs inside an Airflow environment (``.ci/pins/airflow-3.3.2.txt``), which has no outboard: this file imports nothing of
it. A value is written down as the Python expression that makes it; the names in it are those of `PRELUDE`.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

TARGET = Path(__file__).resolve().parents[3] / "fixtures" / "sdk" / "rendered_fields.json"

PRELUDE = """
import collections, datetime, decimal, enum, functools

Point = collections.namedtuple("Point", "x y")

class Level(enum.IntEnum):
    HIGH = 3

class Colour(str, enum.Enum):
    RED = "red"

class Serializes:
    def serialize(self):
        return {"b": (1, 2), "a": datetime.date(2026, 1, 1)}

class Bare:
    pass

class Speaks:
    def __repr__(self):
        return "<speaks>"

class Calls:
    def __call__(self):
        pass

def function():
    pass
"""

SECRET = "hunter22"

# The name of a field, and its value.
FIELDS = [
    ("rows", "None"),
    ("rows", "True"),
    ("rows", "7"),
    ("rows", "2.5"),
    ("rows", "'text ü'"),
    ("rows", "(1, [2, (3,)])"),
    ("rows", "Point(1, (2,))"),
    ("rows", "{3, 1, 2}"),
    ("rows", "frozenset({'b', 1, 'a'})"),
    ("rows", "{'b': 1, 'a': {2: 'x', None: 'y'}}"),
    ("rows", "{(1, 2): 'tuple'}"),
    ("rows", "[]"),
    ("rows", "datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)"),
    ("rows", "datetime.timedelta(minutes=1)"),
    ("rows", "decimal.Decimal('1.25')"),
    ("rows", "b'bytes'"),
    ("rows", "Level.HIGH"),
    ("rows", "[Serializes()]"),
    ("rows", "Bare()"),
    ("rows", "Bare"),
    ("rows", "Speaks()"),
    ("rows", "function"),
    ("rows", "Calls()"),
    ("rows", f"'the password is {SECRET}'"),
    ("rows", f"{{'{SECRET}': ['{SECRET}', 1]}}"),
    ("rows", "{'password': 'abc', 'user': 'me', 'nested': [{'api_key': ['k', {'x': 'y', 'n': 1}]}]}"),
    ("api_token", "'abc'"),
    ("api_token", "['abc', {'user': 'me'}, 7, None]"),
]


def main() -> int:
    """Write the recording, or compare it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args()
    text = json.dumps(_record(), indent=1, ensure_ascii=False) + "\n"
    if not options.check:
        TARGET.write_text(text)
        return 0
    if TARGET.read_text() == text:
        return 0
    print(f"{TARGET.name} differs from a new recording", file=sys.stderr)
    return 1


def _record() -> dict[str, Any]:
    runner: Any = importlib.import_module("airflow.sdk.execution_time.task_runner")
    importlib.import_module("airflow.sdk._shared.secrets_masker")._secrets_masker().add_mask(SECRET)
    names: dict[str, Any] = {"__name__": "author"}
    sys.modules["author"] = type(sys)("author")
    exec(PRELUDE, names)
    recorded = []
    for name, expression in FIELDS:
        task = SimpleNamespace(template_fields=(name,), **{name: eval(expression, names)})
        recorded.append({"name": name, "value": expression, "shown": runner._serialize_rendered_fields(task)[name]})
    dotted = SimpleNamespace(
        template_fields=("op_kwargs", "gone"),
        template_fields_renderers={"op_kwargs.sql": "sql", "op_kwargs.none": "sql", "gone.x": "py", "other.x": "py"},
        op_kwargs={"sql": "select 1"},
        gone=None,
    )
    return {
        "prelude": PRELUDE,
        "secret": SECRET,
        "fields": recorded,
        "dotted": runner._serialize_rendered_fields(dotted),
    }


if __name__ == "__main__":
    sys.exit(main())
