"""`sdk.retry_policy` and `sdk.retry_decision` against what Airflow has made of the same text."""

from __future__ import annotations

import builtins
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import outboard
from outboard import DAG, ExceptionRetryPolicy, RetryAction, RetryDecision, RetryPolicy, RetryRule, task
from outboard.runtime.dag_serde import serialize_dag
from outboard.sdk import client
from outboard.sdk.retry_decision import MAX_REASON, kept_reason, limit_reached
from outboard.sdk.retry_policy import ChainRetryPolicy
from tests import recorded

RECORDED: Any = recorded.load("sdk/retry_policies.json")
NAMES = (ChainRetryPolicy, ExceptionRetryPolicy, RetryAction, RetryDecision, RetryPolicy, RetryRule)


@pytest.fixture
def author(world: Any) -> Iterator[dict[str, Any]]:
    """The names of an author's module."""
    module: Any = type(sys)("author_file")
    sys.modules["author_file"] = module
    vars(module).update({each.__name__: each for each in NAMES})
    exec(compile(RECORDED["prelude"], "author_file.py", "exec", dont_inherit=True), vars(module))
    yield vars(module)
    del sys.modules["author_file"]


def parts(decision: RetryDecision) -> list[Any]:
    delay, timeout = decision.retry_delay, decision.reschedule_timeout
    return [
        decision.action.value,
        None if delay is None else delay.total_seconds(),
        decision.reason,
        decision.max_reschedules,
        None if timeout is None else timeout.total_seconds(),
    ]


@pytest.mark.parametrize("source", RECORDED["policies"])
def test_a_policy_decides_as_airflows_does(author: dict[str, Any], source: str) -> None:
    policy = eval(source, author)
    raised = [eval(each, author) for each in RECORDED["exceptions"]]
    decided = [parts(policy.evaluate(exception, 2, 5, None)) for exception in raised]
    assert decided == RECORDED["policies"][source]


@pytest.mark.parametrize("source", RECORDED["answers"])
def test_a_question_has_the_answer_that_airflow_gives(author: dict[str, Any], source: str) -> None:
    assert eval(source, author) == RECORDED["answers"][source]


@pytest.mark.parametrize("source", RECORDED["errors"])
def test_what_airflow_refuses_is_refused_with_such_an_error(author: dict[str, Any], source: str) -> None:
    expected: type[Exception] = getattr(builtins, RECORDED["errors"][source])
    with pytest.raises(expected):
        eval(source, author)


# ── where we say more ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (
            lambda: RetryAction("later"),
            ValueError,
            "'later' is no RetryAction; there are 'retry', 'fail', 'default', 'resch",
        ),
        (lambda: RetryDecision("retry"), TypeError, "the action is one of RetryAction.RETRY, .*, not 'retry'"),
        (lambda: RetryDecision.retry(5), TypeError, "retry_delay is a timedelta, not 5"),
        (lambda: RetryDecision.reschedule(), ValueError, "RetryAction.RESCHEDULE would go on for ever; give max_resch"),
        (lambda: RetryRule(3), TypeError, "an exception's class or the dotted path of one is wanted, not 3"),
        (
            lambda: RetryRule(int),
            TypeError,
            "an exception's class or the dotted path of one is wanted, not <class 'int'>",
        ),
        (
            lambda: RetryRule("ValueError"),
            ValueError,
            "named by a dotted path, such as 'builtins.ValueError', not by 'Va",
        ),
        (lambda: RetryRule([]), ValueError, "at least one kind of exception"),
        (
            lambda: ExceptionRetryPolicy([], RetryAction.RESCHEDULE),
            ValueError,
            "takes bounds, so it cannot be the default",
        ),
        (lambda: ChainRetryPolicy([3]), TypeError, r"policies\[0\] is a RetryPolicy, not 3"),
    ],
)
def test_wrong_parts_are_named(make: Any, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        make()


def test_a_member_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match=r"RetryAction\.RETRY cannot be changed"):
        RetryAction.RETRY.value = "fail"


