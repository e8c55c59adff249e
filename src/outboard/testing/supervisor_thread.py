"""A thread with an event loop of its own, in which a supervisor works beside the caller."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import anyio
from anyio.from_thread import BlockingPortal

__all__ = ("supervisor_thread",)


@contextmanager
def supervisor_thread(idents: set[int]) -> Iterator[BlockingPortal]:
    """Run the thread, and yield the way into its event loop. What is under way there when this is left is cancelled.

    Args:
        idents: the thread is in it from its first step on.
    """
    opened: Future[BlockingPortal] = Future()

    async def serve() -> None:
        async with BlockingPortal() as portal:
            opened.set_result(portal)
            await portal.sleep_until_stopped()

    def run() -> None:
        idents.add(threading.get_ident())
        try:
            anyio.run(serve)
        except BaseException as error:
            if opened.done():
                raise
            opened.set_exception(error)

    thread = threading.Thread(target=run, name="outboard-supervisor", daemon=True)
    thread.start()
    try:
        portal = opened.result()
        try:
            yield portal
        finally:
            portal.call(portal.stop, True)
    finally:
        thread.join()
        idents.clear()
