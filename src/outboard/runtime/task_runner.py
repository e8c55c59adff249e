"""One task: find it, give it its context and arguments, run it, push its result. Says how it ended; reports nothing itself.

The order follows Airflow's own runner: XComs of an earlier try are cleared first, the result is pushed before the report,
so that a success that was reported has its XComs stored, and callbacks are called after the report.
"""

from __future__ import annotations

from outboard.errors import BundleError, LoadError, SerializationError
from outboard.runtime import author_file, outcome
from outboard.runtime.client import TASK_LOGGER, ChannelClient
from outboard.runtime.environment import variables
from outboard.runtime.task_context import build_context
from outboard.sdk.client import use
from outboard.sdk.context import looked_up, pop_context, push_context
from outboard.sdk.exceptions import (
    AirflowRescheduleException,
    AirflowSkipException,
    AirflowTaskTerminated,
    AirflowTaskTimeout,
    DagRunTriggerException,
    DownstreamTasksSkipped,
    TaskAwaitingInput,
    TaskDeferred,
)
from outboard.sdk.operator import BaseOperator
from outboard.sdk.task_arguments import CALLBACKS
from outboard.sdk.xcom_arg import UNMAPPED

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

__all__ = ("RETURN_KEY", "TaskRun")

RETURN_KEY = "return_value"


