"""A task that ends as it is told to, by the run's ``conf``."""

import atexit
import os

from outboard import dag, task
from outboard.sdk.exceptions import AirflowFailException, AirflowSkipException

RAISED = {"failure": ValueError, "failure for good": AirflowFailException, "skip": AirflowSkipException}


def leave(code):
    """End this process: with an exit code, or, for a negative one, by that signal."""
    if code >= 0:
        os._exit(code)
    os.kill(os.getpid(), -code)


@task
def ends(dag_run):
    """``report``: what the supervisor is told; ``exit``: with what the process ends then, or None for its own way."""
    report, code = dag_run.conf["report"], dag_run.conf["exit"]
    if report == "nothing":
        leave(code)
    if code is not None:
        atexit.register(leave, code)
    if report in RAISED:
        raise RAISED[report](report)


@dag
def ending():
    ends()


ending()
