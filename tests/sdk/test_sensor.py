"""Sensors, on a clock that only they move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outboard import BaseSensorOperator, Context, PokeReturnValue, TaskInstance, task
from outboard.sdk.exceptions import (
    AirflowFailException,
    AirflowRescheduleException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
    TaskDeferralError,
)
from outboard.sdk.sensor import poke_mode_only
from tests.sdk.conftest import World


class Comes(BaseSensorOperator):
    """Is there at the look of that number; raises what it is told to before."""

    def __init__(
        self, *, at: int = 10**9, error: BaseException | None = None, value: Any = None, **kwargs: Any
    ) -> None:
        super().__init__(task_id="comes", **kwargs)
        self.at, self.error, self.value, self.looks = at, error, value, 0

    def poke(self, context: Context) -> Any:
        self.looks += 1
        if self.looks < self.at and self.error is not None:
            raise self.error
        return PokeReturnValue(self.looks >= self.at, self.value)


def context(first: datetime | None = None, reschedules: int = 0) -> Context:
    ti = TaskInstance(id="i", dag_id="d", task_id="comes", run_id="r", try_number=1, first_reschedule_date=first)
    return Context(ti=ti, run_id="r", task_reschedule_count=reschedules)


# ── waiting in the process ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sensor_looks_at_its_interval_until_it_is_there(world: World) -> None:
    assert Comes(at=4, value="here", poke_interval=7).execute(context()) == "here"
    assert world.slept == [7, 7, 7]


def test_a_function_under_the_decorator_is_a_sensor(world: World) -> None:
    answers = iter([False, 0, "yes"])

    @task.sensor(poke_interval=timedelta(seconds=3))
    def arrives(expected: str) -> Any:
        return next(answers) == expected

    sensor = arrives.operator(args=("yes",))
    assert sensor.execute(context()) is None
    assert world.slept == [3, 3]


def test_a_coroutine_is_no_sensor() -> None:
    async def arrives() -> bool:
        return True

    with pytest.raises(TypeError, match="a sensor's function is called, not awaited"):
        task.sensor(arrives)()


def test_the_look_at_the_very_end_of_the_time_still_counts(world: World) -> None:
    """The time is up when more than the timeout has passed after a look that found nothing."""
    assert Comes(at=3, poke_interval=5, timeout=10).execute(context()) is None
    with pytest.raises(AirflowSensorTimeout, match=r"waited 15\.0 seconds in vain, of 10 that it may"):
        Comes(poke_interval=5, timeout=10).execute(context())


def test_a_soft_sensor_is_skipped_when_its_time_is_up(world: World) -> None:
    with pytest.raises(AirflowSkipException, match="waited"):
        Comes(poke_interval=5, timeout=10, soft_fail=True).execute(context())


@pytest.mark.parametrize(
    ("error", "how", "expected"),
    [
        (ValueError("x"), {}, ValueError),
        (ValueError("x"), {"soft_fail": True}, ValueError),
        (ValueError("x"), {"never_fail": True}, AirflowSkipException),
        (AirflowFailException("x"), {}, AirflowFailException),
        (AirflowFailException("x"), {"soft_fail": True}, AirflowSkipException),
        (AirflowFailException("x"), {"silent_fail": True}, AirflowFailException),
        (AirflowTaskTimeout("x"), {"soft_fail": True}, AirflowSkipException),
        (AirflowTaskTimeout("x"), {}, AirflowTaskTimeout),
        (AirflowSkipException("x"), {"silent_fail": True}, AirflowSkipException),
    ],
)
def test_what_a_look_raises_ends_the_wait_as_the_arguments_say(
    error: BaseException, how: dict[str, bool], expected: type[BaseException], world: World
) -> None:
    with pytest.raises(expected):
        Comes(error=error, **how).execute(context())


def test_a_silent_sensor_looks_again_in_spite_of_errors(world: World, caplog: pytest.LogCaptureFixture) -> None:
    assert Comes(at=3, error=ValueError("third row"), silent_fail=True).execute(context()) is None
    assert [record.exc_text or str(record.exc_info) for record in caplog.records if "again" in record.message]


def test_intervals_grow_with_a_cap_and_stay_within_what_is_left(world: World) -> None:
    with pytest.raises(AirflowSensorTimeout):
        Comes(poke_interval=4, exponential_backoff=True, max_wait=60, timeout=1000).execute(context())
    slept = world.slept
    assert all(first <= 2 * (2**number) * 4 for number, first in enumerate(slept))
    assert max(slept) == 60
    assert slept[:4] == sorted(slept[:4])
    assert sum(slept) == 1001


# ── waiting outside of it ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_rescheduled_sensor_ends_with_the_date_of_its_next_look(world: World) -> None:
    with pytest.raises(AirflowRescheduleException) as raised:
        Comes(poke_interval=600, mode="reschedule").execute(context())
    assert raised.value.reschedule_date == world.time + timedelta(seconds=600)
    assert world.slept == []


def test_its_time_counts_from_the_first_look_of_all(world: World) -> None:
    first = world.time - timedelta(seconds=100)
    with pytest.raises(AirflowRescheduleException):
        Comes(mode="reschedule", timeout=100).execute(context(first, reschedules=3))
    with pytest.raises(AirflowSensorTimeout, match=r"waited 100\.0 seconds in vain, of 99"):
        Comes(mode="reschedule", timeout=99).execute(context(first, reschedules=3))


def test_an_older_server_is_asked_when_the_first_look_was(world: World) -> None:
    world.first_looks["i", 1] = world.time - timedelta(seconds=50)
    with pytest.raises(AirflowSensorTimeout, match=r"waited 50\.0"):
        Comes(mode="reschedule", timeout=49).execute(context(reschedules=1))


def test_growing_intervals_follow_from_the_time_that_has_passed(world: World) -> None:
    intervals = []
    for seconds in (0, 60, 600, 6000):
        first = world.time - timedelta(seconds=seconds)
        sensor = Comes(mode="reschedule", poke_interval=10, exponential_backoff=True)
        with pytest.raises(AirflowRescheduleException) as raised:
            sensor.execute(context(first, reschedules=1))
        intervals.append((raised.value.reschedule_date - world.time).total_seconds())
    assert intervals == sorted(intervals)
    assert intervals[-1] > 10 * intervals[0]


def test_a_wait_for_a_trigger_that_fails_is_softened_too(world: World) -> None:
    timeout = {"error": "Trigger timeout"}
    with pytest.raises(AirflowSensorTimeout):
        Comes().resume_execution("__fail__", timeout, context())
    with pytest.raises(AirflowSkipException):
        Comes(soft_fail=True).resume_execution("__fail__", timeout, context())
    with pytest.raises(TaskDeferralError):
        Comes().resume_execution("__fail__", {"error": "x"}, context())


# ── wrong arguments ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"mode": "sometimes"}, "the mode is one of poke, reschedule, not 'sometimes'"),
        ({"poke_interval": -1}, "poke_interval is a timedelta or a number of seconds from 0, not -1"),
        ({"poke_interval": "5"}, "poke_interval is a timedelta"),
        ({"timeout": float("nan")}, "timeout is a timedelta"),
        ({"max_wait": timedelta(seconds=-1)}, "max_wait is a timedelta"),
        ({"soft_fail": True, "never_fail": True}, "soft_fail and never_fail exclude one another"),
    ],
)
def test_a_wrong_argument_is_an_error_that_names_it(arguments: dict[str, Any], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        Comes(**arguments)


def test_a_sensor_can_refuse_to_be_rescheduled() -> None:
    @poke_mode_only
    class Stays(Comes):
        pass

    assert Stays().mode == "poke"
    with pytest.raises(ValueError, match="the mode is one of poke, not 'reschedule'"):
        Stays(mode="reschedule")
    with pytest.raises(ValueError, match="decorates classes of sensors"):
        poke_mode_only(World)


def test_a_sensor_without_a_look_says_so(world: World) -> None:
    with pytest.raises(NotImplementedError, match="BaseSensorOperator has no poke"):
        BaseSensorOperator(task_id="x").execute(context())


def test_the_date_of_the_first_look_is_aware(world: World) -> None:
    assert world.now().tzinfo is UTC
