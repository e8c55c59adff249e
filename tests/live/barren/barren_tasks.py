"""Tasks for places where nothing is to be had: they tell what they find, and do what tasks do all the same."""

import asyncio
import logging
import os

from outboard import Variable, dag, task

log = logging.getLogger("barren")


def trouble(attempt, folder):
    """What is wrong with an attempt, in the system's words; nothing if it works."""
    try:
        attempt(folder)
    except OSError as error:
        return error.strerror
    return "nothing"


def write_in(folder):
    path = os.path.join(folder, "probe")
    with open(path, "w"):
        os.unlink(path)


def run_from(folder):
    path = os.path.join(folder, f"probe-{os.getpid()}")
    with open(path, "w") as script:
        script.write("#!/bin/sh\nexit 0\n")
    os.chmod(path, 0o755)
    try:
        os.execv(path, [path])
    finally:
        os.unlink(path)


@task
def tells_where_it_is():
    return {
        "uid": os.getuid(),
        "home": os.environ.get("HOME", "none"),
        "writing": {folder: trouble(write_in, folder) for folder in (".", "/var/tmp", "/tmp", "/dev/shm")},
    }


@task
def tells_whether_tmp_is_any_good():
    return trouble(run_from, "/tmp")


@task
def works():
    print("printed")
    log.info("logged")
    return Variable.get("region")


@task
async def awaits():
    import anyio

    return await asyncio.gather(asyncio.sleep(0, "awaited"), anyio.to_thread.run_sync(Variable.get, "region"))


@task
def raises():
    raise ValueError("as anywhere")


@dag
def barren():
    tells_where_it_is()
    tells_whether_tmp_is_any_good()
    works()
    awaits()
    raises()


barren()