def test_a_path_that_leads_nowhere_is_told_once_there_is_something_to_compare(world: Any) -> None:
    rule = RetryRule(["no.such.module.Error", "json.dumps", KeyError])
    assert world.said == []
    assert (rule.matches(KeyError()), rule.matches(ValueError()), rule.matches(KeyError())) == (True, False, True)
    assert world.said == [
        (
            "warning",
            "a retry rule is about no.such.module.Error, which cannot be imported (No module named 'no'), so it matches "
            "nothing",
        ),
        ("warning", "a retry rule is about json.dumps, which is no exception's class, so it matches nothing"),
    ]


def test_who_tries_a_policy_out_is_warned_too() -> None:
    client.use(None)
    with pytest.warns(UserWarning, match=r"about no\.such\.Error, which cannot be imported"):
        assert not RetryRule("no.such.Error").matches(KeyError())


def test_a_path_costs_no_import_before_there_is_something_to_compare(tmp_path: Path) -> None:
    tmp_path.joinpath("costly.py").write_text("class Error(Exception): pass\n")
    program = (
        f"import sys; sys.path[:0] = [{str(Path(outboard.__file__).parents[1])!r}, {str(tmp_path)!r}]\n"
        "from outboard import RetryRule\n"
        "rule = RetryRule('costly.Error')\n"
        "before = 'costly' in sys.modules\n"
        "print(before, rule.matches(KeyError()), rule.matches(sys.modules['costly'].Error()))\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False", "True"]


# ── what the runtime asks ─────────────────────────────────────────────────────────────────────────────────────────────

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


def reached(decision: RetryDecision, reschedules: int, seconds: float) -> str | None:
    first = BEGAN if reschedules else None
    return limit_reached(
        decision, reschedules=reschedules, first_reschedule=first, now=BEGAN + timedelta(seconds=seconds)
    )


def test_a_task_is_put_off_until_a_bound_is_reached() -> None:
    often = RetryDecision.reschedule(max_reschedules=2)
    assert [reached(often, count, 1e6) for count in (0, 1, 2, 3)] == [None, None, *["max_reschedules=2"] * 2]
    long = RetryDecision.reschedule(reschedule_timeout=timedelta(minutes=1))
    assert reached(long, 0, 1e6) is None
    assert [reached(long, 9, seconds) for seconds in (59.9, 60)] == [None, "reschedule_timeout=0:01:00"]
    both = RetryDecision.reschedule(max_reschedules=9, reschedule_timeout=timedelta(minutes=1))
    assert (reached(both, 1, 1), reached(both, 1, 61), reached(both, 9, 1)) == (
        None, "reschedule_timeout=0:01:00", "max_reschedules=9",
    )  # fmt: skip


def test_a_reason_is_cut_where_airflow_cuts_it() -> None:
    assert MAX_REASON == 500
    assert (kept_reason(None), kept_reason(""), kept_reason("a" * 500)) == (None, "", "a" * 500)
    assert kept_reason("ä" * 501) == "ä" * 500


# ── what it costs, and what is told of it ─────────────────────────────────────────────────────────────────────────────


def test_a_serialized_dag_says_that_there_is_a_policy_and_no_more() -> None:
    @task(retry_policy=ExceptionRetryPolicy([RetryRule(KeyError)]))
    def has_one() -> None:
        pass

    @task
    def has_none() -> None:
        pass

    with DAG("d") as declared:
        has_one()
        has_none()
    tasks = [each["__var"] for each in serialize_dag(declared)["dag"]["tasks"]]
    assert [each["has_retry_policy"] for each in tasks] == [True, False]
    assert "retry_policy" not in tasks[0]


def test_a_policy_loads_nothing_but_itself() -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(Path(outboard.__file__).parents[1])!r})\n"
        "from datetime import timedelta\n"
        "from outboard import DAG, task\n"
        "before = set(sys.modules)\n"
        "from outboard import ExceptionRetryPolicy, RetryAction, RetryRule\n"
        "@task(retry_policy=ExceptionRetryPolicy([RetryRule('a.B', RetryAction.FAIL, timedelta(1))]))\n"
        "def step(): ...\n"
        "print(*set(sys.modules) - before)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert {"outboard.sdk.retry_policy", "outboard.sdk.retry_decision"} <= loaded
    assert {name for name in loaded if not name.startswith("outboard.sdk.")} == set()
