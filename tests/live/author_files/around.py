"""Tasks with something around their body: params, hooks, callbacks, time limits and a way to be stopped."""

import logging
import signal
import time
from datetime import timedelta

from outboard import BaseOperator, Param, Variable, dag, task
from outboard.sdk.exceptions import AirflowFailException, AirflowSkipException

log = logging.getLogger("author.around")

# ── params ────────────────────────────────────────────────────────────────────────────────────────────────────────


@task(params={"where": "south"})
def reads_params(params):
    return dict(params)


@task(params={"key": Param(type="string")})
def wants_a_param(params):
    return params["key"]


# ── time limits and being stopped ─────────────────────────────────────────────────────────────────────────────────


def waits():
    try:
        time.sleep(600)
    finally:
        log.info("left its desk tidy")


# Long enough to get as far as the wait on a machine with much else to do.
@task(execution_timeout=timedelta(seconds=1))
def takes_too_long():
    waits()


@task(execution_timeout=timedelta(seconds=3))
async def takes_too_long_to_await():
    import anyio

    try:
        await anyio.sleep(600)
    finally:
        log.info("left its desk tidy")


@task(execution_timeout=timedelta(hours=1))
def is_quick_enough():
    return "in time"


@task(execution_timeout=timedelta(seconds=1))
def hears_no_alarm():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    waits()


class HasSomethingElsewhere(BaseOperator):
    def execute(self, context):
        Variable.set("started", "yes")
        waits()

    def on_kill(self):
        Variable.set("ended_elsewhere", "yes")


# ── hooks ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def says_before(context):
    log.info("before %s", context["ti"].task_id)


def says_after(context, result):
    log.info("after, with %s", result)


class Hooked(BaseOperator):
    def pre_execute(self, context):
        log.info("its own before")

    def execute(self, context):
        log.info("the body")
        return "result"

    def post_execute(self, context, result=None):
        log.info("its own after, with %s", result)


def fails(context):
    raise ValueError("not today")


def skips(context):
    raise AirflowSkipException("not needed")


@task(pre_execute=fails)
def is_stopped_before():
    log.info("the body")


@task(pre_execute=skips)
def is_skipped_before():
    log.info("the body")


@task(post_execute=lambda context, result: fails(context))
def fails_after():
    return "result"


# ── callbacks ─────────────────────────────────────────────────────────────────────────────────────────────────────


def calls(name):
    def called(context):
        Variable.set(name, f"{context['ti'].task_id}: {type(context.get('exception')).__name__}")

    return called


CALLED = {
    name: [calls(name)]
    for name in (
        *("on_execute_callback", "on_success_callback", "on_failure_callback"),
        *("on_retry_callback", "on_skipped_callback"),
    )
}


@task(**CALLED)
def succeeds(): ...


@task(**CALLED)
def raises():
    raise ConnectionError("nobody answers")


@task(**CALLED)
def raises_for_good():
    raise AirflowFailException("nobody ever answers")


@task(**CALLED)
def has_nothing_to_do():
    raise AirflowSkipException("nothing to do")


@task(on_success_callback=[fails, calls("on_success_callback")])
def has_a_broken_callback(): ...


@dag(params={"rows": Param(3, type="integer", minimum=1), "where": "north"})
def around():
    reads_params()
    wants_a_param()
    takes_too_long()
    takes_too_long_to_await()
    is_quick_enough()
    hears_no_alarm()
    HasSomethingElsewhere(task_id="has_something_elsewhere")
    HasSomethingElsewhere(task_id="has_too_much_elsewhere", execution_timeout=timedelta(seconds=1))
    Hooked(task_id="hooked", pre_execute=says_before, post_execute=says_after)
    is_stopped_before()
    is_skipped_before()
    fails_after()
    succeeds()
    raises()
    raises_for_good()
    has_nothing_to_do()
    has_a_broken_callback()


around()