class TaskRun:
    """One try of a task, from the greeting to what follows the report.

    Args:
        details: the greeting.
        bundle: whose task it is.
        channel: to the supervisor.
        logs: where the task's words go.
        signals: how a SIGTERM reaches the body.
    """

    def __init__(self, details: StartupDetails, bundle: Bundle, channel: Channel, logs: Logs, signals: Signals) -> None:
        self._details = details
        self._bundle = bundle
        self._channel = channel
        self._logs = logs
        self._signals = signals
        self._client = ChannelClient(channel, logs, bundle.is_authors)
        self._operator: BaseOperator | None = None
        self._context: Context | None = None
        self._error: BaseException | None = None
        self._report: Message | None = None

    def run(self) -> Message:
        """Run the task to its end, whatever that is.

        Returns:
            The terminal message. What was raised has been logged.
        """
        try:
            self._report = self._run()
        except BaseException as error:  # every end of the body is an outcome, SystemExit too
            self._report = self._conclude(error)
        return self._report

    def finish(self) -> None:
        """Do what follows the report: call the author's callbacks for the state that was reported."""
        operator, context, report = self._operator, self._context, self._report
        if operator is None or context is None or report is None or not _has_callbacks(operator):
            return
        from outboard.runtime import hooks

        push_context(context)
        try:
            hooks.notify(operator, context, outcome.state_of(report), self._error, self._logs)
        finally:
            pop_context()

    # ── the body ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> Message:
        details, client = self._details, self._client
        ti = details.ti
        use(client)
        self._bundle.complete()
        operator = _find(author_file.load(self._bundle.modules_of(ti.dag_id)), ti.dag_id, ti.task_id)
        if operator is None:
            self._logs.emit("error", f"the bundle has no task {ti.task_id!r} of Dag {ti.dag_id!r}")
            return outcome.removed()
        self._operator = operator
        for key in details.ti_context.xcom_keys_to_clear:
            client.delete_xcom(key, ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
        context = self._context = build_context(details, operator)
        push_context(context)
        try:
            result = self._execute(operator, context)
        finally:
            pop_context()
        self._signals.on_kill = None  # what the body has started has ended with it
        self._push_result(result)
        return self._succeeded(outcome.succeeded())

    def _execute(self, operator: BaseOperator, context: Context) -> Any:
        bindings = self._details.ti_context.arg_bindings
        if bindings and operator.dag is None:  # a Dag of the author's has its own arguments
            from outboard.runtime import argument_bindings

            operator = self._operator = argument_bindings.bound(operator, bindings)
        operator = self._operator = operator.with_references_resolved(context["ti"].pull_argument)
        context["task"] = context["ti"].task = operator
        if operator.filled_fields():
            from outboard.runtime import rendered_fields

            rendered_fields.send(operator, self._channel, self._logs)
        if operator.inlets or operator.outlets:
            from outboard.runtime import asset_report

            asset_report.check_active(self._client, self._details.ti.id)
        kind = type(operator)
        if kind.on_kill is not BaseOperator.on_kill:
            self._signals.on_kill = self._kill
        if _has_something_before(operator):
            from outboard.runtime import hooks

            hooks.before(operator, context, self._logs)
        result = self._within_its_time(operator, context)
        if operator._post_execute_hook or kind.post_execute is not BaseOperator.post_execute:
            from outboard.runtime import hooks

            hooks.after(operator, context, result, self._logs)
        return result

    def _within_its_time(self, operator: BaseOperator, context: Context) -> Any:
        limit = operator.execution_timeout
        if limit is None:
            return self._body(operator, context)
        from outboard.runtime import time_limit

        try:
            return time_limit.limited(
                lambda: self._body(operator, context), limit.total_seconds(), self._channel, self._signals, self._logs
            )
        except AirflowTaskTimeout:
            self._kill()
            raise

    def _body(self, operator: BaseOperator, context: Context) -> Any:
        method = self._details.ti_context.next_method
        if method:
            from outboard.runtime import suspension

            arguments = suspension.next_kwargs(self._details.ti_context, self._client.decoded)
            return operator.resume_execution(method, arguments, context)
        if not operator.is_async:
            return operator.execute(context)
        from outboard.runtime import coroutine_body  # anyio is only for those who await

        return coroutine_body.run(operator.aexecute, (context,), {}, self._signals)

    def _kill(self) -> None:
        """Let the operator end what it has started elsewhere, once, whatever comes of it."""
        self._signals.on_kill = None
        if self._operator is None:
            return
        try:
            self._operator.on_kill()
        except Exception as error:
            self._logs.exception("on_kill raised an exception", error, TASK_LOGGER)

    def _push_result(self, result: Any) -> None:
        operator, ti = self._operator, self._details.ti
        assert operator is not None
        pushed = result if operator.do_xcom_push else None
        length = None
        if operator.mapped_over and ti.map_index == UNMAPPED:
            from outboard.runtime.mapped_length import mapped_length

            length = mapped_length(operator, pushed)
        if pushed is None:
            return
        place = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
        if operator.multiple_outputs:
            if not isinstance(result, dict):
                raise TypeError(
                    f"{operator.label} has multiple outputs, so it returns a dict, not {type(result).__name__}"
                )
            for key, value in result.items():
                if not isinstance(key, str):
                    raise TypeError(f"{operator.label} has multiple outputs, so its keys are strings, not {key!r}")
                self._client.set_xcom(key, value, *place)
        self._client.set_xcom(RETURN_KEY, result, *place, dag_result=operator.returns_dag_result, mapped_length=length)

    # ── its end ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _conclude(self, error: BaseException) -> Message:
        """The terminal message for what was raised; for what is raised meanwhile, where that goes wrong too."""
        if self._signals.on_kill is not None and self._channel.is_lost:
            self._kill()  # what the kernel would have told us about in a moment
        self._signals.on_kill = None
        try:
            return self._outcome_of(error)
        except BaseException as trouble:
            try:
                return self._outcome_of(trouble)
            except BaseException as last:
                return self._failed(last)

    def _outcome_of(self, error: BaseException) -> Message:
        self._logs.flush()  # what was printed without an end of line was said before this
        if isinstance(error, DownstreamTasksSkipped):
            self._client.skip_downstream(error.tasks)
            return self._succeeded(outcome.succeeded())
        if isinstance(error, DagRunTriggerException):
            from outboard.runtime import dag_run_trigger

            assert self._context is not None
            return self._succeeded(dag_run_trigger.trigger(error, self._context["ti"], self._channel, self._logs))
        if isinstance(error, (TaskDeferred, TaskAwaitingInput, AirflowRescheduleException)):
            return self._suspended(error)
        return self._failed(error)

    def _succeeded(self, report: Message) -> Message:
        """The report, with what the task has to tell of its assets if it is a success."""
        operator, context = self._operator, self._context
        assert operator is not None
        assert context is not None
        events = looked_up(context, "outlet_events")
        if (operator.outlets or events) and type(report).__name__ == "SucceedTask":
            from outboard.runtime import asset_report

            asset_report.complete(report, operator.outlets, events)
        return report

    def _suspended(self, error: TaskDeferred | TaskAwaitingInput | AirflowRescheduleException) -> Message:
        from outboard.runtime import configuration, suspension

        if isinstance(error, TaskDeferred):
            by_queue = configuration.read(variables(), "triggerer", "queues_enabled", False)
            report = suspension.deferred(error, self._details.ti.queue if by_queue else None)
            self._logs.emit("info", f"deferred, until {report.classpath} fires", TASK_LOGGER)  # type: ignore[attr-defined]
        elif isinstance(error, TaskAwaitingInput):
            report = suspension.awaiting_input(error)
            self._logs.emit("info", "waits for a human", TASK_LOGGER)
        else:
            report = suspension.rescheduled(error)
            self._logs.emit("info", str(error), TASK_LOGGER)
        return report

    def _failed(self, error: BaseException) -> Message:
        self._error = None if isinstance(error, AirflowSkipException) else error
        try:  # noqa: SIM105  # contextlib is not the child's to load
            _explain(error, self._logs)
        except BaseException:  # what it was matters less than that the supervisor is told how it ended
            pass
        policy = None if self._operator is None else self._operator.retry_policy
        if policy is not None and self._context is not None and _is_for_the_policy(error):
            from outboard.runtime import retry_decision

            schema = self._channel.conversation.schema
            return retry_decision.decided(policy, error, self._details, self._context, schema, self._logs)
        return outcome.failed(error, should_retry=self._details.ti_context.should_retry)


def _find(loaded: Sequence[Declarations], dag_id: str, task_id: str) -> BaseOperator | None:
    for declarations in loaded:
        operator = declarations.find(dag_id, task_id)
        if operator is not None:
            return operator
    return None


def _has_something_before(operator: BaseOperator) -> bool:
    overrides = type(operator).pre_execute is not BaseOperator.pre_execute
    return overrides or operator._pre_execute_hook is not None or bool(operator.on_execute_callback)


def _has_callbacks(operator: BaseOperator) -> bool:
    return any(getattr(operator, name) for name in CALLBACKS)


def _is_for_the_policy(error: BaseException) -> bool:
    return not isinstance(error, (AirflowSkipException, AirflowTaskTerminated, *outcome.FINAL_FAILURES))


def _explain(error: BaseException, logs: Logs) -> None:
    from outboard.runtime.tracebacks import message_of  # a task that succeeds needs none of it

    if isinstance(error, AirflowSkipException):
        said = message_of(error)
        logs.emit("info", f"skipped: {said}" if said else "skipped", TASK_LOGGER)
    elif isinstance(error, AirflowTaskTerminated):
        logs.emit("error", f"terminated: {message_of(error)}", TASK_LOGGER)
    elif isinstance(error, AirflowTaskTimeout):
        logs.exception(f"timed out: {message_of(error)}", error, TASK_LOGGER)
    elif isinstance(error, BundleError):
        logs.emit("error", str(error), TASK_LOGGER)
    elif isinstance(error, LoadError):
        logs.exception(str(error), error, TASK_LOGGER)
    elif isinstance(error, SerializationError):
        logs.emit("error", f"{_what_cannot_be_sent(error)} cannot be stored: {error}", TASK_LOGGER)
    else:
        logs.exception("the task raised an exception", error, TASK_LOGGER)


def _what_cannot_be_sent(error: SerializationError) -> str:
    return (
        "the trigger's or the next method's argument"
        if error.path.startswith(("trigger_kwargs", "kwargs"))
        else "the result"
    )
