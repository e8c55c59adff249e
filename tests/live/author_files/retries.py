"""Tasks whose failures are judged, as an author writes them; the run's ``conf`` says what is raised."""

import builtins
from datetime import timedelta

from outboard import (
    Connection,
    ExceptionRetryPolicy,
    RetryAction,
    RetryDecision,
    RetryPolicy,
    RetryRule,
    dag,
    get_current_context,
    task,
)
from outboard.sdk.exceptions import AirflowFailException


def raises():
    kind = get_current_context()["dag_run"].conf["raised"]
    raise getattr(builtins, kind, AirflowFailException)("as the run wants it")


BY_EXCEPTION = ExceptionRetryPolicy(
    [
        RetryRule(ConnectionError, retry_delay=timedelta(seconds=90), reason="the other side sleeps"),
        RetryRule(["builtins.PermissionError", "gone.Away"], RetryAction.FAIL, reason="the key is wrong"),
        RetryRule(TimeoutError),
        RetryRule(BlockingIOError, RetryAction.RESCHEDULE, retry_delay=timedelta(hours=1), max_reschedules=2),
    ]
)


class Says(RetryPolicy):
    """Decides what it was made with, whatever was raised."""

    def __init__(self, decide):
        self.decide = decide

    def evaluate(self, exception, try_number, max_tries, context=None):
        return self.decide(exception, try_number, max_tries, context)


def is_told(exception, try_number, max_tries, context):
    return RetryDecision.retry(reason=f"{type(exception).__name__} {try_number} {max_tries} {context['ti'].task_id}")


def tells_a_secret(*_):
    return RetryDecision.retry(reason=f"no login with {Connection.get('warehouse').password}")


def breaks(*_):
    raise ValueError("the policy is wrong itself")


JUDGES = {
    "is_told": is_told,
    "tells_a_secret": tells_a_secret,
    "breaks": breaks,
    "talks_too_much": lambda *_: RetryDecision.retry(reason="ä" * 501),
    "fails_for_a_reason": lambda *_: RetryDecision.fail(reason="never again"),
    "leaves_it_alone": lambda *_: RetryDecision.default(),
}


@dag
def retries():
    task(task_id="without_a_policy", retries=3, retry_delay=timedelta(seconds=7))(raises)()
    task(task_id="by_exception", retries=3, retry_policy=BY_EXCEPTION)(raises)()
    for name, judge in JUDGES.items():
        task(task_id=name, retries=3, retry_policy=Says(judge))(raises)()


retries()
