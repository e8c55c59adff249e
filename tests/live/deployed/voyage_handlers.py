"""What the stub tasks of the Dag ``voyage`` do. Its native tasks, and the Dag itself, are in voyage_dag.py."""

import logging
import os
import signal
import sys

from outboard import Connection, TaskRegistry, Variable
from outboard.sdk.exceptions import AirflowFailException, AirflowSkipException

log = logging.getLogger("voyage")
handlers = TaskRegistry()


@handlers.task("voyage")
def finds_the_deepest(ti):
    measured = ti.xcom_pull(task_ids="soundings")
    ti.xcom_push("how_many", len(measured["depths"]))
    return {"harbour": measured["harbour"], "taken": measured["taken"], "pair": (max(measured["depths"]), "m")}


@handlers.task("voyage")
def reads_settings():
    tide = Connection.get("tide_tables")
    Variable.set("last_port", Variable.get("home_port"))
    return {
        "port": Variable.get("home_port"),
        "draught": Variable.get("draught", deserialize_json=True)["metres"],
        "absent": Variable.get("no_such_variable", default="nothing"),
        "tide": [tide.host, tide.port, tide.login, len(tide.password), tide.extra_dejson["zone"]],
    }


@handlers.task("voyage")
async def awaits():
    import asyncio

    return await asyncio.gather(asyncio.sleep(0, "port"), asyncio.sleep(0, "starboard"))


@handlers.task("voyage")
def succeeds_at_the_second_try(ti):
    if ti.try_number == 1:
        raise TimeoutError("the lock was closed")
    return ti.try_number


@handlers.task("voyage")
def is_killed_at_the_first_try(ti):
    if ti.try_number == 1:
        print("about to sink")
        os.kill(os.getpid(), signal.SIGKILL)
    return ti.try_number


@handlers.task("voyage")
def raises():
    try:
        int("three fathoms")
    except ValueError as error:
        raise LookupError("no depth here") from error


@handlers.task("voyage")
def fails_for_good():
    raise AirflowFailException("no water")


@handlers.task("voyage")
def skips():
    raise AirflowSkipException("in dock")


@handlers.task("voyage")
def speaks():
    import structlog

    print("ahoy, Ålesund")
    print("man overboard", file=sys.stderr)
    log.debug("not to be heard")
    log.info("%d knots", 12, extra={"knots": 12})
    log.warning("rocks ahead")
    log.error("aground")
    log.critical("abandon ship")
    structlog.get_logger("voyage.bridge").info("bearing", degrees=270)
    os.system("echo from the engine room")
    try:
        {}["chart"]
    except KeyError:
        log.exception("no chart")


@handlers.task("voyage")
def looks_around():
    secrets = ("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW__API_AUTH__JWT_SECRET", "AIRFLOW__API__SECRET_KEY")
    modules = sorted(
        {name.partition(".")[0] for name in sys.modules} & {"airflow", "outboard", "pydantic", "sqlalchemy"}
    )
    return {"secrets": [name for name in secrets if name in os.environ], "modules": modules}
