"""A task that says something in each way that there is; the run's ``conf`` names the function."""

import asyncio
import atexit
import contextlib
import ctypes
import faulthandler
import logging
import logging.config
import multiprocessing
import os
import subprocess
import sys
import threading
import warnings

import structlog

from outboard import dag, task

log = logging.getLogger("author")
structured = structlog.get_logger("author")

MEGABYTE = 1_000_000


class Unshowable:
    def __repr__(self):
        raise RuntimeError("no words")


# ── to the streams ────────────────────────────────────────────────────────────────────────────────────────────────


def without_an_end():
    print("out", end="")
    print("err", end="", file=sys.stderr)


def bytes_that_are_no_text():
    sys.stdout.buffer.write(b"caf\xe9\n")


def odd_characters():
    print("a\rb\0c\x1b[31mred\x1b[0m \ud800")
    print()
    print("two\nlines")


def a_long_line():
    print("x" * MEGABYTE)


def redirected():
    with contextlib.redirect_stdout(sys.stderr):
        print("from stdout to stderr")


def to_the_interpreters_own_streams():
    sys.__stdout__.write("out, written\n")
    sys.__stderr__.write("err, written\n")


def a_warning():
    warnings.warn("mind the step", stacklevel=1)


def an_exception_in_a_finalizer():
    class Fragile:
        def __del__(self):
            raise ValueError("in a finalizer")

    Fragile()


# ── to the descriptors ────────────────────────────────────────────────────────────────────────────────────────────


def bytes_to_the_descriptors():
    os.write(1, b"caf\xe9\n")
    os.write(2, b"err, no end")


def a_long_line_to_a_descriptor():
    left = b"y" * MEGABYTE
    while left:
        left = left[os.write(1, left) :]


def from_c():
    libc = ctypes.CDLL(None)
    libc.printf(b"%d from C, buffered\n", ctypes.c_int(7))
    libc.puts(b"more, at the very end")


def the_stacks_of_all_threads():
    faulthandler.dump_traceback()


def after_closing_stdout():
    os.close(1)
    print("still heard")


# ── from elsewhere ────────────────────────────────────────────────────────────────────────────────────────────────


def from_a_command():
    subprocess.run(["sh", "-c", "echo out; echo err >&2; printf 'no end'"], check=True)


def from_a_command_with_our_streams():
    subprocess.run(["sh", "-c", "echo out; echo err >&2"], stdout=sys.stdout, stderr=sys.stderr, check=True)


def from_a_fork():
    process = multiprocessing.get_context("fork").Process(target=print, args=("a child prints",))
    process.start()
    process.join()


def from_a_thread_that_outlives_the_body():
    def late():
        threading.main_thread().join()
        print("the body has ended")

    threading.Thread(target=late).start()


def an_exception_in_a_thread():
    def fails():
        raise KeyError("in a thread")

    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()


def after_the_end():
    atexit.register(print, "out, no end", end="")
    atexit.register(os.write, 1, b"written\n")
    atexit.register(log.warning, "logged")
    atexit.register(print, "printed")


# ── to the log ────────────────────────────────────────────────────────────────────────────────────────────────────


def at_each_level():
    logging.addLevelName(35, "LOUD")
    for number in (10, 20, 30, 35, 40, 50, 99):
        log.log(number, "at %d", number)


def with_names_that_are_taken():
    taken = ("event", "level", "timestamp", "logger", "self", "target", "method_name", "positional_args", "type")
    log.info("taken", extra=dict.fromkeys(taken, "mine"))
    structured.info("taken too", msg="mine", exc_info=False, stack_info=False)


def with_values_that_json_lacks():
    values = {"object": object, "bytes": b"\xff", "set": {1}, "nan": float("nan"), "huge": 2**70, "half": "\ud800"}
    log.info("values", extra={**values, "unshowable": Unshowable()})


def with_a_message_that_is_no_text():
    log.info({"a": 1})
    log.info("%d rows", "three")
    log.info(Unshowable())
    log.info("two\nlines")


def with_exceptions():
    log.error("none to tell of", exc_info=True)
    try:
        try:
            {}["chart"]
        except KeyError as error:
            raise LookupError("no chart") from error
    except LookupError:
        log.exception("caught by logging")
        structured.exception("caught by structlog")
    log.info("given", exc_info=ExceptionGroup("both", [ValueError("one"), ValueError("two")]))


def with_its_own_handlers():
    own = logging.getLogger("own")
    own.propagate = False
    own.addHandler(logging.StreamHandler(sys.stdout))
    own.warning("by its own handler")
    log.info("by ours")


def with_its_own_configuration():
    root = {"level": "INFO", "handlers": ["console"]}
    console = {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"}
    logging.config.dictConfig({"version": 1, "handlers": {"console": console}, "root": root})
    logging.getLogger("configured").info("as its author wants it")


def with_its_own_structlog():
    renderer = structlog.processors.KeyValueRenderer(key_order=["event"])
    structlog.configure(processors=[renderer], logger_factory=structlog.PrintLoggerFactory())
    structlog.get_logger().info("rendered", rows=3)


def from_many_threads():
    def talk(name):
        for number in range(500):
            log.info("%s %d", name, number)

    threads = [threading.Thread(target=talk, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def from_a_coroutine_that_nobody_awaits():
    async def fails():
        raise ValueError("nobody listens")

    async def main():
        asyncio.ensure_future(fails())  # noqa: RUF006
        await asyncio.sleep(0)

    asyncio.run(main())


def a_great_deal():
    for number in range(20_000):
        log.info("%d", number)


@task
def speaks(dag_run):
    globals()[dag_run.conf["way"]]()


@dag
def says():
    speaks()


says()
