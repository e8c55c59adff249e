"""`sdk.param_schema` and `sdk.param_judge` against the verdicts that Airflow has given."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.errors import MissingLibraryError
from outboard.sdk import param_judge, param_schema
from outboard.sdk.param_schema import SchemaError, needs_library, problem
from tests import recorded

SOURCE = Path(param_schema.__file__).parents[2]
RECORDED: Any = recorded.load("sdk/params.json")
CASES: list[tuple[Any, Any, str]] = [
    (schema, value, verdict)
    for schema, verdicts in RECORDED["verdicts"]
    for value, verdict in zip(RECORDED["values"], verdicts, strict=True)
] + RECORDED["made_up"]


def verdict(schema: Any, value: Any, judge: Any = problem) -> str:
    try:
        return "+" if judge(schema, value) is None else "-"
    except SchemaError:
        return "?"


def test_every_recorded_verdict_is_ours_too() -> None:
    differing = [(*case, verdict(*case[:2])) for case in CASES if verdict(*case[:2]) != case[2]]
    assert differing == []


def test_most_of_what_is_recorded_is_judged_at_a_glance_and_some_of_each_kind_is_not() -> None:
    """Otherwise the test above would be about the library only, or not about it at all."""
    at_a_glance = [case for case in CASES if not needs_library(case[0])]
    by_library = [case for case in CASES if needs_library(case[0])]
    for cases, verdicts in ((at_a_glance, "+-"), (by_library, "+-?")):
        assert {case[2] for case in cases} == set(verdicts)
        assert all(sum(case[2] == each for case in cases) > 200 for each in verdicts)


def test_the_formats_that_are_checked_are_those_that_airflow_checks() -> None:
    assert list(param_schema.FORMATS) == RECORDED["formats"]


# ── the glance never differs from the library ─────────────────────────────────────────────────────────────────────────

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 12),
    st.floats(-3, 12, allow_nan=False).map(lambda number: round(number, 1)),
    st.sampled_from(["", "a", "ab", "2024-02-29", "2023-02-29", "23:59:59", "1:1:1", "é"]),
    st.text(max_size=4),
    st.dates().map(str),
    st.times().map(lambda time: time.isoformat("seconds")),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
)
TYPES = st.sampled_from(["array", "boolean", "integer", "null", "number", "object", "string", "date", 3])
BOUNDS = st.integers(-2, 12) | st.floats(-2, 12, allow_nan=False) | st.booleans()
COUNTS = st.integers(-1, 4) | st.just(2.0)


def schemas(depth: int = 2) -> st.SearchStrategy[Any]:
    keywords: dict[str, st.SearchStrategy[Any]] = {
        "type": TYPES | st.lists(TYPES, max_size=3),
        "enum": st.lists(VALUES, max_size=4) | st.text(max_size=2),
        "const": VALUES,
        "format": st.sampled_from(["date", "time", "date-time", "email", "multiline", "uuid", 3]),
        "title": st.text(max_size=3) | st.integers(),
        "examples": VALUES,
        "values_display": VALUES,
        "default": VALUES,
        "pattern": st.sampled_from(["^a", "b$", "["]),
        "uniqueItems": st.booleans(),
        **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), BOUNDS),
        **dict.fromkeys(("minLength", "maxLength", "minItems", "maxItems"), COUNTS),
    }
    if depth:
        inner = st.deferred(lambda: schemas(depth - 1))
        keywords |= {"items": inner | st.booleans(), "not": inner, "anyOf": st.lists(inner, max_size=2)}
    return st.fixed_dictionaries({}, optional=keywords).flatmap(_some_of)


def _some_of(schema: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A few of the keywords: with many of them nothing is ever right."""
    names = st.lists(st.sampled_from(sorted(schema)), max_size=3, unique=True) if schema else st.just([])
    return names.map(lambda chosen: {name: schema[name] for name in chosen})


@pytest.mark.property
@pytest.mark.timeout(900)  # the library is slow, and some profiles try much
@given(schemas(), VALUES)
def test_a_verdict_at_a_glance_is_the_verdict_of_the_library(schema: Any, value: Any) -> None:
    assert verdict(schema, value) == verdict(schema, value, param_judge.problem)


