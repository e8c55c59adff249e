from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from outboard import Context, TaskInstance
from outboard.sdk.context import pop_context, push_context
from outboard.sdk.loop import LoopContextAccessor
from tests.sdk.conftest import World


def instance(**changes: Any) -> TaskInstance:
    values: dict[str, Any] = {"id": "u", "dag_id": "d", "task_id": "t", "run_id": "r", "try_number": 1}
    return TaskInstance(**{**values, **changes})


def test_what_a_task_pushes_stands_under_its_own_address(world: World) -> None:
    instance().xcom_push("k", {"a": 1})
    instance(map_index=2).xcom_push(key="k", value="mapped")
    assert world.xcoms == {("k", "d", "r", "t", None): {"a": 1}, ("k", "d", "r", "t", 2): "mapped"}


def test_by_default_the_return_value_of_one_task_of_this_run_is_pulled(world: World) -> None:
    world.set_xcom("return_value", 5, "d", "r", "up", None)
    assert instance().xcom_pull("up") == 5
    assert instance().xcom_pull(task_ids="up") == 5


def test_without_a_task_its_own_are_pulled(world: World) -> None:
    instance().xcom_push("k", "mine")
    assert instance().xcom_pull(key="k") == "mine"


def test_several_tasks_give_a_list_in_their_order(world: World) -> None:
    world.set_xcom("return_value", 1, "d", "r", "a", None)
    world.set_xcom("return_value", 2, "d", "r", "b", None)
    assert instance().xcom_pull(["b", "missing", "a"], default=0) == [2, 0, 1]
    assert instance().xcom_pull(task_ids=("b",)) == [2]
    assert instance().xcom_pull(iter([])) == []


def mapped(world: World) -> None:
    for index in range(3):
        world.set_xcom("return_value", index * 10, "d", "r", "mapped", index)


def test_without_indexes_all_instances_of_a_mapped_task_are_pulled(world: World) -> None:
    mapped(world)
    world.set_xcom("return_value", "one", "d", "r", "plain", None)
    assert instance().xcom_pull("mapped") == [0, 10, 20]
    assert instance().xcom_pull(["mapped", "plain", "absent"], default="none") == [0, 10, 20, "one", "none"]


def test_the_only_instance_of_a_mapped_task_gives_its_value_as_in_airflow(world: World) -> None:
    world.set_xcom("return_value", "only", "d", "r", "mapped", 0)
    assert instance().xcom_pull("mapped") == "only"
    assert instance().xcom_pull("mapped", map_indexes=range(1)) == ["only"]


@pytest.mark.parametrize("wrong", [1.5, "12", object()])
def test_indexes_that_are_none_are_refused(world: World, wrong: Any) -> None:
    with pytest.raises(TypeError, match="map_indexes is an index, several of them or None"):
        instance().xcom_pull("mapped", map_indexes=wrong)


def test_indexes_choose_instances_of_a_mapped_task(world: World) -> None:
    mapped(world)
    assert instance().xcom_pull("mapped", map_indexes=1) == 10
    assert instance().xcom_pull("mapped", map_indexes=[2, 0]) == [20, 0]
    assert instance().xcom_pull("mapped", map_indexes=range(1, 4), default="-") == [10, 20, "-"]
    assert instance().xcom_pull(["mapped", "mapped"], map_indexes=[0, 2]) == [0, 20, 0, 20]
    assert instance().xcom_pull("mapped", map_indexes=-1) is None
    assert instance().xcom_pull("mapped", map_indexes=None) is None


def test_other_dags_and_runs_can_be_named(world: World) -> None:
    world.set_xcom("k", "there", "other", "then", "up", None)
    assert instance().xcom_pull("up", dag_id="other", key="k", run_id="then") == "there"


def test_a_missing_xcom_is_the_default_and_so_is_a_stored_none(world: World) -> None:
    world.set_xcom("return_value", None, "d", "r", "up", None)
    assert instance().xcom_pull("up", default="x") == "x"
    assert instance().xcom_pull("absent") is None
    assert instance().xcom_pull("absent", default="x") == "x"


def test_values_that_are_false_are_values(world: World) -> None:
    world.set_xcom("return_value", 0, "d", "r", "up", None)
    assert instance().xcom_pull("up", default="x") == 0


def test_earlier_runs_count_on_request(world: World) -> None:
    world.set_xcom("return_value", "old", "d", "earlier", "up", None)
    assert instance().xcom_pull("up") is None
    assert instance().xcom_pull("up", include_prior_dates=True) == "old"


def test_an_argument_is_told_whether_its_xcom_exists(world: World) -> None:
    world.set_xcom("return_value", None, "d", "r", "up", None)
    assert instance().pull_argument("up", "return_value") == (True, None)
    assert instance().pull_argument("up", "absent") == (False, None)


@pytest.mark.anyio
async def test_coroutines_have_faces_of_their_own(world: World) -> None:
    await instance().axcom_push("k", 3)
    assert await instance().axcom_pull("t", key="k") == 3
    assert await instance().axcom_pull(["t", "t"], key="k") == [3, 3]


DATE = datetime(2026, 1, 1, tzinfo=UTC)


def in_a_run(logical_date: datetime | None) -> TaskInstance:
    context: Any = {"dag_run": SimpleNamespace(logical_date=logical_date)}
    return instance(context=Context(context))


