"""Branches and short circuits: what they skip, and what they leave for the scheduler."""

from __future__ import annotations

from typing import Any

import pytest

from outboard import DAG, BaseBranchOperator, BaseOperator, Context, SkipMixin, TaskInstance, task
from outboard.sdk.exceptions import AirflowException, DownstreamTasksSkipped
from outboard.sdk.operator import BaseOperator as Operator
from tests.sdk.conftest import World


@task
def step() -> None:
    pass


def declared(decide: Any) -> DAG:
    """decide → left → join, decide → right → join, decide → join."""
    with DAG("d") as made:
        left, right, join = (step.override(task_id=name)() for name in ("left", "right", "join"))
        decide() >> [left, right, join]
        [left, right] >> join
    return made


def instance(operator: Operator, map_index: int = -1) -> TaskInstance:
    return TaskInstance(
        id="i", dag_id="d", task_id=operator.task_id, run_id="r", try_number=1, map_index=map_index, task=operator
    )


def run(operator: Operator, world: World, map_index: int = -1) -> tuple[list[Any], Any]:
    """What it wants skipped, and the XCom that it leaves for the scheduler."""
    skipped: list[Any] = []
    try:
        operator.execute(Context(ti=instance(operator, map_index)))
    except DownstreamTasksSkipped as error:
        skipped = list(error.tasks)
    index = None if map_index < 0 else map_index
    return skipped, world.xcoms.get(("skipmixin_key", "d", "r", operator.task_id, index))


def test_a_branch_skips_what_it_has_not_chosen_and_nothing_that_the_chosen_leads_to(world: World) -> None:
    decide = declared(task.branch(task_id="decide")(lambda: "left")).get_task("decide")
    assert run(decide, world) == ([("right", -1)], {"followed": ["join", "left"]})


@pytest.mark.parametrize(
    ("chosen", "skipped"),
    [
        (["left", "right"], []),
        (None, [("join", -1), ("left", -1), ("right", -1)]),
        ([], [("join", -1), ("left", -1), ("right", -1)]),
        ("join", [("left", -1), ("right", -1)]),
        (iter(["right"]), [("left", -1)]),
    ],
)
def test_a_branch_chooses_one_task_or_several_or_none(chosen: Any, skipped: Any, world: World) -> None:
    decide = declared(task.branch(task_id="decide")(lambda: chosen)).get_task("decide")
    assert run(decide, world)[0] == skipped


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        (
            "middle",
            "a branch chose 'middle', which is no task of its Dag; the tasks behind it are 'join', 'left', 'right'",
        ),
        (["left", 5], "a branch chose 5"),
        (5, "returns a task's id, several of them or None, not 5"),
    ],
)
def test_a_branch_that_chooses_what_is_not_there_is_an_error(chosen: Any, text: str, world: World) -> None:
    decide = declared(task.branch(task_id="decide")(lambda: chosen)).get_task("decide")
    with pytest.raises(AirflowException, match=text):
        run(decide, world)


def test_an_operator_of_the_authors_can_branch(world: World) -> None:
    class Choose(BaseBranchOperator):
        def choose_branch(self, context: Context) -> str:
            return "right"

    decide = declared(lambda: Choose(task_id="decide")).get_task("decide")
    assert run(decide, world)[0] == [("left", -1)]
    with pytest.raises(NotImplementedError, match="BaseBranchOperator has no choose_branch"):
        BaseBranchOperator(task_id="x").execute(Context())


def test_a_mapped_branch_leaves_the_skipping_to_the_scheduler(world: World) -> None:
    decide = declared(task.branch(task_id="decide")(lambda: "left")).get_task("decide")
    assert run(decide, world, map_index=2) == ([], {"followed": ["join", "left"]})


def test_a_branch_handler_chooses_among_the_tasks_that_it_was_told(world: World) -> None:
    decide = task.branch(task_id="decide")(lambda: "left").operator().handling("d", "decide", ["left", "right"])
    assert run(decide, world) == ([("right", -1)], {"followed": ["left"]})


def test_a_short_circuit_skips_all_that_is_behind_it(world: World) -> None:
    stop = declared(task.short_circuit(task_id="stop")(lambda: [])).get_task("stop")
    assert run(stop, world) == (["join", "left", "right"], {"skipped": ["join", "left", "right"]})


def test_a_short_circuit_can_leave_the_rest_to_trigger_rules(world: World) -> None:
    with DAG("d") as made:
        stop = task.short_circuit(task_id="stop", ignore_downstream_trigger_rules=False)(lambda: False)
        stop() >> step.override(task_id="next")() >> step.override(task_id="later")()
    assert run(made.get_task("stop"), world)[0] == ["next"]


def test_a_short_circuit_that_goes_on_returns_its_condition(world: World) -> None:
    go = declared(task.short_circuit(task_id="go")(lambda: "yes")).get_task("go")
    assert go.execute(Context(ti=instance(go))) == "yes"
    assert world.xcoms == {}


def test_skipping_takes_tasks_references_and_ids(world: World) -> None:
    class Skips(SkipMixin, BaseOperator):
        what: Any = ()

        def execute(self, context: Context) -> None:
            self.skip(context["ti"], self.what)

    with DAG("d") as made:
        skips = Skips(task_id="skips")
        reference = step()
    skips.what = [reference, made.get_task("step"), "other"]
    assert run(skips, world)[0] == ["step", "step", "other"]
    skips.what = []
    assert run(skips, world)[0] == []
    skips.what = [5]
    with pytest.raises(AirflowException, match="only tasks can be skipped, not 5"):
        run(skips, world)
