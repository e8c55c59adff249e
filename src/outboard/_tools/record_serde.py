"""Record how Airflow's own serde encodes values, and what it makes of encodings, as fixtures for our tests.

::

    AIRFLOW/bin/python src/outboard/_tools/record_serde.py            # writes fixtures/sdk/serde.json
    AIRFLOW/bin/python src/outboard/_tools/record_serde.py --check    # exits 1 when a recording would differ

Runs inside an Airflow environment (``.ci/pins/airflow-3.3.2.txt``), which has no outboard: this file imports nothing of
it. A value is written down as the Python expression that makes it; the names in it are those of `PRELUDE`. Naive datetimes
depend on the local zone, so recording happens in UTC.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

TARGET = Path(__file__).resolve().parents[3] / "fixtures" / "sdk" / "serde.json"

PRELUDE = """
import collections, dataclasses, datetime, decimal, enum, uuid, zoneinfo

UTC = datetime.timezone.utc
D = datetime.datetime

Point = collections.namedtuple("Point", "x y")

class Level(enum.IntEnum):
    HIGH = 3

class Colour(str, enum.Enum):
    RED = "red"

class Plain(enum.Enum):
    ONE = 1

class Words(dict):
    pass

class Text(str):
    pass

@dataclasses.dataclass
class Inner:
    n: int

@dataclasses.dataclass
class Outer:
    name: str
    inner: Inner
    seen: datetime.date

class Versioned:
    __version__ = 4

    def serialize(self):
        return {"a": (1, 2)}
"""

# What only some environments have; these are decoded by our tests, not encoded.
EXTRA_PRELUDE = """
import attr, pendulum, pydantic

@attr.define
class Attrs:
    x: int
    y: list = attr.field(factory=list)
    hidden: int = attr.field(default=1, init=False)

class Model(pydantic.BaseModel):
    a: int
    b: datetime.date | None = None
