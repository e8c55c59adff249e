"""XComs of a task in a real process: which requests are made, and what the body sees of the answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from outboard.protocol import messages as m
from tests.runtime.child import Child
from tests.runtime.test_task_runner import run, source

VALUES = [0, 10, 20, 30]
TUPLE = {"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1, 2]}
ROW = {"__classname__": "author.Row", "__version__": 0, "__data__": {"n": 1, "inside": None}}

LAZY = "from outboard import BaseXCom, LazyXComSequence\n"
CLASSES = """
from dataclasses import dataclass
from subprocess import Popen

@dataclass
class Row:
    n: int
    inside: object = None
"""


def item(request: Any) -> object:
    if -len(VALUES) <= request.offset < len(VALUES):
        return m.XComSequenceIndexResult(root=VALUES[request.offset])
    return m.ErrorResponse(error="XCOM_NOT_FOUND", detail={})


ANSWERS = {
    "GetXComCount": lambda r: m.XComCountResponse(len=len(VALUES)),
    "GetXComSequenceItem": item,
    "GetXComSequenceSlice": lambda r: m.XComSequenceSliceResult(root=VALUES[slice(r.start, r.stop, r.step)]),
}


def returned(folder: Path, text: str, answers: dict[str, Any]) -> tuple[Any, Child]:
    _, child = run(folder, text, answers)
    assert type(child.requests[-1]).__name__ == "SucceedTask", child.records
    return child.requests[-2].value, child


def test_a_pull_without_indexes_asks_for_all_instances_of_each_task(tmp_path: Path) -> None:
    body = "def body(ti):\n    return ti.xcom_pull(['a', 'b'], key='k', run_id='r0', include_prior_dates=True)"
    value, child = returned(tmp_path, source(body), ANSWERS)
    assert value == VALUES * 2
    [first, second, *_] = child.requests
    assert (first.task_id, second.task_id) == ("a", "b")
    assert (first.key, first.dag_id, first.run_id, first.include_prior_dates) == ("k", "example", "r0", True)
    assert (first.start, first.stop, first.step) == (None, None, None)


def test_a_pull_with_indexes_asks_for_one_value_each(tmp_path: Path) -> None:
    body = "def body(ti):\n    return ti.xcom_pull('a', map_indexes=range(3), default='none')"
    answers = {"GetXCom": lambda r: m.XComResult(key=r.key, value=[None, 1, 2][r.map_index])}
    value, child = returned(tmp_path, source(body), answers)
    assert value == ["none", 1, 2]
    assert [request.map_index for request in child.requests[:3]] == [0, 1, 2]


def test_a_lazy_sequence_asks_for_what_is_used(tmp_path: Path) -> None:
    body = """
def body():
    rows = LazyXComSequence("mapped")
    return [len(rows), rows[-1], rows[1:3], next(iter(rows))]
"""
    value, child = returned(tmp_path, source(body, head=LAZY), ANSWERS)
    assert value == [4, 30, [10, 20], 0]
    names = [type(request).__name__ for request in child.requests[:4]]
    assert names == ["GetXComCount", "GetXComSequenceItem", "GetXComSequenceSlice", "GetXComSequenceItem"]
    assert (child.requests[1].offset, child.requests[3].offset) == (-1, 0)
    assert (child.requests[2].start, child.requests[2].stop, child.requests[2].step) == (1, 3, None)


def test_going_through_a_lazy_sequence_ends_where_it_ends(tmp_path: Path) -> None:
    value, child = returned(
        tmp_path, source("def body():\n    return [value for value in LazyXComSequence('mapped')]", head=LAZY), ANSWERS
    )
    assert value == VALUES
    assert [request.offset for request in child.requests[:-2]] == [0, 1, 2, 3, 4]


def test_a_lazy_sequence_that_is_returned_is_the_list_of_its_values(tmp_path: Path) -> None:
    body = "def body():\n    return {'rows': LazyXComSequence('mapped')}"
    value, child = returned(tmp_path, source(body, head=LAZY), ANSWERS)
    assert value == {"rows": VALUES}
    assert [type(request).__name__ for request in child.requests[:-2]] == ["GetXComSequenceSlice"]


def test_a_refusal_is_not_taken_for_the_end_of_a_sequence(tmp_path: Path) -> None:
    answers = {"GetXComSequenceItem": lambda r: m.ErrorResponse(error="PERMISSION_DENIED", detail={})}
    report, child = run(
        tmp_path, source("def body():\n    return [value for value in LazyXComSequence('mapped')]", head=LAZY), answers
    )
    assert report.state == "failed"
    assert "PERMISSION_DENIED" in str(child.records)


@pytest.mark.parametrize("values", [[], VALUES])
def test_all_of_a_task_are_none_where_there_are_none(tmp_path: Path, values: list[int]) -> None:
    body = """
