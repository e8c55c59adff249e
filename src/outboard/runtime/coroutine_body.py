"""Runs a coroutine task. Loaded for coroutine tasks only, since anyio costs more than the rest of the child."""

from __future__ import annotations

import asyncio

import anyio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Any

    from outboard.runtime.signals import Signals

__all__ = ("run",)


def run(
    function: Callable[..., Awaitable[Any]], args: Sequence[Any], kwargs: Mapping[str, Any], signals: Signals
) -> Any:
    """Run the coroutine function to its end and return its result.

    A SIGTERM cancels it, as anyio cancels: ``finally`` blocks run, and the exception of the signal follows.
    """
    interruption: list[BaseException] = []

    async def body() -> Any:
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as scope:

            def cancel(error: BaseException) -> None:
                interruption.append(error)
                # The handler may run while the loop sleeps: this also wakes it.
                loop.call_soon_threadsafe(scope.cancel)

            interrupt, signals.interrupt = signals.interrupt, cancel
            try:
                return await function(*args, **kwargs)
            finally:
                signals.interrupt = interrupt

    result = anyio.run(body)
    if interruption:
        raise interruption[0]
    return result
