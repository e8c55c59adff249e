"""Record what Airflow makes of params: which values fit a schema, which value counts, and their serialized form.

::

    AIRFLOW/bin/python src/outboard/_tools/record_params.py            # writes fixtures/sdk/params.json
    AIRFLOW/bin/python src/outboard/_tools/record_params.py --check    # exits 1 when a recording would differ
    AIRFLOW/bin/python src/outboard/_tools/record_params.py --judge    # reads [schema, value] pairs on stdin, tells verdicts

Runs inside an Airflow environment, which has no outboard: this file imports nothing of it. Besides the cases below, schemas and
values are made up by a generator with a fixed seed.
"""

from __future__ import annotations

import argparse
import importlib
import json
import random
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

TARGET = Path(__file__).resolve().parents[3] / "fixtures" / "sdk" / "params.json"
SEED = 20260616
MADE_UP = 1_500

VALUES: list[Any] = [
    *(None, True, False, 0, 1, -1, 3, 10, 10**20, 0.0, 1.0, 1.5, -0.5, 1e300),
    *("", "a", "ab", "abc", "abcdefghijk", "é", "a\n", "1", "null"),
    *("2024-01-31", "2024-02-30", "2024-1-31", "20240131", "2024-01-31T00:00:00Z", "٢٠٢٤-٠١-٣١", "2024-W01-1"),
    *("12:30:00", "1:2:3", "24:00:00", "12:30", "12:30:60", "12:30:00Z", " 12:30:00", "12:30:00.5"),
    *("a@b", "127.0.0.1", "::1", "P1D", "P", "5f9b6d7e-1c2d-4e3f-8a9b-0c1d2e3f4a5b", "[", "xn--a", "example.org"),
    *([], [1], [1, 1], [1, True], [1.0, 1], ["a", "b"], ["a", None, 3], [[]], [[1], [2]], ["2024-01-31"]),
    *({}, {"a": 1}, {"a": "b", "c": 2}, {"b": None}, {"a": {"b": [1]}}),
]

# Schemas that authors write, that are easily misread, or that make no sense.
SCHEMAS: list[Any] = [
    {},
    *({"type": name} for name in ("array", "boolean", "integer", "null", "number", "object", "string")),
    {"type": ["null", "string"]},
    {"type": ["integer", "boolean"]},
    {"type": ["string", "null"], "format": "date"},
    *(
        {"format": name}
        for name in (
            *(
                "date",
                "time",
                "date-time",
                "duration",
                "email",
                "idn-email",
                "hostname",
                "idn-hostname",
                "ipv4",
                "ipv6",
            ),
            *("uri", "uuid", "regex", "json-pointer", "multiline", "color"),
        )
    ),
    {"enum": [1, "a", None, [1, True], {"a": 1}]},
    {"enum": [True]},
    {"enum": [0]},
    {"enum": []},
    {"const": 1},
    {"const": {"a": 1.0}},
    {"const": [[]]},
    {"minimum": 1},
    {"maximum": 3, "exclusiveMinimum": 0},
    {"exclusiveMaximum": 1.5},
    {"minLength": 2, "maxLength": 3},
    {"minItems": 1, "maxItems": 2},
    {"items": {"type": "integer"}},
    {"items": {"items": {"minimum": 2}}},
    {"items": True},
    {"items": False},
    {"type": "string", "title": "A title", "description": "A text", "examples": ["a"], "values_display": {"a": "A"}},
    {"type": "string", "section": "S", "description_md": "*text*", "default": 3, "x": {"$ref": "nowhere"}},
    {"pattern": "^a.?$"},
    {"multipleOf": 0.5},
    {"uniqueItems": True},
    {"properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False},
    {"anyOf": [{"type": "string", "maxLength": 1}, {"type": "null"}]},
    {"oneOf": [{"const": 1, "title": "one"}, {"const": "a", "title": "letter"}]},
    {"not": {"type": "string"}},
    {"prefixItems": [{"type": "integer"}], "items": {"type": "string"}},
    {"$ref": "#/$defs/short", "minLength": 1, "$defs": {"short": {"maxLength": 2}}},
    {"dependentRequired": {"a": ["c"]}},
    {"unevaluatedProperties": False, "properties": {"a": True}},
    {"contains": {"const": 1}, "minContains": 2},
    {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "integer"}]},
    {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": True},
    {"additionalItems": False, "contentEncoding": "base64"},
    {"type": "int"},
    {"type": []},
    {"type": ["string", "string"]},
    {"type": 3},
    {"enum": "abc"},
    {"minimum": "1"},
    {"minimum": True},
    {"minLength": -1},
    {"minLength": 1.0},
    {"maxItems": "2"},
    {"items": [{"type": "integer"}]},
    {"items": {"type": "nothing"}},
    {"format": 3},
    {"pattern": "["},
    {"title": 3},
    {"examples": "abc"},
    {"readOnly": "yes"},
    {"required": "a"},
]

