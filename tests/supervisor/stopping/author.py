"""An author's file whose task stops in a chosen phase, after having told the process that stopped there.

The phase comes in the environment. ``grandchild`` phases have a child process of their own that does nothing.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import NoReturn

from outboard import Variable, dag, task

PHASE = os.environ["PHASE"]
FOREVER = 3600


def stop_here(phase: str) -> None:
    if phase == PHASE:
        print(f"at {phase} {os.getpid()}", flush=True)
        time.sleep(FOREVER)


def start_grandchild() -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(3600)"])
    print(f"at {PHASE} {process.pid}", flush=True)
    return process


if PHASE == "grandchild of the import":
    code = start_grandchild().wait()
    raise RuntimeError(f"it ended with {code}")

stop_here("import")


class Stubborn(Exception):
    """An error that takes for ever to be shown."""

    def __str__(self) -> str:
        stop_here("failure")
        return "stubborn"


def tell() -> None:
    print(f"at {PHASE} {os.getpid()}", flush=True)


def spin() -> NoReturn:
    while True:
        pass


def busy_body() -> NoReturn:
    tell()
    spin()


def busy_body_with_a_grandchild() -> NoReturn:
    start_grandchild()
    spin()


def request() -> None:
    tell()
    Variable.get("never answered")


def grandchild_of_the_body() -> NoReturn:
    code = start_grandchild().wait()
    raise RuntimeError(f"it ended with {code}")


def failure() -> NoReturn:
    raise Stubborn


def result() -> str:
    tell()
    return "pushed where nobody answers"


def leave() -> None:
    atexit.register(stop_here, "exit")


BODIES: dict[str, Callable[[], str | None]] = {
    "body": lambda: stop_here("body"),
    "busy body": busy_body,
    "busy body with a grandchild": busy_body_with_a_grandchild,
    "exit": leave,
    "failure": failure,
    "grandchild of the body": grandchild_of_the_body,
    "request": request,
    "result": result,
}


@dag(dag_id="d")
def phases() -> None:
    @task
    def t() -> str | None:
        return BODIES[PHASE]()

    t()


phases()
