"""One trigger of the author's: find its class, wait for its first event, clean up. Says what came of it, reports nothing.

It is outboard's own extension of the protocol: under Airflow, triggers run in the triggerer.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

import anyio

from outboard.errors import SerializationError
from outboard.protocol import messages as m
from outboard.protocol import serde
from outboard.runtime import coroutine_body
from outboard.runtime.client import ChannelClient
from outboard.runtime.tracebacks import message_of, report_of
from outboard.sdk.client import use
from outboard.sdk.exceptions import AirflowTaskTerminated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from outboard.comms.channel import Channel
    from outboard.protocol.messages import Message, RunTrigger, TriggerFailed
    from outboard.runtime.bundle import Bundle
    from outboard.runtime.logs import Logs
    from outboard.runtime.signals import Signals

__all__ = ("run",)

TRIGGER_LOGGER = "trigger"

# Seconds for what a trigger does behind its first event. Most return at once; one that goes on for ever is cancelled.
AFTERMATH = 1.0


class _FailedError(Exception):
    """The trigger will not fire. The text is one sentence; `is_missing` says that the bundle has no such class."""

    def __init__(self, sentence: str, *, is_missing: bool = False) -> None:
        super().__init__(sentence)
        self.is_missing = is_missing


def run(request: RunTrigger, bundle: Bundle, channel: Channel, logs: Logs, signals: Signals) -> Message:
    """Run one trigger to its first event.

    Args:
        request: the greeting.
        bundle: where its class is.
        channel: to the supervisor.
        logs: where the trigger's words go.
        signals: how a SIGTERM reaches the trigger.

    Returns:
        TriggerFired or TriggerFailed.
    """
    try:
        client = ChannelClient(channel, logs, bundle.is_authors)
        use(client)
        bundle.complete()
        trigger = _make(request, client)
        event = coroutine_body.run(_first_event, (trigger, logs), {}, signals)
        return _fired(request.classpath, event)
    except BaseException as error:  # every end of the trigger is one, SystemExit too
        return _failed(request.classpath, error)


# ── the class ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _make(request: RunTrigger, client: ChannelClient) -> Any:
    kind = _find(request.classpath)
    kwargs = {name: client.decoded(value) for name, value in request.trigger_kwargs.items()}
    trigger = kind(**kwargs)
    with contextlib.suppress(AttributeError):  # a class with slots, which does not want to know
        trigger.task_instance = request.ti
    return trigger


def _find(classpath: str) -> Any:
    """The class of that path: the longest part of it that is a module, and names inside of that."""
    *parts, name = classpath.split(".")
    if not parts or not all((*parts, name)):
        raise _missing(classpath, "that is no path of a class, such as 'package.module.Class'")
    for size in range(len(parts), 0, -1):
        module = ".".join(parts[:size])
        if not _is_importable(module):
            continue
        found: Any = sys.modules[module]
        for attribute in (*parts[size:], name):
            found = getattr(found, attribute, None)
        if found is None:
            raise _missing(classpath, f"the module {module!r} has no {'.'.join((*parts[size:], name))!r}")
        if not callable(found):
            raise _FailedError(f"{classpath!r} is no class, but {found!r}")
        return found
    raise _missing(classpath, f"there is no module {parts[0]!r}")


def _is_importable(module: str) -> bool:
    """Import a module; False if there is none of that name. What goes wrong in a module that is there is raised."""
    try:
        __import__(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, and needs another one that is not
        return False
    return True


def _missing(classpath: str, why: str) -> _FailedError:
    return _FailedError(
        f"the trigger {classpath!r} cannot be imported in the bundle's environment: {why}; "
        "put its class into the file or a module beside it, or its package into the dependencies",
        is_missing=True,
    )


# ── the event ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _first_event(trigger: Any, logs: Logs) -> Any:
    """Wait for the first event; None if the trigger ends without one."""
    fired: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    # In a task of its own, as in Airflow: what the trigger has entered when it yields, such as a task group, it must be
    # able to leave in the same task, and nothing of ours may stand between.
    watching = asyncio.create_task(_watch(trigger, fired))
    try:
        await asyncio.wait((watching, fired), return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait((watching,), timeout=AFTERMATH)
    finally:
        # A SIGTERM cancels the wait, not what gives back.
        with anyio.CancelScope(shield=True):
            watching.cancel()
            await asyncio.wait((watching,))
            await _clean_up(trigger, logs)
    error = None if watching.cancelled() else watching.exception()
    if error is not None and not fired.done():
        raise error
    if error is not None:
        logs.exception("the trigger raised an exception behind its event", error, TRIGGER_LOGGER)
    return fired.result() if fired.done() else None


async def _watch(trigger: Any, fired: asyncio.Future[Any]) -> None:
    async for event in trigger.run():
        if not fired.done():
            fired.set_result(event)


async def _clean_up(trigger: Any, logs: Logs) -> None:
    cleanup = getattr(trigger, "cleanup", None)
    if cleanup is None:
        return
    try:
        await cleanup()
    except Exception as error:  # what it waited for has come about, or not; that stands
        logs.exception("the trigger's cleanup raised an exception", error, TRIGGER_LOGGER)


def _fired(classpath: str, event: Any) -> Message:
    if event is None:
        raise _FailedError(f"the trigger {classpath!r} ended without an event; it must yield a TriggerEvent")
    if not hasattr(event, "payload"):
        raise _FailedError(f"the trigger {classpath!r} yielded {event!r}, which is no TriggerEvent")
    state = getattr(event, "task_instance_state", None)
    xcoms = getattr(event, "xcoms", None) or {}
    return m.TriggerFired(
        payload=serde.serialize(event.payload, "payload"),
        task_instance_state=None if state is None else str(getattr(state, "value", state)),  # type: ignore[arg-type]
        xcoms={key: serde.serialize(value, key) for key, value in xcoms.items()} or None,
    )


def _failed(classpath: str, error: BaseException) -> TriggerFailed:
    if isinstance(error, _FailedError):
        return m.TriggerFailed(error=str(error), traceback=[], is_missing=error.is_missing)
    if isinstance(error, SerializationError):
        return m.TriggerFailed(error=f"the event of the trigger {classpath!r} cannot be sent: {error}", traceback=[])
    if isinstance(error, AirflowTaskTerminated):
        return m.TriggerFailed(error=f"the trigger {classpath!r} was terminated: {message_of(error)}", traceback=[])
    said = message_of(error)
    last = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return m.TriggerFailed(error=f"the trigger {classpath!r} failed: {last}", traceback=report_of(error).splitlines())