"""

VALUES = [
    "None",
    "True",
    "-5",
    "2**63",
    "1.5",
    "'text ü'",
    "[]",
    "[1, [2, None]]",
    "{}",
    "{'a': {'b': 1}}",
    "{1: 'int', None: 'none', 2.5: 'float', False: 'false'}",
    "{(1, 2): 'tuple'}",
    "Words(a=1)",
    "collections.OrderedDict(a=1)",
    "collections.defaultdict(list, a=[1])",
    "Text('sub')",
    "Level.HIGH",
    "Colour.RED",
    "(1, 'a', (2,))",
    "Point(1, (2,))",
    "{3}",
    "frozenset({3})",
    "{'nested': [{'set': {1}}]}",
    "D(2026, 3, 29, 1, 30, tzinfo=UTC)",
    "D(2026, 3, 29, 1, 30, 15, 250000, tzinfo=UTC)",
    "D(1931, 1, 1, tzinfo=UTC)",
    "D(2026, 7, 1, 12, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))",
    "D(2026, 10, 25, 2, 30, fold=1, tzinfo=zoneinfo.ZoneInfo('Europe/Berlin'))",
    "D(2026, 3, 29, 1, 30)",
    "datetime.date(2026, 2, 28)",
    "datetime.timedelta(days=-1, seconds=3, microseconds=5)",
    "zoneinfo.ZoneInfo('Asia/Kathmandu')",
    "decimal.Decimal('12')",
    "decimal.Decimal('1E+3')",
    "decimal.Decimal('1.25')",
    "uuid.UUID('01890a5d-ac96-774b-bcce-b302099a8057')",
    "Inner(1)",
    "Versioned()",
]

EXTRA_VALUES = [
    "Attrs(1, [(2,)])",
    "Model(a=1, b=datetime.date(2026, 1, 1))",
    "pendulum.datetime(2026, 3, 29, 1, 30, tz='UTC')",
    "pendulum.datetime(2026, 7, 1, tz='America/New_York')",
    "pendulum.datetime(2026, 7, 1, tz=7200)",
    "pendulum.timezone('Asia/Tokyo')",
    "pendulum.FixedTimezone(7200)",
]

# Airflow accepts these too, or encodes them otherwise than we do: the tests say what we do, and why.
DIFFERENT = [
    "Outer('o', Inner(1), datetime.date(2026, 1, 1))",
    "D(2026, 3, 29, 1, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))",
    "decimal.Decimal('0.1000000000000000055511151231257827')",
    "decimal.Decimal(10)**30",
    "float('nan')",
    "2**70",
    "{1: 'int', '1': 'str'}",
    "{'__type': 'dict', '__var': {'a': 1}}",
]

REFUSED = [
    "b'bytes'",
    "Plain.ONE",
    "1j",
    "object()",
    "datetime.time(12)",
    "{'__classname__': 'x'}",
    "{'__id__': 1}",
    "range(3)",
    "collections.deque([1])",
    "[print]",
]

# Encodings as we write them where Airflow would write something else, and old forms that are still in databases.
ENCODINGS: list[Any] = [
    {
        "__classname__": "datetime.datetime",
        "__version__": 2,
        "__data__": {
            "timestamp": 1774740600.0,
            "tz": {
                "__classname__": "builtins.tuple",
                "__version__": 1,
                "__data__": [7200, "pendulum.tz.timezone.FixedTimezone", 1, True],
            },
        },
    },
    {"__classname__": "decimal.Decimal", "__version__": 1, "__data__": "0.1000000000000000055511151231257827"},
    {"__classname__": "decimal.Decimal", "__version__": 1, "__data__": str(10**30)},
    {
        "__classname__": "author.Outer",
        "__version__": 0,
        "__data__": {
            "name": "o",
            "inner": {"__classname__": "author.Inner", "__version__": 0, "__data__": {"n": 1}},
            "seen": {"__classname__": "datetime.date", "__version__": 2, "__data__": "2026-01-01"},
        },
    },
    {"__classname__": "builtins.tuple", "__data__": [1]},
    {"__type": "tuple", "__var": [1, 2]},
    {"__type": "set", "__var": [1]},
    {"__type": "datetime", "__var": 1774740600.0},
    {"__type": "timedelta", "__var": 90.5},
    {"__type": "dict", "__var": {"a": {"__type": "tuple", "__var": [1]}}},
]


def main() -> int:
    """Write the recording, or compare it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    options = parser.parse_args()
    os.environ["TZ"] = "UTC"
    time.tzset()
    text = json.dumps(_record(), indent=1, ensure_ascii=False) + "\n"
    if not options.check:
        TARGET.write_text(text)
        return 0
    if TARGET.read_text() == text:
        return 0
    print(f"{TARGET.name} differs from a new recording", file=sys.stderr)
    return 1


def _record() -> dict[str, Any]:
    # Airflow is not installed where this file is checked.
    serde: Any = importlib.import_module("airflow.sdk.serde")
    author = sys.modules["author"] = type(sys)("author")
    names: dict[str, Any] = vars(author)
    exec(PRELUDE + EXTRA_PRELUDE, names)
    for name in ("Inner", "Outer"):
        serde.allow_class(names[name])

    def encoded(expression: str) -> dict[str, Any]:
        try:
            # Infinities and the like have no form in JSON; their text says enough here.
            value = json.loads(json.dumps(serde.serialize(eval(expression, names))), parse_constant=str)
        except Exception as error:
            return {"value": expression, "error": type(error).__name__}
        return {"value": expression, "encoded": value}

    return {
        "prelude": PRELUDE,
        "values": [encoded(expression) for expression in VALUES],
        "extra_values": [encoded(expression) for expression in EXTRA_VALUES],
        "different": [encoded(expression) for expression in DIFFERENT],
        "refused": [encoded(expression) for expression in REFUSED],
        "encodings": [{"encoded": value, "decoded": repr(serde.deserialize(value))} for value in ENCODINGS],
    }


if __name__ == "__main__":
    sys.exit(main())
