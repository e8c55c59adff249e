"""Handlers that end their process in their own way, before the report or after it."""

import atexit
import os

from outboard import TaskRegistry
from outboard.sdk.exceptions import AirflowFailException, AirflowSkipException

handlers = TaskRegistry()


def says_nothing():
    os._exit(0)


def succeeds_and_exits_with_7():
    atexit.register(os._exit, 7)


def skips_and_exits_with_7():
    atexit.register(os._exit, 7)
    raise AirflowSkipException


def fails_for_good_and_exits_with_7():
    atexit.register(os._exit, 7)
    raise AirflowFailException


for function in (
    *(says_nothing, succeeds_and_exits_with_7),
    *(skips_and_exits_with_7, fails_for_good_and_exits_with_7),
):
    for task_id in (function.__name__, f"{function.__name__}_with_a_retry"):
        handlers.register("rude", task_id, function)
