"""A task that learns a secret and tells it in each way that there is; the run's ``conf`` says where the secret comes from."""

import contextlib
import logging
import os
import subprocess
import sys

import structlog

from outboard import Connection, Variable, dag, task
from outboard.sdk.log import mask_secret

log = logging.getLogger("author")


def derived():
    secret = Connection.get("warehouse").password[::-1]
    mask_secret(secret)
    return secret


SOURCES = {
    "password": lambda: Connection.get("warehouse").password,
    "extra": lambda: Connection.get("warehouse").extra_dejson["api_key"],
    "variable": lambda: Variable.get("service_token"),
    "derived": derived,
    "named": lambda: mask_secret({"host": "db.example", "passphrase": "open-sesame-7"}) or "open-sesame-7",
}


@task
def tells(dag_run):
    secret = SOURCES[dag_run.conf["source"]]()
    half = len(secret) // 2
    print("printed:", secret)
    print("in pieces:", secret[:half], end="")
    print(secret[half:])
    print("to stderr:", secret, file=sys.stderr)
    log.info("logged: %s", secret, extra={"field": {"deep": [secret]}})
    structlog.get_logger("author").info("structured", field=secret)
    os.write(1, f"written: {secret}\n".encode())
    os.write(2, f"written in pieces: {secret[:half]}".encode())
    os.write(2, f"{secret[half:]}\n".encode())
    subprocess.run(["echo", f"by a command: {secret}"], check=True)
    with contextlib.suppress(ValueError):
        tells_in_a_traceback(secret)
    raise PermissionError(f"{secret} was refused")


def tells_in_a_traceback(secret):
    try:
        raise LookupError(secret)
    except LookupError:
        log.exception("caught")
        raise ValueError from None


mask_secret("word-of-the-dag-file")


@task
def earlier(): ...


@task
def takes(rows, *words, api_key, **more):
    return rows


@dag
def discreet():
    tells()
    takes(
        earlier(), "a word-of-the-dag-file", api_key="key-in-the-file", options={"password": "pass-in-the-file", "n": 1}
    )


discreet()
