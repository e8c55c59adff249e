from __future__ import annotations

import threading

import pytest

from outboard import Context, get_current_context
from outboard.sdk.context import DATED_KEYS, LATER_KEYS, pop_context, push_context, spread
from tests.sdk.conftest import World


def test_without_a_task_there_is_no_context() -> None:
    with pytest.raises(RuntimeError, match="no task is running"):
        get_current_context()


def test_the_context_pushed_last_is_the_current_one_in_every_thread() -> None:
    outer, inner = Context(run_id="outer"), Context(run_id="inner")
    push_context(outer)
    push_context(inner)
    seen: list[Context] = []
    thread = threading.Thread(target=lambda: seen.append(get_current_context()))
    thread.start()
    thread.join(5)
    assert seen == [inner]
    assert pop_context() is inner
    assert get_current_context() is outer
    assert pop_context() is outer


def test_what_is_looked_up_is_made_once_and_stays() -> None:
    context = Context(run_id="manual")
    assert "var" in context
    assert list(context) == ["run_id"]
    assert context["var"] is context["var"]
    assert context.get("conn") is context["conn"]


def test_a_value_that_was_put_there_is_not_made() -> None:
    context = Context(run_id="manual", var="mine")
    assert (context["var"], context.get("var")) == ("mine", "mine")


def test_spread_out_a_context_has_all_that_is_in_it(world: World) -> None:
    context = Context(run_id="manual")
    everything = spread(context)
    assert everything["run_id"] == "manual"
    assert set(LATER_KEYS) - set(DATED_KEYS) <= set(everything)
    assert list(context) == ["run_id"]
    world.variables["region"] = "eu"
    assert everything["var"]["value"].region == "eu"
    assert spread({"a": 1}) == {"a": 1}


@pytest.mark.parametrize("key", ["ds", "logical_date", "data_interval_start"])
def test_a_key_that_only_dated_runs_have_says_so_when_it_is_missing(key: str) -> None:
    with pytest.raises(KeyError, match="no logical date"):
        Context(run_id="manual")[key]  # type: ignore[literal-required]


def test_any_other_missing_key_is_a_plain_key_error() -> None:
    context = Context(run_id="manual")
    with pytest.raises(KeyError, match=r"^'nonsense'$"):
        context["nonsense"]  # type: ignore[typeddict-item]
    assert context.get("ds") is None
    assert "ds" not in context