DAG_FILES = {
    "of_every_kind": """
from airflow.sdk import DAG, Param, task

with DAG(
    "of_every_kind",
    params={
        "plain": 1,
        "text": "a",
        "list": [1, {"x": [2]}],
        "dict": {"k": {"z": None}},
        "tuple": (1, (2,)),
        "required": Param(type="string"),
        "nothing": Param(None, "described", type=["null", "string"]),
        "number": Param(1.5, minimum=1, maximum=2, title="A number"),
        "choice": Param("a", enum=["a", "b"], values_display={"a": "A"}),
        "array": Param(["x"], type="array", items={"type": "string", "enum": ["x", "y"]}),
        "given": Param(3, schema={"type": "integer"}),
        "pattern": Param("ab", pattern="^a"),
    },
):

    @task
    def takes_all():
        pass

    @task(params={"plain": 2, "own": Param("x", maxLength=3)})
    def has_own():
        pass

    takes_all() >> has_own()
""",
    "in_default_args": """
from airflow.sdk import DAG, Param, task

with DAG("in_default_args", params={"a": 1, "b": 1}, default_args={"params": {"b": 2, "c": Param(3, type="integer")}}):

    @task(params={"c": 4})
    def one():
        pass

    one()
""",
    "of_tasks_only": """
from airflow.sdk import DAG, task

with DAG("of_tasks_only", params={}):

    @task(params={"a": 1})
    def one():
        pass

    @task(params={})
    def other():
        pass

    one() >> other()
""",
    "of_a_function": """
from airflow.sdk import Param, dag, task


@task
def show(value, options=None):
    pass


@dag(schedule="@daily")
def of_a_function(day, limit=3, *, mode=Param("fast", enum=["fast", "slow"])):
    show(day, options={"limit": [limit]})
    show(mode)


of_a_function("2024-01-31", limit=4)
""",
}

# What a param is: its default, if it has one, and its schema.
RESOLUTIONS: list[dict[str, Any]] = [
    {"dag": {"a": {"default": 1}}, "task": {}, "conf": None},
    {"dag": {"a": {"default": 1}}, "task": {}, "conf": {}},
    {"dag": {"a": {"default": 1}, "b": {"default": 2}}, "task": {"b": {"default": 3}}, "conf": {"b": 4, "c": [5]}},
    {"dag": {}, "task": {}, "conf": {"c": {"d": 5}}},
    {"dag": {"a": {"schema": {"type": "integer"}}}, "task": {}, "conf": {"a": 3}},
    {"dag": {"a": {"schema": {"type": "integer"}}}, "task": {}, "conf": {"b": 3}},
    {"dag": {"a": {"schema": {"type": "integer"}}}, "task": {}, "conf": {"a": "3"}},
    {"dag": {"a": {"default": None, "schema": {"type": "string"}}}, "task": {}, "conf": None},
    {"dag": {"a": {"default": None, "schema": {"type": ["null", "string"]}}}, "task": {}, "conf": None},
    {"dag": {"a": {"default": 1, "schema": {"type": "integer"}}}, "task": {}, "conf": {"a": None}},
    {"dag": {"a": {"default": "x", "schema": {"type": "integer"}}}, "task": {}, "conf": {"a": 1}},
    {"dag": {"a": {"default": 1, "schema": {"type": "integer"}}}, "task": {"a": {"default": "x"}}, "conf": None},
    {
        "dag": {"a": {"default": 1}},
        "task": {"a": {"default": "x", "schema": {"maxLength": 1}}},
        "conf": {"a": "toolong"},
    },
    {"dag": {"a": {"default": "2024-01-31", "schema": {"format": "date"}}}, "task": {}, "conf": {"a": "31.1.2024"}},
]


