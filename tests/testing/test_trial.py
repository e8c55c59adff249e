"""`run_task` in the caller's process: what it is given, and what it tells."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outboard import (
    DAG,
    BaseOperator,
    BaseSensorOperator,
    BaseXCom,
    BranchPythonOperator,
    Connection,
    Context,
    HITLOperator,
    Param,
    PokeReturnValue,
    RetryDecision,
    RetryPolicy,
    ShortCircuitOperator,
    TriggerDagRunOperator,
    Variable,
    get_current_context,
    task,
)
from outboard.errors import SerializationError, UsageError
from outboard.sdk import client
from outboard.sdk.exceptions import (
    AirflowFailException,
    AirflowNotFoundException,
    AirflowRescheduleException,
    AirflowRuntimeError,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    DownstreamTasksSkipped,
    ParamValidationError,
    TaskAwaitingInput,
    TaskDeferralError,
    TaskDeferralTimeout,
    TaskDeferred,
)
from outboard.sdk.hitl import HITLTimeoutError, HITLUser
from outboard.testing import HumanInput, TriggeredRun, run_task

DAY = datetime(2026, 3, 4, 5, tzinfo=UTC)


class Trigger:
    def __init__(self, **arguments: Any) -> None:
        self.arguments = arguments

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "author.triggers.FileTrigger", self.arguments


class Policy(RetryPolicy):
    def __init__(self, decision: RetryDecision) -> None:
        self.decision = decision

    def evaluate(self, exception: BaseException, *_: Any, **__: Any) -> RetryDecision:
        return self.decision


def raising(error: BaseException) -> Callable[[], None]:
    def body() -> None:
        raise error

    return body


# ── values ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_the_body_returns_is_the_value_and_the_xcom() -> None:
    @task
    def total(rows: list[int], factor: int = 2) -> tuple[int, datetime]:
        return sum(rows) * factor, DAY

    result = run_task(total([1, 2], factor=3))
    assert (result.state, result.reason) == ("success", "reported success")
    assert result.value == (9, DAY)
    assert result.xcoms == {"return_value": (9, DAY)}
    assert (result.exception, result.error) == (None, "")


def test_a_value_that_becomes_no_xcom_is_told_all_the_same() -> None:
    result = run_task(task(do_xcom_push=False, task_id="zone")(lambda: DAY.tzinfo))
    assert (result.state, result.value, result.xcoms) == ("success", UTC, {})


def test_the_value_is_the_very_object_that_was_returned() -> None:
    rows = [1, 2]
    assert run_task(lambda: rows).value is rows


def test_a_coroutine_task_is_awaited() -> None:
    @task
    async def body(ti: Any = None) -> str:
        await ti.axcom_push("key", 1)
        return await ti.axcom_pull(key="key") * "x"

    result = run_task(body)
    assert (result.state, result.value, result.xcoms["key"]) == ("success", "x", 1)


def test_outputs_become_xcoms_of_their_own() -> None:
    @task
    def split() -> dict[str, int]:
        return {"rows": 3, "errors": 0}

    assert run_task(split).xcoms == {"rows": 3, "errors": 0, "return_value": {"rows": 3, "errors": 0}}


def test_an_operator_of_the_authors_is_run_with_its_hooks_and_callbacks() -> None:
    calls: list[str] = []

    class Load(BaseOperator):
        def __init__(self, *, table: str, **arguments: Any) -> None:
            super().__init__(**arguments)
            self.table = table

        def pre_execute(self, context: Context) -> None:
            calls.append("before")

        def execute(self, context: Context) -> str:
            assert context["task"] is self
            return f"{self.table} on {context['ds']}"

        def post_execute(self, context: Context, result: Any = None) -> None:
            calls.append(f"after {result}")

    load = Load(task_id="load", table="sales", on_success_callback=lambda context: calls.append(context["ti"].task_id))
    assert run_task(load).value == "sales on 2026-01-01"
    assert calls == ["before", "after sales on 2026-01-01", "load"]
    assert load.dag is None


def test_an_argument_that_refers_to_another_task_gets_its_xcom() -> None:
    with DAG("sales") as sales:
        rows = task(task_id="extract")(lambda: {"rows": [1]})()
        task(task_id="load", multiple_outputs=False)(lambda given, other: (given, other))(rows, [rows["other"]])

    result = run_task(sales.get_task("load"), xcoms={"extract": [1, 2], ("extract", "other"): "o"})
    assert result.value == ([1, 2], ["o"])


def test_xcoms_are_found_by_task_by_key_and_by_map_index() -> None:
    def body(ti: Any) -> list[Any]:
        return [
            ti.xcom_pull("one"),
            ti.xcom_pull("one", key="k"),
            ti.xcom_pull("mapped", map_indexes=[0, 1]),
            ti.xcom_pull("none", default="d"),
        ]

    xcoms = {"one": DAY, ("one", "k"): None, ("mapped", "return_value", 0): "a", ("mapped", "return_value", 1): "b"}
    assert run_task(body, xcoms=xcoms).value == [DAY, None, ["a", "b"], "d"]


def test_the_xcoms_that_it_left_before_are_cleared_as_for_another_try() -> None:
    def body(ti: Any) -> list[Any]:
        ti.xcom_push("new", 1)
        return [ti.xcom_pull(key="old")]

    assert run_task(body, xcoms={("body", "old"): 1}).xcoms == {"new": 1, "return_value": [None]}


def test_a_mapped_task_knows_its_index() -> None:
    def body(ti: Any) -> int:
        ti.xcom_push("k", "v")
        return int(ti.map_index)

    result = run_task(body, context={"map_index": 2})
    assert (result.value, result.xcoms) == (2, {"k": "v", "return_value": 2})


# ── variables and connections ─────────────────────────────────────────────────────────────────────────────────────────


def test_variables_are_read_written_and_deleted() -> None:
    def body() -> list[Any]:
        Variable.set("new", {"a": 1}, serialize_json=True)
        Variable.delete("old")
        with pytest.raises(AirflowRuntimeError):
            Variable.get("old")
        return [Variable.get("unit"), Variable.get("none", default=3), list(Variable.keys("u"))]

    result = run_task(body, variables={"unit": "km", "old": "x"})
    assert result.value == ["km", 3, ["unit"]]
    assert result.variables == {"unit": "km", "new": '{\n  "a": 1\n}'}


@pytest.mark.parametrize(
    "given",
    [
        "postgres://ann:secret%21@db.example:5432/sales?sslmode=require",
        '{"conn_type": "postgres", "host": "db.example", "login": "ann", "password": "secret!", "port": 5432,'
        ' "schema": "sales", "extra": {"sslmode": "require"}}',
        Connection(
            conn_id="db", conn_type="postgres", host="db.example", login="ann", password="secret!", port=5432,
            schema="sales", extra='{"sslmode": "require"}',
        ),
    ],
    ids=["URI", "JSON", "Connection"],
)  # fmt: skip
def test_connections_are_given_in_any_form(given: Any) -> None:
    def body() -> list[Any]:
        found = Connection.get("db")
        with pytest.raises(AirflowNotFoundException):
            Connection.get("none")
        print("the password is", found.password)
        return [found.conn_type, found.host, found.login, found.port, found.schema, found.extra_dejson]

    result = run_task(body, connections={"db": given})
    assert result.value == ["postgres", "db.example", "ann", 5432, "sales", {"sslmode": "require"}]
    assert result.connections["db"].host == "db.example"
    # As under a real supervisor, its log shows no secret.
    assert result.text == "the password is ***"


# ── the run ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_run_about_which_nothing_is_said_is_always_the_same() -> None:
    def body() -> dict[str, Any]:
        context = get_current_context()
        return {key: context[key] for key in ("ds", "ts", "run_id", "try_number", "task_instance_key_str")}  # type: ignore[literal-required]

    assert run_task(body).value == {
        "ds": "2026-01-01",
        "ts": "2026-01-01T00:00:00+00:00",
        "run_id": "manual__2026-01-01T00:00:00+00:00",
        "try_number": 1,
        "task_instance_key_str": "test__body__20260101",
    }


def test_the_facts_of_the_run_are_in_the_context() -> None:
    def body(**context: Any) -> list[Any]:
        run = context["dag_run"]
        return [
            context["ds"], context["run_id"], context["try_number"], context["ti"].max_tries, run.conf, run.run_type,
            context["data_interval_start"], context["data_interval_end"], context["task_reschedule_count"],
        ]  # fmt: skip

    result = run_task(
        body,
        context={
            "logical_date": DAY,
            "run_id": "r1",
            "try_number": 3,
            "max_tries": 4,
            "conf": {"a": 1},
            "params": {"b": 2},
            "run_type": "scheduled",
            "data_interval_start": DAY - timedelta(days=1),
            "data_interval_end": None,
            "task_reschedule_count": 5,
        },
    )
    before = DAY - timedelta(days=1)
    assert result.value == ["2026-03-04", "r1", 3, 4, {"a": 1, "b": 2}, "scheduled", before, None, 5]


def test_params_have_their_values_in_the_run() -> None:
    with DAG("sales", params={"day": Param("monday", enum=["monday", "friday"]), "rows": 3}):
        body = task(task_id="body")(lambda params: dict(params))()
    assert run_task(body).value == {"day": "monday", "rows": 3}
    assert run_task(body, context={"params": {"day": "friday"}}).value == {"day": "friday", "rows": 3}
    wrong = run_task(body, context={"conf": {"day": "sunday"}})
    assert (wrong.state, type(wrong.exception)) == ("failed", ParamValidationError)


def test_what_its_page_would_show_of_its_arguments_is_told() -> None:
    result = run_task(task(task_id="body")(lambda rows, password: None)([1, 2], password="open sesame"))
    assert result.rendered_fields["op_args"] == [[1, 2]]
    assert result.rendered_fields["op_kwargs"] == {"password": "***"}


@pytest.mark.parametrize(("condition", "state"), [(True, "success"), (False, "skipped")])
def test_a_task_with_a_condition_is_run_under_it(condition: bool, state: str) -> None:
    assert run_task(task.run_if(lambda context: condition)(task(task_id="body")(lambda: 3))).state == state


def test_a_run_without_a_logical_date_has_nothing_that_is_made_from_it() -> None:
    result = run_task(lambda **context: "ds" in context, context={"logical_date": None, "run_after": DAY})
    assert result.value is False


# ── states ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_exception_fails_the_task_and_is_told() -> None:
    error = ValueError("no rows")
    result = run_task(raising(error))
    assert (result.state, result.exception, result.error) == ("failed", error, "ValueError: no rows")
    assert result.log[-1]["event"] == "the task raised an exception"
    assert result.log[-1]["exception"][0]["exc_value"] == "no rows"
    assert repr(result) == "TaskResult(state='failed', error='ValueError: no rows')"


@pytest.mark.parametrize(("try_number", "state"), [(1, "up_for_retry"), (2, "up_for_retry"), (3, "failed")])
def test_a_failure_is_tried_again_while_retries_are_left(try_number: int, state: str) -> None:
    fails = task(retries=2, task_id="fails")(raising(ValueError()))
    assert run_task(fails, context={"try_number": try_number}).state == state


def test_how_many_retries_there_are_can_be_said() -> None:
    fails = raising(ValueError())
    assert run_task(fails, context={"max_tries": 1}).state == "up_for_retry"
    assert run_task(task(retries=2, task_id="fails")(fails), context={"max_tries": 0}).state == "failed"


@pytest.mark.parametrize("error", [AirflowFailException("no"), AirflowSensorTimeout("late")])
def test_some_failures_are_final(error: Exception) -> None:
    assert run_task(task(retries=2, task_id="fails")(raising(error))).state == "failed"


@pytest.mark.parametrize("code", [0, 3])
def test_leaving_the_process_is_a_failure(code: int) -> None:
    result = run_task(raising(SystemExit(code)))
    assert (result.state, result.error) == ("failed", f"SystemExit: {code}")


def test_a_skip_says_why() -> None:
    result = run_task(raising(AirflowSkipException("no rows today")))
    assert (result.state, result.text, result.exception) == ("skipped", "skipped: no rows today", None)


def test_a_deferral_tells_what_for_and_how_to_go_on() -> None:
    class Waits(BaseOperator):
        def execute(self, context: Context) -> None:
            context["ti"].xcom_push("left", 1)
            self.defer(
                trigger=Trigger(path="/in", after=DAY),
                method_name="go_on",
                kwargs={"since": DAY},
                timeout=timedelta(hours=1),
            )

        def go_on(self, context: Context, since: datetime, event: Any) -> Any:
            return [since, event, context["ti"].xcom_pull(key="left")]

    waits = Waits(task_id="waits")
    first = run_task(waits)
    assert first.state == "deferred"
    deferral = first.deferral
    assert deferral is not None
    assert (deferral.classpath, deferral.trigger_kwargs) == (
        "author.triggers.FileTrigger",
        {"path": "/in", "after": DAY},
    )
    assert (deferral.next_method, deferral.next_kwargs) == ("go_on", {"since": DAY})
    assert deferral.timeout == timedelta(hours=1)
    second = run_task(
        waits,
        xcoms={("waits", key): value for key, value in first.xcoms.items()},
        context={"next_method": "go_on", "next_kwargs": deferral.next_kwargs, "event": {"size": 3, "at": DAY}},
    )
    assert second.value == [DAY, {"size": 3, "at": DAY}, 1]


def test_a_trigger_that_fails_is_tried_as_it_comes() -> None:
    class Waits(BaseOperator):
        def execute(self, context: Context) -> None:
            raise AssertionError

    waits = Waits(task_id="waits")
    failure = {
        "next_method": "__fail__",
        "next_kwargs": {"error": "Trigger failure", "traceback": ["line 1\n", "line 2"]},
    }
    result = run_task(waits, context=failure)  # type: ignore[arg-type]
    assert isinstance(result.exception, TaskDeferralError)
    assert "line 2" in result.text
    late = run_task(waits, context={"next_method": "__fail__", "next_kwargs": {"error": "Trigger timeout"}})
    assert isinstance(late.exception, TaskDeferralTimeout)
    unknown = run_task(waits, context={"next_method": "nowhere", "event": None})
    assert unknown.error == "TaskDeferralError: Waits has no method 'nowhere' to go on with"


def test_a_trigger_that_cannot_be_named_fails_the_task() -> None:
    result = run_task(raising(TaskDeferred(trigger=object(), method_name="go_on")))  # type: ignore[arg-type]
    assert result.state == "failed"
    assert "serialize()" in result.error


def test_a_task_that_awaits_input_tells_how_to_go_on() -> None:
    result = run_task(raising(TaskAwaitingInput(method_name="answered", kwargs={"a": DAY}, timeout=60)))
    assert result.state == "awaiting_input"
    asked = result.human_input
    assert asked is not None
    assert (asked.next_method, asked.next_kwargs, asked.timeout) == ("answered", {"a": DAY}, timedelta(seconds=60))
    assert (asked.subject, asked.options) == ("", ())


def test_what_a_task_asks_a_person_is_told_and_the_answer_is_what_it_goes_on_with() -> None:
    asks = HITLOperator(
        task_id="asks", subject="Go on?", body="See the log.", options=["yes", "no"], defaults="no",
        assigned_users=HITLUser(id="7", name="ann"), response_timeout=timedelta(hours=1),
    )  # fmt: skip
    asked = run_task(asks).human_input
    assert asked == HumanInput(
        subject="Go on?", body="See the log.", options=("yes", "no"), defaults=("no",), multiple=False, params={},
        assigned_users=("7",), timeout=timedelta(hours=1), next_method="execute_complete", next_kwargs={},
    )  # fmt: skip
    answer = {"chosen_options": ["yes"], "params_input": {}, "responded_by_user": {"id": "7", "name": "ann"}}
    resumed = run_task(asks, context={"next_method": asked.next_method, "event": answer, "now": DAY})
    assert resumed.value == {**answer, "responded_at": DAY}
    assert resumed.text == "ann says: yes"
    late = run_task(asks, context={"next_method": asked.next_method, "event": {"error": "e", "error_type": "timeout"}})
    assert isinstance(late.exception, HITLTimeoutError)


def test_a_task_that_is_put_off_tells_until_when() -> None:
    result = run_task(raising(AirflowRescheduleException(DAY)))
    assert (result.state, result.reschedule_date) == ("up_for_reschedule", DAY)


def test_a_retry_policy_is_heard() -> None:
    def fails(policy: Policy) -> Any:
        return task(retries=2, task_id="fails", retry_policy=policy)(raising(ValueError("x")))

    retried = run_task(fails(Policy(RetryDecision.retry(timedelta(minutes=3), reason="it is busy"))))
    assert (retried.state, retried.retry_delay, retried.retry_reason) == (
        "up_for_retry", timedelta(minutes=3), "it is busy",
    )  # fmt: skip
    assert run_task(fails(Policy(RetryDecision.fail()))).state == "failed"
    later = RetryDecision.reschedule(timedelta(hours=1), max_reschedules=2)
    put_off = run_task(fails(Policy(later)), context={"now": DAY})
    assert (put_off.state, put_off.reschedule_date) == ("up_for_reschedule", DAY + timedelta(hours=1))


# ── what is behind it ─────────────────────────────────────────────────────────────────────────────────────────────────


def branching(operator: Callable[..., BaseOperator]) -> BaseOperator:
    with DAG("branching"):
        chosen, left_out, last = (task(task_id=name)(lambda: None)() for name in ("chosen", "left_out", "last"))
        first = operator(task_id="first")
        first >> [chosen, left_out]
        left_out >> last
    return first


def test_a_branch_tells_what_it_skips() -> None:
    result = run_task(branching(lambda **given: BranchPythonOperator(python_callable=lambda: "chosen", **given)))
    assert (result.state, result.skipped) == ("success", ("left_out",))
    assert repr(result) == "TaskResult(state='success', skipped=('left_out',))"


def test_a_short_circuit_tells_what_it_skips() -> None:
    circuit = branching(lambda **given: ShortCircuitOperator(python_callable=lambda: False, **given))
    assert run_task(circuit).skipped == ("chosen", "last", "left_out")


def test_mapped_tasks_that_are_skipped_come_with_their_index() -> None:
    result = run_task(raising(DownstreamTasksSkipped(tasks=["one", ("two", 3)])))
    assert result.skipped == ("one", ("two", 3))


def asks(**given: Any) -> TriggerDagRunOperator:
    return TriggerDagRunOperator(
        task_id="asks", trigger_dag_id="other", trigger_run_id="r1", conf={"a": 1}, logical_date=DAY, note="n", **given
    )


def test_runs_of_other_dags_that_it_asks_for_are_told() -> None:
    result = run_task(asks(fail_when_dag_is_paused=True))
    run = TriggeredRun(
        dag_id="other", run_id="r1", conf={"a": 1}, logical_date=DAY, run_after=None, reset_dag_run=False, note="n"
    )
    assert (result.state, result.triggered_runs, result.xcoms) == ("success", (run,), {"trigger_run_id": "r1"})


@pytest.mark.parametrize("state", ["success", "failed"])
def test_how_the_runs_end_that_it_waits_for_can_be_said(state: str) -> None:
    assert run_task(asks(wait_for_completion=True), context={"triggered_run_state": state}).state == state
    deferred = run_task(asks(wait_for_completion=True, deferrable=True)).deferral
    assert deferred is not None
    assert deferred.trigger_kwargs["run_ids"] == ["r1"]
    event = [deferred.classpath, {"run_ids": ["r1"], "r1": state}]
    resumed = run_task(
        asks(wait_for_completion=True, deferrable=True), context={"next_method": deferred.next_method, "event": event}
    )
    assert resumed.state == state


# ── time ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


class Arrives(BaseSensorOperator):
    looks = 0
    after = 1

    def poke(self, context: Context) -> PokeReturnValue:
        type(self).looks += 1
        return PokeReturnValue(self.looks > self.after, self.looks)


def test_a_sensor_looks_again_without_anybody_waiting() -> None:
    class Third(Arrives):
        after = 2

    assert run_task(Third(task_id="arrives", poke_interval=3600)).value == 3


def test_a_sensor_waits_in_vain_without_anybody_waiting() -> None:
    class Never(Arrives):
        after = 10**9

    result = run_task(Never(task_id="arrives", poke_interval=timedelta(hours=12)))
    assert isinstance(result.exception, AirflowSensorTimeout)
    assert Never.looks == 15  # a week has fourteen half days
    assert run_task(Never(task_id="arrives", poke_interval=60, timeout=90, soft_fail=True)).state == "skipped"


def test_a_sensor_that_is_put_off_counts_from_its_first_look() -> None:
    class Never(Arrives):
        after = 10**9

    never = Never(task_id="arrives", mode="reschedule", poke_interval=60, timeout=600)
    assert run_task(never, context={"now": DAY}).reschedule_date == DAY + timedelta(seconds=60)
    again = {"now": DAY, "task_reschedule_count": 3}
    assert run_task(never, context=again).state == "up_for_reschedule"  # type: ignore[arg-type]
    late = {**again, "first_reschedule_date": DAY - timedelta(seconds=601)}
    assert run_task(never, context=late).state == "failed"  # type: ignore[arg-type]


def test_a_wait_that_would_never_end_is_ended() -> None:
    def body() -> None:
        while True:
            client.current().sleep(24 * 3600)

    assert "more than a year" in run_task(body).error


def test_a_time_limit_is_kept() -> None:
    @task(execution_timeout=timedelta(milliseconds=50))
    def body() -> None:
        while True:
            pass

    result = run_task(body)
    assert isinstance(result.exception, AirflowTaskTimeout)
    assert run_task(task(execution_timeout=timedelta(hours=1), task_id="quick")(lambda: 3)).value == 3


def test_a_coroutine_task_has_a_time_limit_too() -> None:
    @task(execution_timeout=timedelta(milliseconds=50))
    async def body() -> None:
        from anyio import sleep_forever

        await sleep_forever()

    assert isinstance(run_task(body).exception, AirflowTaskTimeout)


# ── wrong input ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_result_that_no_xcom_can_hold_fails_the_task() -> None:
    result = run_task(lambda: {"a": [object()]})
    assert result.state == "failed"
    assert isinstance(result.exception, SerializationError)
    assert result.value is None


def test_an_xcom_that_none_can_hold_is_an_error_that_says_where() -> None:
    with pytest.raises(SerializationError, match=r"xcoms\['one'\]\.a\[0\]"):
        run_task(lambda: 3, xcoms={"one": {"a": [object()]}})


def test_an_event_that_no_message_can_hold_is_an_error_that_says_where() -> None:
    with pytest.raises(SerializationError, match=r"next_kwargs\.event"):
        run_task(lambda: 3, context={"next_method": "m", "event": object()})


def test_other_dags_xcoms_are_none_of_its_own() -> None:
    def body(ti: Any) -> None:
        BaseXCom.set("k", 1, dag_id="other", task_id="body", run_id=ti.run_id)

    assert run_task(body).xcoms == {}


def test_nothing_is_left_to_answer_for_tasks() -> None:
    run_task(lambda: 3)
    with pytest.raises(RuntimeError, match="outboard run"):
        Variable.get("a")


def test_given_mappings_are_left_alone() -> None:
    variables, xcoms = {"a": "b"}, {"one": [1]}
    run_task(lambda: Variable.set("a", "c"), variables=variables, xcoms=xcoms)
    assert (variables, xcoms) == ({"a": "b"}, {"one": [1]})


def test_an_unknown_argument_is_refused() -> None:
    with pytest.raises(TypeError, match="varibles"):
        run_task(lambda: 3, varibles={})  # type: ignore[call-overload]
    with pytest.raises(UsageError, match="variables is a dict"):
        run_task(lambda: 3, variables=["a=b"])  # type: ignore[call-overload]