def body(ti):
    place = {"key": "k", "dag_id": "d", "task_id": "t", "run_id": "r"}
    return [BaseXCom.get_all(**place)]
"""
    answers = {"GetXComSequenceSlice": lambda r: m.XComSequenceSliceResult(root=values)}
    assert returned(tmp_path, source(body, head=LAZY), answers)[0] == [values or None]


# ── classes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_values_of_the_authors_classes_are_made_again_wherever_they_are_pulled(tmp_path: Path) -> None:
    body = """
def body(ti):
    rows = [ti.xcom_pull("a", map_indexes=None), *ti.xcom_pull("b")]
    assert all(type(row) is Row for row in rows), rows
    return Row(sum(row.n for row in rows), Row(1))
"""
    inner = {**ROW, "__data__": {"n": 5, "inside": TUPLE}}
    answers = {
        "GetXCom": lambda r: m.XComResult(key=r.key, value=ROW),
        "GetXComSequenceSlice": lambda r: m.XComSequenceSliceResult(root=[inner, ROW]),
    }
    value, _ = returned(tmp_path, source(body, head=CLASSES), answers)
    assert value == {**ROW, "__data__": {"n": 7, "inside": ROW}}


def test_classes_that_are_not_the_authors_are_not_made_however_they_are_named(tmp_path: Path) -> None:
    body = "def body(ti):\n    return [type(v).__name__ for v in ti.xcom_pull('a')]"
    data = {"args": ["touch", "made"]}
    names = ["author.Popen", "subprocess.Popen", "author.Variable", "author.absent", "os.system"]
    values = [{"__classname__": name, "__version__": 0, "__data__": data} for name in names]
    answers = {"GetXComSequenceSlice": lambda r: m.XComSequenceSliceResult(root=values)}
    assert returned(tmp_path, source(body, head=CLASSES), answers)[0] == ["TaggedValue"] * len(names)
    assert not tmp_path.joinpath("made").exists()


def test_data_that_the_authors_class_does_not_take_fails_the_task_and_says_so(tmp_path: Path) -> None:
    answers = {"GetXCom": lambda r: m.XComResult(key=r.key, value={**ROW, "__data__": {"m": 1}})}
    body = "def body(ti):\n    ti.xcom_pull('a', map_indexes=None)"
    report, child = run(tmp_path, source(body, head=CLASSES), answers)
    assert report.state == "failed"
    assert "class author.Row cannot be made again" in str(child.records)


def test_the_arguments_to_go_on_with_are_of_the_authors_classes_too(tmp_path: Path) -> None:
    text = f"""
from outboard import BaseOperator, dag
{CLASSES}
class Waits(BaseOperator):
    def execute(self, context):
        raise AssertionError

    def go_on(self, context, row, event):
        return [type(row).__name__, row.n]

@dag
def example():
    Waits(task_id="body")

example()
"""
    arguments = {"row": ROW, "event": None}
    _, child = run(tmp_path, text, next_method="go_on", next_kwargs=arguments)
    assert child.requests[0].value == ["Row", 1]


def test_what_a_value_loses_on_the_way_is_said_once(tmp_path: Path) -> None:
    body = """
def body(ti):
    dates = [datetime(2026, 1, day) for day in (1, 2, 3)]
    ti.xcom_push("dates", dates)
    return dates
"""
    _, child = returned(tmp_path, source(body), {})
    [warning] = [record for record in child.said() if record["level"] == "warning"]
    assert warning["event"].startswith("dates[0]: a datetime without a time zone")


# ── to be mapped over ─────────────────────────────────────────────────────────────────────────────────────────────────


def handler(expression: str, mapped_over: bool = True) -> str:
    return f"""
from outboard import TaskRegistry
handlers = TaskRegistry()

@handlers.task("example", mapped_over={mapped_over})
def body():
    return {expression}
"""


@pytest.mark.parametrize(("expression", "length"), [("[1, 2, 3]", 3), ("{'a': 1}", 1), ("()", 0)])
def test_the_length_of_what_is_mapped_over_is_told(tmp_path: Path, expression: str, length: int) -> None:
    _, child = run(tmp_path, handler(expression))
    assert child.requests[0].mapped_length == length


def test_no_length_is_told_of_what_is_not_mapped_over(tmp_path: Path) -> None:
    _, child = run(tmp_path, handler("[1, 2, 3]", mapped_over=False))
    assert child.requests[0].mapped_length is None


@pytest.mark.parametrize(
    ("expression", "said"),
    [("None", "has returned nothing to map over"), ("'text'", "not str"), ("{1, 2}", "not set"), ("5", "not int")],
)
def test_what_cannot_be_mapped_over_fails_the_task_and_is_not_pushed(
    tmp_path: Path, expression: str, said: str
) -> None:
    report, child = run(tmp_path, handler(expression))
    assert report.state == "failed"
    assert said in str(child.records)
    assert "SetXCom" not in [type(request).__name__ for request in child.requests]
