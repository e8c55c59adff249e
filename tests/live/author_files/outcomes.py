"""What tasks do, well and badly, as an author writes it."""

import logging
import os
import signal
import sys
import time

from outboard import Connection, Variable, dag, get_current_context, task
from outboard.sdk.exceptions import AirflowFailException, AirflowSkipException

log = logging.getLogger("author.outcomes")


@task
def returns_a_value():
    return {"rows": 3, "names": ["a", "b"], "share": 0.5}


@task
def returns_nothing():
    pass


@task
def takes_a_value(given):
    return given["rows"] + 1


@task
def pushes_by_hand():
    get_current_context()["ti"].xcom_push("count", 7)


@task
def returns_an_object():
    return {"rows": [1, object()]}


@task
async def awaits():
    import asyncio

    await asyncio.sleep(0)
    return "awaited"


@task
def reads_a_variable():
    return [Variable.get("region"), Variable.get("absent", default="nothing")]


@task
def reads_an_absent_variable():
    Variable.get("absent")


@task
def sets_a_variable():
    Variable.set("cursor", "2026-01-02")


@task
def reads_a_connection():
    connection = Connection.get("warehouse")
    return [connection.host, connection.port, connection.login, len(connection.password)]


@task
def reads_its_context():
    context = get_current_context()
    return [context["dag_run"].run_id, context["ti"].task_id, context["ti"].map_index, context["ds"]]


@task
def raises():
    raise ValueError("the third row is wrong")


@task
def fails_for_good():
    raise AirflowFailException("no retry helps")


@task
def skips():
    raise AirflowSkipException("nothing to do")


@task
def exits_politely():
    sys.exit(0)


@task
def exits_rudely():
    os._exit(7)


@task
def kills_itself():
    os.kill(os.getpid(), signal.SIGKILL)


@task
def waits():
    try:
        Variable.set("started", "yes")
        time.sleep(600)
    finally:
        log.info("left its desk tidy")


@task
def logs():
    log.debug("one %s", "row")
    log.info("two %s", "rows", extra={"rows": 2})
    log.warning("three")
    print("four")
    log.error("five")
    print("six", file=sys.stderr)
    log.critical("seven")


@task
def logs_an_exception():
    try:
        raise KeyError("month")
    except KeyError:
        log.exception("caught")


@task
def logs_with_structlog():
    import structlog

    structlog.get_logger("author.structured").info("loaded", rows=3, source="a file")


@task
def runs_a_command():
    os.system("echo from a child")


@dag
def outcomes():
    takes_a_value(returns_a_value())
    returns_nothing()
    pushes_by_hand()
    returns_an_object()
    awaits()
    reads_a_variable()
    reads_an_absent_variable()
    sets_a_variable()
    reads_a_connection()
    reads_its_context()
    raises()
    fails_for_good()
    skips()
    exits_politely()
    exits_rudely()
    kills_itself()
    waits()
    logs()
    logs_an_exception()
    logs_with_structlog()
    runs_a_command()


outcomes()