def main() -> int:
    """Write the recording, or compare it, or judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare only")
    parser.add_argument("--judge", action="store_true", help="judge what is read")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    if options.judge:
        json.dump([_verdict(schema, value) for schema, value in json.load(sys.stdin)], sys.stdout)
        return 0
    text = _text(_recorded())
    if not options.check:
        TARGET.write_text(text)
    elif TARGET.read_text() != text:
        print(f"{TARGET.name} differs from a new recording", file=sys.stderr)
        return 1
    return 0


def _recorded() -> dict[str, list[Any]]:
    source = random.Random(SEED)
    made_up = [(_made_up(source, 2), source.choice(VALUES)) for _ in range(MADE_UP)]
    return {
        "formats": sorted(importlib.import_module("jsonschema").FormatChecker().checkers),
        "values": VALUES,
        # One sign for each value.
        "verdicts": [[schema, "".join(_verdict(schema, value) for value in VALUES)] for schema in SCHEMAS],
        "made_up": [[schema, value, _verdict(schema, value)] for schema, value in made_up],
        "resolutions": [{**case, **_resolved(case)} for case in RESOLUTIONS],
        "dags": _dags(),
    }


def _text(recorded: dict[str, list[Any]]) -> str:
    """JSON with one item a line."""
    parts = []
    for name, items in recorded.items():
        # Airflow goes through sets, so the order of its keys differs from process to process.
        lines = ",\n".join(json.dumps(item, ensure_ascii=False, sort_keys=name == "dags") for item in items)
        parts.append(f"{json.dumps(name)}: [\n{lines}\n]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _verdict(schema: Any, value: Any) -> str:
    """How `Param.resolve` ends: ``+`` it fits, ``-`` it does not, ``?`` any error that is not about the value."""
    sdk: Any = importlib.import_module("airflow.sdk.definitions.param")
    try:
        sdk.Param(value, schema=schema).resolve()
    except sdk.ParamValidationError:
        return "-"
    except Exception:
        return "?"
    return "+"


def _resolved(case: dict[str, Any]) -> dict[str, Any]:
    sdk: Any = importlib.import_module("airflow.sdk.definitions.param")

    def params(declared: dict[str, Any]) -> Any:
        return sdk.ParamsDict({name: sdk.Param(**each) for name, each in declared.items()})

    dag, task = SimpleNamespace(params=params(case["dag"])), SimpleNamespace(params=params(case["task"]))
    try:
        return {"values": sdk.process_params(dag, task, case["conf"], suppress_exception=False)}
    except sdk.ParamValidationError:
        return {"values": None}


def _dags() -> list[dict[str, Any]]:
    recorder: Any = importlib.import_module("record_sdk")
    recorder.DAG_FILES = DAG_FILES
    found: list[dict[str, Any]] = recorder._dags()
    return found


# ── made-up schemas ───────────────────────────────────────────────────────────────────────────────────────────────────

TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")


def _made_up(source: random.Random, depth: int) -> dict[str, Any]:
    makers: dict[str, Any] = {
        "type": lambda: source.choice([source.choice(TYPES), source.sample(TYPES, source.randint(1, 3))]),
        "enum": lambda: source.sample(VALUES, source.randint(0, 6)),
        "const": lambda: source.choice(VALUES),
        "format": lambda: source.choice(["date", "time", "date-time", "email", "uuid", "multiline"]),
        "pattern": lambda: source.choice(["a", "^a", "b$", r"^\d+$", "^.{2}$"]),
        "multipleOf": lambda: source.choice([1, 0.5, 3]),
        "uniqueItems": lambda: source.choice([True, False]),
        "required": lambda: source.sample(["a", "b", "c"], source.randint(0, 2)),
        **{name: lambda: source.choice([-1, 0, 1, 1.5, 3, 10]) for name in ("minimum", "maximum")},
        **{name: lambda: source.choice([-1, 0, 1, 1.5, 3, 10]) for name in ("exclusiveMinimum", "exclusiveMaximum")},
        **{name: lambda: source.randint(0, 3) for name in ("minLength", "maxLength", "minItems", "maxItems")},
        **{name: lambda: source.choice([0, 1, 2]) for name in ("minProperties", "maxProperties")},
    }
    if depth:
        below = depth - 1
        makers |= {
            **{name: lambda: _made_up(source, below) for name in ("items", "not", "contains", "additionalProperties")},
            **{name: lambda: [_made_up(source, below)] * 2 for name in ("anyOf", "oneOf", "allOf", "prefixItems")},
            "properties": lambda: {"a": _made_up(source, below), "b": _made_up(source, below)},
            "if": lambda: _made_up(source, below),
            "then": lambda: _made_up(source, below),
        }
    # Mostly what a glance judges, or else nearly every schema would be one for the library.
    plain = [
        name for name in makers if name in ("type", "enum", "const", "format", "items") or name.startswith(("m", "e"))
    ]
    names = source.sample(plain if source.random() < 0.7 else [*makers], source.randint(0, 3))
    return {name: makers[name]() for name in names}


if __name__ == "__main__":
    sys.exit(main())
