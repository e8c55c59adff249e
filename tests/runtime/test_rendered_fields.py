"""What a page shows of a task's arguments: as Airflow would, without secrets, and never at the cost of the task."""

from __future__ import annotations

import functools
import json
import math
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outboard.protocol import messages as m
from outboard.protocol.codec import encode_body
from outboard.protocol.masking import Masker
from outboard.runtime import rendered_fields
from tests.recorded import FIXTURES
from tests.runtime.child import Child
from tests.runtime.test_task_runner import run, source

RECORDED: dict[str, Any] = json.loads((FIXTURES / "sdk" / "rendered_fields.json").read_text())


def show(value: Any, name: str = "rows", secrets: tuple[str, ...] = (), **more: Any) -> Any:
    masker = Masker()
    for secret in secrets:
        masker.add(secret)
    task: Any = SimpleNamespace(template_fields=(name,), template_fields_renderers={}, **{name: value}, **more)
    return rendered_fields.shown(task, masker)[name]


# Where we hide more than Airflow does.
OURS = {"{'hunter22': ['hunter22', 1]}": {"***": ["***", 1]}}


@pytest.mark.parametrize("case", RECORDED["fields"], ids=lambda case: f"{case['name']}={case['value']}")
def test_a_field_is_shown_as_airflow_shows_it(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    names: dict[str, Any] = {"__name__": "author"}
    monkeypatch.setitem(sys.modules, "author", ModuleType("author"))
    exec(RECORDED["prelude"], names)
    shown = show(eval(case["value"], names), case["name"], (RECORDED["secret"],))
    assert shown == OURS.get(case["value"], case["shown"])
    assert type(shown) in (type(None), bool, int, float, str, list, dict)


def test_what_a_renderer_names_with_a_dot_is_shown_on_its_own() -> None:
    task: Any = SimpleNamespace(
        template_fields=("op_kwargs", "gone"),
        template_fields_renderers={"op_kwargs.sql": "sql", "op_kwargs.none": "sql", "gone.x": "py", "other.x": "py"},
        op_kwargs={"sql": "select 1"},
        gone=None,
    )
    assert rendered_fields.shown(task, Masker()) == RECORDED["dotted"]


class Awkward:
    def __init__(self) -> None:
        self.itself = self

    def serialize(self) -> Any:
        raise ValueError("not now")

    def __repr__(self) -> str:
        raise ValueError("nor so")


class Mute:
    def __str__(self) -> str:
        raise ValueError("no")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (2**70, str(2**70)),
        (math.inf, "inf"),
        ([math.nan], ["nan"]),
        ("\ud800 alone", "\\ud800 alone"),
        (Awkward(), "<tests.runtime.test_rendered_fields.Awkward object>"),
        (Awkward, "<callable tests.runtime.test_rendered_fields.Awkward>"),
        (Mute(), "<tests.runtime.test_rendered_fields.Mute object>"),
        (len, "<callable builtins.len>"),
        (len.__call__, "<callable builtin_function_or_method.__call__>"),
        (functools.partial(len), "<callable functools.partial>"),
    ],
)
def test_what_has_no_form_of_its_own_is_shown_as_text(value: Any, shown: Any) -> None:
    assert show(value) == shown


def test_a_value_that_contains_itself_is_cut_at_some_depth() -> None:
    value: list[Any] = []
    value.append(value)
    assert "…" in repr(show(value))


def test_a_long_value_is_cut_after_its_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH", "200")
    text = show({"password": "abc", "rows": "x" * 90 + "hunter22" + "y" * 500}, secrets=("hunter22",))
    assert text.startswith("{'password': '***', 'rows': 'xxx")
    assert text.endswith("… (cut off here: 624 characters, of which [core] max_templated_field_length allows 200)")
    assert len(text) <= 200
    assert "hunt" not in text
    monkeypatch.setenv("AIRFLOW__CORE__MAX_TEMPLATED_FIELD_LENGTH", "0")
    assert show("x") == ""


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.builds(Awkward),
    lambda items: (
        st.lists(items)
        | st.dictionaries(st.text() | st.integers(), items)
        | st.tuples(items)
        | st.sets(st.text() | st.integers())
    ),
    max_leaves=20,
)


