"""Tasks that are skipped by a look at their context."""

from __future__ import annotations

from typing import Any

import pytest

from outboard import DAG, Context, task
from outboard.sdk.exceptions import AirflowSkipException


def hook_of(decorated: Any) -> Any:
    with DAG("d") as declared:
        decorated()
    return declared.tasks[0]._pre_execute_hook


def body() -> None:
    pass


@pytest.mark.parametrize(
    ("variant", "holds", "skipped"),
    [
        (task.run_if, True, False),
        (task.run_if, False, True),
        (task.run_if, (True, "x"), False),
        (task.run_if, (False, None), True),
        (task.skip_if, True, True),
        (task.skip_if, False, False),
        (task.skip_if, [1], True),
        (task.skip_if, (False, "x"), False),
    ],
)
def test_the_condition_decides_whether_the_body_runs(variant: Any, holds: Any, skipped: bool) -> None:
    hook = hook_of(variant(lambda context: holds)(task(body)))
    if not skipped:
        assert hook(Context()) is None
        return
    with pytest.raises(AirflowSkipException, match="its condition says so"):
        hook(Context())


def test_the_condition_sees_the_context_and_may_say_why() -> None:
    hook = hook_of(task.run_if(lambda context: (False, f"not in {context['run_id']}"), "a holiday")(task(body)))
    with pytest.raises(AirflowSkipException, match="not in r1"):
        hook(Context(run_id="r1"))
    hook = hook_of(task.run_if(lambda context: (False, None), "a holiday")(task(body)))
    with pytest.raises(AirflowSkipException, match="a holiday"):
        hook(Context())


def test_conditions_stand_one_above_the_other_and_come_after_the_authors_own_hook() -> None:
    called: list[str] = []

    @task.skip_if(lambda context: bool(called.append("second")))  # type: ignore[func-returns-value]
    @task.run_if(lambda context: not called.append("first"))  # type: ignore[func-returns-value]
    @task(pre_execute=lambda context: called.append("own"))
    def decorated() -> None:
        pass

    hook_of(decorated)(Context())
    assert called == ["own", "first", "second"]


def test_what_is_decorated_stays_what_it_was() -> None:
    decorated = task.branch(task_id="decide", retries=3)(body)
    above = task.run_if(lambda context: True)(decorated)
    with DAG("d") as declared:
        above()
    [made] = declared.tasks
    assert (made.task_id, made.retries, made.inherits_from_skipmixin) == ("decide", 3, True)
    assert decorated.arguments.get("pre_execute") is None


@pytest.mark.parametrize("name", ["run_if", "skip_if"])
def test_a_condition_below_the_task_is_an_error(name: str) -> None:
    with pytest.raises(
        TypeError, match=f"@task.{name} stands above @task, and decorates what that has made, not <func"
    ):
        getattr(task, name)(lambda context: True)(body)
    with pytest.raises(TypeError, match=f"@task.{name} takes a function of the context, not True"):
        getattr(task, name)(True)