# ── what is said ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("schema", "value", "said"),
    [
        ({"type": "integer"}, "3", "'3' is not of type 'integer'"),
        ({"type": ["null", "string"]}, 3, "3 is not of type 'null', 'string'"),
        ({"enum": ["a", "b"]}, "c", "'c' is not one of ['a', 'b']"),
        ({"const": 1}, True, "1 was expected, not True"),
        ({"minimum": 3}, 2, "2 is less than the minimum of 3"),
        ({"maximum": 3}, 3.5, "3.5 is greater than the maximum of 3"),
        ({"exclusiveMinimum": 3}, 3, "3 is not greater than 3"),
        ({"exclusiveMaximum": 3}, 3, "3 is not less than 3"),
        ({"minLength": 3}, "ab", "'ab' is too short: 2 of at least 3"),
        ({"maxItems": 1}, [1, 2], "[1, 2] is too long: 2 of at most 1"),
        ({"format": "date"}, "31.1.2024", "'31.1.2024' is not a date, which is written YYYY-MM-DD"),
        ({"format": "time"}, "12:30", "'12:30' is not a time, which is written HH:MM:SS"),
        ({"items": {"items": {"type": "string"}}}, [[], ["a", 2]], "[1]: [1]: 2 is not of type 'string'"),
        ({"items": False}, ["a"], "[0]: nothing is allowed here, and so 'a' is not"),
        ({"pattern": "^a"}, "b", "'b' does not match '^a'"),
        ({"properties": {"a": {"items": {"multipleOf": 2}}}}, {"a": [3]}, "a[0]: 3 is not a multiple of 2"),
    ],
)
def test_what_is_wrong_is_said_with_the_value_and_the_rule(schema: Any, value: Any, said: str) -> None:
    assert problem(schema, value) == said


def test_a_long_value_is_cut() -> None:
    for schema in ({"type": "integer"}, {"pattern": "^b"}):
        said = problem(schema, "a" * 10_000)
        assert said is not None
        assert len(said) <= param_schema.MESSAGE_LIMIT


def test_a_schema_that_makes_no_sense_is_an_error_of_its_own() -> None:
    with pytest.raises(SchemaError, match="'int' is not valid"):
        problem({"type": "int"}, 3)
    with pytest.raises(SchemaError, match="nowhere"):
        problem({"$ref": "#/nowhere"}, 3)


def test_nothing_is_fetched_that_a_schema_refers_to(monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(*_: object, **__: object) -> None:
        raise AssertionError("something was fetched")

    monkeypatch.setattr("urllib.request.urlopen", fetched)
    with pytest.raises(SchemaError, match="Unresolvable"):
        problem({"$ref": "http://example.org/schema.json"}, 3)


# ── what it costs ─────────────────────────────────────────────────────────────────────────────────────────────────────

PROGRAM = """
import sys
sys.path[:] = [{source!r}, *sys.path]
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {absent!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from outboard.sdk.param_schema import problem
from outboard.errors import MissingLibraryError
before = set(sys.modules)
try:
    print(problem(*{case!r}))
except MissingLibraryError as error:
    print(f"{{error.library}} {{error.extra}}: {{error}}")
print(*sorted(set(sys.modules) - before))
"""


def judged_without(absent: tuple[str, ...], schema: Any, value: Any) -> tuple[str, set[str]]:
    program = PROGRAM.format(source=str(SOURCE), absent=absent, case=(schema, value))
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    said, loaded = done.stdout.splitlines()
    return said, set(loaded.split())


def test_a_glance_loads_nothing() -> None:
    schema = {"type": "array", "items": {"type": "string", "format": "date", "maxLength": 12}, "examples": ["x"]}
    said, loaded = judged_without(("jsonschema",), schema, ["2024-02-30"])
    assert said == "[0]: '2024-02-30' is not a date, which is written YYYY-MM-DD"
    assert loaded == set()


@pytest.mark.parametrize(
    ("schema", "absent"),
    [({"pattern": "a"}, "jsonschema"), ({"items": {"format": "duration"}}, "isoduration")],
)
def test_a_library_that_is_absent_is_named_with_what_to_do(schema: Any, absent: str) -> None:
    said, _ = judged_without((absent,), schema, "a")
    assert said == (
        f"{absent} params: the JSON schema of a param takes the library {absent}, which this environment has not got; "
        f"add outboard[params] to it, or {absent} to the file's dependencies"
    )
    assert issubclass(MissingLibraryError, ImportError)


def test_what_needs_the_library_is_known_from_the_schema_alone() -> None:
    assert not needs_library({"type": "string", "items": {"enum": [1]}, "section": "x"})
    assert needs_library({"items": {"pattern": "a"}})
    assert param_judge.libraries({"items": {"format": "duration"}}) == ["jsonschema", "isoduration"]
    assert json.dumps(param_judge.libraries({"pattern": "a"})) == '["jsonschema"]'
