"""One task: find it, give it its context and arguments, run it, push its result. Says how it ended; reports nothing itself.

The order follows Airflow's own runner: XComs of an earlier try are cleared first, the result is pushed before the report,
so that a success that was reported has its XComs stored.
"""

from __future__ import annotations

from outboard.errors import BundleError, LoadError, SerializationError
from outboard.runtime import author_file, outcome
from outboard.runtime.client import ChannelClient
from outboard.runtime.task_context import build_context
from outboard.sdk.client import use
from outboard.sdk.context import pop_context, push_context
from outboard.sdk.exceptions import AirflowSkipException, AirflowTaskTerminated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from outboard.comms.channel import Channel
    from outboard.protocol.messages import Message, StartupDetails
    from outboard.runtime.bundle import Bundle
    from outboard.runtime.logs import Logs
    from outboard.runtime.signals import Signals
    from outboard.sdk.context import Context
    from outboard.sdk.registry import Declarations
    from outboard.sdk.task_definition import TaskDefinition

__all__ = ("RETURN_KEY", "run")

RETURN_KEY = "return_value"
TASK_LOGGER = "task"


def run(details: StartupDetails, bundle: Bundle, channel: Channel, logs: Logs, signals: Signals) -> Message:
    """Run one task to its end, whatever that is.

    Args:
        details: the greeting.
        bundle: whose task it is.
        channel: to the supervisor.
        logs: where the task's words go.
        signals: how a SIGTERM reaches a coroutine.

    Returns:
        The terminal message. What was raised has been logged.
    """
    try:
        return _run(details, bundle, channel, logs, signals)
    except BaseException as error:  # every end of the body is an outcome, SystemExit too
        try:  # noqa: SIM105  # contextlib is not the child's to load
            _explain(error, logs)
        except BaseException:  # what it was matters less than that the supervisor is told how it ended
            pass
        return outcome.failed(error, should_retry=details.ti_context.should_retry)


def _run(details: StartupDetails, bundle: Bundle, channel: Channel, logs: Logs, signals: Signals) -> Message:
    ti = details.ti
    client = ChannelClient(channel, logs.masker)
    use(client)
    bundle.complete()
    definition = _find(author_file.load(bundle.modules_of(ti.dag_id)), ti.dag_id, ti.task_id)
    if definition is None:
        logs.emit("error", f"the bundle has no task {ti.task_id!r} of Dag {ti.dag_id!r}")
        return outcome.removed()
    for key in details.ti_context.xcom_keys_to_clear:
        client.delete_xcom(key, ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
    context = build_context(details, definition)
    push_context(context)
    try:
        result = _call(definition, context, signals)
    finally:
        pop_context()
    _push_result(details, definition, result, client)
    return outcome.succeeded()


def _find(loaded: Sequence[Declarations], dag_id: str, task_id: str) -> TaskDefinition | None:
    for declarations in loaded:
        definition = declarations.find(dag_id, task_id)
        if definition is not None:
            return definition
    return None


def _call(definition: TaskDefinition, context: Context, signals: Signals) -> Any:
    args, kwargs = definition.bind(context, context["ti"].pull_argument)
    if not definition.is_coroutine:
        return definition.python_callable(*args, **kwargs)
    from outboard.runtime import coroutine_body  # anyio is only for those who await

    return coroutine_body.run(definition.python_callable, args, kwargs, signals)


def _push_result(details: StartupDetails, definition: TaskDefinition, result: Any, client: ChannelClient) -> None:
    if result is None or not definition.do_xcom_push:
        return
    ti = details.ti
    place = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
    if definition.multiple_outputs:
        if not isinstance(result, dict):
            raise TypeError(
                f"{definition.label} has multiple outputs, so it returns a dict, not {type(result).__name__}"
            )
        for key, value in result.items():
            if not isinstance(key, str):
                raise TypeError(f"{definition.label} has multiple outputs, so its keys are strings, not {key!r}")
            client.set_xcom(key, value, *place)
    client.set_xcom(RETURN_KEY, result, *place, dag_result=definition.returns_dag_result)


def _explain(error: BaseException, logs: Logs) -> None:
    from outboard.runtime.tracebacks import message_of  # a task that succeeds needs none of it

    logs.flush()  # what was printed without an end of line was said before this
    if isinstance(error, AirflowSkipException):
        said = message_of(error)
        logs.emit("info", f"skipped: {said}" if said else "skipped", TASK_LOGGER)
    elif isinstance(error, AirflowTaskTerminated):
        logs.emit("error", f"terminated: {message_of(error)}", TASK_LOGGER)
    elif isinstance(error, BundleError):
        logs.emit("error", str(error), TASK_LOGGER)
    elif isinstance(error, LoadError):
        logs.exception(str(error), error, TASK_LOGGER)
    elif isinstance(error, SerializationError):
        logs.emit("error", f"the result cannot be stored: {error}", TASK_LOGGER)
    else:
        logs.exception("the task raised an exception", error, TASK_LOGGER)