def test_the_run_and_the_instance_before_this_one_are_those_before_its_date(world: World) -> None:
    assert in_a_run(DATE).get_previous_dagrun() == "previous_dag_run"
    assert in_a_run(DATE).get_previous_ti() == "previous_ti"
    earlier = DATE - timedelta(days=1)
    in_a_run(DATE).get_previous_dagrun(state="success")
    in_a_run(DATE).get_previous_ti(state="failed", logical_date=earlier, map_index=2)
    assert world.asked == [
        ("previous_dag_run", "d", DATE, None, {}),
        ("previous_ti", "d", "t", DATE, -1, None, {}),
        ("previous_dag_run", "d", DATE, "success", {}),
        ("previous_ti", "d", "t", earlier, 2, "failed", {}),
    ]


def test_a_run_without_a_date_has_none_before_it_but_its_task_may_have(world: World) -> None:
    assert in_a_run(None).get_previous_dagrun() is None
    assert in_a_run(None).get_previous_ti() == "previous_ti"
    assert world.asked == [("previous_ti", "d", "t", None, -1, None, {})]


def test_tasks_and_runs_are_counted_and_asked_for_their_states(world: World) -> None:
    assert TaskInstance.get_ti_count("d", task_ids=["a"], states=["success"], run_ids=["r"]) == "ti_count"
    assert TaskInstance.get_task_states("d", task_group_id="g", map_index=1, logical_dates=[DATE]) == "task_states"
    assert TaskInstance.get_dr_count("d", states=["running"]) == "dag_run_count"
    assert TaskInstance.get_task_breadcrumbs("d", "r") == "task_breadcrumbs"
    assert TaskInstance.get_dagrun_state("d", "r") == "dag_run_state"
    assert TaskInstance.get_dag("d") == "dag"
    assert world.asked == [
        ("ti_count", "d", {"task_ids": ["a"], "states": ["success"], "run_ids": ["r"]}),
        ("task_states", "d", {"task_group_id": "g", "map_index": 1, "logical_dates": [DATE]}),
        ("dag_run_count", "d", {"states": ["running"]}),
        ("task_breadcrumbs", "d", "r", {}),
        ("dag_run_state", "d", "r", {}),
        ("dag", "d", {}),
    ]


def test_a_note_is_set_removed_or_left_alone(world: World) -> None:
    for note in ("new", "", None):
        instance().update_dagrun_note(note)
    assert world.asked == [("set_note", "u", "new", {}), ("set_note", "u", "", {})]


def test_the_page_of_a_try_is_below_the_address_of_the_server(world: World) -> None:
    assert instance(run_id="a b").log_url == "http://localhost:8080/dags/d/runs/a%20b/tasks/t?try_number=1"
    world.options["api", "base_url"] = "https://airflow.example/"
    assert (
        instance(map_index=3).mark_success_url == "https://airflow.example/dags/d/runs/r/tasks/t/mapped/3?try_number=1"
    )


def test_the_dates_of_the_last_success_are_asked_for_once(world: World) -> None:
    world.answers["previous_success"] = SimpleNamespace(
        start_date=DATE, end_date=None, data_interval_start=DATE, data_interval_end=DATE
    )
    given: Any = {"ti": instance(id="asked-once"), "logical_date": DATE}
    context = Context(given)
    assert context["prev_start_date_success"] == context["prev_data_interval_start_success"] == DATE
    assert context["prev_end_date_success"] is None
    assert context["prev_data_interval_end_success"] == DATE
    assert world.asked == [("previous_success", "asked-once", {})]


def test_a_run_without_a_date_knows_no_interval_of_the_last_success(world: World) -> None:
    given: Any = {"ti": instance(id="undated")}
    assert "prev_data_interval_start_success" not in Context(given)
    assert "prev_start_date_success" in Context(given)
    assert world.asked == []


def test_a_loop_gives_what_its_last_task_has_returned(world: World) -> None:
    told = SimpleNamespace(index=1, max_iterations=5, terminal_task_id="last", terminal_is_mapped=False)
    loop = LoopContextAccessor(told, "d", "r")
    assert (loop.index, loop.max_iterations) == (1, 5)
    assert (loop.previous, loop.result) == ("of_iteration", "of_iteration")
    place = {"dag_id": "d", "run_id": "r", "task_id": "last"}
    assert world.asked == [
        ("of_iteration", {**place, "previous": True}),
        ("of_iteration", {**place, "previous": False}),
    ]


def test_the_first_iteration_of_a_loop_has_none_before_it(world: World) -> None:
    told = SimpleNamespace(index=0, max_iterations=5, terminal_task_id="last", terminal_is_mapped=True)
    loop = LoopContextAccessor(told, "d", "r")
    assert loop.previous is None
    world.set_xcom("return_value", 7, "d", "r", "last", 0)
    assert loop.result == [7]


def test_a_missing_index_means_unmapped() -> None:
    assert instance(map_index=None).map_index == -1
    assert not instance(map_index=None).is_mapped
    assert instance(map_index=0).is_mapped


def test_the_context_is_its_own_or_the_current_one() -> None:
    own, current = Context(run_id="own"), Context(run_id="current")
    assert instance(context=own).get_template_context() is own
    push_context(current)
    try:
        assert instance().get_template_context() is current
    finally:
        pop_context()


def test_the_repr_says_which_task_of_which_run() -> None:
    assert repr(instance(map_index=3, try_number=2)) == "<TaskInstance d.t[3] of r, try 2>"