@given(VALUES, st.sampled_from(["rows", "api_key"]))
def test_whatever_the_value_the_wire_takes_what_is_shown(value: Any, name: str) -> None:
    encode_body(m.SetRenderedFields(rendered_fields={name: show(value, name, ("hunter22",))}))


# ── in a real process ─────────────────────────────────────────────────────────────────────────────────────────────────

ARGUMENTS = """
from outboard import DAG, BaseOperator, Connection, task

class Load(BaseOperator):
    template_fields = ("rows", "table", "password")

    def __init__(self, *, rows=None, table=None, password=None, **kwargs):
        super().__init__(**kwargs)
        self.rows, self.table, self.password = rows, table, password

    def execute(self, context):
        Connection.get("db")

    def go_on(self, context, event=None):
        pass

with DAG("example"):
    @task
    def first():
        pass
    Load(task_id="body", **%s)
"""


def fields(child: Child) -> list[Any]:
    return [request.rendered_fields for request in child.requests if isinstance(request, m.SetRenderedFields)]


def test_the_values_behind_references_are_shown_before_the_body_begins(tmp_path: Path) -> None:
    answers: dict[str, Any] = {
        "GetXCom": lambda asked: m.XComResult(key=asked.key, value=[3, {"token": "t"}]),
        "GetConnection": lambda _: m.ErrorResponse(error="CONNECTION_NOT_FOUND"),
    }
    _, child = run(tmp_path, ARGUMENTS % "{'rows': first(), 'table': 't', 'password': 'p'}", answers)
    assert [type(request).__name__ for request in child.requests][:3] == [
        "GetXCom",
        "SetRenderedFields",
        "GetConnection",
    ]
    assert fields(child) == [{"rows": [3, {"token": "***"}], "table": "t", "password": "***"}]


def test_they_are_shown_again_when_the_task_goes_on(tmp_path: Path) -> None:
    _, child = run(tmp_path, ARGUMENTS % "{'table': 't'}", next_method="go_on", next_kwargs={"event": 1})
    assert fields(child) == [{"rows": None, "table": "t", "password": None}]


@pytest.mark.parametrize("body", ["def body():\n    return 7", "def body(ds):\n    return 7"])
def test_a_task_without_arguments_shows_nothing(tmp_path: Path, body: str) -> None:
    _, child = run(tmp_path, source(body))
    assert fields(child) == []


def test_arguments_of_a_function_are_shown_by_position_and_name(tmp_path: Path) -> None:
    text = source("def body(rows, table):\n    return 7").replace("body()\n", "body([1], table='t')\n")
    _, child = run(tmp_path, text)
    assert fields(child) == [{"templates_dict": None, "op_args": [[1]], "op_kwargs": {"table": "t"}}]


def test_a_refusal_is_a_warning_and_no_failure(tmp_path: Path) -> None:
    answers: dict[str, Any] = {
        "SetRenderedFields": lambda _: m.ErrorResponse(error="API_SERVER_ERROR", detail={"status_code": 410}),
        "GetConnection": lambda _: m.ConnectionResult(
            conn_id="db", conn_type="http", host=None, schema=None, login=None, password=None, port=None, extra=None
        ),
    }
    report, child = run(tmp_path, ARGUMENTS % "{'table': 't'}", answers)
    assert report.state == "success"
    [warning] = [record for record in child.records if record["level"] == "warning"]
    assert warning["event"].startswith("the task's arguments are not shown on its page: API_SERVER_ERROR")


def test_a_value_without_a_truth_of_its_own_is_an_argument_like_any_other(tmp_path: Path) -> None:
    table = "type('Table', (), {'__bool__': lambda self: 1 / 0, '__repr__': lambda self: 'a table'})()"
    text = ARGUMENTS % f"{{'rows': {table}}}"
    _, child = run(tmp_path, text, next_method="go_on", next_kwargs={"event": 1})
    assert fields(child) == [{"rows": "a table", "table": None, "password": None}]


def test_secrets_that_the_dag_file_has_named_are_hidden(tmp_path: Path) -> None:
    text = (
        "from outboard.sdk.log import mask_secret\nmask_secret('hunter22')\n" + ARGUMENTS % "{'table': 'of hunter22'}"
    )
    with Child(tmp_path, text, env={**os.environ}) as child:
        child.run(next_method="go_on", next_kwargs={"event": 1})
    assert fields(child)[0]["table"] == "of ***"
